//! Packages of natives, each with a namespace: `fs::read("notes.txt")`.
//!
//! All engines share the packages, so nothing in them belongs to a circle or a play: a native asks [`Frame::current`]
//! for both. A script's own functions have no namespace and so never replace a package's.

mod circle;
mod crypto;
mod db;
mod fs;
mod json;
mod log;
mod secret;
mod time;

use std::ops::Deref;

use rhai::{Blob, Dynamic, DynamicReadLock, ImmutableString, Module, Shared};

use crate::natives::{Checked, Frame, Natives as _, throw};

/// Registers the natives of one namespace.
type Register = fn(&mut Module);

/// Every namespace, by name.
const ALL: [(&str, Register); 6] = [
    ("crypto", crypto::register),
    ("db", db::register),
    ("fs", fs::register),
    ("json", json::register),
    ("log", log::register),
    ("time", time::register),
];

/// Returns whether this is the name of a namespace, which no import may take.
pub(crate) fn is_namespace(name: &str) -> bool {
    ALL.iter().any(|(namespace, _)| *namespace == name)
}

/// Natives without a namespace that speak for the circle. No function of a script may have their names.
const RESERVED: [&str; 2] = ["circle", "secret"];

/// Returns whether no function of a script may have this name.
pub(crate) fn is_reserved(function: &str) -> bool {
    RESERVED.contains(&function)
}

/// Natives without a namespace.
pub(crate) fn register(natives: &mut Module) {
    circle::register(natives);
    secret::register(natives);
    // Rhai's own quotes the text in its errors, and takes sixty times its memory.
    natives.native("parse_json", json::parse);
}

/// Every namespace with its natives.
pub(crate) fn all() -> Vec<(&'static str, Shared<Module>)> {
    let make = |(name, register): (_, Register)| {
        let mut module = Module::new();
        register(&mut module);
        module.build_index();
        (name, module.into())
    };
    ALL.into_iter().map(make).collect()
}

/// An argument as an error quotes it: without secrets, and a long one by its length alone, since a secret that is cut
/// later could no longer be masked.
fn quoted(text: &str) -> String {
    const MAX_CHARACTERS: usize = 64;
    if text.chars().nth(MAX_CHARACTERS).is_some() {
        return format!("(a text of {} characters)", text.chars().count());
    }
    let masked = Frame::current().map(|frame| frame.circle().mask_secrets(text, usize::MAX));
    format!("{:?}", masked.as_deref().unwrap_or(text))
}

/// The bytes of a text or a blob, borrowed.
enum Bytes<'a> {
    Text(DynamicReadLock<'a, ImmutableString>),
    Blob(DynamicReadLock<'a, Blob>),
}

impl<'a> Bytes<'a> {
    /// The bytes of an argument of the native of this name.
    fn of(native: &str, value: &'a Dynamic) -> Checked<Self> {
        if let Some(text) = value.read_lock() {
            return Ok(Self::Text(text));
        }
        let blob = value.read_lock().map(Self::Blob);
        blob.ok_or_else(|| {
            throw(format!("{native}: expected a text or a blob, found a {}", value.type_name()))
        })
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Blob(blob) => blob,
        }
    }
}

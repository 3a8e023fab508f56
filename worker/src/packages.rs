//! What scripts can do beyond Rhai: each package is a namespace of natives, `fs::read("notes.txt")`.
//!
//! Packages are made once and shared by all engines, so nothing in them belongs to a circle or a play: a
//! native asks [`Play::current`] whose it is. A script's own functions have no namespace and so never stand
//! in front of one of these.

mod circle;
mod crypto;
mod db;
mod fs;
mod json;
mod log;

mod secret;
mod time;

use std::{ops::Deref, rc::Rc};

use rhai::{Blob, Dynamic, DynamicReadLock, EvalAltResult, ImmutableString, Module, Position, Shared};

use crate::{
    natives::{Checked, Natives as _},
    play::Play,
};

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

/// Whether a namespace is called so. No import may take its place.
pub fn is_namespace(name: &str) -> bool {
    ALL.iter().any(|(namespace, _)| *namespace == name)
}

/// Natives without a namespace that speak for the circle. No function of a script may be called so.
const RESERVED: [&str; 2] = ["circle", "secret"];

/// Whether no function of a script may be called so.
pub fn is_reserved(function: &str) -> bool {
    RESERVED.contains(&function)
}

/// Natives without a namespace.
pub fn register(natives: &mut Module) {
    circle::register(natives);
    secret::register(natives);
    // Rhai's own would quote what it stumbles over, and take sixty times the text.
    natives.native("parse_json", json::parse);
}

/// Every namespace, made.
pub fn all() -> Vec<(&'static str, Shared<Module>)> {
    let make = |(name, register): (_, Register)| {
        let mut module = Module::new();
        register(&mut module);
        module.build_index();
        (name, module.into())
    };
    ALL.into_iter().map(make).collect()
}

/// The play that a native is called in. There always is one.
fn play() -> Checked<Rc<Play>> {
    Play::current().ok_or_else(|| throw("no play is under way".to_owned()))
}

/// An error that a script can catch. It must name nothing of the machine.
fn throw(message: String) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), Position::NONE).into()
}

/// An argument as an error quotes it: without secrets, and a long one by its length alone, since what others cut off
/// its end could no longer be masked.
fn quoted(text: &str) -> String {
    const CHARACTERS: usize = 64;
    if text.chars().nth(CHARACTERS).is_some() {
        return format!("(a text of {} characters)", text.chars().count());
    }
    let masked = Play::current().map(|play| play.circle.without_secrets(text, usize::MAX));
    format!("{:?}", masked.as_deref().unwrap_or(text))
}

/// The bytes of a text or a blob, where they stand.
enum Bytes<'a> {
    Text(DynamicReadLock<'a, ImmutableString>),
    Blob(DynamicReadLock<'a, Blob>),
}

impl<'a> Bytes<'a> {
    /// Those of an argument of the native that is called so.
    fn of(native: &str, value: &'a Dynamic) -> Checked<Self> {
        if let Some(text) = value.read_lock() {
            return Ok(Self::Text(text));
        }
        let blob = value.read_lock().map(Self::Blob);
        blob.ok_or_else(|| {
            throw(format!("{native}: a text or a blob is wanted, not a {}", value.type_name()))
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

//! Turns an [OpenRPC](https://spec.open-rpc.org) document into typed [jsonrpsee] servers and clients.
//!
//! Start at [`generate`]: a pure function from a document's text to Rust text, in four steps with a type
//! between each: the text is read (`document.rs`; references by `resolve.rs`), checked (`check.rs`), lowered
//! to the names and types of Rust (`model.rs`; schemas by `types.rs`), and rendered (`render/`).
//!
//! **Invariants.** No document makes it panic. What it cannot say in Rust it refuses, with the place as a
//! JSON pointer and every other fault found; of what says something about values it drops nothing in
//! silence. What it gives compiles without a warning of rustc.
//!
//! **Why typify.** Objects, enumerations, maps, `oneOf`, `anyOf`, `allOf` and recursion come from [typify],
//! which knows many more documents than ours. Where it falls short of a document (bounds of integers, `null`
//! in lists of types, names of inline schemas, docs, the schemas that the types give of themselves) a pass
//! before and a pass after it make up for it, and it is never shown a reference that dangles or a schema
//! that includes itself, which would end it.
//!
//! The text is meant for `include!` in a crate that provides, at the path
//! [`support`](field@Settings::support), the hand-written part: `Error`, `Method`, `Param`, `Params`,
//! `NoParams`, `Auth`, `Type`, `Integer`, `Nullable`, `check_params`, `present`, and the macros
//! `text_newtype` and `integer_newtype`. That crate depends on jsonrpsee, serde, serde_json, schemars 1.x,
//! regress and (for `format: uuid`) uuid, and has the features `server` and `client`, which decide what is
//! made of the trait.
//!
//! **Extensions read.** `x-auth` on a method (`"none"` or `"session"`, the default), `x-connection` on a
//! method (it needs a connection that lasts), `x-subscription` on a method (what a call of it begins, what tells of
//! it, and the method that ends it, which the trait leaves to jsonrpsee), `x-error-data` in components (what the
//! `data` of each error holds).
//!
//! [jsonrpsee]: https://docs.rs/jsonrpsee
//! [typify]: https://docs.rs/typify

mod check;
mod document;
mod error;
mod json;
mod model;
mod names;
mod render;
mod resolve;
mod types;

use proc_macro2::TokenStream;

use self::error::Faults;
pub use self::error::{Error, Fault};

/// How the output fits into the crate that includes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Path of the module that provides the hand-written part; `crate` by default.
    pub support: String,
    /// Where the document lies, relative to the manifest of the including crate: its text becomes a constant by
    /// `include_str!`. `../openrpc.json` by default; without it the text stands in the output.
    pub document_path: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { support: "crate".to_owned(), document_path: Some("../openrpc.json".to_owned()) }
    }
}

impl Settings {
    fn support(&self) -> TokenStream {
        self.support.parse().unwrap_or_default()
    }

    /// A path of the hand-written part, as attributes quote it.
    fn support_path(&self, name: &str) -> String {
        format!("{}::{name}", self.support)
    }
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    rust: String,
}

impl Generated {
    /// Rust items, formatted, for `include!`.
    pub fn rust(&self) -> &str {
        &self.rust
    }
}

/// Generates Rust from the text of an OpenRPC document.
///
/// # Errors
///
/// Everything that is wrong with the document, each with its place: first what is no OpenRPC document or must not be
/// one; if nothing is, what cannot be said in Rust.
pub fn generate(document: &str, settings: &Settings) -> Result<Generated, Error> {
    if syn::parse_str::<syn::Path>(&settings.support).is_err() {
        let problem = format!("settings: `{}` is no path in Rust", settings.support);
        return Err(Fault { pointer: String::new(), problem }.into());
    }
    let mut faults = Faults::default();
    let Some(root) = json::read(document, &mut faults) else {
        return Err(faults.into_error());
    };
    let parsed = document::read(&root, &mut faults);
    check::check(&root, &parsed, &mut faults);
    faults.finish()?;
    let model = model::lower(&parsed, settings)?;
    Ok(Generated { rust: render::rust::render(&model, document, settings)? })
}

//! Turns an [OpenRPC](https://spec.open-rpc.org) document into typed [jsonrpsee] servers and clients.
//!
//! Start at [`generate`] for a text, or [`generate_file`] for a file and what it refers to. Both go the same way, with
//! a type between each step: the files are read (`load.rs`; references by `resolve.rs`), understood as OpenRPC
//! (`document.rs`), checked (`check.rs`), their schemas lowered to a graph of types (`types.rs`), everything named
//! (`model.rs`), and rendered (`render/`).
//!
//! **Invariants.** No document makes it panic, overflow the stack or run without end. What is wrong by the standards
//! it refuses, with the place as file and JSON pointer and every other fault found; [`Settings::lenient`] passes over
//! what can be passed over and lists it. What it cannot say in types it reports ([`Report`]). What it gives compiles
//! without a warning of rustc.
//!
//! **Two forms of output.** By default the text stands alone: `include!` it in a module of a crate that depends on
//! jsonrpsee, serde, serde_json and (for patterns) regress. With [`Settings::support`] it is meant for a crate that
//! provides, at that path, the hand-written part: `Error`, `Method`, `Param`, `Params`, `NoParams`, `Auth`, `Type`,
//! `Integer`, `Nullable`, `InvalidValue`, `Name`, `check_params`, `one_of`, `tagged`, `same`, and the macros
//! `text_newtype` and `integer_newtype`; integers and numbers without bounds are then those of Rust, types give schemas
//! of themselves (schemars 1.x), and the features `server` and `client` of that crate decide what is made of the trait.
//!
//! **Why typify.** Enumerations of strings come from [typify]. Of larger schemas it drops or misreads what real
//! documents say (null, absence, bounds, members without a description, recursion through other types), or panics; so
//! the graph of types is ours, and every target renders the same one.
//!
//! **Extensions read.** `x-auth` on a method (`"none"` or `"session"`, the default), `x-connection` on a
//! method (it needs a connection that lasts), `x-subscription` on a method (what a call of it begins, what tells of
//! it, and the method that ends it, which the trait leaves to jsonrpsee), `x-error-data` in components (what the
//! `data` of each error holds). All `x-` members of a method stand in the table of methods.
//!
//! [jsonrpsee]: https://docs.rs/jsonrpsee
//! [typify]: https://docs.rs/typify

mod build;
mod check;
mod diff;
mod document;
mod error;
mod json;
mod load;
mod model;
mod names;
mod render;
mod report;
mod resolve;
mod types;
mod valid;
mod vectors;

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;

pub use self::{
    build::build,
    diff::Change,
    error::{Error, Fault},
    report::{Remark, Report},
};
use self::{error::Faults, load::Files};

/// What is made of a document, and how the output fits into the crate that includes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Path of the module that provides the hand-written part. None by default: the output stands alone.
    pub support: Option<String>,
    /// Where the document lies, relative to the manifest of the including crate: its text becomes a constant by
    /// `include_str!`. None by default: output that stands alone does without it.
    pub document_path: Option<String>,
    /// Where files are looked for that do not lie beside the one that refers to them. None by default.
    pub root: Option<PathBuf>,
    /// Whether to pass over what is wrong and can be passed over. False by default.
    pub lenient: bool,
    /// Whether the trait becomes a server's, where the output stands alone. True by default.
    pub server: bool,
    /// Whether the trait becomes a client's, where the output stands alone. True by default.
    pub client: bool,
    /// Whether structs keep members that their schema allows without naming them, so that a value that is read and
    /// written again is the same. True by default; only where the output stands alone.
    pub keep_unknown: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            support: None,
            document_path: None,
            root: None,
            lenient: false,
            server: true,
            client: true,
            keep_unknown: true,
        }
    }
}

impl Settings {
    /// For a crate that provides the hand-written part at `path`.
    pub fn supported(path: impl Into<String>, document_path: impl Into<String>) -> Self {
        Self { support: Some(path.into()), document_path: Some(document_path.into()), ..Self::default() }
    }

    fn support_tokens(&self) -> TokenStream {
        self.support.as_deref().and_then(|path| path.parse().ok()).unwrap_or_default()
    }
}

/// What became of a document.
#[derive(Clone, Debug)]
pub struct Generated {
    rust: String,
    markdown: String,
    typescript: String,
    tests: String,
    contract: String,
    probes: String,
    report: Report,
    files: Vec<String>,
}

impl Generated {
    /// Rust items, formatted, for `include!`.
    pub fn rust(&self) -> &str {
        &self.rust
    }

    /// Rust tests, for `include!` in a module beside the items: every example of the document that is valid by its own
    /// schema is read as its type, and written it is the same JSON.
    pub fn tests(&self) -> &str {
        &self.tests
    }

    /// Rust tests, for `include!` in a module whose parent has the items' `types`: every example pairing of the
    /// document is played against a live server, and what is answered is compared. The parent says against which:
    /// `async fn live(example: &Example) -> impl Live`. The crate needs tokio's `macros` and `rt`.
    pub fn contract(&self) -> &str {
        &self.contract
    }

    /// What the crate `circles-differential` needs to hold the types against an independent validator, for `include!`
    /// in a module beside the items. Empty for a document that is no file.
    pub fn probes(&self) -> &str {
        &self.probes
    }

    /// A reference for people.
    pub fn markdown(&self) -> &str {
        &self.markdown
    }

    /// A module with types and a client over the standard `WebSocket`.
    pub fn typescript(&self) -> &str {
        &self.typescript
    }

    /// The files that were read, the document first; one without a name for a text.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// What was made, and what of the document could not be said.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// Generates from the text of an OpenRPC document that refers to no other file.
///
/// # Errors
///
/// Everything that is wrong with the document, each with its place.
pub fn generate(document: &str, settings: &Settings) -> Result<Generated, Error> {
    let mut faults = Faults::new(settings.lenient);
    let files = Files::of_text(document, &mut faults);
    made(files, document, faults, settings)
}

/// Generates from the OpenRPC document at `path` and the files that it refers to.
///
/// # Errors
///
/// Everything that is wrong with the document or that cannot be read, each with its file and place.
pub fn generate_file(path: &Path, settings: &Settings) -> Result<Generated, Error> {
    let mut faults = Faults::new(settings.lenient);
    let (files, text) = Files::of_path(path, settings.root.as_deref(), &mut faults).unzip();
    made(files, text.as_deref().unwrap_or_default(), faults, settings)
}

/// What changed from one document to another, and whom each change breaks, in the order of their places.
///
/// # Errors
///
/// What is wrong with either document.
pub fn diff(old: &Path, new: &Path, settings: &Settings) -> Result<Vec<Change>, Error> {
    let read = |path: &Path| {
        let mut faults = Faults::new(settings.lenient);
        let files = Files::of_path(path, settings.root.as_deref(), &mut faults).map(|(files, _)| files);
        understood(files, faults, settings).map(|understood| understood.model)
    };
    Ok(diff::changes(&read(old)?, &read(new)?))
}

/// A document that was understood.
struct Understood {
    model: model::Model,
    report: Report,
    tests: String,
    contract: String,
    probes: String,
    files: Vec<String>,
}

fn understood(files: Option<Files>, mut faults: Faults, settings: &Settings) -> Result<Understood, Error> {
    if let Some(path) = &settings.support
        && syn::parse_str::<syn::Path>(path).is_err()
    {
        return Err(Fault::new("", format!("settings: `{path}` is no path in Rust")).into());
    }
    faults.check()?;
    let Some(files) = files else { return Err(Fault::new("", "nothing could be read").into()) };
    let supported = settings.support.is_some();
    let mut document = document::read(&files, &mut faults);
    check::check(&document, supported, &mut faults);
    document.drop_repeated();
    let types = types::lower(&document, supported, &mut faults);
    if supported {
        // An interface of ours promises that its types say all that its document says.
        for (place, what) in &types.report.unchecked {
            let file = document.files_name(place.file);
            faults.add(file, &place.pointer, format!("no type checks this: {what}"));
        }
    }
    faults.check()?;
    let vectors = vectors::gather(&document, &types);
    let report = Report::new(&document, &types, &vectors, faults);
    let probes = render::rust::probes(&document, &types, &report, &files);
    let tests = render::rust::tests(&vectors, &document, &types);
    let names = files.names().map(str::to_owned).collect();
    let model = model::lower(&document, types);
    let contract = render::rust::contract(&model, &vectors, &document);
    Ok(Understood { model, report, tests, contract, probes, files: names })
}

fn made(files: Option<Files>, text: &str, faults: Faults, settings: &Settings) -> Result<Generated, Error> {
    let Understood { model, report, tests, contract, probes, files } = understood(files, faults, settings)?;
    Ok(Generated {
        rust: render::rust::render(&model, text, settings)?,
        markdown: render::markdown::render(&model),
        typescript: render::typescript::render(&model),
        tests,
        contract,
        probes,
        report,
        files,
    })
}

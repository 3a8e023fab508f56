//! Turns an [OpenRPC](https://spec.open-rpc.org) document into typed [jsonrpsee] servers and clients.
//!
//! Start at [`generate`] for a text, or [`generate_file`] for a file and the files that it refers to. Both take the
//! same steps, with a type between each: the files are read (`load.rs`; references by `resolve.rs`), understood as
//! OpenRPC (`document.rs`), checked (`check.rs`), their schemas lowered to a graph of types (`types.rs`), everything
//! named (`model.rs`), and rendered (`render/`). [`diff`] compares two documents after the naming step.
//!
//! **Invariants.** No document makes the generator panic, overflow the stack or run without end. It refuses a document
//! that breaks the standards, and names every fault with its file and JSON pointer; [`Settings::lenient`] passes over
//! the faults that can be passed over and lists them. It reports ([`Report`]) whatever types cannot say. Its output
//! compiles without a warning of rustc.
//!
//! **Output.** There is one form for every document: items to `include!` in a module of a crate that depends on
//! jsonrpsee, serde, serde_json and `circles-codegen-support`. [`Settings`] chooses details, each independent of the
//! others.
//!
//! **Extensions read.** On a method: `x-auth` (`"none"` or `"session"`, the default), `x-connection` (it needs a
//! connection that lasts) and `x-subscription` (the notification, its payload, and the method that unsubscribes, which
//! the trait leaves to jsonrpsee). In components: `x-error-data` (the type of each error's `data`). The table of
//! methods holds all `x-` members of a method.
//!
//! [jsonrpsee]: https://docs.rs/jsonrpsee

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

/// How the output of a document fits into the crate that includes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder to search for files that are not next to the file that refers to them. None by default.
    pub root: Option<PathBuf>,
    /// Pass over the faults that can be passed over. Off by default.
    pub lenient: bool,
    /// Refuse a document with rules that no type checks, or with examples of unknown params. Off by default: the report
    /// lists them.
    pub exact: bool,
    /// Path of the type that every method fails with, instead of one type for each method. The output then has an enum
    /// `Fault` of all declared errors, so their codes must differ. None by default.
    pub error: Option<String>,
    /// Path of the document, relative to the manifest of the including crate: the output then has its text as a
    /// constant. None by default.
    pub document_path: Option<String>,
    /// Make UUIDs of strings in the format `uuid`. Off by default: a UUID reads several spellings and writes one.
    pub uuids: bool,
    /// Keep members of objects that the schema allows without naming them, so that a value that is read and written
    /// again is the same. On by default.
    pub keep_unknown: bool,
    /// Generate the trait of a server. On by default.
    pub server: bool,
    /// Generate the trait of a client. On by default.
    pub client: bool,
    /// Pass the extensions of a call to the methods of a server. Off by default.
    pub extensions: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root: None,
            lenient: false,
            exact: false,
            error: None,
            document_path: None,
            uuids: false,
            keep_unknown: true,
            server: true,
            client: true,
            extensions: false,
        }
    }
}

impl Settings {
    /// Returns the settings of a crate that is the interface itself: one error type at the path `error`, the document
    /// as a constant, UUIDs, servers that see the extensions of a call, and no rule that types do not check.
    pub fn interface(error: impl Into<String>, document_path: impl Into<String>) -> Self {
        Self {
            exact: true,
            error: Some(error.into()),
            document_path: Some(document_path.into()),
            uuids: true,
            extensions: true,
            ..Self::default()
        }
    }

    /// The type that every method fails with, as tokens; checked before anything is rendered.
    fn error_tokens(&self) -> Option<TokenStream> {
        self.error.as_deref().map(|path| path.parse().unwrap_or_default())
    }
}

/// Everything that is generated from a document.
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
    /// Returns Rust items, formatted, for `include!`.
    pub fn rust(&self) -> &str {
        &self.rust
    }

    /// Returns Rust tests, for `include!` in a module next to the items: the type of every example that is valid by its
    /// own schema reads it and writes the same JSON.
    pub fn tests(&self) -> &str {
        &self.tests
    }

    /// Returns Rust tests, for `include!` in a module whose parent has the items' `types`. They play every example
    /// pairing of the document against a live server and compare the answers. The parent supplies the server:
    /// `async fn live(example: &Example) -> impl Live`. The crate needs tokio's `macros` and `rt`.
    pub fn contract(&self) -> &str {
        &self.contract
    }

    /// Returns the input of the crate `circles-differential`, which compares the types with an independent validator.
    /// `include!` it in a module next to the items. Empty for a document that is no file.
    pub fn probes(&self) -> &str {
        &self.probes
    }

    /// Returns a reference in Markdown.
    pub fn markdown(&self) -> &str {
        &self.markdown
    }

    /// Returns a TypeScript module with types and a client over the standard `WebSocket`.
    pub fn typescript(&self) -> &str {
        &self.typescript
    }

    /// Returns the files that were read, the document first; a text is a file without a name.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Returns what was generated, and what types could not say.
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
    generated(files, faults, settings)
}

/// Generates from the OpenRPC document at `path` and the files that it refers to.
///
/// # Errors
///
/// Everything that is wrong with the document or that cannot be read, each with its file and place.
pub fn generate_file(path: &Path, settings: &Settings) -> Result<Generated, Error> {
    let mut faults = Faults::new(settings.lenient);
    let files = Files::of_path(path, settings.root.as_deref(), &mut faults);
    generated(files, faults, settings)
}

/// Lists the changes from one document to another in the order of their places, each with the side that it breaks.
///
/// # Errors
///
/// Everything that is wrong with either document.
pub fn diff(old: &Path, new: &Path, settings: &Settings) -> Result<Vec<Change>, Error> {
    let read = |path: &Path| {
        let mut faults = Faults::new(settings.lenient);
        let files = Files::of_path(path, settings.root.as_deref(), &mut faults);
        analyse(files, faults, settings).map(|analysis| analysis.model)
    };
    Ok(diff::changes(&read(old)?, &read(new)?))
}

/// A document after every step but rendering.
struct Analysis {
    model: model::Model,
    report: Report,
    tests: String,
    contract: String,
    probes: String,
    files: Vec<String>,
}

fn analyse(files: Option<Files>, mut faults: Faults, settings: &Settings) -> Result<Analysis, Error> {
    if let Some(path) = &settings.error
        && syn::parse_str::<syn::Path>(path).is_err()
    {
        return Err(Fault::new("", format!("settings: `error` is not a path in Rust: `{path}`")).into());
    }
    faults.check()?;
    let Some(files) = files else { return Err(Fault::new("", "nothing could be read").into()) };
    let mut document = document::read(&files, &mut faults);
    check::check(&document, settings, &mut faults);
    document.drop_repeated();
    let types = types::lower(&document, settings.uuids, &mut faults);
    if settings.exact {
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
    Ok(Analysis { model, report, tests, contract, probes, files: names })
}

fn generated(files: Option<Files>, faults: Faults, settings: &Settings) -> Result<Generated, Error> {
    let Analysis { model, report, tests, contract, probes, files } = analyse(files, faults, settings)?;
    Ok(Generated {
        rust: render::rust::render(&model, settings)?,
        markdown: render::markdown::render(&model),
        typescript: render::typescript::render(&model),
        tests,
        contract,
        probes,
        report,
        files,
    })
}

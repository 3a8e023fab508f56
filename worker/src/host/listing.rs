//! The listing of a circle's library, for people to read.

use rhai::FnAccess;
use serde::Serialize;

use super::policy::{NO_AUTHORIZE, POLICY, has_authorize};
use crate::{
    circle::LibraryError,
    engine::{Engines, LoadError, Script, is_closure},
    natives::Frame,
    play::{MESSAGE_BYTES, cut},
};

/// Bytes of a description; one that is longer ends with `…`.
const DESCRIPTION_BYTES: usize = 4 << 10;
/// Bytes of a listing as JSON after which it has only names.
const LISTING_BYTES: usize = 2 << 20;
/// Bytes of a script's fault where the listing has only names.
const SHORT_FAULT_BYTES: usize = 256;

/// A script of a circle's library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LibraryScript {
    /// Its name for `import` and `run`.
    pub name: String,
    /// Its `//!` comments.
    pub description: String,
    /// Its public functions.
    pub functions: Vec<LibraryFunction>,
    /// Why it cannot be played, if it cannot.
    pub fault: Option<String>,
}

/// A function of a library script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LibraryFunction {
    /// Its name.
    pub name: String,
    /// The names of its parameters.
    pub params: Vec<String>,
    /// Its `///` comments.
    pub description: String,
}

/// The scripts of the frame's library by name, the first thousand. Compiles new scripts, within the limits of the play.
pub(crate) fn scripts(engines: &Engines, frame: &Frame) -> Result<Vec<LibraryScript>, LoadError> {
    let mut scripts = Vec::new();
    for name in frame.circle().script_names(&frame.play)? {
        scripts.extend(describe(engines, frame, name)?);
    }
    shorten(&mut scripts, LISTING_BYTES);
    Ok(scripts)
}

/// A script by its name; `None` if it has gone since its name was read.
fn describe(engines: &Engines, frame: &Frame, name: String) -> Result<Option<LibraryScript>, LoadError> {
    let faulty = |name, fault: &dyn ToString| {
        let mut fault = fault.to_string();
        cut(&mut fault, MESSAGE_BYTES);
        LibraryScript { name, description: String::new(), functions: Vec::new(), fault: Some(fault) }
    };
    Ok(match engines.library.script(&engines.full, frame, &name) {
        Ok(script) => Some(LibraryScript {
            description: text(script.ast.doc(), "//!"),
            functions: functions(&script),
            fault: (name == POLICY && !has_authorize(&script)).then(|| NO_AUTHORIZE.to_owned()),
            name,
        }),
        Err(LoadError::Library(LibraryError::NotFound)) => None,
        Err(stopped @ LoadError::Library(LibraryError::Stopped(_))) => return Err(stopped),
        Err(error) => Some(faulty(name, &error)),
    })
}

/// Leaves out descriptions and functions from the first script on that passes so many bytes of JSON. A shortened script
/// takes a few hundred bytes.
fn shorten(scripts: &mut [LibraryScript], mut left: usize) {
    for script in scripts {
        let bytes = serde_json::to_string(script).map_or(usize::MAX, |json| json.len());
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => {
                script.functions = Vec::new();
                script.fault.iter_mut().for_each(|fault| cut(fault, SHORT_FAULT_BYTES));
                script.description = "…".to_owned();
                left = 0;
            }
        }
    }
}

fn functions(script: &Script) -> Vec<LibraryFunction> {
    let functions = script.ast.iter_functions();
    let public =
        functions.filter(|function| function.access == FnAccess::Public && !is_closure(function.name));
    let mut functions: Vec<_> = public
        .map(|function| LibraryFunction {
            name: function.name.to_owned(),
            params: function.params.into_iter().map(str::to_owned).collect(),
            description: text(&function.comments.join("\n"), "///"),
        })
        .collect();
    functions.sort_unstable();
    functions
}

/// The text of doc comments, without their marks.
fn text(comments: &str, mark: &str) -> String {
    let lines = comments.lines().map(|line| {
        let line = line.trim_start().strip_prefix(mark).unwrap_or(line);
        line.strip_prefix(' ').unwrap_or(line).trim_end()
    });
    let mut text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
    cut(&mut text, DESCRIPTION_BYTES);
    text
}

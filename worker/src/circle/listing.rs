//! What a circle's library offers, for people to read.

use cap_std::fs::{Dir, MetadataExt as _};
use rhai::FnAccess;
use serde::Serialize;

use super::{
    Circle, LibraryFault, NO_AUTHORIZE, POLICY, decides,
    library::{NAME_BYTES, is_name, is_part},
};
use crate::{
    cache::{Script, is_closure},
    failure::{MESSAGE_BYTES, cut},
    play::Play,
};

/// Scripts that are listed, at most.
const SCRIPTS: usize = 1_000;
/// Names that are looked at for them, at most: a library is no place for much else.
const NAMES: usize = 20_000;
/// Bytes of a description; one that is longer ends with `…`.
const DESCRIPTION_BYTES: usize = 4 << 10;
/// Bytes of a listing as JSON in which all is said; beyond them only names are.
const LISTING_BYTES: usize = 2 << 20;
/// Bytes of what is wrong with a script where only names are listed.
const SHORT_FAULT_BYTES: usize = 256;
/// How a library's files end.
const EXTENSION: &str = ".rhai";

/// A script of a circle's library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LibraryScript {
    /// What `import` and `run` call it.
    pub name: String,
    /// Its `//!` comments.
    pub description: String,
    /// What it offers to those who import it.
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

impl Circle {
    /// The scripts of its library by name, the first thousand. Compiles those that are not known yet, and so
    /// takes its time, within the limits of the play on this thread: [`LibraryFault::Stopped`] says that it was
    /// stopped.
    pub fn scripts(&self, play: &Play) -> Result<Vec<LibraryScript>, LibraryFault> {
        let mut names = Vec::new();
        if let Some(root) = self.library.open()? {
            let mut search = Search { root: &root, way: Vec::new(), left: NAMES, found: Vec::new(), play };
            search.directory("")?;
            names = search.found;
        }
        names.sort_unstable();
        names.truncate(SCRIPTS);
        let mut scripts = Vec::new();
        for name in names {
            scripts.extend(self.describe(name, play)?);
        }
        fit(&mut scripts, LISTING_BYTES);
        Ok(scripts)
    }

    /// A script by its name; `None` if it is gone since its name was read.
    fn describe(&self, name: String, play: &Play) -> Result<Option<LibraryScript>, LibraryFault> {
        let faulty = |name, fault: &dyn ToString| {
            let mut fault = fault.to_string();
            cut(&mut fault, MESSAGE_BYTES);
            LibraryScript { name, description: String::new(), functions: Vec::new(), fault: Some(fault) }
        };
        Ok(match self.script(&name, play) {
            Ok(script) => Some(LibraryScript {
                description: text(script.ast.doc(), "//!"),
                functions: functions(&script),
                fault: (name == POLICY && !decides(&script)).then(|| NO_AUTHORIZE.to_owned()),
                name,
            }),
            Err(LibraryFault::NotFound) => None,
            Err(stopped @ LibraryFault::Stopped(_)) => return Err(stopped),
            Err(fault) => Some(faulty(name, &fault)),
        })
    }
}

/// Leaves out what authors say of scripts, from the first one on that passes so many bytes of JSON. What is left of
/// each takes a few hundred bytes.
fn fit(scripts: &mut [LibraryScript], mut left: usize) {
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

/// Looks for scripts below one directory, through links too, as long as they stay in the library.
struct Search<'a> {
    root: &'a Dir,
    /// The directories on the way to where it looks now: a link to one of them has nothing new.
    way: Vec<(u64, u64)>,
    /// Names that it may still look at.
    left: usize,
    found: Vec<String>,
    play: &'a Play,
}

impl Search<'_> {
    /// Looks through a directory. `prefix` is its path below the root, with `/` at its end, or nothing for the root.
    fn directory(&mut self, prefix: &str) -> Result<(), LibraryFault> {
        let path = if prefix.is_empty() { "." } else { prefix };
        // The way from the root decides, here and when a script is run, whether a link leads out of the library.
        let dir = self.root.open_dir(path)?;
        let metadata = dir.dir_metadata()?;
        let place = (metadata.dev(), metadata.ino());
        if self.way.contains(&place) {
            return Ok(());
        }
        self.way.push(place);
        for entry in dir.entries()? {
            let entry = entry?;
            self.play.look_at_tick().map_err(LibraryFault::stopped)?;
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_part(name)) else { continue };
            let kind = entry.file_type()?;
            let inner = format!("{prefix}{name}/");
            // A directory that cannot be entered, or goes away meanwhile, is no fault of the others.
            let is_dir = kind.is_dir() || kind.is_symlink() && self.root.metadata(&inner).is_ok();
            if is_dir && inner.len() < NAME_BYTES {
                let depth = self.way.len();
                let looked = self.directory(&inner);
                self.way.truncate(depth);
                match looked {
                    Err(LibraryFault::Io(_)) | Ok(()) => {}
                    Err(fault) => return Err(fault),
                }
            } else if let Some(name) = name.strip_suffix(EXTENSION) {
                let name = format!("{prefix}{name}");
                self.found.extend(is_name(&name).then_some(name));
            }
        }
        Ok(())
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

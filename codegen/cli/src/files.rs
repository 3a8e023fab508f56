//! Files that commands read, write and format.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use circles_codegen::{Generated, Settings, generate_file};

use crate::Result;

/// Generates from the document at `path`.
pub(crate) fn generated(path: &Path, settings: &Settings) -> Result<Generated> {
    generate_file(path, settings)
        .map_err(|error| format!("cannot generate from {}:\n{error}", path.display()))
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file, and creates the folder that holds it.
pub(crate) fn write(path: &Path, text: &str) -> Result {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    folder.and_then(|()| fs::write(path, text)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Formats files in rustfmt's style, if it is installed. The generator itself uses prettyplease, which needs no other
/// program.
pub(crate) fn rustfmt<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result {
    let mut version = Command::new("rustfmt");
    let version = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if !version.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024"]).args(paths);
    run(&mut command)?;
    // A file that a second pass would change is not formatted.
    run(command.arg("--check").arg("--quiet"))
}

fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| format!("rustfmt: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("rustfmt failed ({status})")) }
}

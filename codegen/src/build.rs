//! A whole build script in one function.

#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::{env, fs, path::Path};

use crate::{Settings, generate_file};

/// Writes `$OUT_DIR/api.rs` for `include!`, and next to it its tests: `api_examples.rs`, `api_contract.rs` and
/// `api_probes.rs`. Call it from a build script; cargo runs the script again when a file of the document changes.
///
/// # Errors
///
/// The faults that [`generate_file`] finds, one a line, or the file that cannot be written.
pub fn build(document: impl AsRef<Path>, settings: &Settings) -> Result<(), String> {
    let document = document.as_ref();
    println!("cargo::rerun-if-changed={}", document.display());
    let generated = generate_file(document, settings)
        .map_err(|error| format!("cannot generate from {}:\n{error}", document.display()))?;
    for file in generated.files() {
        println!("cargo::rerun-if-changed={file}");
    }
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set; cargo sets it for build scripts")?;
    for (name, text) in [
        ("api.rs", generated.rust()),
        ("api_examples.rs", generated.tests()),
        ("api_contract.rs", generated.contract()),
        ("api_probes.rs", generated.probes()),
    ] {
        let path = Path::new(&directory).join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

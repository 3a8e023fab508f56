//! Turns `openrpc.json` into `$OUT_DIR/api.rs` for the crate `api`.

#![allow(clippy::print_stderr, reason = "a build script speaks to the person who builds")]

use std::{env, fs, path::Path, process::ExitCode};

use circles_codegen::{Settings, generate};

/// The document, as seen from the manifest of `api`, where build scripts run.
const DOCUMENT: &str = "../openrpc.json";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={DOCUMENT}");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let document = fs::read_to_string(DOCUMENT).map_err(|error| format!("openrpc.json: {error}"))?;
    let generated = generate(&document, &Settings::supported("crate", DOCUMENT)).map_err(|error| {
        let faults = error.faults().iter().map(|fault| format!("\n  {fault}")).collect::<String>();
        format!("openrpc.json cannot become Rust:{faults}")
    })?;
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set; cargo sets it for build scripts")?;
    let path = Path::new(&directory).join("api.rs");
    fs::write(&path, generated.rust()).map_err(|error| format!("{}: {error}", path.display()))
}

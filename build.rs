//! Turns `openrpc.json` into `$OUT_DIR/api.rs` and its tests, for the crate `api`.

#![allow(clippy::print_stderr, reason = "a build script speaks to the person who builds")]

use std::{env, process::ExitCode};

use circles_codegen::{Settings, build};

/// The path of the document from the manifest of `api`, where cargo runs this script.
const DOCUMENT: &str = "../openrpc.json";

fn main() -> ExitCode {
    let feature = |name| env::var_os(name).is_some();
    let settings = Settings {
        server: feature("CARGO_FEATURE_SERVER"),
        client: feature("CARGO_FEATURE_CLIENT"),
        ..Settings::interface("crate::Error", DOCUMENT)
    };
    match build(DOCUMENT, &settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

//! The output for whole documents, as pairs of files that are found by directory.
//!
//! `golden/<name>/openrpc.json` belongs to `expected.rs` if the generator accepts it, else to `expected.err`. A
//! directory without a document takes that of this repository. `UPDATE_GOLDEN=1` replaces the expected files.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use circles_codegen::{Settings, generate};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn document(directory: &Path) -> String {
    let own = directory.join("openrpc.json");
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openrpc.json");
    fs::read_to_string(if own.exists() { own } else { shared }).unwrap()
}

/// Compares, or with `UPDATE_GOLDEN` rewrites; a text of `None` is a file that must not be there.
fn settle(path: &Path, text: Option<&str>) -> bool {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        match text {
            Some(text) => fs::write(path, text).unwrap(),
            None => drop(fs::remove_file(path)),
        }
    }
    fs::read_to_string(path).ok().as_deref() == text
}

#[test]
fn every_document_matches_its_golden() {
    let mut stale = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(golden()).unwrap() {
        let directory = entry.unwrap().path();
        let result = generate(&document(&directory), &Settings::interface("crate::Error", "../openrpc.json"));
        let (rust, error) = match &result {
            Ok(generated) => (Some(generated.rust()), None),
            Err(error) => (None, Some(format!("{error}\n"))),
        };
        let agree = [
            settle(&directory.join("expected.rs"), rust),
            settle(&directory.join("expected.err"), error.as_deref()),
        ];
        if agree.contains(&false) {
            stale.push(format!("{}\n{}", directory.display(), rust.or(error.as_deref()).unwrap_or_default()));
        }
        seen += 1;
    }
    assert!(seen > 12, "only {seen} goldens were found");
    let hint = "if that is right, UPDATE_GOLDEN=1 accepts it";
    assert!(stale.is_empty(), "not as expected; {hint}:\n{}", stale.join("\n"));
}

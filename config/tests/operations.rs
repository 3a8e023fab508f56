//! Compares the fields and limits in `docs/operations.md` with the code.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test fails on a missing value.

use std::{fs, path::Path};

use circles_auth::{SecretKey, key_file};
use circles_config::{Environment, FIELDS, Limits, max_for, parse};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

/// The rows of the table below a heading of the page.
fn table(heading: &str) -> Vec<String> {
    let page = page("docs/operations.md");
    let (_, below) = page.split_once(&format!("\n{heading}\n")).expect("the heading is there");
    let rows = below.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

#[test]
fn docs_list_every_config_field() {
    let described: Vec<_> = table("## circles.json")
        .iter()
        .map(|row| row.trim_start_matches("| `").split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(described, FIELDS);
}

#[test]
fn docs_list_every_limit_with_default_and_bound() {
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let rows = limits.as_object().unwrap().iter().map(|(name, default)| {
        let default = default.as_u64().unwrap();
        format!("| `{name}` | {} | {} |", grouped(default), grouped(max_for(name, default)))
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(table("### limits"), rows, "\nthe table should be:\n{}", rows.join("\n"));
}

#[test]
fn config_examples_in_docs_are_valid() {
    for name in ["README.md", "docs/operations.md"] {
        let directory = tempfile::tempdir().unwrap();
        let key = SecretKey::generate().unwrap();
        key_file::write(&directory.path().join("alice.key"), &key, false).unwrap();
        let environment = Environment {
            data_dir: &directory.path().join("data"),
            variable: &|name| Some(name.into()),
            creates_keys: true,
        };
        let page = page(name);
        let blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
        let examples: Vec<_> = blocks.filter(|block| block.starts_with('[')).collect();
        assert!(!examples.is_empty(), "{name}");
        for example in examples {
            if let Err(faults) = parse(example, &directory.path().join("circles.json"), environment) {
                panic!("{name}: {faults}");
            }
        }
    }
}

/// Formats a number with thousands separators.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

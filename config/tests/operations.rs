//! `docs/operations.md` says of every field and limit what the code says.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

use std::{fs, path::Path};

use circles_auth::{SecretKey, key_file};
use circles_config::{FIELDS, Limits, Surroundings, most, parse};

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
fn every_field_is_described() {
    let described: Vec<_> = table("## circles.json")
        .iter()
        .map(|row| row.trim_start_matches("| `").split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(described, FIELDS);
}

#[test]
fn every_limit_is_there_with_its_default_and_its_bound() {
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let rows = limits.as_object().unwrap().iter().map(|(name, default)| {
        let default = default.as_u64().unwrap();
        format!("| `{name}` | {} | {} |", grouped(default), grouped(most(name, default)))
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(table("### limits"), rows, "\nthe table should be:\n{}", rows.join("\n"));
}

#[test]
fn every_example_is_without_fault() {
    for name in ["README.md", "docs/operations.md"] {
        let directory = tempfile::tempdir().unwrap();
        let key = SecretKey::generate().unwrap();
        key_file::write(&directory.path().join("alice.key"), &key, false).unwrap();
        let around = Surroundings {
            data_dir: &directory.path().join("data"),
            env: &|name| Some(name.into()),
            makes_keys: true,
        };
        let page = page(name);
        let blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
        let examples: Vec<_> = blocks.filter(|block| block.starts_with('[')).collect();
        assert!(!examples.is_empty(), "{name}");
        for example in examples {
            if let Err(faults) = parse(example, &directory.path().join("circles.json"), around) {
                panic!("{name}: {faults}");
            }
        }
    }
}

/// A number as people read it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

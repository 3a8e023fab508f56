//! Plays each example of `docs/scripting.md`, whose last line is the expected result: `// => JSON` is a value,
//! `// fails: MESSAGE` an error. A block that begins with the name of a file goes into the library instead.

#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a missing value is a failure.

mod harness;

use std::{
    alloc::System,
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use circles_store::{Caller, Failure, Outcome, Task};
use circles_worker::{CircleSettings, CountingAllocator, Host};
use harness::{CALLER, CIRCLE, Case, Stage, on_script_thread, play, put, small};
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scripting.md")).unwrap()
}

fn examples(document: &str) -> Vec<&str> {
    let blocks = document.split("```rhai\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0.trim_end()).collect()
}

#[test]
fn scripting_examples_match_their_results() {
    on_script_thread(|| {
        let document = document();
        let examples = examples(&document);
        assert!(examples.len() > 10, "examples are missing");
        let root = tempfile::tempdir().unwrap();
        let settings = CircleSettings {
            library: Some(root.path().join("library")),
            files: Some(root.path().join("files")),
            secrets: BTreeMap::from([("greeting".to_owned(), "hello".to_owned())]),
            limits: small(),
            ..CircleSettings::default()
        };
        let host = Host::with_circles(small(), HashMap::from([(CIRCLE.parse().unwrap(), settings)]));
        let host = Stage::new(host);
        // The library exists before the first play, wherever the document shows it.
        let file = |example: &str| {
            let first = example.lines().next()?.strip_prefix("// ")?;
            first.ends_with(".rhai").then(|| root.path().join("library").join(first))
        };
        let policy = |example: &&str| example.starts_with("// policy.rhai");
        for example in examples.iter().filter(|example| !policy(example)) {
            if let Some(path) = file(example) {
                put(&path, example);
            }
        }
        for example in examples.iter().filter(|example| file(example).is_none()) {
            let outcome = play(&host, &Case::new("").task(CIRCLE.parse().unwrap(), example));
            let last_line = example.lines().last().unwrap();
            let result = match &outcome {
                Outcome::Succeeded(success) => success.value.clone(),
                Outcome::Failed(Failure::Script { message, .. }, _) => format!("fails: {message}").into(),
                other => panic!("{example}\n{other:?}"),
            };
            let expected = match last_line.strip_prefix("// => ") {
                Some(json) => serde_json::from_str(json).unwrap(),
                None => Value::from(last_line.strip_prefix("// ").unwrap()),
            };
            assert_eq!(result, expected, "{example}");
        }
        // The policy comes last: it allows members only.
        let example = examples.iter().find(|example| policy(example)).unwrap();
        put(&file(example).unwrap(), example);
        let circle = CIRCLE.parse().unwrap();
        let task = |source| Case::new("").task(circle, source);
        assert_eq!(play(&host, &task("1")), Outcome::failed(Failure::Forbidden));
        let owner = Task { caller: Caller::Peer(circle), ..task("db::set(\"member/\" + ARGS, true)") };
        play(&host, &Task { args: CALLER.into(), ..owner });
        assert!(matches!(play(&host, &task("1")), Outcome::Succeeded(_)));
    });
}

/// The document describes every native with a namespace, and has an example of it.
#[test]
fn every_native_is_documented() {
    let document = document();
    let examples = examples(&document).concat();
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/packages");
    let mut natives = 0;
    for entry in fs::read_dir(packages).unwrap() {
        let path = entry.unwrap().path();
        let package = path.file_stem().unwrap().to_string_lossy().into_owned();
        let source = fs::read_to_string(&path).unwrap();
        let names = source.split(".native(\"").skip(1).map(|rest| rest.split_once('"').unwrap().0);
        for name in names {
            let name = match package.as_str() {
                own if own == name => format!("{name}("),
                // Its other natives are methods of its result.
                "circle" => format!(".{name}("),
                package => format!("{package}::{name}("),
            };
            assert!(document.contains(&format!("`{name}")), "{name} is not described");
            assert!(examples.contains(&name), "{name} has no example");
            natives += 1;
        }
    }
    assert!(natives > 20, "natives are missing: {natives}");
}

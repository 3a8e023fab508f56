//! Checks that the test run lists every test in the sources.
//!
//! A target with `test = false`, a file that no `mod` names and a `cfg` that never holds hide tests without a word.

use std::{collections::BTreeMap, env, path::Path, process::Command};

use serde_json::Value;

use crate::{
    lex::Language,
    run::{Result, cargo, output, root},
    tidy::{Source, tree},
};

/// A function that its source marks as a test.
#[derive(Debug, PartialEq, Eq)]
struct TestFunction {
    line: usize,
    name: String,
}

/// A program that the test run starts.
#[derive(Debug, PartialEq, Eq)]
struct Binary {
    /// The folder of its package.
    folder: String,
    executable: String,
}

/// How often the test binaries of a package list a test of this name, by the package's folder and the name.
type Listed = BTreeMap<(String, String), usize>;

/// Compares the tests in the sources with those that the binaries of a test run list, which have been built.
pub(super) fn check() -> Result {
    // Some tests are for Linux alone, and nothing lists them elsewhere.
    if env::consts::OS != "linux" {
        println!("not checked whether every test is listed: that takes Linux");
        return Ok(());
    }
    let build = output(&mut cargo("test --workspace --tests --no-run --message-format json"));
    let binaries = binaries(&build.ok_or("`cargo test --no-run` failed; run it to see why")?);
    let root = root().canonicalize().map_err(|error| format!("{}: {error}", root().display()))?;
    let mut listed = Listed::new();
    for Binary { folder, executable } in &binaries {
        let mut list = Command::new(executable);
        let list = output(list.args(["--list", "--format", "terse"]).current_dir(folder));
        let list = list.ok_or_else(|| format!("{executable} --list failed"))?;
        let folder = Path::new(folder).strip_prefix(&root).unwrap_or(Path::new(folder));
        for name in names(&list) {
            *listed.entry((folder.display().to_string(), name.to_owned())).or_default() += 1;
        }
    }
    let missing = missing(&tree::read(&root)?.sources, listed);
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "no test run lists these tests (`test = false`, no `mod`, or a `cfg`?):\n{}",
        missing.join("\n")
    ))
}

/// The test binaries of a build, from the messages of cargo.
fn binaries(messages: &str) -> Vec<Binary> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let binary = |message: Value| {
        let is_test = message.pointer("/profile/test").and_then(Value::as_bool).unwrap_or(false);
        let executable = message.get("executable").and_then(Value::as_str).filter(|_| is_test)?;
        let manifest = message.get("manifest_path").and_then(Value::as_str)?;
        let folder = Path::new(manifest).parent()?;
        Some(Binary { folder: folder.display().to_string(), executable: executable.to_owned() })
    };
    messages.filter_map(binary).collect()
}

/// The names in a list such as `a::tests::b: test`, without the modules before them.
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter_map(|line| line.strip_suffix(": test")?.rsplit("::").next())
}

/// The tests in sources that are listed less often than they stand there.
fn missing(sources: &[Source], mut listed: Listed) -> Vec<String> {
    let packages: Vec<&str> =
        sources.iter().filter_map(|source| source.path.strip_suffix("/Cargo.toml")).collect();
    let mut missing = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs") && !source.is_golden()) {
        let owners = packages.iter().filter(|folder| Path::new(&source.path).starts_with(folder));
        let package = owners.max_by_key(|folder| folder.len()).copied().unwrap_or_default();
        for TestFunction { line, name } in test_functions(&source.text) {
            match listed.get_mut(&(package.to_owned(), name.clone())).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => missing.push(format!("{}:{line}: {name}", source.path)),
            }
        }
    }
    missing
}

/// The functions behind `#[test]`, `#[tokio::test]` and the like, those in the arguments of macros among them. A name
/// that a macro fills in is passed over.
fn test_functions(text: &str) -> Vec<TestFunction> {
    let code = Language::Rust.lex(text).bare;
    let mut functions = Vec::new();
    for (at, _) in code.match_indices("#[") {
        let Some((attribute, rest)) = code.get(at + 2..).and_then(|rest| rest.split_once(']')) else { break };
        let path = attribute.split('(').next().unwrap_or_default().trim();
        if path.rsplit("::").next() != Some("test") {
            continue;
        }
        let Some((_, function)) = rest.split_once("fn ") else { break };
        let name =
            function.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default();
        if !name.is_empty() {
            let line = code.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
            functions.push(TestFunction { line, name: name.to_owned() });
        }
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn test_functions_are_found_in_code_and_in_macros() {
        let text = r##"
#[test]
fn one() {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes an hour: fn no() {}"]
pub async fn two() {}

proptest! {
    #[test]
    // It holds for each.
    fn three(value in any()) {}
}
macro_rules! cases { ($case:ident) => { #[test] fn $case() {} } }
// #[test] fn no() {}
const TEXT: &str = "#[test] fn no() {}";
#[cfg(test)]
fn no() {}
"##;
        let found = test_functions(text);
        let found: Vec<_> = found.iter().map(|test| (test.line, &*test.name)).collect();
        assert_eq!(found, [(2, "one"), (5, "two"), (10, "three")]);
    }

    #[test]
    fn test_binaries_are_read_from_messages_of_cargo() {
        let messages = r#"
{"reason":"compiler-artifact","manifest_path":"/a/store/Cargo.toml","profile":{"test":true},"executable":"/t/store-1"}
{"reason":"compiler-artifact","manifest_path":"/a/cli/Cargo.toml","profile":{"test":false},"executable":"/t/circles"}
{"reason":"compiler-artifact","manifest_path":"/a/api/Cargo.toml","profile":{"test":true},"executable":null}
{"reason":"build-finished","success":true}
"#;
        let expected = Binary { folder: "/a/store".to_owned(), executable: "/t/store-1".to_owned() };
        assert_eq!(binaries(messages), [expected]);
        let list = "tests::one: test\na::b::two: test\nbench: benchmark\nthree: test\n";
        assert_eq!(names(list).collect::<Vec<_>>(), ["one", "two", "three"]);
    }

    #[test]
    fn tests_that_no_binary_lists_are_missing() {
        let test = "#[test]\nfn one() {}\n";
        let sources = [
            source("Cargo.toml", ""),
            source("store/Cargo.toml", ""),
            source("store/redis/Cargo.toml", ""),
            source("store/src/a.rs", test),
            source("store/src/b.rs", test),
            source("store/redis/src/a.rs", test),
            source("codegen/tests/golden/a/expected.rs", test),
        ];
        let listed = |tests: &[(&str, usize)]| -> Listed {
            tests.iter().map(|(folder, count)| (((*folder).to_owned(), "one".to_owned()), *count)).collect()
        };
        assert_eq!(missing(&sources, listed(&[("store", 2), ("store/redis", 1)])), [""; 0]);
        let expected = ["store/redis/src/a.rs:2: one", "store/src/b.rs:2: one"];
        let mut found = missing(&sources, listed(&[("store", 1)]));
        found.sort();
        assert_eq!(found, expected.map(|line| line.replace(":2:", ":1:")));
    }
}

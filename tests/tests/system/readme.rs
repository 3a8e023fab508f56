//! The README's commands, run in order in a fresh clone: each prints the output shown below it.

use std::{collections::BTreeMap, path::Path};

use circles_tests::{binary, run};
use tokio::process::Command;

use crate::programs::{server, started};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap()
}

/// The code blocks of one language.
fn blocks<'a>(readme: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    readme.split(begin.as_str()).skip(1).map(|block| block.split_once("```").unwrap().0).collect()
}

/// Commands with the output shown below each.
fn commands(block: &str) -> impl Iterator<Item = (&str, &str)> {
    block.trim_start_matches("$ ").split("\n$ ").map(|entry| {
        let (line, output) = entry.split_once('\n').unwrap_or((entry, ""));
        // A remark follows two spaces.
        (line.split_once("  #").map_or(line, |(command, _)| command).trim(), output)
    })
}

/// Checks an output by the README. An ellipsis there stands for anything. Keys, ids and hashes differ from run to run:
/// `known` maps those in the README to those in the output.
fn assert_shown(command: &str, shown: &str, found: &str, known: &mut BTreeMap<String, String>) {
    let is_id =
        |word: &str| word.len() >= 36 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let mut lines = found.lines();
    for expected in shown.lines() {
        if expected == "…" {
            let next = shown.split_once("…\n").unwrap().1.lines().next().unwrap_or_default();
            lines = found[found.find(&format!("\n{next}")).unwrap_or(found.len())..].trim_start().lines();
            continue;
        }
        let line = lines.next().unwrap_or_else(|| panic!("{command}: no line {expected:?} in {found:?}"));
        let (mut words, mut expected_words) = (line.split_whitespace(), expected.split_whitespace());
        if expected.starts_with("made a key for you: ") {
            assert!(line.starts_with("made a key for you: /"), "{command}: {line}");
            continue;
        }
        for word in expected_words.by_ref() {
            if word == "…" {
                break;
            }
            let found = words.next().unwrap_or_else(|| panic!("{command}: no {word:?} in {line:?}"));
            if is_id(word) && is_id(found) {
                known.insert(word.to_owned(), found.to_owned());
            } else {
                assert_eq!(word, found, "{command}: {line:?}");
            }
        }
        assert!(expected.ends_with('…') || words.next().is_none(), "{command}: {line:?}");
    }
    assert_eq!(lines.next(), None, "{command}: {found:?}");
}

#[tokio::test]
async fn readme_commands_print_the_shown_output() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    std::os::unix::fs::symlink("data", here.join(".circles")).unwrap();
    let (_server, url) = started(&mut server(here)).await;
    let address = url.rsplit_once('/').unwrap().0;
    let circles = binary("circles");

    let readme = readme();
    let (mut known, mut variables, mut typed) = (BTreeMap::<String, String>::new(), String::new(), 0);
    for (command, shown) in blocks(&readme, "console").into_iter().flat_map(commands) {
        let command_line =
            command.strip_prefix("cargo run -p circles-cli -- ").map(|rest| format!("circles {rest}"));
        let mut command_line = command_line.unwrap_or_else(|| command.to_owned());
        // Other tests start servers and workers.
        if ["cargo ", "SHOP_STRIPE="].iter().any(|other| command_line.starts_with(other)) {
            continue;
        }
        for (written, found) in &known {
            command_line = command_line.replace(written.as_str(), found);
        }
        let script = format!("circles() {{ '{}' \"$@\"; }}\n{variables}{command_line}", circles.display());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1\n{script}")]).current_dir(here);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CIRCLES_")) {
            shell.env_remove(name);
        }
        shell.env("CIRCLES_CONFIG_DIR", here.join("config")).env("CIRCLES_URL", address);
        let (code, found, _) = run(&mut shell).await;
        assert_eq!(code, 0, "{command}: {found}");
        // A command without shown output may print anything.
        if !shown.trim().is_empty() {
            assert_shown(command, shown.trim_end(), &found, &mut known);
        }
        if command_line.contains("=$(") {
            variables.push_str(&format!("{command_line}\n"));
        }
        typed += 1;
    }
    assert!(typed >= 15, "{typed} commands were found");
}

#[tokio::test]
async fn readme_config_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let readme = readme();
    let config = blocks(&readme, "json").into_iter().find(|block| block.contains("rhai_path")).unwrap();
    // Replaces the port with a free one.
    std::fs::write(here.join("circles.json"), config.replace("9002", "0")).unwrap();
    let mut command = server(here);
    command.arg("--config").arg(here.join("circles.json")).env("SHOP_STRIPE", "sk_test_1");
    let (mut server, _) = started(&mut command).await;
    assert!(server.line().await.unwrap().starts_with("circle "));
}

//! Untrusted text at the command line: it can neither imitate the program's messages nor control the terminal.

use std::path::Path;

use circles_tests::{Terminal, run};
use serde_json::{Value, json};

use crate::{
    cli::{circles, world},
    cli_tasks::{out, ran, served},
};

/// Ends a line, imitates a message, moves the cursor, sets colours, and reverses the text direction.
const HOSTILE: &str =
    "a\nerror: forged\r\u{1b}[2J\u{1b}[31m\u{9b}1A\u{7f}\u{202e}b\u{2066}\u{2028}\u{200b}\u{e0041}z";
/// The same text as a script literal.
const LITERAL: &str =
    r#""a\nerror: forged\r\x1b[2J\x1b[31m\u009b1A\x7f\u202eb\u2066\u2028\u200b\U000e0041z""#;

/// Checks that a text imitates no message and has no control characters.
fn assert_harmless(text: &str) {
    for line in text.split('\n') {
        assert!(!line.starts_with("error: forged"), "{text:?}");
    }
    let harmful = [
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2066}'..='\u{2069}',
        '\u{e0041}'..='\u{e0041}',
    ];
    let found = text.chars().find(|character| {
        character.is_control() && !matches!(character, '\n' | '\t')
            || harmful.iter().any(|range| range.contains(character))
    });
    assert_eq!(found, None, "{text:?}");
}

#[tokio::test]
async fn log_lines_and_errors_cannot_forge_lines() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    out(here, url, &["whoami"]).await;
    let further =
        r"error: forged\r\u{1b}[2J\u{1b}[31m\u{9b}1A\u{7f}\u{202e}b\u{2066}\u{2028}\u{200b}\u{e0041}z";
    let commands = async |script: &str, code: i32, shown: &str| {
        let id = out(here, url, &["submit", "-e", script]).await;
        for line in [
            &["play", "-e", script][..],
            &["submit", "--wait", "-e", script],
            &["task", &id, "--wait", "30s"],
            &["watch", &id],
        ] {
            let (found, stdout, stderr) = ran(here, url, line).await;
            assert_eq!(found, code, "{line:?}: {stderr}");
            assert_harmless(&stderr);
            assert_harmless(&stdout);
            assert!(stderr.contains(shown), "{line:?}: {stderr}");
            let errors = stderr.lines().filter(|line| line.starts_with("error: ")).count();
            assert_eq!(errors, usize::from(code != 0), "{line:?}: {stderr}");
        }
    };
    let script = format!("print({LITERAL}); log::error(\"error: login refused\"); 1");
    commands(&script, 0, &format!("info: a\n    | {further}\nlog error: error: login refused\n")).await;
    let script = format!("throw {LITERAL}");
    commands(&script, 1, &format!("error: script:1:1: a\n     | {further}\n")).await;
    let (_, stdout, stderr) = ran(here, url, &["play", "--json", "-e", &script]).await;
    assert_harmless(&stderr);
    assert_harmless(&stdout);
    let error: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(error["error"]["data"]["thrown"], json!(HOSTILE));
}

#[tokio::test]
async fn results_are_exact_in_pipes_and_escaped_on_terminals() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    let (code, stdout, _) = ran(here, url, &["play", "-e", LITERAL]).await;
    assert_eq!((code, stdout), (0, format!("{HOSTILE}\n")));
    let (_, stdout, _) = ran(here, url, &["play", "--json", "-e", LITERAL]).await;
    assert_harmless(&stdout);
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&result["value"], &result["output"]), (&json!(HOSTILE), &json!(HOSTILE)));

    let on_terminal = async |args: &[&str]| {
        let (code, shown) = Terminal::start(circles(here, url).args(args)).ended().await;
        // Skips progress output, and undoes the terminal's line ends.
        let shown = shown.rsplit("\u{1b}[K").next().unwrap().replace("\r\n", "\n");
        (code, shown)
    };
    let (code, shown) = on_terminal(&["play", "-e", LITERAL]).await;
    assert_eq!(code, 0, "{shown}");
    assert_harmless(&shown);
    assert!(shown.starts_with("| a\n| error: forged\\r"), "{shown}");
    // A terminal wraps long lines, which could imitate a message.
    let padded = format!("print(\"x{}error: forged\"); \"error: forged\"", " ".repeat(73));
    let (_, shown) = on_terminal(&["play", "-e", &padded]).await;
    assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");
    assert!(shown.ends_with("error: forged\n| error: forged\n"), "{shown}");
    assert_harmless(&shown);
}

#[tokio::test]
async fn names_and_keys_of_others_are_escaped() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let library = here.join("scripts");
    std::fs::create_dir_all(&library).unwrap();
    let source =
        format!("//! \u{202e}Turned \u{1b}[2J around.\n/// \u{2066}Here.\nfn f(a) {{ a }}\nthrow {LITERAL}");
    std::fs::write(library.join("transfer.rhai"), source).unwrap();
    std::fs::write(library.join("broken.rhai"), "let \u{202e}").unwrap();
    let (_server, url) = served(here, &library).await;
    let url = url.as_str();

    let listed = out(here, url, &["scripts"]).await;
    assert_harmless(&listed);
    assert!(listed.contains("transfer  \\u{202e}Turned \\u{1b}[2J around."), "{listed}");
    let json_listed = out(here, url, &["scripts", "--json"]).await;
    assert_harmless(&json_listed);
    let scripts: Value = serde_json::from_str(&json_listed).unwrap();
    assert_eq!(scripts["scripts"][1]["description"], "\u{202e}Turned \u{1b}[2J around.");
    let (_, _, stderr) = ran(here, url, &["run", "transfer"]).await;
    assert_harmless(&stderr);
    assert!(stderr.starts_with("error: transfer:4:1: a\n     | error: forged"), "{stderr}");

    let put = format!("db::set({LITERAL}, {LITERAL}); db::set(\"plain\", 1)");
    out(here, url, &["play", "-e", &put]).await;
    let keys = out(here, url, &["db", "keys"]).await;
    assert_harmless(&keys);
    let lines: Vec<_> = keys.lines().collect();
    assert_eq!((lines.len(), lines[1]), (2, "plain"), "{keys}");
    assert_eq!(serde_json::from_str::<String>(lines[0]).unwrap(), HOSTILE);
    let scanned = out(here, url, &["db", "scan", ""]).await;
    assert_harmless(&scanned);
    let (key, value) = scanned.lines().next().unwrap().split_once('\t').unwrap();
    let read = |text| serde_json::from_str::<String>(text).unwrap();
    assert_eq!((read(key), read(value)), (HOSTILE.to_owned(), HOSTILE.to_owned()));
    let got = out(here, url, &["db", "get", HOSTILE]).await;
    assert_harmless(&got);
    assert_eq!(read(&got), HOSTILE);
    let (_, _, stderr) = run(circles(here, url).args(["db", "get", &format!("no{HOSTILE}")])).await;
    assert_harmless(&stderr);
    assert_harmless(&out(here, url, &["tasks"]).await);
}

/// The source excerpt of an error is escaped like its message.
#[tokio::test]
async fn source_excerpts_are_escaped() {
    let (directory, _server, url) = world().await;
    let path: &Path = directory.path();
    let script = path.join("hostile.rhai");
    std::fs::write(&script, "let a = \"\u{202e}\u{1b}[2J\"; nonsense(a)").unwrap();
    let (code, _, stderr) = ran(path, &url, &["play", script.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{stderr}");
    assert_harmless(&stderr);
    assert!(
        stderr.contains("hostile.rhai:1:") && stderr.contains("\\u{202e}\\u{1b}[2J\"; nonsense(a)"),
        "{stderr}"
    );
    let lines: Vec<_> = stderr.lines().collect();
    let caret = lines.iter().find(|line| line.ends_with('^')).unwrap();
    assert_eq!(caret.find('^'), lines.iter().find_map(|line| line.find("nonsense(a)")), "{stderr}");
}

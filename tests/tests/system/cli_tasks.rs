//! Commands for tasks, documents, the library and the provenance log.

use std::path::Path;

use circles_tests::{Program, run, soon};
use serde_json::{Value, json};

use crate::{
    cli::{circles, world},
    programs::{server, started},
};

/// Runs the command line, and returns exit code, standard output and standard error.
pub(crate) async fn ran(directory: &Path, url: &str, line: &[&str]) -> (i32, String, String) {
    run(circles(directory, url).args(line)).await
}

/// Runs a command that must succeed, and returns its standard output without the last line end.
pub(crate) async fn out(directory: &Path, url: &str, line: &[&str]) -> String {
    let (code, stdout, stderr) = ran(directory, url, line).await;
    assert_eq!(code, 0, "{line:?}: {stderr}");
    stdout.trim_end().to_owned()
}

/// A server of a circle with this library, open to every logged-in caller.
pub(crate) async fn served(here: &Path, library: &Path) -> (Program, String) {
    let key = here.join("circle.key");
    out(here, "ws://127.0.0.1:1", &["keygen", "--out", key.to_str().unwrap()]).await;
    let config = json!([{ "id": "ana", "key_file": key, "rhai_path": library, "access": { "play": "*", "run": "*" } }]);
    std::fs::write(here.join("circles.json"), config.to_string()).unwrap();
    started(server(here).arg("--auth").arg("--config").arg(here.join("circles.json"))).await
}

/// The key of the server's own circle.
fn owners_key(directory: &Path) -> String {
    directory.join("data/circle.key").to_str().unwrap().to_owned()
}

#[tokio::test]
async fn submitted_script_runs_and_its_result_is_kept() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    let id = out(here, url, &["submit", "-e", r#"print("hello"); ARGS * 2"#, "--args", "21"]).await;
    let (code, stdout, stderr) = ran(here, url, &["task", &id, "--wait", "30s"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(&id) && stdout.contains("succeeded") && stdout.ends_with("42\n"), "{stdout}");
    assert!(stderr.contains("info: hello"), "{stderr}");
    let task: Value = serde_json::from_str(&out(here, url, &["task", &id, "--json"]).await).unwrap();
    assert_eq!((&task["state"], &task["result"]["value"]), (&json!("succeeded"), &json!(42)));
}

#[tokio::test]
async fn submit_with_wait_ends_like_a_play() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    // The first command also reports that it created a key.
    out(here, url, &["whoami"]).await;
    let (code, stdout, stderr) = ran(here, url, &["submit", "--wait", "-e", "sleep(1); 42"]).await;
    assert_eq!((code, stdout.as_str()), (0, "42\n"), "{stderr}");
    // Progress output is for terminals only.
    assert!(stderr.starts_with("task ") && stderr.lines().count() == 1, "{stderr:?}");
    let (code, stdout, stderr) = ran(here, url, &["submit", "--wait", "-e", "nonsense(1)"]).await;
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("nonsense(1)") && stderr.contains('^'), "{stderr}");
    let line = ["submit", "--wait", "--json", "-e", "throw 7"];
    let (code, stdout, _) = ran(here, url, &line).await;
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &answer["error"]["data"]["thrown"]), (1, &json!(7)));
}

#[tokio::test]
async fn repeated_submit_with_idempotency_key_is_same_task() {
    let (directory, _server, url) = world().await;
    let line = ["submit", "-e", "1", "--idempotency-key", "once", "--retries", "2"];
    let first = out(directory.path(), &url, &line).await;
    assert_eq!(out(directory.path(), &url, &line).await, first);
    let other = ["submit", "-e", "2", "--idempotency-key", "once"];
    let (code, _, stderr) = ran(directory.path(), &url, &other).await;
    assert_eq!(code, 1, "{stderr}");
}

#[tokio::test]
async fn a_task_is_cancelled_once() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    let id = out(here, url, &["submit", "-e", "sleep(20)"]).await;
    let (code, stdout, stderr) = ran(here, url, &["task", &id, "--wait", "100ms"]).await;
    assert_eq!(code, 1, "{stdout}");
    assert!(stderr.contains("has not ended within 100ms"), "{stderr}");
    assert_eq!(out(here, url, &["cancel", &id]).await, "cancelled");
    let (code, stdout, stderr) = ran(here, url, &["task", &id, "--wait", "30s"]).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.contains("cancelled") && stderr.contains("cancelled"), "{stdout}\n{stderr}");
    let again: Value = serde_json::from_str(&out(here, url, &["cancel", &id, "--json"]).await).unwrap();
    assert_eq!(again, json!({ "cancelled": false }));
}

#[tokio::test]
async fn unknown_task_exits_with_1_and_invalid_id_with_2() {
    let (directory, _server, url) = world().await;
    let id = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3";
    for (line, expected) in [
        (&["task", id][..], 1),
        (&["cancel", id], 1),
        (&["task", "7"], 2),
        (&["tasks", "--state", "done"], 2),
        (&["tasks", "--limit", "501"], 2),
        (&["submit", "--name", "../a"], 2),
        (&["submit", "-e", "1", "--retries", "11"], 2),
    ] {
        let (code, stdout, stderr) = ran(directory.path(), &url, line).await;
        assert_eq!((code, stdout.as_str()), (expected, ""), "{line:?}: {stderr}");
        assert!(!stderr.is_empty() && !stderr.contains("panicked"), "{line:?}: {stderr}");
    }
}

#[tokio::test]
async fn tasks_are_listed_newest_first_in_pages() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    let mut ids = Vec::new();
    for script in ["1", "throw 2", "3"] {
        let id = out(here, url, &["submit", "-e", script]).await;
        ran(here, url, &["task", &id, "--wait", "30s"]).await;
        ids.insert(0, id);
    }
    let listed = |text: &str| -> Vec<_> {
        text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(listed(&out(here, url, &["tasks"]).await), ids);
    let (_, stdout, stderr) = ran(here, url, &["tasks", "--limit", "2"]).await;
    assert_eq!(listed(&stdout), ids[..2]);
    assert!(stderr.contains("--all"), "{stderr}");
    assert_eq!(listed(&out(here, url, &["tasks", "--limit", "2", "--all"]).await), ids);
    let failed = out(here, url, &["tasks", "--state", "failed"]).await;
    assert!(failed.starts_with(&ids[1]) && failed.contains("failed"), "{failed}");
    assert_eq!(failed.lines().count(), 1, "{failed}");
    let page = out(here, url, &["tasks", "--limit", "1", "--all", "--json"]).await;
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((page["tasks"].as_array().unwrap().len(), &page["cursor"]), (3, &Value::Null));
    // Another caller sees none of the tasks, and the owner all.
    assert_eq!(out(&here.join("other"), url, &["tasks"]).await, "");
    assert_eq!(listed(&out(here, url, &["--key", &owners_key(here), "tasks"]).await), ids);
}

#[tokio::test]
async fn library_scripts_are_listed_run_and_submitted() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let library = here.join("scripts");
    std::fs::create_dir_all(library.join("ledger")).unwrap();
    let source = "//! Doubles a number.\n\n/// What it comes to.\nfn twice(n) { n * 2 }\n\ntwice(ARGS)";
    std::fs::write(library.join("ledger/double.rhai"), source).unwrap();
    std::fs::write(library.join("broken.rhai"), "let = ").unwrap();
    let (_server, url) = served(here, &library).await;
    let url = url.as_str();

    let listed = out(here, url, &["scripts"]).await;
    assert!(listed.contains("ledger/double  Doubles a number.\n    twice(n)  What it comes to."), "{listed}");
    assert!(listed.contains("broken\n    does not compile: "), "{listed}");
    let listed: Value = serde_json::from_str(&out(here, url, &["scripts", "--json"]).await).unwrap();
    assert_eq!(listed["scripts"].as_array().unwrap().len(), 2);
    assert_eq!(out(here, url, &["run", "ledger/double", "--args", "21"]).await, "42");
    assert_eq!(out(here, url, &["submit", "--name", "ledger/double", "--args", "4", "--wait"]).await, "8");
    assert!(out(here, url, &["tasks"]).await.ends_with("  ledger/double"));
    let (code, _, stderr) = ran(here, url, &["run", "no/such"]).await;
    assert_eq!(code, 1, "{stderr}");
}

#[tokio::test]
async fn library_script_errors_name_script_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let library = here.join("scripts");
    std::fs::create_dir_all(library.join("bank")).unwrap();
    let checks = "//! Checks.\nfn positive(sum) {\n  if sum <= 0 { throw `not ${sum}`; }\n  1 / (sum - 1)\n}";
    std::fs::write(library.join("bank/checks.rhai"), checks).unwrap();
    // Line numbers are those of the file, also behind a first line of another kind.
    let transfer = "\u{feff}#!/usr/bin/env -S circles play\nimport \"bank/checks\" as checks;\n\n\
                    let sum = ARGS;\nif sum == 7 { throw #{ message: \"unlucky\" }; }\n  checks::positive(sum)";
    std::fs::write(library.join("bank/transfer.rhai"), transfer).unwrap();
    std::fs::write(library.join("broken.rhai"), "#!x\n\nlet x = ;").unwrap();
    std::fs::write(here.join("sent.rhai"), transfer).unwrap();
    let (_server, url) = served(here, &library).await;
    let url = url.as_str();

    // The first command also reports that it created a key.
    out(here, url, &["whoami"]).await;
    let thrown = "bank/transfer:6:11: not 0 (in module bank/checks:3:17)";
    let failed = "bank/transfer:6:11: Division by zero: 1 / 0 (in module bank/checks:4:5)";
    for (name, args, expected) in [
        ("bank/transfer", "7", "bank/transfer:5:15: unlucky"),
        ("bank/transfer", "0", thrown),
        ("bank/transfer", "1", failed),
        ("broken", "1", "broken:3:9: "),
    ] {
        let (code, _, stderr) = ran(here, url, &["run", name, "--args", args]).await;
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.starts_with(&format!("error: {expected}")), "{expected}: {stderr}");
        for line in [
            &["submit", "--wait", "--name", name, "--args", args][..],
            &["run", name, "--json", "--args", args],
        ] {
            let (code, _, stderr) = ran(here, url, line).await;
            assert_eq!(code, 1, "{stderr}");
            assert!(stderr.contains(&format!("error: {expected}")), "{line:?}: {stderr}");
        }
        if name == "broken" {
            // The call is refused, so there is no task.
            continue;
        }
        let id = out(here, url, &["submit", "--name", name, "--args", args]).await;
        for line in [&["task", &id, "--wait", "30s"][..], &["watch", &id], &["watch", &id, "--json"]] {
            let (code, stdout, stderr) = ran(here, url, line).await;
            assert_eq!(code, 1, "{line:?}: {stderr}");
            assert!(stderr.contains(&format!("error: {expected}")), "{line:?}: {stderr}");
            if line.contains(&"--json") {
                assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["state"], "failed");
            }
        }
    }
    let sent = here.join("sent.rhai");
    let (_, _, stderr) = ran(here, url, &["play", sent.to_str().unwrap(), "--args", "0"]).await;
    let place = format!("error: {}:6:11: not 0 (in module bank/checks:3:17)\n", sent.display());
    assert!(stderr.starts_with(&place) && stderr.contains("6 |   checks::positive(sum)"), "{stderr}");
    let id = out(here, url, &["submit", sent.to_str().unwrap(), "--args", "7"]).await;
    let (_, _, stderr) = ran(here, url, &["task", &id, "--wait", "30s"]).await;
    assert!(stderr.contains("error: script:5:15: unlucky"), "{stderr}");
}

#[tokio::test]
async fn scripts_lists_exactly_runnable_scripts() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let library = here.join("scripts");
    std::fs::create_dir_all(library.join("2026/area")).unwrap();
    std::fs::write(library.join("2026/area/plot.rhai"), "//! Plots.\n42").unwrap();
    std::os::unix::fs::symlink("2026/area", library.join("now")).unwrap();
    std::os::unix::fs::symlink("../..", library.join("2026/area/up")).unwrap();
    let (_server, url) = served(here, &library).await;
    let listed = out(here, &url, &["scripts"]).await;
    assert_eq!(listed, "2026/area/plot  Plots.\nnow/plot  Plots.");
    assert_eq!(out(here, &url, &["run", "now/plot"]).await, "42");
}

#[tokio::test]
async fn db_commands_set_get_list_and_delete_documents() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    // The user's input is data, even if it looks like a script.
    let hostile = r#""); throw 1; ("#;
    for (key, value) in [("plot/7", r#"{"width":12}"#), ("plot/8", "[1,null]"), (hostile, r#""x""#)] {
        assert_eq!(out(here, url, &["db", "set", key, value]).await, "");
        let read: Value = serde_json::from_str(&out(here, url, &["db", "get", key]).await).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(value).unwrap());
    }
    assert_eq!(out(here, url, &["db", "keys", "plot/"]).await, "plot/7\nplot/8");
    assert_eq!(out(here, url, &["db", "keys"]).await.lines().count(), 3);
    let scanned = out(here, url, &["db", "scan", "plot/"]).await;
    assert_eq!(scanned, "plot/7\t{\"width\":12}\nplot/8\t[1,null]");
    let scanned = out(here, url, &["db", "scan", "plot/", "--limit", "1", "--json"]).await;
    let first: Value = serde_json::from_str(&scanned).unwrap();
    assert_eq!(first, json!({ "key": "plot/7", "value": { "width": 12 } }));

    for (key, value) in [("n", "-5"), ("-n", "-0.5"), ("--n", "-1")] {
        out(here, url, &["db", "set", key, value]).await;
        assert_eq!(out(here, url, &["db", "get", key]).await, value);
        out(here, url, &["db", "delete", key]).await;
    }
    out(here, url, &["db", "delete", "plot/7"]).await;
    let (code, stdout, stderr) = ran(here, url, &["db", "get", "plot/7"]).await;
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("plot/7"), "{stderr}");
    let (code, _, stderr) = ran(here, url, &["db", "delete", "plot/7"]).await;
    assert_eq!(code, 0);
    assert!(stderr.contains("there was no document"), "{stderr}");
    let (code, _, stderr) = ran(here, url, &["db", "set", "a", "{"]).await;
    assert_eq!(code, 2, "{stderr}");
}

#[tokio::test]
async fn db_scan_spans_many_plays() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    let fill = r#"for n in 0..250 { db::set(`many/${1000 + n}`, n); }"#;
    out(here, url, &["play", "-e", fill]).await;
    let scanned = out(here, url, &["db", "scan", "many/"]).await;
    let expected: Vec<_> = (0..250).map(|n| format!("many/{}\t{n}", 1000 + n)).collect();
    assert_eq!(scanned, expected.join("\n"));
    assert_eq!(out(here, url, &["db", "scan", "", "--limit", "101"]).await.lines().count(), 101);
}

#[tokio::test]
async fn provenance_log_is_printed_for_owner_and_verified_offline() {
    let (directory, _server, url) = world().await;
    let (here, url) = (directory.path(), url.as_str());
    for n in ["1", "2", "3"] {
        out(here, url, &["db", "set", "n", n]).await;
    }
    let key = owners_key(here);
    // Records are sealed within a second.
    let log = soon(async {
        loop {
            let log = out(here, url, &["--key", &key, "log"]).await;
            if log.lines().count() >= 5 {
                return log;
            }
        }
    });
    let log = log.await;
    let (code, stdout, stderr) = ran(here, url, &["log"]).await;
    assert_eq!((code, stdout.as_str()), (1, ""), "it is for the owner alone: {stderr}");

    let file = here.join("log");
    // No server runs at this address: verifying needs none.
    let verify = async |log: &str, more: &[&str]| {
        std::fs::write(&file, log).unwrap();
        let line = [&["log", "verify", file.to_str().unwrap()], more].concat();
        ran(here, "ws://127.0.0.1:1", &line).await
    };
    let lines: Vec<&str> = log.lines().collect();
    let circle = url.rsplit('/').next().unwrap();
    for log in [log.clone(), format!("{log}\n\n"), format!("\u{feff}{}\r\n", log.replace('\n', "\r\n"))] {
        let (code, _, stderr) = verify(&log, &[]).await;
        assert_eq!(code, 0, "{log:?}: {stderr}");
    }
    let (code, stdout, stderr) = verify(&log, &["--circle", circle]).await;
    assert_eq!(code, 0, "{stderr}");
    let head = serde_json::from_str::<Value>(lines[4]).unwrap()["head"]["hash"].as_str().unwrap().to_owned();
    assert!(stdout.contains("records  3\n") && stdout.ends_with(&format!("3 {head}\n")), "{stdout}");
    let second = serde_json::from_str::<Value>(lines[2]).unwrap();
    assert_eq!(verify(&log, &["--head", second["hash"].as_str().unwrap()]).await.0, 0);

    let other = circles_tests::secret_key("ana").public_key().to_string();
    let forged = log.replacen("succeeded", "failed", 1);
    for (log, more, complaint) in [
        (forged.as_str(), &[][..], "line 2: record 1"),
        (&[&lines[..2], &lines[3..]].concat().join("\n"), &[], "expected record 2, found record 3"),
        (&lines[..4].join("\n"), &[], "breaks off"),
        (&log, &["--circle", &other], "the log is of circle"),
        (&log, &["--head", &"0".repeat(63)], "--head"),
    ] {
        let (code, stdout, stderr) = verify(log, more).await;
        assert_eq!((code, stdout.as_str()), (1, ""), "{complaint}: {stderr}");
        assert!(stderr.contains(complaint), "{complaint}: {stderr}");
    }

    let rest = out(here, url, &["--key", &key, "log", "--after", "2"]).await;
    let (code, stdout, stderr) = verify(&rest, &["--json"]).await;
    let sound: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &sound["records"], &sound["after"]["number"]), (0, &json!(1), &json!(2)), "{stderr}");
}

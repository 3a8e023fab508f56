//! Memory of a server's process during and after plays that use all the memory that they may.

use std::{fs, time::Duration};

use circles_tests::{Program, Raw, secret_key, soon};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::programs::{server, started};

const MIB: usize = 1 << 20;
/// A server's own memory after the first plays: threads, buffers, compiled scripts.
const OVERHEAD: usize = 96 * MIB;
/// Allocates memory in pieces, as fast as possible, until the limit is exceeded.
const HOARD: &str = "let t = \"\"; t.pad(4000, \"x\"); let a = []; loop { a.push(t + a.len()); }";

/// A number from `/proc/PID/status`, in bytes.
fn status(server: &Program, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Starts this number of plays at once over two circles, and returns their answers.
async fn at_once(urls: &[String], plays: usize, script: &'static str) -> Vec<Result<Value, Value>> {
    let plays = (0..plays).map(|number| {
        let url = urls[number % urls.len()].clone();
        tokio::spawn(async move {
            let params = json!({ "script": script, "timeout_ms": 600_000 });
            Raw::connect(&url).await.call("play", params).await
        })
    });
    let mut answers = Vec::new();
    for play in plays.collect::<Vec<_>>() {
        answers.push(soon(play).await.unwrap());
    }
    answers
}

/// A server of two circles with this budget, and the URLs of both.
async fn two_circles(directory: &std::path::Path, budget: &str) -> (Program, Vec<String>) {
    let mut command = server(directory);
    command.args(["--memory-budget", budget, "--task-timeout", "10m"]);
    for name in ["alice", "bob"] {
        command.args(["-k", &secret_key(name).public_key().to_string()]);
    }
    let mut server = Program::start(&mut command);
    let mut urls = Vec::new();
    for _ in 0..2 {
        let line = server.line().await.expect("it starts");
        urls.push(line.split(' ').nth(2).unwrap().to_owned());
    }
    (server, urls)
}

fn is_limit(answer: &Result<Value, Value>) -> bool {
    answer.as_ref().is_err_and(|error| error["data"]["limit"] == "memory_bytes")
}

#[tokio::test]
async fn memory_budget_bounds_all_plays_together() {
    let directory = tempfile::tempdir().unwrap();
    let (server, urls) = two_circles(directory.path(), "256MiB").await;
    at_once(&urls, 1, "1").await;
    let before = status(&server, "VmRSS");
    let answers = at_once(&urls, 24, HOARD).await;
    assert!(answers.iter().all(is_limit), "each gets its turn, and reaches its own limit: {answers:?}");
    let peak = status(&server, "VmHWM") - before;
    assert!(peak < 256 * MIB + OVERHEAD, "{} MiB at a time", peak / MIB);
}

#[tokio::test]
async fn memory_waits_end_at_deadline_and_small_plays_never_wait() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, urls) = two_circles(directory.path(), "128MiB").await;
    let mut hoarder = Raw::connect(&urls[0]).await;
    // The play holds the whole budget until it is cancelled.
    let holds =
        "fs::write(\"holds\", \"\"); let b = blob(50000000, 1); fs::write(\"holds\", \"1\"); sleep(600)";
    hoarder
        .send(
            json!({ "jsonrpc": "2.0", "id": 1, "method": "play", "params": { "script": holds } }).to_string(),
        )
        .await;
    let mut other = Raw::connect(&urls[0]).await;
    let held = "let n = 0; while !fs::exists(\"holds\") || fs::read(\"holds\") == \"\" { sleep(0.01); } 1";
    assert_eq!(other.play(held).await, Ok(json!(1)));
    let mut neighbour = Raw::connect(&urls[1]).await;
    assert_eq!(neighbour.play("let b = blob(100000, 1); b.len()").await, Ok(json!(100_000)));
    let params = json!({ "script": "blob(50000000, 1).len()", "timeout_ms": 300 });
    let error = neighbour.call("play", params).await.unwrap_err();
    assert_eq!(error["code"], -32002, "{error}");
    // The caller disconnects, which frees the play's memory.
    drop(hoarder);
    assert_eq!(neighbour.play("blob(50000000, 1).len()").await, Ok(json!(50_000_000)));
}

#[tokio::test]
async fn memory_returns_to_system_after_burst() {
    let directory = tempfile::tempdir().unwrap();
    let (server, urls) = two_circles(directory.path(), "6GiB").await;
    at_once(&urls, 1, "1").await;
    let before = status(&server, "VmRSS");
    let answers = at_once(&urls, 64, HOARD).await;
    assert!(answers.iter().all(is_limit), "{answers:?}");
    // Two seconds on an idle machine.
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let kept = status(&server, "VmRSS").saturating_sub(before);
        if kept < 100 * MIB {
            break;
        }
        assert!(Instant::now() < end, "{} MiB are kept", kept / MIB);
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn memory_budget_too_small_for_a_play_is_refused_at_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = server(directory.path());
    let (code, _, error) = circles_tests::run(command.args(["--memory-budget", "64MiB"])).await;
    assert_eq!(code, 2);
    assert!(error.contains("--memory-budget") && error.contains("memory_bytes"), "{error}");
    let directory = tempfile::tempdir().unwrap();
    let mut command = server(directory.path());
    let (_server, _) = started(command.args(["--memory-budget", "86MiB"])).await;
}

//! A full disk, and recovery from it.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use circles_api::codes::BACKEND_UNAVAILABLE;
use circles_tests::{Program, Raw, get, until};
use serde_json::{Value, json};
use tokio::process::Command;

use super::programs::{running, server, started};

/// Writes half a mebibyte to a document of this name.
const WRITE: &str = "let text = `x`; for n in 0..19 { text += text; } db::set(`${ARGS}`, text);";

/// Starts a server whose data directory is a small tmpfs in its own mount namespace (`unshare` and `mount` are part of
/// Debian). Returns it with its URL and the path of that tmpfs from outside.
async fn on_a_small_disk(directory: &Path) -> (Program, String, PathBuf) {
    let data = directory.join("data");
    std::fs::create_dir(&data).unwrap();
    let server = server(directory);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg(r#"mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@""#).arg(&data);
    command.arg(server.as_std().get_program()).args(server.as_std().get_args());
    for (name, _) in server.as_std().get_envs() {
        command.env_remove(name);
    }
    let (program, url) = started(&mut command).await;
    let inside = format!("/proc/{}/root{}", program.id(), data.display());
    (program, url, inside.into())
}

/// Fills the disk.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [64 << 10, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[tokio::test]
async fn full_disk_is_a_temporary_error_and_shows_in_ready() {
    let directory = tempfile::tempdir().unwrap();
    let (_program, url, disk) = on_a_small_disk(directory.path()).await;
    let mut raw = Raw::connect(&url).await;
    let (host, circle) = url.strip_prefix("ws://").unwrap().split_once('/').unwrap();
    let ready = format!("http://{host}/ready");
    let write = |number: usize| json!([WRITE, number]);
    assert_eq!(raw.call("play", write(0)).await.err(), None);
    assert_eq!(get(&ready).await.0, 200);
    // A submitted task runs, and will write more than the free space.
    let waits = format!("while !fs::exists(`go`) {{ sleep(0.01) }} {WRITE} db::incr(`runs`)");
    let submitted = json!({ "script": waits, "args": "submitted" });
    let id = raw.call("submit", submitted).await.unwrap()["task_id"].take();
    running(&url, 1).await;

    let filler = disk.join("filler");
    fill(&filler);
    let mut refused = Value::Null;
    for number in 1..16 {
        if let Err(error) = raw.call("play", write(number)).await {
            refused = error;
            break;
        }
    }
    assert_eq!(refused["code"], BACKEND_UNAVAILABLE, "{refused}");
    assert!(refused["data"]["retry_after_ms"].is_u64(), "{refused}");
    assert_eq!(get(&ready).await.0, 503);
    assert_eq!(raw.play("40 + 2").await, Ok(json!(42)), "what needs no room still runs");
    File::create(disk.join(circle).join("files").join("go")).unwrap();
    let task = raw.call("task", json!([id, 1_000])).await.unwrap();
    assert!(task["ended_at"].is_null(), "there is no room for its end: {task}");

    std::fs::remove_file(&filler).unwrap();
    until(async || get(&ready).await.0 == 200).await;
    let task = raw.call("task", json!([id, 30_000])).await.unwrap();
    assert_eq!(task["result"]["value"], 1, "{task}");
    assert_eq!(raw.call("play", write(1)).await.err(), None);
}

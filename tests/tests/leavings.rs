//! What tests leave behind: no thread and no directory. A binary of its own: threads are counted by name.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use circles_tests::{Between, Embedded, Fleet, NEVER, OnRedis, WorldOn};
use serde_json::json;
use tokio::runtime::Builder;

/// As in the programs: workers start only where memory is counted.
#[global_allocator]
static ALLOCATOR: circles_worker::CountingAllocator<std::alloc::System> =
    circles_worker::CountingAllocator::new(std::alloc::System);

/// Threads of stores, workers and runtimes, by how their names begin.
const OURS: [&str; 4] = ["script-", "circle-files", "redis", "tokio-"];

/// Names of this process's threads that are none of the harness.
fn threads() -> Vec<String> {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|thread| {
        // It may have ended meanwhile.
        fs::read_to_string(thread.ok()?.path().join("comm")).ok()
    });
    let names = names.map(|name| name.trim_end().to_owned());
    // One clock ticks for all scripts of a process, and stays.
    names.filter(|name| OURS.iter().any(|ours| name.starts_with(ours)) && name != "script-clock").collect()
}

/// A world that is dropped as a test drops it, with plays under way in every state.
async fn world<B: Between>() {
    let world = WorldOn::<B>::builder().workers(1).start().await;
    let mut raw = world.raw().await;
    assert_eq!(raw.play(r#"db::set("a", 1); 7"#).await, Ok(json!(7)));
    for script in ["loop {}", "sleep(60)"] {
        for method in ["play", "submit", "watch_play"] {
            let call = raw.request(method, json!({ "script": script }));
            raw.send(call).await;
            world.store.began().await;
        }
    }
}

/// Run by the test below in a process of its own.
#[test]
#[ignore = "part of tests_leave_no_thread_and_no_directory"]
fn worlds_leave_no_thread() {
    for _ in 0..2 {
        for multi in [false, true] {
            let mut builder = if multi { Builder::new_multi_thread() } else { Builder::new_current_thread() };
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(async {
                world::<Embedded>().await;
                world::<OnRedis>().await;
            });
        }
    }
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let fleet = Fleet::of(&["alice"]).await;
        let _worker = fleet.worker(&[]).await;
        assert_eq!(fleet.raw(0).await.play("7").await, Ok(json!(7)));
    });
    let last = Instant::now() + NEVER;
    while !threads().is_empty() {
        assert!(Instant::now() < last, "left: {:?}", threads());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn tests_leave_no_thread_and_no_directory() {
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worlds_leave_no_thread", "--ignored", "--nocapture"])
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let left: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

//! Tests leave no thread and no directory behind. This is a test binary of its own, since it lists the threads of its
//! process.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic fails the test.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use circles_tests::{Backend, EVENT_TIMEOUT, EmbeddedBackend, Fleet, RedisBackend, WorldOn};
use serde_json::json;
use tokio::runtime::Builder;

/// As in the programs: workers start only with a counting allocator.
#[global_allocator]
static ALLOCATOR: circles_worker::CountingAllocator<std::alloc::System> =
    circles_worker::CountingAllocator::new(std::alloc::System);

/// Prefixes of the names of threads of stores, workers and runtimes.
const NAME_PREFIXES: [&str; 4] = ["script-", "circle-files", "redis", "tokio-"];

/// Names of this process's threads that stores, workers and runtimes started.
fn threads() -> Vec<String> {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|thread| {
        // The thread may have ended meanwhile.
        fs::read_to_string(thread.ok()?.path().join("comm")).ok()
    });
    let names = names.map(|name| name.trim_end().to_owned());
    // The clock thread serves all scripts of a process, and stays.
    names
        .filter(|name| NAME_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && name != "script-clock")
        .collect()
}

/// Starts a world, and drops it while plays run, as a test does.
async fn world<B: Backend>() {
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

/// The test below runs this one in a process of its own.
#[test]
#[ignore = "part of tests_leave_no_thread_and_no_directory"]
fn worlds_leave_no_thread() {
    for _ in 0..2 {
        for multi in [false, true] {
            let mut builder = if multi { Builder::new_multi_thread() } else { Builder::new_current_thread() };
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(async {
                world::<EmbeddedBackend>().await;
                world::<RedisBackend>().await;
            });
        }
    }
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let fleet = Fleet::of(&["alice"]).await;
        let _worker = fleet.worker(&[]).await;
        assert_eq!(fleet.raw(0).await.play("7").await, Ok(json!(7)));
    });
    let last = Instant::now() + EVENT_TIMEOUT;
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

//! A dropped store leaves no thread behind. A test binary of its own, since threads are counted by name.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests may panic.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_store::{Caller, CircleId, Kind, Source, Store, Task};
use circles_store_embedded::EmbeddedConfig;
use circles_store_redis::{RedisConfig, RedisStore};
use circles_testing::{Redis, embedded};
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// Longer than any step takes.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns how many threads of this process have a name with this prefix.
fn threads(name: &str) -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|thread| {
        // The thread may have ended meanwhile.
        fs::read_to_string(thread.ok()?.path().join("comm")).ok()
    });
    names.filter(|found| found.starts_with(name)).count()
}

/// Waits until this many threads have such a name. A thread names itself after its start, and cannot be joined here.
async fn are_there(name: &str, count: usize) {
    let last = Instant::now() + STEP_TIMEOUT;
    while threads(name) != count {
        assert!(Instant::now() < last, "{} threads {name} instead of {count}", threads(name));
        sleep(Duration::from_millis(5)).await;
    }
}

fn circle() -> CircleId {
    CircleId::from_bytes([2; 33]).unwrap()
}

fn task(kind: Kind) -> Task {
    Task { kind, ..Task::new(circle(), Caller::Anonymous, Source::script("1"), Value::Null, STEP_TIMEOUT) }
}

/// Uses a store, and drops it while claims, tickets and watches are left.
async fn use_and_drop(store: Arc<dyn Store>) {
    let ticket = store.submit(task(Kind::Play)).await.unwrap();
    let submitted = store.submit(task(Kind::Submitted { retries: 0 })).await.unwrap();
    let claim = timeout(STEP_TIMEOUT, store.claim()).await.unwrap().unwrap();
    let watch = store.watch(&circle(), submitted.task()).await.unwrap();
    assert!(watch.is_some());
    drop(store);
    drop((ticket, submitted, claim, watch));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_store_ends_its_threads() {
    for _ in 0..3 {
        let store = embedded(EmbeddedConfig::default());
        are_there("circle-files", 4).await;
        use_and_drop(Arc::new(store)).await;
        are_there("circle-files", 0).await;
    }
    let redis = Redis::start();
    for _ in 0..3 {
        let store = RedisStore::connect(&redis.url(), RedisConfig::default()).await.unwrap();
        are_there("redis", 1).await;
        use_and_drop(Arc::new(store)).await;
        are_there("redis", 0).await;
    }
    // A store that could not connect has no thread either.
    assert!(RedisStore::connect("redis://127.0.0.1:1", RedisConfig::default()).await.is_err());
    are_there("redis", 0).await;
}

//! A store that is dropped leaves no thread behind. A test binary of its own: threads are counted by name.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

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

/// Nothing here takes as long, unless it never comes.
const NEVER: Duration = Duration::from_secs(60);

/// How many threads of this process have a name that begins so.
fn threads(name: &str) -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|thread| {
        // It may have ended meanwhile.
        fs::read_to_string(thread.ok()?.path().join("comm")).ok()
    });
    names.filter(|found| found.starts_with(name)).count()
}

/// Waits until so many have such a name: a thread names itself, and none may be waited for from outside.
async fn are_there(name: &str, count: usize) {
    let last = Instant::now() + NEVER;
    while threads(name) != count {
        assert!(Instant::now() < last, "{} threads {name} instead of {count}", threads(name));
        sleep(Duration::from_millis(5)).await;
    }
}

fn circle() -> CircleId {
    CircleId::from_bytes([2; 33]).unwrap()
}

fn task(kind: Kind) -> Task {
    Task { kind, ..Task::new(circle(), Caller::Anonymous, Source::script("1"), Value::Null, NEVER) }
}

/// Uses a store in every way that lasts, and drops it while claims, tickets and waits are left.
async fn use_and_drop(store: Arc<dyn Store>) {
    let ticket = store.submit(task(Kind::Play)).await.unwrap();
    let submitted = store.submit(task(Kind::Submitted { retries: 0 })).await.unwrap();
    let claim = timeout(NEVER, store.claim()).await.unwrap().unwrap();
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
    // One that could not connect has none either.
    assert!(RedisStore::connect("redis://127.0.0.1:1", RedisConfig::default()).await.is_err());
    are_there("redis", 0).await;
}

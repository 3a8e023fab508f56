//! One suite of promises, run on every store.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

mod conformance;
mod connections;
mod costs;
mod failovers;
mod faults;
mod links;
mod processes;
mod quotas;
mod restarts;
mod tasks;
mod transactions;
mod trials;

use std::sync::Arc;

use circles_store::{Error, InlineRunner, Outcome, Store, Task};
use circles_store_embedded::EmbeddedConfig;
use circles_store_redis::{RedisConfig, RedisStore};
use circles_testing::embedded;
use tokio::runtime::Handle;

fn within(bounds: conformance::Bounds) -> Arc<dyn Store> {
    Arc::new(embedded(EmbeddedConfig {
        queue_limit: bounds.queue,
        circle_queue_limit: bounds.circle_queue,
        ..EmbeddedConfig::default()
    }))
}

/// A store on a Redis database of its own.
fn on_redis(bounds: conformance::Bounds) -> Arc<dyn Store> {
    let url = circles_testing::redis_of_this_test().url();
    let config = RedisConfig {
        queue_limit: bounds.queue,
        circle_queue_limit: bounds.circle_queue,
        // Limits of the queue are a shard's.
        shards: if bounds.queue < conformance::WIDE.queue { 1 } else { 16 },
        ..RedisConfig::default()
    };
    let store = tokio::task::block_in_place(|| Handle::current().block_on(RedisStore::connect(&url, config)));
    Arc::new(store.unwrap())
}

conformance::suite!(redis_tasks, on_redis);
tasks::tasks!(redis_records, on_redis);
transactions::transactions!(redis_transactions, on_redis);

conformance::suite!(embedded_tasks, within);
tasks::tasks!(embedded_records, within);
transactions::transactions!(embedded_transactions, within);

/// Tries everything, and ends it in a way of its own.
struct Cancels;

impl InlineRunner for Cancels {
    fn try_inline(&self, _: &Task) -> Option<Outcome> {
        Some(Outcome::cancelled())
    }
}

#[tokio::test]
async fn inline_runner_gets_plain_plays_until_close() {
    let store = embedded(EmbeddedConfig::default()).with_inline_runner(Arc::new(Cancels));
    let tried = store.submit(conformance::task("a")).await.unwrap();
    assert_eq!(tried.await, Outcome::cancelled());
    assert_eq!(store.queued(), 0);
    let _keyed = store.submit(conformance::keyed("a", "k")).await.unwrap();
    assert_eq!(store.queued(), 1);
    store.close().await;
    assert_eq!(store.submit(conformance::task("b")).await.err(), Some(Error::Closed));
}

/// In Redis, whatever is told is kept already.
#[tokio::test]
async fn repeated_submit_returns_once_task_is_durable() {
    tasks::repeated_submit_returns_once_task_is_durable(within(conformance::WIDE)).await;
}

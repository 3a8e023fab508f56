//! The conformance suite, run on every store, and tests of single stores.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests may panic.

mod conformance;
mod connections;
mod costs;
mod failovers;
mod fast_path;
mod faults;
mod links;
mod processes;
mod quotas;
mod restarts;
mod tasks;
mod transactions;

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
        // The limits of the queue are per shard.
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

/// Ends every play as cancelled.
struct Cancels;

impl InlineRunner for Cancels {
    fn try_inline(&self, _: &Task) -> Option<Outcome> {
        Some(Outcome::cancelled())
    }
}

#[tokio::test]
async fn inline_runner_gets_plain_plays_until_close() {
    let store = embedded(EmbeddedConfig::default()).with_inline_runner(Arc::new(Cancels));
    let inlined = store.submit(conformance::task("a")).await.unwrap();
    assert_eq!(inlined.await, Outcome::cancelled());
    assert_eq!(store.queued(), 0);
    let _keyed = store.submit(conformance::keyed("a", "k")).await.unwrap();
    assert_eq!(store.queued(), 1);
    store.close().await;
    assert_eq!(store.submit(conformance::task("b")).await.err(), Some(Error::Closed));
}

/// On Redis a submitted task is durable before any caller hears of it.
#[tokio::test]
async fn repeated_submit_returns_once_task_is_durable() {
    tasks::repeated_submit_returns_once_task_is_durable(within(conformance::WIDE)).await;
}

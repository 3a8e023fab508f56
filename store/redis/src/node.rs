//! This process among those that share a Redis: its id, its connection, and the shards.

use std::time::Duration;

use circles_api::CircleId;
use circles_store::Error;
use fred::types::{FromValue, Value};
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    client::RedisClient,
    config::RedisConfig,
    scripts::{PRESENT, Script},
    task_meta::whole_millis,
};

/// The part of the store that all its owners share.
pub(crate) struct Node {
    /// Names this process in Redis, as a server and as a worker.
    pub(crate) id: String,
    /// Names the database that the processes share. Databases of one Redis share its channels, so channels carry it.
    pub(crate) database: String,
    pub(crate) config: RedisConfig,
    pub(crate) client: RedisClient,
    /// How many shards the processes agreed on.
    pub(crate) shards: u16,
    pub(crate) runtime: Handle,
    /// Cancelled once the store accepts and hands out nothing more.
    pub(crate) closing: CancellationToken,
    /// Cancelled once no claim is left.
    pub(crate) stopped: CancellationToken,
    /// The background tasks that a shutdown waits for.
    pub(crate) background: TaskTracker,
}

impl Node {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Starts a task that a shutdown waits for.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.background.spawn_on(task, &self.runtime)
    }

    /// Blocks a script's thread. On a thread of a runtime, another one takes its place meanwhile.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::task::block_in_place(|| self.runtime.block_on(future))
    }

    /// The circle's shard. Public keys are as good as random, so their last bytes spread circles evenly.
    pub(crate) fn shard_of(&self, circle: &CircleId) -> u16 {
        let mut number = 0;
        for byte in circle.as_bytes().iter().rev().take(2) {
            number = number << 8 | u16::from(*byte);
        }
        number % self.shards
    }

    /// The shard of a key as [`shard_key`] writes it.
    pub(crate) fn parse_shard_key(&self, key: &str) -> Option<u16> {
        self.parse_shard(key.strip_prefix("circles:{")?.strip_suffix('}')?)
    }

    /// The shard of this number, if there is one.
    pub(crate) fn parse_shard(&self, number: &str) -> Option<u16> {
        number.parse().ok().filter(|shard| *shard < self.shards)
    }

    /// Runs a script on a shard.
    pub(crate) async fn run<R: FromValue>(
        &self,
        script: &'static Script,
        shard: u16,
        args: Vec<Value>,
    ) -> Result<R, Error> {
        self.client.run(script, &shard_key(shard), args).await
    }

    /// The pool of workers that the circle's tasks are for.
    pub(crate) fn pool_of(&self, circle: &CircleId) -> &str {
        self.config.pools.get(circle).map_or("", String::as_str)
    }

    /// Returns whether this process may run the circle's tasks.
    pub(crate) fn serves(&self, circle: &CircleId) -> bool {
        let only = &self.config.only_circles;
        self.config.pool == self.pool_of(circle) && (only.is_empty() || only.contains(circle))
    }

    /// Tells one waiting worker of the pool that a shard may have tasks.
    pub(crate) async fn hint(&self, pool: &str, shard: u16) -> Result<(), Error> {
        self.client.hint(&hints_key(pool), &shard.to_string()).await
    }

    /// Registers a worker for this long, if one is named. Returns how many workers are present.
    pub(crate) async fn register_worker(&self, worker: &str, time: Duration) -> Result<usize, Error> {
        self.client.run(&PRESENT, "circles:workers", vec![worker.into(), lua_millis(time).into()]).await
    }
}

/// The key that every key of a shard begins with. Its hash tag puts a shard into one slot of a cluster.
pub(crate) fn shard_key(shard: u16) -> String {
    format!("circles:{{{shard}}}")
}

/// The sorted set of hints that a pool's workers wait for.
pub(crate) fn hints_key(pool: &str) -> String {
    format!("circles:wake:{pool}")
}

/// Milliseconds as an argument of a script.
pub(crate) fn lua_millis(time: Duration) -> i64 {
    i64::try_from(whole_millis(time)).unwrap_or(i64::MAX)
}

/// A count as an argument of a script.
pub(crate) fn lua_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

use std::{collections::HashMap, time::Duration};

use circles_api::CircleId;

use circles_store::Quotas;

/// Bounds of a [`RedisStore`](circles_store::RedisStore).
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// How many shards there are, if nobody has said so in this Redis before.
    pub shards: u16,
    /// Circles whose tasks are for the workers of a pool. Those of all others are for workers of none.
    pub pools: HashMap<CircleId, String>,
    /// The pool whose tasks this process takes; none if empty.
    pub pool: String,
    /// If any are named, this process takes only their tasks.
    pub only: Vec<CircleId>,
    /// How many tasks may wait in a shard. One more is [`Error::QueueFull`](circles_store::Error::QueueFull).
    pub queue_limit: usize,
    /// How many of them one circle may have.
    pub circle_queue_limit: usize,
    /// How much work may be claimed ahead of those who run it, so that they need not wait for the next claim.
    pub ahead: Duration,
    /// How many tasks this process may have claimed; one circle has at most half of them, two a third each.
    pub running_limit: usize,
    /// How long tasks are remembered after their end that were submitted or carry an idempotency key.
    pub remember_for: Duration,
    /// How many of them, and of what size.
    pub quotas: Quotas,
    /// How long after a worker's last word its tasks are given to others.
    pub lease: Duration,
    /// After how long a play is queued of which the worker that was to try it says nothing.
    pub silence: Duration,
    /// How many bytes a circle's documents and their keys may take.
    pub circle_bytes: u64,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            shards: 64,
            pools: HashMap::new(),
            pool: String::new(),
            only: Vec::new(),
            queue_limit: 10_000,
            circle_queue_limit: 2_500,
            ahead: Duration::ZERO,
            running_limit: 64,
            // SPEC §5: the same idempotency key within 24 h.
            remember_for: Duration::from_secs(24 * 60 * 60),
            quotas: Quotas::default(),
            lease: Duration::from_secs(10),
            // Five times what the longest attempt takes.
            silence: Duration::from_millis(250),
            circle_bytes: 1 << 30,
        }
    }
}

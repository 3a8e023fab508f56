use std::{collections::HashMap, time::Duration};

use circles_api::CircleId;
use circles_store::Quotas;

/// Options of a [`RedisStore`](crate::RedisStore).
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// The count of shards. The first process that connects to a Redis decides it for all others.
    pub shards: u16,
    /// Circles whose tasks go to the workers of a named pool. Tasks of other circles go to workers without a pool.
    pub pools: HashMap<CircleId, String>,
    /// The pool whose tasks this process claims; empty for none.
    pub pool: String,
    /// If any are named, this process claims tasks of these circles only.
    pub only_circles: Vec<CircleId>,
    /// The most tasks that wait in a shard. One more is refused with
    /// [`Error::QueueFull`](circles_store::Error::QueueFull).
    pub queue_limit: usize,
    /// The most waiting tasks of one circle.
    pub circle_queue_limit: usize,
    /// How much work, in time, is claimed before a script thread is free, so that threads need not wait for a claim.
    pub claim_ahead: Duration,
    /// The most tasks that this process holds. One circle gets at most half of them, two circles a third each.
    pub running_limit: usize,
    /// How long a task is remembered after its end if it was submitted or has an idempotency key.
    pub remember_for: Duration,
    /// How many remembered tasks a caller may have, and how many bytes.
    pub quotas: Quotas,
    /// How long a worker may be silent before its tasks go to other workers.
    pub lease: Duration,
    /// How long a fast-path play may go unanswered before it is queued.
    pub fast_path_timeout: Duration,
    /// The most bytes of a circle's documents and their keys.
    pub circle_bytes: u64,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            shards: 64,
            pools: HashMap::new(),
            pool: String::new(),
            only_circles: Vec::new(),
            queue_limit: 10_000,
            circle_queue_limit: 2_500,
            claim_ahead: Duration::ZERO,
            running_limit: 64,
            // The interface promises that an idempotency key is known for 24 h.
            remember_for: Duration::from_secs(24 * 60 * 60),
            quotas: Quotas::default(),
            lease: Duration::from_secs(10),
            // Five times the longest fast-path play.
            fast_path_timeout: Duration::from_millis(250),
            circle_bytes: 1 << 30,
        }
    }
}

//! Test support for several crates: temporary and observed stores, Redis servers in every topology, and a proxy that
//! injects network faults.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic fails the test.

mod embedded;
mod proxy;
mod redis;
mod rng;
mod watched;

use std::sync::Arc;

use circles_store::{Claim, Outcome, Settled, Settlement, Store, Task};

pub use embedded::{Embedded, embedded};
pub use proxy::{Mode, Proxy, RequestFault};
pub use redis::{
    Certificates, Cluster, Redis, RedisBuilder, RedisConnection, RedisReply, Sentinels, loopback,
    redis_of_this_test,
};
pub use rng::SeededRng;
pub use watched::Watched;

/// Plays a task without a worker, again after each conflict, and returns its outcome. Blocks.
pub fn played(
    store: &Arc<dyn Store>,
    task: Task,
    mut play: impl FnMut(Claim) -> Option<(Claim, Settlement)>,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (mut claim, ticket) = store.begin_nested(task).expect("an open store");
    loop {
        let (played, settlement) = play(claim).expect("the claim of the task");
        match runtime.block_on(played.settle(settlement)).expect("an open store") {
            Settled::Recorded => return runtime.block_on(ticket),
            Settled::Conflict(again) => claim = again,
        }
    }
}

//! What the tests of several crates share: a store that goes with its test, and one that tells what happens; Redis in
//! every shape, and a network between that fails at will.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

mod dice;
mod embedded;
mod proxy;
mod redis;
mod watched;

use std::sync::Arc;

use circles_store::{Claim, Outcome, Settled, Settlement, Store, Task};

pub use dice::Dice;
pub use embedded::{Embedded, embedded};
pub use proxy::{Mode, Proxy, Trap};
pub use redis::{Certificates, Cluster, Redis, RedisBuilder, Reply, Sentinels, loopback, redis_of_this_test};
pub use watched::Watched;

/// Plays a task by hand, as often as it is overtaken, and returns what its caller is told. Blocks.
pub fn played(
    store: &Arc<dyn Store>,
    task: Task,
    mut play: impl FnMut(Claim) -> (Claim, Settlement),
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (mut claim, ticket) = store.begin(task).expect("an open store");
    loop {
        let (played, settlement) = play(claim);
        match runtime.block_on(played.settle(settlement)).expect("an open store") {
            Settled::Recorded => return runtime.block_on(ticket),
            Settled::Overtaken(again) => claim = again,
        }
    }
}

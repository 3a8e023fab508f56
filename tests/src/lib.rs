//! The system as a whole, for tests: a [`World`] on a free port with its own store and workers, a [`Raw`]
//! connection for what no well-behaved client sends, and [`Program`]s, the binaries as a user starts them.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

mod between;
mod fleet;
mod program;
mod raw;
mod terminal;
mod world;

pub use between::{Between, Embedded, OnRedis};
pub use circles_testing::Watched;
pub use fleet::{Fleet, Worker, end, event, event_that, get, program, without_settings};
pub use program::{Program, binary, peer_node_modules, peer_python, run};
pub use raw::Raw;
pub use terminal::Terminal;
pub use world::{Builder, World, WorldOn, secret_key};

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::Location,
    time::Duration,
};

use tokio::time::{sleep, timeout};

/// Nothing awaited in a test takes this long unless it will never come.
pub const NEVER: Duration = Duration::from_secs(60);
/// Between looks at a state that announces no change: a test loses next to nothing by it, and a core is not kept busy.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// An address of this machine, with any port, that only one test uses, by its number: so nobody else can take a
/// port there that was given up a moment ago.
pub const fn address_of_its_own(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 7, 0, number)), 0)
}

/// Awaits what must come. The bound is for all of `what`: a loop inside cannot renew it.
#[track_caller]
pub fn soon<F: IntoFuture>(what: F) -> impl Future<Output = F::Output> {
    let asked_at = Location::caller();
    let what = timeout(NEVER, what);
    async move {
        match what.await {
            Ok(output) => output,
            Err(_) => panic!("{asked_at}: waited {NEVER:?} for something that did not come"),
        }
    }
}

/// Looks again and again until something holds that announces no change.
#[track_caller]
pub fn until(mut holds: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !holds().await {
            sleep(LOOK_AGAIN).await;
        }
    })
}

/// Looks again and again until there is something.
#[track_caller]
pub fn found<T>(mut look: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    soon(async move {
        loop {
            if let Some(found) = look().await {
                break found;
            }
            sleep(LOOK_AGAIN).await;
        }
    })
}

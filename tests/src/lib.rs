//! Support for system tests: a [`World`] is a server on a free port with its own store and workers, a [`Raw`]
//! connection sends invalid messages too, and a [`Program`] is a binary as a user starts it.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic fails the test.

mod backend;
mod fleet;
mod program;
mod raw;
mod terminal;
mod world;

pub use backend::{Backend, EmbeddedBackend, RedisBackend};
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

/// Longer than any event takes that a test waits for.
pub const EVENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between checks of a state that announces no change: short enough for tests, and long enough to keep a core
/// free.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A loopback address for one test, by its number, with port 0. Other processes do not take a port there that the test
/// closes for a moment.
pub const fn unused_address(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 7, 0, number)), 0)
}

/// Awaits a future, and fails the test after [`EVENT_TIMEOUT`]. A loop inside the future does not renew the time.
#[track_caller]
pub fn soon<F: IntoFuture>(what: F) -> impl Future<Output = F::Output> {
    let called_at = Location::caller();
    let what = timeout(EVENT_TIMEOUT, what);
    async move {
        match what.await {
            Ok(output) => output,
            Err(_) => panic!("{called_at}: waited {EVENT_TIMEOUT:?} for something that did not come"),
        }
    }
}

/// Polls until a condition holds that no event announces.
#[track_caller]
pub fn until(mut holds: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !holds().await {
            sleep(POLL_INTERVAL).await;
        }
    })
}

/// Polls until there is a value.
#[track_caller]
pub fn found<T>(mut look: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    soon(async move {
        loop {
            if let Some(found) = look().await {
                break found;
            }
            sleep(POLL_INTERVAL).await;
        }
    })
}

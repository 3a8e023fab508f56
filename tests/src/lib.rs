//! The system as a whole, for tests: a [`World`] on a free port with its own store and workers, a [`Raw`]
//! connection for what no well-behaved client sends, and [`Program`]s, the binaries as a user starts them.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

mod between;
mod fleet;
mod program;
mod raw;
mod world;

pub use between::{Between, Embedded, OnRedis};
pub use circles_testing::Watched;
pub use fleet::{Fleet, Worker, end, event, get, program};
pub use program::{Program, binary, peer_node_modules, peer_python, run};
pub use raw::Raw;
pub use world::{Builder, World, WorldOn, secret_key};

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Nothing awaited in a test takes this long unless it will never come.
pub const NEVER: Duration = Duration::from_secs(60);

/// An address of this machine, with any port, that only one test uses, by its number: so nobody else can take a
/// port there that was given up a moment ago.
pub const fn address_of_its_own(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 7, 0, number)), 0)
}

/// Awaits what must come.
pub async fn soon<F: IntoFuture>(what: F) -> F::Output {
    match tokio::time::timeout(NEVER, what).await {
        Ok(output) => output,
        Err(_) => panic!("waited {NEVER:?} for something that did not come"),
    }
}

//! The Circles client: connects to a circle, logs in, plays, and reconnects by itself.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use circles_client::{Client, SecretKey};
//!
//! let circle = Client::builder("ws://127.0.0.1:9001").key(SecretKey::generate()?).connect().await?;
//! let area: f64 = circle.play("ARGS.width * ARGS.length").args(&[("width", 6.0), ("length", 7.0)]).await?.value()?;
//! # Ok(())
//! # }
//! ```
//!
//! Start at [`Client::builder`]. The generated stubs of every method lie beneath, at [`Client::rpc`].
//!
//! **Invariants.** Nothing is signed that is not for the circle, the address and the key that were meant. A play or a
//! submission without an idempotency key is never sent twice. Every wait has an end. It builds for WebAssembly too.

mod call;
mod client;
mod connect;
mod error;
mod play;
mod task;
mod watch;

pub use circles_api::{CirclesClient, Error as CallError, Fault, codes, integers_fit, provenance, types};
pub use circles_auth::{PublicKey, SecretKey};

pub use call::Call;
pub use client::{Builder, Client};
pub use error::Error;
pub use play::{Keyed, Order, Play, Played, Submission};
pub use task::{RecordList, TaskList, TaskLookup};
pub use watch::{TaskWatch, Watch, Watched};

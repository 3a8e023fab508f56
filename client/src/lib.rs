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
//! Start at [`Client::builder`]. [`Client::rpc`] gives access to the generated stubs of every method.
//!
//! **Invariants.** The client signs only challenges for the circle, address and key that the caller chose. It never
//! sends a play or a submission without an idempotency key twice. Every wait has an end. The crate builds for
//! WebAssembly too.

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
pub use play::{Idempotent, Play, PlayRequest, PlayResponse, ScriptRequest, Submission, SubmitRequest};
pub use task::{RecordList, TaskList, TaskLookup, TaskRequest};
pub use watch::{PlayEvents, TaskWatch, Watch, WatchRequest, WatchTaskRequest};

//! Carries tasks from a server to a worker and outcomes back, and keeps what must outlive both.
//!
//! Start at [`Store`]. [`EmbeddedStore`] lives in the process and is the default. Every store passes
//! `tests/it/conformance.rs`, so the choice
//! of one is a line of configuration.
//!
//! **Invariants.** Whoever submits a task receives exactly one [`Outcome`]. A task reaches exactly one final
//! state, whatever the worker, the deadline and the caller do at the same time. Nothing here polls: work and
//! outcomes are pushed.

mod access;
mod claim;
mod embedded;
mod outcome;
mod task;
mod ticket;

pub use access::{Access, Verb, Who};
pub use circles_api::CircleId;
pub use claim::{Claim, Settle};
pub use embedded::{Config as EmbeddedConfig, EmbeddedStore, Trial};
pub use outcome::{Failure, LogLevel, LogLine, Outcome, ScriptErrorKind, Stats, Success};
pub use task::{Caller, Task, TaskId};
pub use ticket::Ticket;

/// Why a store did not take or give a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The queue holds as many tasks as it may; nothing was accepted.
    #[error("the queue is full")]
    Full,
    /// The idempotency key was used for another call; nothing was accepted.
    #[error("the idempotency key belongs to task {0}, which was another call")]
    Conflict(TaskId),
    /// The store is closed, or closes: nothing is accepted or claimed any more.
    #[error("the store is closed")]
    Closed,
}

/// A queue of tasks between those who submit and those who run.
///
/// Every method may be called from any number of tasks at once, and may be dropped at any await without
/// leaving anything half done.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Accepts a task, or says at once why not. The [`Ticket`] brings its outcome.
    ///
    /// A task whose idempotency key is known is not run again: the ticket brings the first one's outcome.
    async fn submit(&self, task: Task) -> Result<Ticket, Error>;

    /// Waits for a task to run and takes it. Circles take turns, so that one with many tasks does not keep
    /// another waiting.
    async fn claim(&self) -> Result<Claim, Error>;

    /// Ends a task that has not ended yet: a queued one at once, a running one as soon as its worker hears
    /// [`Claim::interrupt`]. Returns whether this call was the one that did it.
    async fn cancel(&self, task: TaskId) -> Result<bool, Error>;

    /// Stops accepting and handing out. Queued tasks end as [`Outcome::Cancelled`]; claimed ones go on.
    async fn close(&self);
}

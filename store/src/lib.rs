//! Carries tasks from a server to a worker and outcomes back, and keeps what must outlive both.
//!
//! Start at [`Store`]. `circles-store-embedded` (`embedded/`) is the store that lives in the process, the default;
//! `circles-store-redis` (`redis/`) joins machines. Both pass `tests/it/conformance.rs`, so the choice of one is a
//! line of configuration.
//!
//! **Invariants.** Whoever submits a task receives exactly one [`Outcome`]. A task reaches exactly one final
//! state, whatever the worker, the deadline and the caller do at the same time. Nothing here polls: work and
//! outcomes are pushed.

mod claim;
mod documents;
mod outcome;
mod quota;
mod task;
mod ticket;
mod inline_runner;

use std::{sync::Arc, time::Duration};

use circles_api::types::RecordPage;
use futures_util::stream::BoxStream;

pub use circles_api::{ANSWER_BYTES, CircleId, integers_fit};
pub use claim::{Claim, Lease, Settled, Settlement};
pub use documents::{Json, KEY_BYTES, Key, KeyRange, Reads, Snapshot, Transaction, Writes};
pub use outcome::{Failure, LogLevel, LogLine, Outcome, ScriptErrorKind, Stats, Success};
pub use quota::{Quota, Quotas};
pub use task::{
    Caller, CallingPlay, Kind, Source, State, Task, TaskFilter, TaskId, TaskPage, TaskView, Via, record_via,
};
pub use ticket::Ticket;
pub use inline_runner::InlineRunner;

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The queue holds as many tasks as it may; nothing was accepted.
    #[error("the queue is full")]
    QueueFull,
    /// The idempotency key was used for another call; nothing was accepted.
    #[error("the idempotency key belongs to task {0}, which was another call")]
    KeyReused(TaskId),
    /// Everything that is remembered for this caller fills its share; nothing was accepted. There is room again after
    /// that long.
    #[error("the caller's share of remembered tasks is full")]
    ShareFull(Duration),
    /// The same, of all guests of the circle together.
    #[error("the guests' share of remembered tasks is full")]
    GuestsFull(Duration),
    /// The store is closed, or closes: nothing is accepted or claimed any more.
    #[error("the store is closed")]
    Closed,
    /// A circle's file cannot be used. The path stands in the text, which is for the log.
    #[error("{0}")]
    File(Arc<str>),
    /// Redis cannot be reached, or refuses. The cause is for the log.
    #[error("Redis is not available: {0}")]
    Unavailable(Arc<str>),
    /// Redis or the disk is full: nothing that needs room is done. The cause is for the log.
    #[error("{0}")]
    StorageFull(Arc<str>),
    /// A snapshot is so old that what it shows is gone: the play has to be run again.
    #[error("the snapshot was overtaken")]
    MustRetry,
}

/// What happens to a task that somebody watches, ending with [`WatchEvent::Ended`].
pub type Watch = BoxStream<'static, WatchEvent>;

/// Something that happens to a task.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// Its script logged a line.
    Logged(LogLine),
    /// Its script is run again from the beginning; what it logged does not count.
    Restarted,
    /// It reached its final state.
    Ended(Box<TaskView>),
}

/// A queue of tasks between those who submit and those who run, and the memory of circles.
///
/// Every method may be called from any number of tasks at once, and may be dropped at any await without
/// leaving anything half done.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Accepts a task, or says at once why not. The [`Ticket`] brings its outcome.
    ///
    /// A task whose idempotency key is known is not run again: the ticket brings the first one's outcome. One
    /// that is [`Kind::Submitted`] is on the disk when this returns.
    async fn submit(&self, task: Task) -> Result<Ticket, Error>;

    /// Accepts a task that the caller itself runs, at once and beside the queue: a play that a play calls.
    fn begin_nested(&self, task: Task) -> Result<(Claim, Ticket), Error>;

    /// Waits for a task to run and takes it. Circles take turns, so that one with many tasks does not keep
    /// another waiting.
    async fn claim(&self) -> Result<Claim, Error>;

    /// Ends a task that has not ended yet: a queued one at once, a running one as soon as its worker hears
    /// [`Claim::interrupt`]. Returns whether this call was the one that did it.
    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error>;

    /// A task under way or remembered; waits so long for its end, if it has not ended.
    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error>;

    /// A page of a circle's tasks, those under way and those remembered.
    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error>;

    /// What a task logged and logs, and its end. `None` if there is no such task.
    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error>;

    /// A circle's records behind the one of number `after`, the oldest first, and the last of all.
    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error>;

    /// How many processes take tasks, or at once why that cannot be known.
    async fn workers(&self) -> Result<usize, Error>;

    /// Stops accepting and handing out. Queued plays end as [`Outcome::Cancelled`]; submitted tasks wait for
    /// the next process; claimed ones go on. A queued play with an idempotency key goes on in another process, or ends
    /// as [`Failure::Unavailable`] where there is none, and runs when it is called again.
    async fn close(&self);
}

use std::time::Duration;

use circles_api::{CircleId, types::RecordPage};
use futures_util::stream::BoxStream;

use crate::{
    claim::Claim,
    error::Error,
    outcome::LogLine,
    task::{Task, TaskId},
    task_view::{TaskFilter, TaskPage, TaskView},
    ticket::Ticket,
};

/// The events of a watched task; the last one is [`WatchEvent::Ended`].
pub type Watch = BoxStream<'static, WatchEvent>;

/// An event of a watched task.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// Its script logged a line.
    Logged(LogLine),
    /// Its script is run again from the beginning; lines logged so far do not count.
    Restarted,
    /// It reached its final state.
    Ended(Box<TaskView>),
}

/// A queue of tasks between servers and workers, and the circles' documents, outcomes and records.
///
/// # Cancel safety
///
/// Every method may be called concurrently and dropped at any await; a dropped call leaves nothing half done.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Accepts a task. The [`Ticket`] resolves to its outcome.
    ///
    /// A call whose idempotency key is known is not run again: the ticket brings the outcome of the first call. A
    /// [`Kind::Submitted`](crate::Kind::Submitted) task is durable when this returns.
    ///
    /// # Errors
    ///
    /// Fails at once when nothing can be accepted: [`Error::QueueFull`], [`Error::ShareFull`],
    /// [`Error::GuestsFull`], [`Error::KeyReused`], [`Error::Closed`], or an error of the storage.
    async fn submit(&self, task: Task) -> Result<Ticket, Error>;

    /// Accepts a task that its caller runs itself, without the queue: a play called by a play.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Closed`] once the store is closed.
    fn begin_nested(&self, task: Task) -> Result<(Claim, Ticket), Error>;

    /// Waits for a task and claims it. Circles take turns, so that a busy circle does not starve another.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Closed`] once the store is closed, or with an error of the storage.
    async fn claim(&self) -> Result<Claim, Error>;

    /// Cancels a task that has not ended: a queued one at once, a running one as soon as its worker sees
    /// [`Claim::interrupt`]. Returns whether this call cancelled it.
    ///
    /// # Errors
    ///
    /// Fails with an error of the storage.
    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error>;

    /// Returns a task that is in progress or remembered, after waiting up to `wait` for its end.
    ///
    /// # Errors
    ///
    /// Fails with an error of the storage.
    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error>;

    /// Returns a page of a circle's tasks, both those in progress and those remembered.
    ///
    /// # Errors
    ///
    /// Fails with an error of the storage.
    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error>;

    /// Returns the log lines of a task, past and future, and its end. `None` if there is no such task.
    ///
    /// # Errors
    ///
    /// Fails with an error of the storage.
    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error>;

    /// Returns up to `limit` provenance records after number `after`, oldest first, and the head of the chain.
    ///
    /// # Errors
    ///
    /// Fails with an error of the storage.
    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error>;

    /// Returns how many processes claim tasks.
    ///
    /// # Errors
    ///
    /// Fails at once when this cannot be known.
    async fn workers(&self) -> Result<usize, Error>;

    /// Stops accepting and handing out tasks; claimed tasks continue. Queued plays end as
    /// [`Outcome::Cancelled`](crate::Outcome::Cancelled), and submitted tasks wait for the next process. A queued play
    /// with an idempotency key runs in another process; with a store of one process it ends as
    /// [`Failure::Unavailable`](crate::Failure::Unavailable), and the same call may be made again.
    async fn close(&self);
}

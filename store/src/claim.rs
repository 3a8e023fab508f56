use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use crate::{
    documents::{Reads, Snapshot, Writes},
    error::Error,
    outcome::{LogLine, Outcome},
    task::Task,
};

/// A task that this worker alone runs.
///
/// Dropping an unsettled claim, as when a worker unwinds, returns the task to the queue.
#[must_use = "dropping a claim returns its task to the queue"]
pub struct Claim {
    task: Arc<Task>,
    deadline: Instant,
    interrupt: CancellationToken,
    lease: Option<Box<dyn Lease>>,
}

/// How a play ended, with its effects on its circle.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The outcome for its caller.
    pub outcome: Outcome,
    /// The documents that it read.
    pub reads: Reads,
    /// The documents that it wrote; dropped unless it succeeded.
    pub writes: Writes,
    /// Set if it may have had side effects, which cannot be rolled back.
    pub side_effects: bool,
    /// SHA-256 of the source that ran, if any did.
    pub script_sha256: Option<[u8; 32]>,
}

/// A play that touched nothing.
impl From<Outcome> for Settlement {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            reads: Reads::default(),
            writes: Writes::new(),
            side_effects: false,
            script_sha256: None,
        }
    }
}

/// The result of settling a claim.
#[must_use]
pub enum Settled {
    /// The task has reached its final state, this one or another.
    Recorded,
    /// Other plays changed documents that this one had read, and nothing of it was stored. The claim is still held,
    /// goes before other writers of the circle, and gives a newer snapshot for the next run.
    Conflict(Claim),
}

/// The store's side of a [`Claim`].
#[async_trait::async_trait]
pub trait Lease: Send + Sync {
    /// Returns the circle's documents as of the first call. May block.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error>;

    /// Records that the task is about to have side effects. After it returns, the task is not run again after a crash
    /// unless its submitter allowed retries. May block.
    fn mark_side_effects(&self) -> Result<(), Error>;

    /// Publishes a log line to watchers.
    fn log(&self, line: &LogLine);

    /// Records how the play ended, unless the task has already ended. Returns itself on a conflict.
    async fn settle(self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error>;

    /// Returns whether this settlement would be final. A lease of the fast path rejects one that has to be stored: the
    /// play is then queued and run again.
    fn accepts(&self, settlement: &Settlement) -> bool {
        let _ = settlement;
        true
    }

    /// Returns the task to the queue.
    fn release(self: Box<Self>);
}

impl Claim {
    /// Creates a claim; for stores.
    pub fn new(
        task: Arc<Task>,
        deadline: Instant,
        interrupt: CancellationToken,
        lease: Box<dyn Lease>,
    ) -> Self {
        Self { task, deadline, interrupt, lease: Some(lease) }
    }

    /// Returns the task to run.
    pub fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// Returns the time by which the play must have ended, by this machine's clock.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the token that is cancelled when the outcome is no longer wanted: the script should then end as
    /// [`Outcome::Cancelled`].
    pub const fn interrupt(&self) -> &CancellationToken {
        &self.interrupt
    }

    /// Returns the circle's documents, the same at each call. May block: for threads of scripts.
    pub fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        self.lease.as_ref().map_or(Err(Error::Closed), |lease| lease.snapshot())
    }

    /// Records that the task is about to have side effects; to be called before the first one. After it returns, the
    /// task is not run again after a crash unless its submitter allowed retries. May block.
    pub fn mark_side_effects(&self) -> Result<(), Error> {
        self.lease.as_ref().map_or(Err(Error::Closed), |lease| lease.mark_side_effects())
    }

    /// Publishes a log line to watchers at once.
    pub fn log(&self, line: &LogLine) {
        if let Some(lease) = &self.lease {
            lease.log(line);
        }
    }

    /// Returns whether this settlement would be final. On the fast path it is not if it has to be stored: the play is
    /// then queued and run again.
    pub fn accepts(&self, settlement: &Settlement) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.accepts(settlement))
    }

    /// Records how the play ended and stores its writes, in one step. If the task has already ended otherwise, this
    /// settlement is dropped. A play with side effects is never handed back: after a conflict it ends as
    /// [`Failure::Conflict`](crate::Failure::Conflict).
    pub async fn settle(mut self, settlement: impl Into<Settlement>) -> Result<Settled, Error> {
        let Some(lease) = self.lease.take() else { return Ok(Settled::Recorded) };
        match lease.settle(settlement.into()).await? {
            None => Ok(Settled::Recorded),
            Some(lease) => {
                self.lease = Some(lease);
                Ok(Settled::Conflict(self))
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }
}

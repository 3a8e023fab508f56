use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use crate::{Error, LogLine, Outcome, Reads, Snapshot, Task, Writes};

/// A task that this worker runs, and nobody else.
///
/// Dropped unsettled, as when a worker unwinds, it gives the task back to the queue.
#[must_use = "a claim that is dropped gives its task back"]
pub struct Claim {
    task: Arc<Task>,
    deadline: Instant,
    interrupt: CancellationToken,
    lease: Option<Box<dyn Lease>>,
}

/// How a play ended, with what it did to its circle.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// What its caller is told.
    pub outcome: Outcome,
    /// What it read of the circle's documents.
    pub reads: Reads,
    /// What it wrote there; dropped unless it succeeded.
    pub writes: Writes,
    /// Whether it may have had effects outside the database.
    pub side_effects: bool,
    /// SHA-256 of the source that ran, if any did.
    pub script_sha256: Option<[u8; 32]>,
}

/// Of a play that touched nothing.
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

/// What became of a settlement.
#[must_use]
pub enum Settled {
    /// The task has reached its final state, this one or another.
    Recorded,
    /// Other plays changed what this one had read, and nothing of it was kept. The claim is still held, has
    /// the right of way, and gives a newer snapshot.
    Conflict(Claim),
}

/// The store's end of a [`Claim`].
#[async_trait::async_trait]
pub trait Lease: Send + Sync {
    /// The circle's documents as they are now, or as they were at the first call. May block.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error>;

    /// Returns once it is certain that the task will not be run again after a crash, unless it may be.
    /// May block.
    fn mark_side_effects(&self) -> Result<(), Error>;

    /// Shows a line to those who watch.
    fn log(&self, line: &LogLine);

    /// Records how the play ended, unless the task has ended otherwise. Returns itself if other plays have
    /// changed what this one read.
    async fn settle(self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error>;

    /// Whether this would be how the play ended: one that was only tried may have to be run again.
    fn accepts(&self, settlement: &Settlement) -> bool {
        let _ = settlement;
        true
    }

    /// Takes the task back, to be claimed again.
    fn release(self: Box<Self>);
}

impl Claim {
    /// Puts a claim together; for stores.
    pub fn new(
        task: Arc<Task>,
        deadline: Instant,
        interrupt: CancellationToken,
        lease: Box<dyn Lease>,
    ) -> Self {
        Self { task, deadline, interrupt, lease: Some(lease) }
    }

    /// What to run.
    pub fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// When it must have ended, by this machine's clock.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Cancelled when the outcome is no longer wanted: the script should end as [`Outcome::Cancelled`].
    pub const fn interrupt(&self) -> &CancellationToken {
        &self.interrupt
    }

    /// The circle's documents, the same at each call. May block: for threads of scripts.
    pub fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        self.lease.as_ref().map_or(Err(Error::Closed), |lease| lease.snapshot())
    }

    /// To be called before the first effect outside the database: from then on the task is not run again
    /// after a crash. May block.
    pub fn mark_side_effects(&self) -> Result<(), Error> {
        self.lease.as_ref().map_or(Err(Error::Closed), |lease| lease.mark_side_effects())
    }

    /// Shows a line to those who watch, now.
    pub fn log(&self, line: &LogLine) {
        if let Some(lease) = &self.lease {
            lease.log(line);
        }
    }

    /// Whether settling it so ends the play. One that was only tried, ahead of the queue, may have to be run again.
    pub fn accepts(&self, settlement: &Settlement) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.accepts(settlement))
    }

    /// Records how the play ended and makes what it wrote stay, in one step. If the task ended otherwise in
    /// the meantime, that stands and this is dropped. A play that reached outside cannot be run again and is
    /// never handed back: overtaken, it ends as [`Failure::Conflict`](crate::Failure::Conflict).
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

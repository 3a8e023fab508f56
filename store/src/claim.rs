use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use crate::{Error, Outcome, Task};

/// A task that this worker runs, and nobody else.
///
/// Dropped unsettled, as when a worker unwinds, it gives the task back to the queue.
#[must_use = "a claim that is dropped gives its task back"]
pub struct Claim {
    task: Arc<Task>,
    deadline: Instant,
    interrupt: CancellationToken,
    settle: Option<Box<dyn Settle>>,
}

/// The store's end of a [`Claim`].
#[async_trait::async_trait]
pub trait Settle: Send + Sync {
    /// Records the outcome, unless the task already has one.
    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<(), Error>;

    /// Takes the task back, to be claimed again.
    fn give_back(self: Box<Self>);
}

impl Claim {
    /// Puts a claim together; for stores.
    pub fn new(
        task: Arc<Task>,
        deadline: Instant,
        interrupt: CancellationToken,
        settle: Box<dyn Settle>,
    ) -> Self {
        Self { task, deadline, interrupt, settle: Some(settle) }
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

    /// Records the outcome. If the task ended otherwise in the meantime, that stands and this is dropped.
    pub async fn settle(mut self, outcome: Outcome) -> Result<(), Error> {
        match self.settle.take() {
            Some(settle) => settle.settle(outcome).await,
            None => Ok(()),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            settle.give_back();
        }
    }
}

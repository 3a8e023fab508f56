//! A fast-path play on a script thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use circles_store::{Error, Failure, Lease, LogLine, Outcome, Settlement, Snapshot, Task};

use crate::{documents::LazySnapshot, held_tasks::HeldTasks};

/// How long a fast-path play may wait for a thread and run.
pub(super) const TIME_LIMIT: Duration = Duration::from_millis(50);

/// Sends the outcome to the server, or declines the play.
pub(super) type Reply = Box<dyn FnOnce(Option<Outcome>) + Send + Sync>;

/// The lease of a fast-path play. Redis does not know of it, so there is nothing to renew: a play that ends in any way
/// that [`is_final`] does not accept has left nothing behind and is declined.
pub(super) struct FastPathLease {
    held: Arc<HeldTasks>,
    task: Arc<Task>,
    started: Instant,
    snapshot: LazySnapshot,
    /// `None` once the play has been answered.
    reply: Option<Reply>,
}

/// Returns whether a play ends with this settlement on the fast path. Otherwise it is queued and runs again. A play
/// that only read saw one version, and counts as run right after it. A play that wrote would have to be committed
/// here.
fn is_final(settlement: &Settlement) -> bool {
    let ends = match &settlement.outcome {
        Outcome::Succeeded(_) => true,
        Outcome::Failed(failure, _) => !matches!(failure, Failure::Conflict | Failure::Unavailable),
        Outcome::TimedOut(_) | Outcome::Cancelled(_) | Outcome::Lost => false,
    };
    ends && settlement.writes.is_empty()
}

impl FastPathLease {
    pub(super) fn new(held: &Arc<HeldTasks>, task: &Arc<Task>, reply: Reply) -> Self {
        held.start_fast_path(&task.circle);
        Self {
            held: held.clone(),
            task: task.clone(),
            started: Instant::now(),
            snapshot: held.documents().snapshot(task.circle),
            reply: Some(reply),
        }
    }

    fn end(&mut self, outcome: Option<Outcome>) {
        if let Some(reply) = self.reply.take() {
            self.held.end_fast_path(&self.task.circle, self.started.elapsed());
            reply(outcome);
        }
    }
}

#[async_trait::async_trait]
impl Lease for FastPathLease {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        Ok(self.snapshot.get())
    }

    /// Refuses, since the play needs the queue before its first side effect.
    fn mark_side_effects(&self) -> Result<(), Error> {
        Err(Error::MustRetry)
    }

    fn log(&self, _: &LogLine) {}

    fn accepts(&self, settlement: &Settlement) -> bool {
        is_final(settlement)
    }

    async fn settle(mut self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error> {
        let is_final = is_final(&settlement);
        self.end(is_final.then_some(settlement.outcome));
        Ok(None)
    }

    fn release(mut self: Box<Self>) {
        self.end(None);
    }
}

impl Drop for FastPathLease {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plays_that_changed_nothing_end_on_the_fast_path() {
        let ends = |settlement: Settlement| is_final(&settlement);
        assert!(ends(Outcome::failed(Failure::Forbidden).into()));
        assert!(!ends(Outcome::failed(Failure::Conflict).into()));
        assert!(!ends(Outcome::timed_out().into()));
        let writes = [("k".into(), None)].into();
        assert!(!ends(Settlement { writes, ..Outcome::failed(Failure::Forbidden).into() }));
    }
}

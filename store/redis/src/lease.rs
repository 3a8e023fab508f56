//! What a worker does with a task of Redis.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    known::{Known, state_name},
    settle::{Settle, Settled},
    snapshot::View,
};
use circles_store::{
    Error, Failure, Lease, LogLine, Outcome, Settlement, Snapshot, Task,
    settle_policy::{ConflictCount, is_conflict, retry_lock_deadline, size_limit_exceeded},
};

/// How long a play that another play called waits for the right of way: who has it may be waiting for it.
const RIGHT_OF_WAY: Duration = Duration::from_millis(200);
/// Between attempts to settle while another play of the circle, run again, has the right of way.
const LATER: Duration = Duration::from_millis(5);
/// Between attempts to settle while Redis is away.
pub const AGAIN: Duration = Duration::from_millis(200);

/// The end of a claim at the worker.
pub struct Held {
    pub shared: Arc<Shared>,
    pub task: Arc<Task>,
    pub deadline: Instant,
    pub interrupt: CancellationToken,
    /// Of its claim; a play that was called by another play has none, and brings its outcome itself.
    pub place: Place,
    pub view: Mutex<Option<Arc<View>>>,
    pub marked: Mutex<bool>,
    pub conflicts: ConflictCount,
    pub right_of_way: Option<OwnedMutexGuard<()>>,
}

/// How a play came to its worker.
pub enum Place {
    /// From the queue, as the claim of this epoch.
    Queue(String),
    /// From another play.
    Play(Option<oneshot::Sender<Outcome>>),
}

#[async_trait::async_trait]
impl Lease for Held {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let view = view.get_or_insert_with(|| Arc::new(View::new(&self.shared, self.task.circle)));
        Ok(view.clone())
    }

    fn mark_side_effects(&self) -> Result<(), Error> {
        let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        if !*marked && let Place::Queue(epoch) = &self.place {
            self.shared.block_on(self.shared.mark(&self.task, epoch))?;
        }
        *marked = true;
        Ok(())
    }

    fn log(&self, line: &LogLine) {
        self.shared.logged(&self.task, line);
    }

    async fn settle(mut self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error> {
        let is_queued = matches!(self.place, Place::Queue(_));
        if matches!(settlement.outcome, Outcome::Failed(Failure::Unavailable, _))
            && (is_queued || !settlement.side_effects)
        {
            // It can be run again once Redis is back, or is lost if it must not be: Redis knows what it marked.
            self.release();
            return Ok(None);
        }
        match self.try_settle(settlement).await {
            Ok(true) => Ok(Some(self)),
            Ok(false) => Ok(None),
            Err(error) => {
                self.release();
                Err(error)
            }
        }
    }

    fn release(mut self: Box<Self>) {
        let marked = *self.marked.get_mut().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut self.place, Place::Play(None)) {
            Place::Queue(epoch) => self.shared.give_back(&self.task, epoch),
            Place::Play(done) => {
                let outcome = if marked { Outcome::Lost } else { Outcome::cancelled() };
                if let Some(done) = done {
                    // Who called may have gone as well.
                    let _ = done.send(outcome);
                }
            }
        }
    }
}

impl Held {
    /// Settles; whether it has to be run again.
    async fn try_settle(&mut self, settlement: Settlement) -> Result<bool, Error> {
        let view = self.view.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let side_effects = settlement.side_effects;
        let script_sha256 = settlement.script_sha256;
        // However it ends now, the run that was settled last is the one that logged.
        let logs = settlement.outcome.logs().to_vec();
        let ends = |outcome: Outcome| {
            let outcome = outcome.with_logs(|| logs.clone());
            Settlement { side_effects, script_sha256, ..outcome.into() }
        };
        if is_conflict(&settlement.outcome) {
            // What it was to read was gone already.
        } else {
            let read = view.as_ref().and_then(|view| view.version());
            if !settlement.writes.is_empty() && self.right_of_way.is_none() {
                self.shared.give_way(&self.task.circle).await;
            }
            match self.end(settlement, read).await? {
                Settled::Recorded | Settled::Gone => return Ok(false),
                Settled::Full => {
                    self.end(ends(size_limit_exceeded()), None).await?;
                    return Ok(false);
                }
                // It goes back, and ends by its deadline.
                Settled::NoRoom if self.task.is_remembered() => return Ok(false),
                Settled::NoRoom => {
                    // What it wrote is not kept; its caller is told so now, and not by its deadline.
                    self.end(ends(Outcome::failed(Failure::Unavailable)), None).await?;
                    return Ok(false);
                }
                Settled::Overtaken | Settled::Later => {}
            }
        }
        if !self.conflicts.may_retry(side_effects) {
            self.end(ends(Outcome::failed(Failure::Conflict)), None).await?;
            return Ok(false);
        }
        self.shared.restarted(&self.task);
        if self.right_of_way.is_none() {
            let until = retry_lock_deadline(&self.task, self.deadline, RIGHT_OF_WAY);
            let way = tokio::time::timeout_at(until.into(), self.shared.right_of_way(&self.task.circle));
            // Interrupted, it begins and ends at once.
            self.right_of_way = self.interrupt.run_until_cancelled(way).await.and_then(Result::ok);
        }
        Ok(true)
    }

    /// Ends the play so, if Redis agrees. Tries again as long as anybody may wait.
    async fn end(&mut self, settlement: Settlement, read: Option<u64>) -> Result<Settled, Error> {
        let outcome = settlement.outcome.clone();
        // What is remembered needs room in any case, and would be told for good to whoever asks again.
        let waits_for_room = settlement.writes.is_empty() || self.task.is_remembered();
        let told = match &self.place {
            Place::Queue(_) => None,
            Place::Play(_) => {
                let known = Known::of(&self.task, "", &self.shared.config);
                Some(Known { kept: false, key: None, ..known })
            }
        };
        let epoch = match &self.place {
            Place::Queue(epoch) => epoch.clone(),
            Place::Play(_) => String::new(),
        };
        let settle =
            Settle::new(&self.task, epoch.clone(), told.as_ref(), settlement, read, &self.shared.config)?;
        self.shared.shown(&self.task).await;
        let settled = if settle.changes_nothing() {
            Settled::Recorded
        } else {
            let shard = self.shared.shard_of(&self.task.circle);
            loop {
                match self.shared.settles.send(shard, settle.clone()).await {
                    Err(error @ (Error::Unavailable(_) | Error::QueueFull))
                        if Instant::now() < self.deadline =>
                    {
                        tracing::debug!(task = %self.task.id, %error, "an outcome waits for Redis");
                        tokio::time::sleep(AGAIN).await;
                    }
                    Ok(Settled::Later) if Instant::now() < self.deadline => tokio::time::sleep(LATER).await,
                    Err(Error::StorageFull(_)) | Ok(Settled::NoRoom) if !waits_for_room => {
                        break Settled::NoRoom;
                    }
                    Err(Error::StorageFull(_)) | Ok(Settled::NoRoom) if Instant::now() < self.deadline => {
                        tokio::time::sleep(AGAIN).await;
                    }
                    other => break other?,
                }
            }
        };
        if settled == Settled::Recorded || settled == Settled::Gone {
            self.shared.let_go(&self.task, &epoch, settle.leaves_record());
            if let Place::Queue(_) = self.place {
                self.place = Place::Play(None);
            }
        }
        if settled == Settled::Recorded
            && let Place::Play(done) = &mut self.place
            && let Some(done) = done.take()
        {
            let _ = done.send(outcome);
        }
        tracing::trace!(task = %self.task.id, state = state_name(settle.state()), "settled");
        Ok(settled)
    }
}

impl Drop for Held {
    /// What was neither settled nor given back, as when a settling is dropped half way, goes back.
    fn drop(&mut self) {
        if let Place::Queue(epoch) = std::mem::replace(&mut self.place, Place::Play(None)) {
            self.shared.give_back(&self.task, epoch);
        }
    }
}

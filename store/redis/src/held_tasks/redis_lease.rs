//! A worker's hold on a task, and how it ends.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use circles_store::{
    Error, Failure, Lease, LogLine, Outcome, Settlement, Snapshot, Task,
    settle_policy::{ConflictCount, is_conflict, retry_lock_deadline, size_limit_exceeded},
    sync::{get_mut, lock},
};
use tokio::{
    sync::{OwnedMutexGuard, oneshot},
    time::{sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{HeldTasks, OUTAGE_RETRY_INTERVAL, SettleReply, SettleRequest};
use crate::{
    documents::LazySnapshot,
    task_meta::{TaskMeta, state_name},
};

/// How long a play that another play called waits for the retry lock. The holder of the lock may wait for that play.
const NESTED_RETRY_LOCK_TIMEOUT: Duration = Duration::from_millis(200);
/// Time between attempts to settle while another play of the circle has priority in Redis.
const BUSY_RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// The lease of a play from the queue, or of one that another play called.
pub(super) struct RedisLease {
    tasks: Arc<HeldTasks>,
    task: Arc<Task>,
    deadline: Instant,
    interrupt: CancellationToken,
    origin: Origin,
    snapshot: LazySnapshot,
    marked: Mutex<bool>,
    conflicts: ConflictCount,
    /// Held from the first conflict on.
    retry_lock: Option<OwnedMutexGuard<()>>,
}

/// The way on which a play came to its worker.
pub(super) enum Origin {
    /// From the queue, as the claim with this epoch.
    Queue(String),
    /// From another play of this process, which waits for the outcome. `None` once the lease has ended.
    Play(Option<oneshot::Sender<Outcome>>),
}

impl RedisLease {
    pub(super) fn new(
        tasks: &Arc<HeldTasks>,
        task: &Arc<Task>,
        deadline: Instant,
        interrupt: CancellationToken,
        origin: Origin,
    ) -> Self {
        Self {
            tasks: tasks.clone(),
            task: task.clone(),
            deadline,
            interrupt,
            origin,
            snapshot: tasks.documents.snapshot(task.circle),
            marked: Mutex::new(false),
            conflicts: ConflictCount::default(),
            retry_lock: None,
        }
    }
}

#[async_trait::async_trait]
impl Lease for RedisLease {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        Ok(self.snapshot.get())
    }

    fn mark_side_effects(&self) -> Result<(), Error> {
        let mut marked = lock(&self.marked);
        if !*marked && let Origin::Queue(epoch) = &self.origin {
            self.tasks.node.block_on(self.tasks.mark(&self.task, epoch))?;
        }
        *marked = true;
        Ok(())
    }

    fn log(&self, line: &LogLine) {
        self.tasks.log(&self.task, line);
    }

    async fn settle(mut self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error> {
        let is_queued = matches!(self.origin, Origin::Queue(_));
        if matches!(settlement.outcome, Outcome::Failed(Failure::Unavailable, _))
            && (is_queued || !settlement.side_effects)
        {
            // The play missed Redis. It runs again once Redis is back, or ends as lost if Redis knows a mark.
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
        let marked = *get_mut(&mut self.marked);
        match self.end_lease() {
            Origin::Queue(epoch) => self.tasks.give_back(&self.task, epoch),
            Origin::Play(Some(caller)) => {
                // The calling play may have ended.
                let _ = caller.send(if marked { Outcome::Lost } else { Outcome::cancelled() });
            }
            Origin::Play(None) => {}
        }
    }
}

impl RedisLease {
    /// Takes the origin, after which dropping the lease does nothing.
    fn end_lease(&mut self) -> Origin {
        std::mem::replace(&mut self.origin, Origin::Play(None))
    }

    /// Settles the play. Returns whether it has to run again.
    async fn try_settle(&mut self, settlement: Settlement) -> Result<bool, Error> {
        let version = self.snapshot.take_version();
        let side_effects = settlement.side_effects;
        let script_sha256 = settlement.script_sha256;
        // However the play ends, its lines are those of the run that settles last.
        let logs = settlement.outcome.logs().to_vec();
        let ended = |outcome: Outcome| {
            let outcome = outcome.with_logs(|| logs.clone());
            Settlement { side_effects, script_sha256, ..outcome.into() }
        };
        // A conflict that the script already met, when it read a version that is gone, needs no question to Redis.
        if !is_conflict(&settlement.outcome) {
            if !settlement.writes.is_empty() && self.retry_lock.is_none() {
                self.tasks.retry_locks.backpressure(&self.task.circle).await;
            }
            match self.end(settlement, version).await? {
                SettleReply::Recorded | SettleReply::NotHeld => return Ok(false),
                SettleReply::CircleFull => {
                    self.end(ended(size_limit_exceeded()), None).await?;
                    return Ok(false);
                }
                // The task returns to the queue and ends by its deadline.
                SettleReply::RedisFull if self.task.is_remembered() => return Ok(false),
                SettleReply::RedisFull => {
                    // The caller learns now, and not at the deadline, that the writes are not kept.
                    self.end(ended(Outcome::failed(Failure::Unavailable)), None).await?;
                    return Ok(false);
                }
                SettleReply::Conflict | SettleReply::Busy => {}
            }
        }
        if !self.conflicts.may_retry(side_effects) {
            self.end(ended(Outcome::failed(Failure::Conflict)), None).await?;
            return Ok(false);
        }
        self.tasks.restart_log(&self.task);
        self.take_retry_lock().await;
        Ok(true)
    }

    /// Takes the circle's retry lock, unless the play is interrupted or has no time to wait for it.
    async fn take_retry_lock(&mut self) {
        if self.retry_lock.is_some() {
            return;
        }
        let until = retry_lock_deadline(&self.task, self.deadline, NESTED_RETRY_LOCK_TIMEOUT);
        let lock = timeout_at(until.into(), self.tasks.retry_locks.retry_lock(&self.task.circle));
        self.retry_lock = self.interrupt.run_until_cancelled(lock).await.and_then(Result::ok);
    }

    /// Ends the play if Redis agrees, and releases it.
    async fn end(&mut self, settlement: Settlement, version: Option<u64>) -> Result<SettleReply, Error> {
        let outcome = settlement.outcome.clone();
        // A recorded task would show the failure to all later calls, so it waits for room in any case.
        let waits_for_room = settlement.writes.is_empty() || self.task.is_remembered();
        let (epoch, meta) = match &self.origin {
            Origin::Queue(epoch) => (epoch.clone(), None),
            Origin::Play(_) => {
                let meta = TaskMeta::of(&self.task, "", &self.tasks.node.config);
                (String::new(), Some(TaskMeta { kept: false, key: None, ..meta }))
            }
        };
        let config = &self.tasks.node.config;
        let request =
            SettleRequest::new(&self.task, epoch.clone(), meta.as_ref(), settlement, version, config)?;
        self.tasks.flush_log(&self.task).await;
        let reply = if request.changes_nothing() {
            SettleReply::Recorded
        } else {
            self.send(&request, waits_for_room).await?
        };
        if reply == SettleReply::Recorded || reply == SettleReply::NotHeld {
            self.tasks.release(&self.task, &epoch, request.leaves_record());
            if let Origin::Queue(_) = self.origin {
                self.end_lease();
            }
        }
        if reply == SettleReply::Recorded
            && let Origin::Play(caller) = &mut self.origin
            && let Some(caller) = caller.take()
        {
            let _ = caller.send(outcome);
        }
        tracing::trace!(task = %self.task.id, state = state_name(request.state()), "settled");
        Ok(reply)
    }

    /// Sends a settlement until Redis decides on it or the deadline passes.
    async fn send(&self, request: &SettleRequest, waits_for_room: bool) -> Result<SettleReply, Error> {
        let shard = self.tasks.node.shard_of(&self.task.circle);
        loop {
            let reply = self.tasks.settlements.send(shard, request.clone()).await;
            let is_late = Instant::now() >= self.deadline;
            match reply {
                Err(error @ (Error::Unavailable(_) | Error::QueueFull)) if !is_late => {
                    tracing::debug!(task = %self.task.id, %error, "cannot settle a play yet");
                    sleep(OUTAGE_RETRY_INTERVAL).await;
                }
                Ok(SettleReply::Busy) if !is_late => sleep(BUSY_RETRY_INTERVAL).await,
                Err(Error::StorageFull(_)) | Ok(SettleReply::RedisFull) if !waits_for_room => {
                    return Ok(SettleReply::RedisFull);
                }
                Err(Error::StorageFull(_)) | Ok(SettleReply::RedisFull) if !is_late => {
                    sleep(OUTAGE_RETRY_INTERVAL).await;
                }
                other => return other,
            }
        }
    }
}

impl Drop for RedisLease {
    /// Returns the task to the queue if it was neither settled nor given back, as when a settlement is cancelled.
    fn drop(&mut self) {
        if let Origin::Queue(epoch) = self.end_lease() {
            self.tasks.give_back(&self.task, epoch);
        }
    }
}

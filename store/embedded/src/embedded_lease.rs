use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use circles_api::CircleId;
use circles_store::{
    Claim, Error, Failure, Lease, LogLine, Outcome, Settlement, Snapshot,
    settle_policy::{ConflictCount, is_conflict, retry_lock_deadline},
    sync::{get_mut, lock},
};
use tokio::sync::OwnedMutexGuard;

use crate::{
    circle_db::{CircleDb, RETRY_LOCK_WAIT},
    circle_snapshot::CircleSnapshot,
    live_task::LiveTask,
    store_core::StoreCore,
};

/// Hands a started task to its worker. `slot` is `None` for a nested play, which does not come from the queue.
pub(crate) fn claim(core: &Arc<StoreCore>, live: Arc<LiveTask>, slot: Option<RunningSlot>) -> Claim {
    let lease = EmbeddedLease {
        core: core.clone(),
        live: live.clone(),
        snapshot: Mutex::new(None),
        has_mark: Mutex::new(false),
        conflicts: ConflictCount::default(),
        retry_lock: None,
        _slot: slot,
    };
    // A child token: a worker that shuts down interrupts its play without cancelling the task.
    Claim::new(live.task().clone(), live.deadline(), live.interrupt().child_token(), Box::new(lease))
}

/// The embedded store's side of a claim.
struct EmbeddedLease {
    core: Arc<StoreCore>,
    live: Arc<LiveTask>,
    snapshot: Mutex<Option<Arc<CircleSnapshot>>>,
    /// Set once the task was marked as having side effects.
    has_mark: Mutex<bool>,
    conflicts: ConflictCount,
    retry_lock: Option<OwnedMutexGuard<()>>,
    _slot: Option<RunningSlot>,
}

/// One of the tasks of a circle that may run at a time, for as long as a claim from the queue is held.
pub(crate) struct RunningSlot {
    core: Arc<StoreCore>,
    circle: CircleId,
}

impl RunningSlot {
    pub(crate) fn new(core: &Arc<StoreCore>, circle: CircleId) -> Self {
        Self { core: core.clone(), circle }
    }
}

impl Drop for RunningSlot {
    fn drop(&mut self) {
        let has_queued = {
            let mut tasks = self.core.tasks();
            tasks.queue.release(&self.circle);
            !tasks.queue.is_empty()
        };
        // A queued task may have waited for this slot.
        if has_queued {
            self.core.work.notify_one();
        }
    }
}

#[async_trait::async_trait]
impl Lease for EmbeddedLease {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        let mut snapshot = lock(&self.snapshot);
        if let Some(snapshot) = &*snapshot {
            return Ok(snapshot.clone());
        }
        let (files, id) = (&self.core.files, &self.live.task().circle);
        let db = files.open(&files.circle(id)).inspect_err(|error| files.note_error(id, error))?;
        Ok(snapshot.insert(Arc::new(CircleSnapshot::new(&db))).clone())
    }

    fn mark_side_effects(&self) -> Result<(), Error> {
        let mut has_mark = lock(&self.has_mark);
        // A task that is not stored is not run again after a crash anyway.
        if !*has_mark && self.live.task().is_remembered() {
            self.core.mark_side_effects(&self.live)?;
        }
        *has_mark = true;
        Ok(())
    }

    fn log(&self, line: &LogLine) {
        self.live.log().push(line);
    }

    async fn settle(mut self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error> {
        let snapshot = get_mut(&mut self.snapshot).take();
        if let Some(snapshot) = &snapshot
            && !settlement.writes.is_empty()
        {
            if self.retry_lock.is_none() {
                snapshot.db().yield_to_retry().await;
            }
            snapshot.db().backpressure().await;
        }
        let (side_effects, script_sha256) = (settlement.side_effects, settlement.script_sha256);
        let has_conflict =
            is_conflict(&settlement.outcome) || self.core.settle(&self.live, snapshot.as_deref(), settlement);
        if !has_conflict {
            return Ok(None);
        }
        let db = snapshot.as_ref().map(|snapshot| snapshot.db().clone());
        drop(snapshot);
        if !self.conflicts.may_retry(side_effects) {
            let outcome = Outcome::failed(Failure::Conflict);
            let settlement = Settlement { side_effects, script_sha256, ..outcome.into() };
            self.core.settle(&self.live, None, settlement);
            return Ok(None);
        }
        self.live.log().restart();
        if self.retry_lock.is_none()
            && let Some(db) = db
        {
            self.retry_lock = self.acquire_retry_lock(&db).await;
        }
        if self.live.is_cancelled() {
            self.core.settle(&self.live, None, Outcome::cancelled().into());
            return Ok(None);
        }
        Ok(Some(self))
    }

    /// Dropping the lease returns the task.
    fn release(self: Box<Self>) {}
}

/// Returns the task if its end is not decided, as when the worker unwinds or drops its settling half way.
impl Drop for EmbeddedLease {
    fn drop(&mut self) {
        if let Some(marker) = self.live.take_run_marker() {
            self.core.files.run_or_do(move || marker.remove());
        }
        if self.live.is_running() {
            let has_mark = *get_mut(&mut self.has_mark);
            self.core.take_back(&self.live, has_mark);
        }
    }
}

impl EmbeddedLease {
    /// Waits for the retry lock of the circle; gives up when the task is cancelled or the wait takes too long.
    async fn acquire_retry_lock(&self, db: &CircleDb) -> Option<OwnedMutexGuard<()>> {
        let until: Instant = retry_lock_deadline(self.live.task(), self.live.deadline(), RETRY_LOCK_WAIT);
        tokio::select! {
            guard = db.retry_lock() => Some(guard),
            () = self.live.interrupt().cancelled() => None,
            () = tokio::time::sleep_until(until.into()) => None,
        }
    }
}

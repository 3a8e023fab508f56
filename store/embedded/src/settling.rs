//! Settling: how the end of a task is decided once, stored if anything of it is kept, and then published.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use circles_api::CircleId;
use circles_store::{
    Error, Kind, Outcome, Reads, Settlement, Writes,
    settle_policy::{SettlePlan, size_limit_exceeded},
};

use crate::{
    circle_db::{Commit, CommitResult},
    circle_snapshot::CircleSnapshot,
    db::{Change, TaskChange},
    failures::outcome_of,
    live_task::{LiveTask, Prior},
    on_durable::OnDurable,
    record_chain::UnsealedRecord,
    store_core::StoreCore,
};

/// How a submitted task continues when the disk was too full to store its end.
enum DiskFullRetry {
    /// The play is run again, since its writes were dropped.
    Rerun { side_effects: bool },
    /// The same end is stored again, since it has no writes that another play may conflict with.
    StoreAgain { side_effects: bool, script_sha256: Option<[u8; 32]> },
}

impl DiskFullRetry {
    fn of(writes: &Writes, side_effects: bool, script_sha256: Option<[u8; 32]>) -> Self {
        if writes.is_empty() {
            Self::StoreAgain { side_effects, script_sha256 }
        } else {
            Self::Rerun { side_effects }
        }
    }
}

impl StoreCore {
    /// Ends a task with this outcome unless its end is already decided. Returns whether this call decided it.
    pub(crate) fn conclude(self: &Arc<Self>, live: &Arc<LiveTask>, outcome: Outcome) -> bool {
        let Some(prior) = live.begin_settling() else { return false };
        self.leave_queue(live, prior);
        self.store_end(live, None, outcome.into());
        true
    }

    /// Ends a task as its worker settles it. Returns whether the play had a conflict: then nothing was stored, and the
    /// worker still has the task.
    pub(crate) fn settle(
        self: &Arc<Self>,
        live: &Arc<LiveTask>,
        snapshot: Option<&CircleSnapshot>,
        settlement: Settlement,
    ) -> bool {
        let Some(prior) = live.begin_settling() else { return false };
        self.leave_queue(live, prior);
        let has_conflict = self.store_end(live, snapshot, settlement);
        if has_conflict {
            live.resume();
        }
        has_conflict
    }

    /// Ends a task as lost: its worker or process died after side effects, or too often.
    pub(crate) fn lose(self: &Arc<Self>, live: &Arc<LiveTask>, side_effects: bool) {
        let lost = Settlement { side_effects, ..Outcome::Lost.into() };
        self.settle(live, None, lost);
    }

    /// Cancels a task: ends it now if it is queued, interrupts its worker if it runs. Returns whether this call was the
    /// first to do so.
    pub(crate) fn cancel(self: &Arc<Self>, live: &Arc<LiveTask>) -> bool {
        if live.is_queued() && self.conclude(live, Outcome::cancelled()) {
            return true;
        }
        let is_first = live.is_undecided() && !live.is_cancelled();
        live.interrupt().cancel();
        is_first
    }

    pub(crate) fn leave_queue(&self, live: &LiveTask, prior: Prior) {
        if prior == Prior::Queued {
            self.tasks().queue.remove(live);
        }
    }

    /// Stores the end of a task as far as anything of it is kept, and then publishes it. Returns whether the play had a
    /// conflict: then nothing has happened.
    fn store_end(
        self: &Arc<Self>,
        live: &Arc<LiveTask>,
        snapshot: Option<&CircleSnapshot>,
        mut settlement: Settlement,
    ) -> bool {
        // Published log lines belong to the outcome even if the worker did not decide it.
        settlement.outcome = settlement.outcome.with_logs(|| live.log().lines_so_far());
        let task = live.task();
        let plan = SettlePlan::new(task, &mut settlement, self.files.retention(&task.circle).time);
        let Settlement { outcome, reads, writes, side_effects, script_sha256 } = settlement;
        let change = change_of_end(live, plan, &outcome, script_sha256);
        if snapshot.is_none() && change.is_empty() {
            self.finish(live, outcome);
            return false;
        }
        let is_submitted = matches!(task.kind, Kind::Submitted { .. });
        let retry = is_submitted.then(|| DiskFullRetry::of(&writes, side_effects, script_sha256));
        let on_durable = self.finish_when_durable(live.clone(), outcome, retry);
        let Some(snapshot) = snapshot else {
            self.store_change(&task.circle, change, on_durable);
            return false;
        };
        let (seen, size_limit) = (Some(snapshot.seen()), self.config.file_bytes);
        match snapshot.db().commit(Commit { reads: &reads, seen, writes, change, size_limit }, on_durable) {
            CommitResult::Accepted { needs_flush } => {
                if needs_flush {
                    self.files.flush_soon(snapshot.db());
                }
                false
            }
            CommitResult::Conflict => true,
            CommitResult::Full => {
                let settlement = Settlement { side_effects, script_sha256, ..size_limit_exceeded().into() };
                self.store_end(live, None, settlement);
                false
            }
        }
    }

    fn finish_when_durable(
        self: &Arc<Self>,
        live: Arc<LiveTask>,
        outcome: Outcome,
        retry: Option<DiskFullRetry>,
    ) -> OnDurable {
        let core = self.clone();
        OnDurable::new(move |result| {
            let error = match result {
                Ok(()) => return core.finish(&live, outcome),
                Err(error) => error,
            };
            core.files.note_error(&live.task().circle, &error);
            match retry.filter(|_| matches!(error, Error::StorageFull(_))) {
                Some(retry) => core.retry_when_disk_has_space(live, outcome, retry),
                None => core.finish(&live, outcome_of(error)),
            }
        })
    }

    /// Keeps a submitted task while the disk is full: its submission was acknowledged as durable.
    fn retry_when_disk_has_space(
        self: &Arc<Self>,
        live: Arc<LiveTask>,
        outcome: Outcome,
        retry: DiskFullRetry,
    ) {
        let core = self.clone();
        match retry {
            DiskFullRetry::Rerun { side_effects } => {
                live.return_to_queued();
                self.files.disk_space().run_when_available(move || {
                    if side_effects {
                        core.retry_or_lose(live);
                    } else {
                        live.log().restart();
                        core.enqueue(live);
                    }
                });
            }
            DiskFullRetry::StoreAgain { side_effects, script_sha256 } => {
                let settlement = Settlement { side_effects, script_sha256, ..outcome.into() };
                self.files.disk_space().run_when_available(move || {
                    core.store_end(&live, None, settlement);
                });
            }
        }
    }

    /// Stores a change without reads.
    pub(crate) fn store_change(self: &Arc<Self>, circle: &CircleId, change: Change, on_durable: OnDurable) {
        let (core, circle) = (self.clone(), self.files.circle(circle));
        // If the threads have ended, dropping the job reports `Error::Closed` to `on_durable`.
        let _ = self.files.run(move || {
            let db = match core.files.open(&circle) {
                Ok(db) => db,
                Err(error) => return on_durable.report(Err(error)),
            };
            let reads = Reads::default();
            let commit =
                Commit { reads: &reads, seen: None, writes: Writes::new(), change, size_limit: u64::MAX };
            if let CommitResult::Accepted { needs_flush: true } = db.commit(commit, on_durable) {
                core.files.flush(&db);
            }
        });
    }

    /// Publishes the end of a task that is decided, and durable if it has to be.
    pub(crate) fn finish(&self, live: &Arc<LiveTask>, outcome: Outcome) {
        // The key becomes free before callers hear of the end, so that they can make the call again at once.
        self.tasks().remove(live);
        live.end(outcome);
    }

    /// Makes a mark durable: the task may have side effects from now on, and is not run again after a crash. Blocks.
    pub(crate) fn mark_side_effects(self: &Arc<Self>, live: &LiveTask) -> Result<(), Error> {
        let task = live.task();
        let (sender, stored) = std::sync::mpsc::channel();
        let change = if matches!(task.kind, Kind::Submitted { .. }) {
            TaskChange::Marked(task.id)
        } else {
            // A play with a key has no row before this.
            TaskChange::MarkedPlay(task.clone())
        };
        let change = Change { task: Some(change), ..Change::default() };
        self.store_change(&task.circle, change, OnDurable::new(move |result| drop(sender.send(result))));
        let left = live.deadline().saturating_duration_since(Instant::now());
        stored.recv_timeout(left).unwrap_or_else(|_| Err(Error::File("the disk took too long".into())))
    }
}

/// Returns what the circle's file keeps of the end of a task, apart from its writes.
fn change_of_end(
    live: &LiveTask,
    plan: SettlePlan,
    outcome: &Outcome,
    script_sha256: Option<[u8; 32]>,
) -> Change {
    let task = live.task();
    let (started_at, ended_at) = live.times();
    let ended_at = ended_at.unwrap_or_else(SystemTime::now);
    let record = plan.leaves_record.then(|| UnsealedRecord {
        task: task.clone(),
        script_sha256,
        ended_at,
        state: outcome.state(),
    });
    let ended = plan.is_remembered(task).then(|| TaskChange::Ended {
        task: task.clone(),
        started_at,
        ended_at,
        outcome: outcome.clone(),
        refusal_retention: plan.refusal_retention,
    });
    Change { task: ended, record, ..Change::default() }
}

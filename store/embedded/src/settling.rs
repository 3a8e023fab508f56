//! How a task ends: what it leaves goes to the disk, and then those who wait are told.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use circles_api::CircleId;

use super::{
    Shared,
    chain::Ended,
    circle::{Taken, View},
    done::Done,
    entry::{Entry, Was},
    file::{Change, TaskChange},
    key_of, lease,
};
use circles_store::{Error, Failure, Kind, Outcome, Settlement, Writes};

/// What is to be done with a submitted task for whose end there is no room.
enum Again {
    /// What it wrote was dropped.
    Run { side_effects: bool },
    /// Its end rests on nothing.
    Record { side_effects: bool, script_sha256: Option<[u8; 32]> },
}

impl Again {
    fn of(writes: &Writes, side_effects: bool, script_sha256: Option<[u8; 32]>) -> Self {
        if writes.is_empty() {
            Self::Record { side_effects, script_sha256 }
        } else {
            Self::Run { side_effects }
        }
    }
}

impl Shared {
    pub(super) fn leave_queue(&self, entry: &Entry, was: Was) {
        if was == Was::Queued {
            self.lock().queue.remove(entry);
        }
    }

    /// Takes how a task ended, as its worker or the store itself says, to the disk if anything of it is to be
    /// kept, and then to those who wait. True if the play was overtaken: then nothing has happened.
    pub(super) fn record(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        view: Option<&View>,
        settlement: Settlement,
    ) -> bool {
        let Settlement { outcome, reads, mut writes, side_effects, script_sha256 } = settlement;
        // Whoever decided the end, what was shown of the play until then belongs to it.
        let outcome = outcome.with_logs(|| entry.live().all());
        let task = entry.task();
        if !matches!(outcome, Outcome::Succeeded(_)) {
            writes.clear();
        }
        let submitted = matches!(task.kind, Kind::Submitted { .. });
        let forbidden = outcome == Outcome::failed(Failure::Forbidden);
        let leaves_record = !writes.is_empty() || side_effects || submitted && !forbidden;
        let refused = outcome.refusal(task.kind, side_effects, self.files.retention(&task.circle).time);
        // There is nothing in the file of a play that reached nothing outside.
        let is_kept = task.is_recorded() && refused != Some(Duration::ZERO);
        let (started_at, ended_at) = entry.times();
        let ended_at = ended_at.unwrap_or_else(SystemTime::now);
        let record = leaves_record.then(|| Ended {
            task: task.clone(),
            script_sha256,
            ended_at,
            state: outcome.state(),
        });
        let kept = is_kept.then(|| TaskChange::Ended {
            task: task.clone(),
            started_at,
            ended_at,
            outcome: outcome.clone(),
            refused,
        });
        let change = Change { task: kept, record, ..Change::default() };
        if view.is_none() && change.is_empty() {
            self.finish(entry, outcome);
            return false;
        }
        let again = if submitted { Some(Again::of(&writes, side_effects, script_sha256)) } else { None };
        let then = self.then_finish(entry.clone(), outcome, again);
        let Some(view) = view else {
            self.store_change(&task.circle, change, then);
            return false;
        };
        match view.open().settle(&reads, Some(view), writes, change, self.config.file_bytes, then) {
            Taken::Yes(false) => false,
            Taken::Yes(true) => {
                self.files.write(view.open());
                false
            }
            Taken::Overtaken => true,
            Taken::Full => {
                let limit = Outcome::failed(Failure::Limit { limit: "database_bytes".to_owned() });
                self.record(entry, None, Settlement { side_effects, script_sha256, ..limit.into() });
                false
            }
        }
    }

    fn then_finish(self: &Arc<Self>, entry: Arc<Entry>, outcome: Outcome, again: Option<Again>) -> Done {
        let shared = self.clone();
        Done::new(move |result| {
            let error = match result {
                Ok(()) => return shared.finish(&entry, outcome),
                Err(error) => error,
            };
            shared.files.note(&entry.task().circle, &error);
            match again.filter(|_| matches!(error, Error::StorageFull(_))) {
                Some(again) => shared.end_once_there_is_room(entry, outcome, again),
                None => shared.finish(&entry, lease::failed(error)),
            }
        })
    }

    /// A submitted task survives a full disk as it survives a crash.
    fn end_once_there_is_room(self: &Arc<Self>, entry: Arc<Entry>, outcome: Outcome, again: Again) {
        let shared = self.clone();
        if let Again::Run { side_effects } = again {
            entry.waits_again();
            self.files.room().when_there_is(move || {
                if side_effects {
                    shared.retry_or_lose(entry);
                } else {
                    entry.live().restart();
                    shared.enqueue(entry);
                }
            });
        } else if let Again::Record { side_effects, script_sha256 } = again {
            let settlement = Settlement { side_effects, script_sha256, ..outcome.into() };
            self.files.room().when_there_is(move || {
                shared.record(&entry, None, settlement);
            });
        }
    }

    /// Brings a change that rests on nothing read to the disk.
    pub(super) fn store_change(self: &Arc<Self>, circle: &CircleId, change: Change, then: Done) {
        let (shared, circle) = (self.clone(), self.files.circle(circle));
        // Where nobody is left to do it, `then` is told so as it is dropped.
        let _ = self.files.run(move || {
            let open = match shared.files.open(&circle) {
                Ok(open) => open,
                Err(error) => return then.tell(Err(error)),
            };
            let none = Writes::new();
            if let Taken::Yes(true) =
                open.settle(&circles_store::Reads::default(), None, none, change, u64::MAX, then)
            {
                shared.files.write_in_turn(&open);
            }
        });
    }

    /// Ends a task whose end is decided, and on the disk if it had to go there.
    pub(super) fn finish(&self, entry: &Arc<Entry>, outcome: Outcome) {
        // Those who wait are told after the call can be made again with its key.
        {
            let mut state = self.lock();
            state.live.remove(entry);
            if let Some(key) = key_of(entry.task())
                && state.keyed.get(&key).is_some_and(|known| Arc::ptr_eq(known, entry))
            {
                state.keyed.remove(&key);
            }
        }
        entry.end(outcome);
    }
}

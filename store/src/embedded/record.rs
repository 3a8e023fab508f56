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
use crate::{Failure, Kind, Outcome, Settlement};

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
        let Settlement { outcome, reads, mut writes, reached_outside, script_sha256 } = settlement;
        let task = entry.task();
        if !matches!(outcome, Outcome::Succeeded(_)) {
            writes.clear();
        }
        let submitted = matches!(task.kind, Kind::Submitted { .. });
        let forbidden = outcome == Outcome::Failed(Failure::Forbidden);
        let leaves_record = !writes.is_empty() || reached_outside || submitted && !forbidden;
        let refused = outcome.refusal(task.kind, reached_outside, self.files.retention(&task.circle).time);
        // There is nothing in the file of a play that reached nothing outside.
        let is_kept = task.is_recorded() && refused != Some(Duration::ZERO);
        let record = leaves_record.then(|| Ended {
            task: task.clone(),
            script_sha256,
            ended_at: SystemTime::now(),
            state: outcome.state(),
        });
        let kept = is_kept.then(|| TaskChange::Ended {
            task: task.clone(),
            started_at: entry.started_at(),
            outcome: outcome.clone(),
            refused,
        });
        let change = Change { task: kept, record, ..Change::default() };
        if view.is_none() && change.is_empty() {
            self.finish(entry, outcome);
            return false;
        }
        let then = self.then_finish(entry.clone(), outcome);
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
                let limit = Outcome::Failed(Failure::Limit { limit: "database_bytes".to_owned() });
                self.record(entry, None, Settlement { reached_outside, script_sha256, ..limit.into() });
                false
            }
        }
    }

    fn then_finish(self: &Arc<Self>, entry: Arc<Entry>, outcome: Outcome) -> Done {
        let shared = self.clone();
        Done::new(move |result| {
            let outcome = match result {
                Ok(()) => outcome,
                Err(error) => lease::failed(error),
            };
            shared.finish(&entry, outcome);
        })
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
            let none = crate::Writes::new();
            if let Taken::Yes(true) =
                open.settle(&crate::Reads::default(), None, none, change, u64::MAX, then)
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

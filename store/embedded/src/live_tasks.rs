//! Tasks that have not ended, by name, by caller, and how many of them will be remembered.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use circles_api::CircleId;
use uuid::Uuid;

use super::entry::Entry;
use circles_store::{Caller, TaskFilter, TaskId};

/// Tasks that one listing looks at before it answers with what it has.
pub const LOOKS: usize = 1_000;

#[derive(Default)]
pub struct UnderWay {
    by_id: HashMap<TaskId, Arc<Entry>>,
    of_circle: BTreeSet<(CircleId, TaskId)>,
    of_caller: BTreeSet<(CircleId, Caller, TaskId)>,
    /// How many will be remembered, by caller; under no caller, those of guests.
    to_remember: HashMap<(CircleId, Option<Caller>), u64>,
}

impl UnderWay {
    pub fn get(&self, id: TaskId) -> Option<&Arc<Entry>> {
        self.by_id.get(&id)
    }

    /// False if it is there already.
    pub fn insert(&mut self, entry: &Arc<Entry>) -> bool {
        let task = entry.task();
        if self.by_id.contains_key(&task.id) {
            return false;
        }
        self.by_id.insert(task.id, entry.clone());
        self.of_circle.insert((task.circle, task.id));
        self.of_caller.insert((task.circle, task.caller.clone(), task.id));
        for share in shares(entry) {
            *self.to_remember.entry(share).or_default() += 1;
        }
        true
    }

    pub fn remove(&mut self, entry: &Entry) {
        let task = entry.task();
        if self.by_id.remove(&task.id).is_none() {
            return;
        }
        self.of_circle.remove(&(task.circle, task.id));
        self.of_caller.remove(&(task.circle, task.caller.clone(), task.id));
        for share in shares(entry) {
            if let Some(count) = self.to_remember.get_mut(&share) {
                *count -= 1;
                if *count == 0 {
                    self.to_remember.remove(&share);
                }
            }
        }
    }

    /// How many of a caller will be remembered; of all guests, if none is named.
    pub fn to_remember(&self, circle: &CircleId, caller: Option<&Caller>) -> u64 {
        self.to_remember.get(&(*circle, caller.cloned())).copied().unwrap_or_default()
    }

    /// Those that a listing asks for, the newest first, whatever their state; and the last one that was looked at, if
    /// there may be more behind it.
    pub fn list(&self, circle: &CircleId, filter: &TaskFilter) -> (Vec<Arc<Entry>>, Option<TaskId>) {
        let last = filter.before.map_or(Bound::Included(Uuid::max()), Bound::Excluded);
        let first = Bound::Included(Uuid::nil());
        let ids: Vec<TaskId> = match &filter.caller {
            None => {
                let of = |id: TaskId| (*circle, id);
                let found = self.of_circle.range((first.map(of), last.map(of)));
                found.rev().take(LOOKS).map(|(_, id)| *id).collect()
            }
            Some(caller) => {
                let of = |id: TaskId| (*circle, caller.clone(), id);
                let found = self.of_caller.range((first.map(of), last.map(of)));
                found.rev().take(LOOKS).map(|(.., id)| *id).collect()
            }
        };
        let more = ids.last().copied().filter(|_| ids.len() == LOOKS);
        (ids.iter().filter_map(|id| self.get(*id).cloned()).collect(), more)
    }
}

/// The shares in which a task counts.
fn shares(entry: &Entry) -> impl Iterator<Item = (CircleId, Option<Caller>)> {
    let task = entry.task();
    let own = task.is_recorded().then(|| (task.circle, Some(task.caller.clone())));
    own.into_iter().chain((task.is_recorded() && task.guest).then_some((task.circle, None)))
}

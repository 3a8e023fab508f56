use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use circles_api::CircleId;
use circles_store::{Caller, TaskFilter, TaskId};
use uuid::Uuid;

use crate::{embedded_config::MAX_LISTED, live_task::LiveTask};

/// The tasks that have not ended, by name, circle and caller, with counts of those that will be remembered.
#[derive(Default)]
pub(crate) struct LiveTasks {
    by_id: HashMap<TaskId, Arc<LiveTask>>,
    by_circle: BTreeSet<(CircleId, TaskId)>,
    by_caller: BTreeSet<(CircleId, Caller, TaskId)>,
    /// Tasks that will be remembered, by caller; those of guests also under `None`.
    to_remember: HashMap<(CircleId, Option<Caller>), u64>,
}

impl LiveTasks {
    pub(crate) fn get(&self, id: TaskId) -> Option<&Arc<LiveTask>> {
        self.by_id.get(&id)
    }

    /// Adds a task; returns false if it is present.
    pub(crate) fn insert(&mut self, live: &Arc<LiveTask>) -> bool {
        let task = live.task();
        if self.by_id.contains_key(&task.id) {
            return false;
        }
        self.by_id.insert(task.id, live.clone());
        self.by_circle.insert((task.circle, task.id));
        self.by_caller.insert((task.circle, task.caller.clone(), task.id));
        for share in shares(live) {
            *self.to_remember.entry(share).or_default() += 1;
        }
        true
    }

    pub(crate) fn remove(&mut self, live: &LiveTask) {
        let task = live.task();
        if self.by_id.remove(&task.id).is_none() {
            return;
        }
        self.by_circle.remove(&(task.circle, task.id));
        self.by_caller.remove(&(task.circle, task.caller.clone(), task.id));
        for share in shares(live) {
            if let Some(count) = self.to_remember.get_mut(&share) {
                *count -= 1;
                if *count == 0 {
                    self.to_remember.remove(&share);
                }
            }
        }
    }

    /// Returns how many tasks of a caller will be remembered; of all guests for `None`.
    pub(crate) fn to_remember(&self, circle: &CircleId, caller: Option<&Caller>) -> u64 {
        self.to_remember.get(&(*circle, caller.cloned())).copied().unwrap_or_default()
    }

    /// Returns the tasks of a listing in any state, newest first. The second value is the last task that was looked
    /// at, if there may be more after it.
    pub(crate) fn list(
        &self,
        circle: &CircleId,
        filter: &TaskFilter,
    ) -> (Vec<Arc<LiveTask>>, Option<TaskId>) {
        let last = filter.before.map_or(Bound::Included(Uuid::max()), Bound::Excluded);
        let first = Bound::Included(Uuid::nil());
        let ids: Vec<TaskId> = match &filter.caller {
            None => {
                let key = |id: TaskId| (*circle, id);
                let found = self.by_circle.range((first.map(key), last.map(key)));
                found.rev().take(MAX_LISTED).map(|(_, id)| *id).collect()
            }
            Some(caller) => {
                let key = |id: TaskId| (*circle, caller.clone(), id);
                let found = self.by_caller.range((first.map(key), last.map(key)));
                found.rev().take(MAX_LISTED).map(|(.., id)| *id).collect()
            }
        };
        let more = ids.last().copied().filter(|_| ids.len() == MAX_LISTED);
        (ids.iter().filter_map(|id| self.get(*id).cloned()).collect(), more)
    }
}

/// Returns the shares in which a task counts.
fn shares(live: &LiveTask) -> impl Iterator<Item = (CircleId, Option<Caller>)> {
    let task = live.task();
    let own = task.is_remembered().then(|| (task.circle, Some(task.caller.clone())));
    own.into_iter().chain((task.is_remembered() && task.guest).then_some((task.circle, None)))
}

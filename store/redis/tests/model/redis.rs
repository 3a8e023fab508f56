//! The state of a shard, as far as it concerns tasks, and the history of the tasks.

use super::scenario::{Id, Node, Outcome, SERVERS, Set, TASKS, WORKERS};

/// The parts of `:live` that change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Live {
    /// The servers that receive its outcome.
    pub servers: Set,
    pub retried: u8,
    /// The epoch of the claim during which its worker died; 0 if none did.
    pub death: u8,
    /// Set once its deadline has passed.
    pub overdue: bool,
}

/// `:held`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Held {
    pub task: Id,
    pub worker: Node,
    pub number: u8,
    pub epoch: u8,
    pub marked: bool,
    pub cancelled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Remembered {
    Queued,
    Running,
    Ended(Outcome),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Lease {
    Runs,
    HasEnded,
}

/// The contents of a shard; `shared.lua` lists the keys.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Redis {
    pub live: [Option<Live>; TASKS],
    /// In the order in which they were first held.
    pub held: Vec<Held>,
    pub queue: Vec<Id>,
    pub epoch: u8,
    /// Each worker's last claim: its number and tasks.
    pub claims: [Option<(u8, Vec<Id>)>; WORKERS],
    pub leases: [Option<Lease>; WORKERS],
    pub answers: [[Option<Outcome>; TASKS]; SERVERS],
    /// The task of the idempotency key.
    pub key: Option<Id>,
    pub remembered: [Option<Remembered>; TASKS],
    /// Plays that were never queued and have ended.
    pub done: Set,
    /// The play that had a conflict and holds the retry lock.
    pub retry_lock: Option<Id>,
    /// The version of the circle's documents; each success writes and adds one.
    pub version: u8,
    pub records: [u8; TASKS],
}

/// The history of the tasks, including parts that Redis has forgotten.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct History {
    /// Acceptances by task.
    pub accepted: [u8; TASKS],
    /// Ends by task.
    pub ended: [u8; TASKS],
    pub outcomes: [Option<Outcome>; TASKS],
    /// By task, how often its writes were stored.
    pub effects: [u8; TASKS],
    /// By task, how many runs had side effects.
    pub side_effect: [u8; TASKS],
    /// Tasks whose cancellation was requested.
    pub cancel_requested: Set,
    /// Tasks whose deadline has passed.
    pub overdue: Set,
    /// Tasks that were lost when their worker released them, with the claims that held them.
    pub lost: [Option<(Node, u8)>; TASKS],
    /// Tasks that were marked.
    pub marked: Set,
    /// By task, the epochs of claims whose worker died; 0 for none. It is removed if the worker turns out to live.
    pub deaths: [[u8; 2]; TASKS],
    /// Set once a worker claimed a task with which two workers had died.
    pub ran_deadly: bool,
    /// Set once a worker claimed a cancelled task.
    pub ran_cancelled: bool,
    /// Set once a write replaced a version that its writer had not read.
    pub overwritten: bool,
}

/// By server, the tasks whose outcome is published to it.
pub(crate) type Published = [Set; SERVERS];

impl History {
    /// Returns how many workers died while they ran a task.
    pub(crate) fn deaths_of(&self, task: Id) -> usize {
        self.deaths[usize::from(task)].iter().filter(|epoch| **epoch != 0).count()
    }
}

impl Redis {
    pub(crate) fn held(&self, task: Id) -> Option<&Held> {
        self.held.iter().find(|held| held.task == task)
    }

    pub(crate) fn is_held_as(&self, task: Id, worker: Node, epoch: u8) -> bool {
        self.held(task).is_some_and(|held| held.worker == worker && held.epoch == epoch)
    }

    pub(crate) fn is_locked_by_another(&self, task: Id) -> bool {
        self.retry_lock.is_some_and(|retry_lock| retry_lock != task)
    }

    pub(crate) fn holds_any(&self, worker: Node) -> bool {
        self.held.iter().any(|held| held.worker == worker)
    }
}

//! What lies in a shard, as far as it concerns tasks, and what has happened.

use super::scenario::{Id, Outcome, SERVERS, Set, TASKS, WORKERS, Who};

/// `:live`, as far as it changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Live {
    /// Who is told of its end.
    pub servers: Set,
    pub retried: u8,
    /// The epoch of the claim with which its worker died; 0 if none did.
    pub death: u8,
    /// Whether its deadline has passed.
    pub late: bool,
}

/// `:held`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Held {
    pub task: Id,
    pub worker: Who,
    pub number: u8,
    pub epoch: u8,
    pub marked: bool,
    pub cancelled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Remembered {
    Queued,
    Running,
    Ended(Outcome),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lease {
    Runs,
    HasEnded,
}

/// What lies in a shard; `shared.lua` says where.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Redis {
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
    /// The play that was overtaken and has the right of way.
    pub way: Option<Id>,
    /// Of the circle's documents; each success writes, and so makes one.
    pub version: u8,
    pub records: [u8; TASKS],
}

/// What happened, whether or not Redis still knows.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct History {
    /// How often each was accepted.
    pub accepted: [u8; TASKS],
    /// How often each ended, and how at last.
    pub ended: [u8; TASKS],
    pub outcomes: [Option<Outcome>; TASKS],
    /// How often what each wrote was made to stay.
    pub effects: [u8; TASKS],
    /// How many runs of each had effects outside.
    pub reached: [u8; TASKS],
    /// Somebody wanted it cancelled.
    pub unwanted: Set,
    /// Its deadline has passed.
    pub late: Set,
    /// Tasks that were lost when they were given back, and the claims that held them.
    pub lost: [Option<(Who, u8)>; TASKS],
    /// Tasks that were marked.
    pub marked: Set,
    /// By task, the epochs of the claims with which a worker died, and is not known to live; 0 for none.
    pub deaths: [[u8; 2]; TASKS],
    /// A worker was handed what two had died with.
    pub begun_deadly: bool,
    /// A worker was handed what somebody had cancelled.
    pub begun_unwanted: bool,
    /// Something was written over that its writer had not seen.
    pub overwritten: bool,
}

/// Tasks of whose end each server is told.
pub type Published = [Set; SERVERS];

impl History {
    /// How often a worker died with a task.
    pub fn deaths_of(&self, task: Id) -> usize {
        self.deaths[usize::from(task)].iter().filter(|epoch| **epoch != 0).count()
    }
}

impl Redis {
    pub fn held(&self, task: Id) -> Option<&Held> {
        self.held.iter().find(|held| held.task == task)
    }

    pub fn is_held_as(&self, task: Id, worker: Who, epoch: u8) -> bool {
        self.held(task).is_some_and(|held| held.worker == worker && held.epoch == epoch)
    }

    pub fn is_way_of_another(&self, task: Id) -> bool {
        self.way.is_some_and(|way| way != task)
    }

    pub fn holds_any(&self, worker: Who) -> bool {
        self.held.iter().any(|held| held.worker == worker)
    }
}

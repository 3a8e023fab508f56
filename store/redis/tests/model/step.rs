//! What is asked of Redis in one step, and what it answers.

use super::scenario::{Id, Outcome, Set, Who};

/// A script that is run, and what it is told.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    Submit {
        server: Who,
        acknowledged: Set,
        task: Option<Id>,
    },
    Claim {
        worker: Who,
        number: u8,
        most: u8,
    },
    Mark {
        task: Id,
        worker: Who,
        epoch: u8,
    },
    /// `epoch` is 0 for a play that was never queued. `read` is the version that it read, if it wrote.
    Settle {
        worker: Who,
        task: Id,
        epoch: u8,
        outcome: Outcome,
        read: Option<u8>,
        reached: bool,
    },
    /// With the claims that are given back: task and epoch.
    Renew {
        worker: Who,
        back: Vec<(Id, u8)>,
    },
    Reap,
    Cancel {
        task: Id,
        outcome: Outcome,
        which: Which,
    },
    Answers {
        server: Who,
        tasks: Set,
    },
    Look {
        task: Id,
        server: Who,
    },
}

/// Which tasks are ended by `cancel`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Which {
    /// One that waits; a running one through its worker.
    Any,
    /// One that waits.
    Queued,
    /// A running one as well, at once.
    Now,
}

/// What a script returns.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reply {
    Submitted(Option<Submitted>),
    /// How many wait still; tasks and epochs.
    Claimed(u8, Vec<(Id, u8)>),
    Marked(bool),
    Settled(Settled),
    /// What the worker holds: task, epoch, whether it was cancelled.
    Renewed(Vec<(Id, u8, bool)>),
    Reaped {
        back: u8,
        lost: u8,
    },
    Cancelled(Cancelled),
    Answered(Vec<(Id, Outcome)>),
    Looked(Looked),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Submitted {
    Accepted,
    Known(Id),
    Ended(Id, Outcome),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Settled {
    Recorded,
    Gone,
    Overtaken,
    /// Another play has the right of way.
    Later,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cancelled {
    Ended,
    Told,
    Again,
    Nothing,
    Running,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Looked {
    Unknown,
    UnderWay,
    Ended(Outcome),
}

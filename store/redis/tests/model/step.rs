//! The steps that Redis runs atomically, and their replies.

use super::scenario::{Id, Node, Outcome, Set};

/// A script with its arguments.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Step {
    Submit {
        server: Node,
        acknowledged: Set,
        task: Option<Id>,
    },
    Claim {
        worker: Node,
        number: u8,
        most: u8,
    },
    Mark {
        task: Id,
        worker: Node,
        epoch: u8,
    },
    /// `epoch` is 0 for a nested play. `read` is the version that a writing play read.
    Settle {
        worker: Node,
        task: Id,
        epoch: u8,
        outcome: Outcome,
        read: Option<u8>,
        side_effect: bool,
    },
    /// `back` are the claims that are released: task and epoch.
    Renew {
        worker: Node,
        back: Vec<(Id, u8)>,
    },
    Reap,
    Cancel {
        task: Id,
        outcome: Outcome,
        which: Which,
    },
    Answers {
        server: Node,
        tasks: Set,
    },
    Look {
        task: Id,
        server: Node,
    },
}

/// Selects the tasks that `cancel` ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Which {
    /// A queued task at once, a running one through its worker.
    Any,
    /// A queued task only.
    Queued,
    /// A queued or running task, at once.
    Now,
}

/// The reply of a script.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reply {
    Submitted(Option<Submitted>),
    /// The number of tasks that stay queued; then the claimed tasks with their epochs.
    Claimed(u8, Vec<(Id, u8)>),
    Marked(bool),
    Settled(Settled),
    /// The claims that the worker holds: task, epoch, whether it was cancelled.
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
pub(crate) enum Submitted {
    Accepted,
    Known(Id),
    Ended(Id, Outcome),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Settled {
    Recorded,
    Gone,
    Conflict,
    /// Another play holds the retry lock.
    Locked,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Cancelled {
    Ended,
    Interrupted,
    Repeated,
    Nothing,
    Running,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Looked {
    Unknown,
    InProgress,
    Ended(Outcome),
}

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use circles_api::CircleId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of a task: a UUID of version 7 (RFC 9562), so names sort by time of acceptance.
pub type TaskId = Uuid;

/// A script to run, where, for whom and until when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Its name, also the one the caller sees.
    pub id: TaskId,
    /// The circle in whose context it runs.
    pub circle: CircleId,
    /// Who asked for it, verified.
    pub caller: Caller,
    /// The Rhai source.
    pub script: Box<str>,
    /// What the script sees as `ARGS`.
    pub args: serde_json::Value,
    /// When it was accepted, by this machine's clock.
    pub accepted_at: SystemTime,
    /// How long after acceptance it may take, the time in the queue included.
    pub timeout: Duration,
    /// The name its caller gave the call, so that repeating the call repeats nothing else.
    pub idempotency_key: Option<Box<str>>,
}

impl Task {
    /// A task accepted now, with a fresh name and no idempotency key.
    pub fn new(
        circle: CircleId,
        caller: Caller,
        script: impl Into<Box<str>>,
        args: serde_json::Value,
        timeout: Duration,
    ) -> Self {
        Self {
            id: Uuid::now_v7(),
            circle,
            caller,
            script: script.into(),
            args,
            accepted_at: SystemTime::now(),
            timeout,
            idempotency_key: None,
        }
    }
}

/// Who asked for a play.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Caller {
    /// Nobody proved anything.
    Anonymous,
    /// A peer that signed a challenge with this key.
    Peer(CircleId),
}

/// The constant `CALLER` of a script: the key, or nothing.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => Ok(()),
            Self::Peer(key) => key.fmt(f),
        }
    }
}

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use circles_api::{
    CircleId, InvalidValue,
    types::{Caller as ApiCaller, RecordVia, TaskState},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The name of a task: a UUID of version 7 (RFC 9562), so names sort by time of acceptance.
pub type TaskId = Uuid;

/// A script to run: in which circle, for which caller, until when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The task's name, which the caller sees as well.
    pub id: TaskId,
    /// The circle in whose context it runs.
    pub circle: CircleId,
    /// The verified caller.
    pub caller: Caller,
    /// The script to run.
    pub source: Source,
    /// The script's `ARGS`.
    pub args: serde_json::Value,
    /// Time of acceptance, by this machine's clock.
    pub accepted_at: SystemTime,
    /// The time it may take, counted from acceptance; the time in the queue is included.
    pub timeout: Duration,
    /// The caller's name for the call: a repeated call with the same key has no further effect.
    pub idempotency_key: Option<Box<str>>,
    /// How its caller asked for it, which decides what is stored of it.
    pub kind: Kind,
    /// Set if no access list names its caller: the task then counts in the guests' common quota as well.
    #[serde(default)]
    pub guest: bool,
    /// The plays that called it; `None` for a call from outside.
    #[serde(default)]
    pub via: Option<Box<Via>>,
}

/// Estimates the bytes that a value holds on the heap.
fn memory_bytes(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    /// Bytes of an object with members.
    const OBJECT: usize = 640;
    /// Bytes of each member.
    const MEMBER: usize = 128;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        // A vector that grew may have twice the capacity.
        Value::Array(items) => {
            2 * size_of_val(items.as_slice()) + items.iter().map(memory_bytes).sum::<usize>()
        }
        Value::Object(members) if members.is_empty() => 0,
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| MEMBER + name.len() + memory_bytes(member));
            OBJECT + members.sum::<usize>()
        }
    }
}

/// The chain of plays through which a task was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// The caller of the outermost play.
    pub origin: Caller,
    /// The calling plays, outermost first; the last one called this task. Never empty.
    pub plays: Vec<CallingPlay>,
}

/// A play that called another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallingPlay {
    /// The circle in whose context it runs.
    pub circle: CircleId,
    /// The task of the play.
    pub task: TaskId,
}

/// The script that a task runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Rhai source that the caller sent.
    Script(Box<str>),
    /// The script of this name in the circle's library.
    Library(Box<str>),
    /// No script: the task lists the circle's library.
    Listing,
}

/// How a caller asked for a task, which decides what is stored of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The caller waits for the outcome. Nothing is stored unless the call has an idempotency key.
    Play,
    /// The caller may disconnect: the task is stored until it has run.
    Submitted {
        /// How often it may be run again although it may have had side effects.
        retries: u8,
    },
}

impl Task {
    /// Estimates the bytes of memory that it holds, usually more than its JSON has.
    pub fn memory_bytes(&self) -> usize {
        /// A queued task without script and arguments, with its bookkeeping.
        const BASE: usize = 2 << 10;
        let source = match &self.source {
            Source::Script(text) | Source::Library(text) => text.len(),
            Source::Listing => 0,
        };
        BASE + source + memory_bytes(&self.args)
    }

    /// Creates a task accepted now, with a fresh name and no idempotency key.
    pub fn new(
        circle: CircleId,
        caller: Caller,
        source: Source,
        args: serde_json::Value,
        timeout: Duration,
    ) -> Self {
        Self {
            id: Uuid::now_v7(),
            circle,
            caller,
            source,
            args,
            accepted_at: SystemTime::now(),
            timeout,
            idempotency_key: None,
            kind: Kind::Play,
            guest: false,
            via: None,
        }
    }

    /// Creates the task of a call that this one's play makes into `circle`.
    ///
    /// In other circles a play speaks for its own circle. In its own circle it keeps its caller, and so has no more
    /// rights than the caller.
    pub fn call_into(
        &self,
        circle: CircleId,
        source: Source,
        args: serde_json::Value,
        timeout: Duration,
    ) -> Self {
        let caller = if circle == self.circle { self.caller.clone() } else { Caller::Peer(self.circle) };
        let mut plays = self.via.as_ref().map_or_else(Vec::new, |via| via.plays.clone());
        plays.push(CallingPlay { circle: self.circle, task: self.id });
        let via = Via { origin: self.origin().clone(), plays };
        Self { via: Some(Box::new(via)), ..Self::new(circle, caller, source, args, timeout) }
    }

    /// Returns the caller of the outermost play; this task's own caller if no play called it.
    pub fn origin(&self) -> &Caller {
        self.via.as_ref().map_or(&self.caller, |via| &via.origin)
    }

    /// Returns how many plays deep it was called; 0 for a call from outside.
    pub fn depth(&self) -> usize {
        self.via.as_ref().map_or(0, |via| via.plays.len())
    }

    /// Returns whether another call with the same idempotency key repeats this one.
    pub fn is_same_call(&self, other: &Self) -> bool {
        self.source == other.source && self.args == other.args
    }

    /// Returns the hash of script and arguments, by which a repeated call is recognised.
    pub fn call_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // Both are JSON, and objects keep their members sorted: the encoding cannot fail and is canonical.
        hash.update(serde_json::to_vec(&(&self.source, &self.args)).unwrap_or_default());
        hash.finalize().into()
    }

    /// Returns whether it is remembered after its end.
    pub const fn is_remembered(&self) -> bool {
        self.idempotency_key.is_some() || matches!(self.kind, Kind::Submitted { .. })
    }

    /// Returns the name of the library script that it runs, if it runs one.
    pub fn script_name(&self) -> Option<&str> {
        match &self.source {
            Source::Library(name) => Some(name),
            Source::Script(_) | Source::Listing => None,
        }
    }
}

impl Source {
    /// Creates source that a caller sent.
    pub fn script(text: impl Into<Box<str>>) -> Self {
        Self::Script(text.into())
    }
}

/// The state of a task; all but the first two are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// It waits for a worker.
    Queued,
    /// A worker runs it.
    Running,
    /// Its script ended and its writes are stored.
    Succeeded,
    /// It failed; its writes are dropped.
    Failed,
    /// Its deadline passed.
    TimedOut,
    /// It was cancelled.
    Cancelled,
    /// Its worker died after the task may have had side effects, so the task is not run again.
    Lost,
}

/// The caller of a play.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Caller {
    /// A caller that proved no key.
    Anonymous,
    /// A peer that signed a challenge with this key, or the circle whose play called.
    Peer(CircleId),
}

impl Caller {
    /// Returns the key that the caller proved, if any.
    pub const fn key(&self) -> Option<&CircleId> {
        match self {
            Self::Anonymous => None,
            Self::Peer(key) => Some(key),
        }
    }
}

/// Writes the constant `CALLER` of a script: the key, or the empty text.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => Ok(()),
            Self::Peer(key) => key.fmt(f),
        }
    }
}

/// Returns the calling play in the form that a provenance record has.
pub fn record_via(via: &Via) -> Option<Result<RecordVia, InvalidValue>> {
    let last = via.plays.last()?;
    let origin = ApiCaller::try_from(via.origin.to_string());
    Some(origin.map(|origin| RecordVia { circle: last.circle.into(), task_id: last.task.into(), origin }))
}

impl From<State> for TaskState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
            State::TimedOut => Self::TimedOut,
            State::Cancelled => Self::Cancelled,
            State::Lost => Self::Lost,
        }
    }
}

impl From<TaskState> for State {
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::Queued => Self::Queued,
            TaskState::Running => Self::Running,
            TaskState::Succeeded => Self::Succeeded,
            TaskState::Failed => Self::Failed,
            TaskState::TimedOut => Self::TimedOut,
            TaskState::Cancelled => Self::Cancelled,
            TaskState::Lost => Self::Lost,
        }
    }
}

impl State {
    /// Returns whether a task in this state has ended.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

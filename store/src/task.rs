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

use crate::Outcome;

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
    /// What to run.
    pub source: Source,
    /// What the script sees as `ARGS`.
    pub args: serde_json::Value,
    /// When it was accepted, by this machine's clock.
    pub accepted_at: SystemTime,
    /// How long after acceptance it may take, the time in the queue included.
    pub timeout: Duration,
    /// The name its caller gave the call, so that repeating the call repeats nothing else.
    pub idempotency_key: Option<Box<str>>,
    /// How its caller asked for it.
    pub kind: Kind,
    /// Whether no access list names its caller, so that what is remembered counts for all guests together as well.
    #[serde(default)]
    pub guest: bool,
    /// The plays that called it; absent for what came from outside.
    #[serde(default)]
    pub via: Option<Box<Via>>,
}

/// About how many bytes a value holds beside itself.
fn memory_bytes(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    /// Bytes for an object that has any members, and for each of them.
    const OBJECT: usize = 640;
    const MEMBER: usize = 128;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        // A vector that grew has room for twice as many.
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

/// The plays through which a task was called, on behalf of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// Caller of the outermost play.
    pub origin: Caller,
    /// The calling plays, the outermost first; the last one called this task. Never empty.
    pub plays: Vec<CallingPlay>,
}

/// A play that called another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallingPlay {
    /// The circle in whose context it runs.
    pub circle: CircleId,
    /// Its task.
    pub task: TaskId,
}

/// What a task runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Rhai source that the caller sent.
    Script(Box<str>),
    /// The script of this name in the circle's library.
    Library(Box<str>),
    /// Nothing: the circle's library is to be listed.
    Listing,
}

/// How a caller asked for a task, and so what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It waits for the outcome. Nothing outlives the process unless the call has an idempotency key.
    Play,
    /// It may go away: the task survives until it has run.
    Submitted {
        /// How often it may be run again although it may have had outside effects.
        retries: u8,
    },
}

impl Task {
    /// About how many bytes of memory it holds; mostly more than its JSON has.
    pub fn memory_bytes(&self) -> usize {
        /// A task without script and arguments, with all that stands for it while it waits.
        const ALONE: usize = 2 << 10;
        let source = match &self.source {
            Source::Script(text) | Source::Library(text) => text.len(),
            Source::Listing => 0,
        };
        ALONE + source + memory_bytes(&self.args)
    }

    /// A task accepted now, with a fresh name and no idempotency key.
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

    /// The task of a call that this one's play makes into `circle`.
    ///
    /// A play speaks for its circle in other circles. In its own circle it has no more rights than its caller: the
    /// caller stays the same.
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

    /// The caller of the outermost play; this task's own where no play called it.
    pub fn origin(&self) -> &Caller {
        self.via.as_ref().map_or(&self.caller, |via| &via.origin)
    }

    /// How many plays deep it was called; 0 for what came from outside.
    pub fn depth(&self) -> usize {
        self.via.as_ref().map_or(0, |via| via.plays.len())
    }

    /// Whether a call that carries the same idempotency key is this one, made again.
    pub fn is_same_call(&self, other: &Self) -> bool {
        self.source == other.source && self.args == other.args
    }

    /// Hash of what it runs: the same for the same call.
    pub fn call(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // Values that were JSON once are JSON again; objects keep their members sorted.
        hash.update(serde_json::to_vec(&(&self.source, &self.args)).unwrap_or_default());
        hash.finalize().into()
    }

    /// Whether a record of it is kept beyond its end.
    pub const fn is_recorded(&self) -> bool {
        self.idempotency_key.is_some() || matches!(self.kind, Kind::Submitted { .. })
    }

    /// The name of the library's script that it runs, if it runs one.
    pub fn script_name(&self) -> Option<&str> {
        match &self.source {
            Source::Library(name) => Some(name),
            Source::Script(_) | Source::Listing => None,
        }
    }
}

impl Source {
    /// Source that a caller sent.
    pub fn script(text: impl Into<Box<str>>) -> Self {
        Self::Script(text.into())
    }
}

/// Where a task is on its way; all but the first two are final (SPEC §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Its script ended, and what it wrote stays.
    Succeeded,
    /// It ended otherwise of itself; nothing it wrote stays.
    Failed,
    /// Its deadline passed.
    TimedOut,
    /// Somebody ended it.
    Cancelled,
    /// Its worker died when it may have had outside effects, so it is not run again.
    Lost,
}

/// A task as those who ask for it see it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// Its name.
    pub id: TaskId,
    /// Who asked for it.
    pub caller: Caller,
    /// The library's script that it runs, if it runs one.
    pub script_name: Option<Box<str>>,
    /// Where it is.
    pub state: State,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// The time it was given, from acceptance.
    pub timeout: Duration,
    /// When a worker began with it last.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// What it left; also absent in lists.
    pub outcome: Option<Outcome>,
}

/// Which tasks to list.
#[derive(Clone, Debug)]
pub struct TaskFilter {
    /// Only this caller's; everybody's otherwise.
    pub caller: Option<Caller>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only older than this one, which ended the page before.
    pub before: Option<TaskId>,
    /// How many at most.
    pub limit: usize,
}

/// Some tasks, the newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskPage {
    /// Without their outcomes.
    pub tasks: Vec<TaskView>,
    /// What to ask for the next page with, if there may be one.
    pub next: Option<TaskId>,
}

/// Who asked for a play.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Caller {
    /// Nobody proved anything.
    Anonymous,
    /// A peer that signed a challenge with this key, or the circle whose play called.
    Peer(CircleId),
}

impl Caller {
    /// The key that the caller proved, if any.
    pub const fn key(&self) -> Option<&CircleId> {
        match self {
            Self::Anonymous => None,
            Self::Peer(key) => Some(key),
        }
    }
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

/// The play that called a task, as the task's record names it.
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
    /// Whether a task in it has ended.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

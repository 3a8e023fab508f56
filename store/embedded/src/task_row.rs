use std::time::{Duration, SystemTime};

use circles_api::CircleId;
use circles_store::{Caller, Kind, Outcome, Source, State, Task, TaskId, TaskView, Via};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::unix_time::{millis, time, whole_millis};

/// A task in a circle's file: the columns of lists, and the state that decides how it continues after a crash.
///
/// Its fields are stored as JSON under these names; versions of the program share them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TaskRow {
    pub(crate) id: TaskId,
    pub(crate) caller: Caller,
    pub(crate) script_name: Option<Box<str>>,
    pub(crate) kind: Kind,
    pub(crate) key: Option<Box<str>>,
    /// Hash of script and arguments, by which a repeated call is recognised.
    pub(crate) call: [u8; 32],
    pub(crate) state: State,
    pub(crate) accepted_ms: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) started_ms: Option<u64>,
    pub(crate) ended_ms: Option<u64>,
    /// Set if it may have had side effects.
    pub(crate) marked: bool,
    /// How often it may still be run again after side effects.
    pub(crate) retries: u8,
    /// Bytes of its stored outcome; 0 if the outcome is not stored.
    pub(crate) bytes: u64,
    /// Time until which it is remembered, if that differs from the store's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until_ms: Option<u64>,
    /// Set if it counts in its caller's share; rows of earlier versions do not.
    #[serde(default)]
    pub(crate) counted: bool,
    /// Set if it counts in the guests' share as well.
    #[serde(default)]
    pub(crate) guest: bool,
    /// The runs during which its process died.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) deaths: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) via: Option<Box<Via>>,
}

/// The script and arguments of a task, stored until it has run.
#[derive(Serialize, Deserialize)]
pub(crate) struct TaskBody {
    source: Source,
    args: Value,
}

impl TaskBody {
    pub(crate) fn of(task: &Task) -> Self {
        Self { source: task.source.clone(), args: task.args.clone() }
    }
}

impl TaskRow {
    /// Returns the row of a task that was accepted and has not run.
    pub(crate) fn accepted(task: &Task) -> Self {
        let retries = if let Kind::Submitted { retries } = task.kind { retries } else { 0 };
        Self {
            id: task.id,
            caller: task.caller.clone(),
            script_name: task.script_name().map(Into::into),
            kind: task.kind,
            key: task.idempotency_key.clone(),
            call: task.call_hash(),
            state: State::Queued,
            accepted_ms: millis(task.accepted_at),
            timeout_ms: whole_millis(task.timeout),
            started_ms: None,
            ended_ms: None,
            marked: false,
            retries,
            bytes: 0,
            until_ms: None,
            counted: false,
            guest: task.guest,
            deaths: Vec::new(),
            via: task.via.clone(),
        }
    }

    /// Returns the row of the task with its end.
    pub(crate) fn ended(
        self,
        started_at: Option<SystemTime>,
        ended_at: SystemTime,
        outcome: &Outcome,
    ) -> Self {
        Self {
            state: outcome.state(),
            started_ms: started_at.map(millis),
            ended_ms: Some(millis(ended_at)),
            ..self
        }
    }

    /// Returns whether it ended and the time for which it is remembered has passed.
    pub(crate) fn is_forgotten(&self, now: SystemTime, remember_for: Duration) -> bool {
        if let Some(until) = self.until_ms {
            return time(until) <= now;
        }
        self.ended_ms
            .is_some_and(|ended| now.duration_since(time(ended)).is_ok_and(|age| age >= remember_for))
    }

    /// Returns the task that the row and its body describe.
    pub(crate) fn into_task(self, circle: CircleId, body: TaskBody) -> Task {
        Task {
            id: self.id,
            circle,
            caller: self.caller,
            source: body.source,
            args: body.args,
            accepted_at: time(self.accepted_ms),
            timeout: Duration::from_millis(self.timeout_ms),
            idempotency_key: self.key,
            kind: self.kind,
            guest: self.guest,
            via: self.via,
        }
    }

    pub(crate) fn into_view(self, outcome: Option<Outcome>) -> TaskView {
        TaskView {
            id: self.id,
            caller: self.caller,
            script_name: self.script_name,
            state: self.state,
            accepted_at: time(self.accepted_ms),
            timeout: Duration::from_millis(self.timeout_ms),
            started_at: self.started_ms.map(time),
            ended_at: self.ended_ms.map(time),
            outcome,
        }
    }
}

/// Encodes a value as JSON, which people can read and later versions can extend.
pub(crate) fn encode(value: &impl Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, redb::Error> {
    serde_json::from_slice(bytes).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

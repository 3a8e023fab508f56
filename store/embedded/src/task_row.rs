//! What a circle's file keeps of a task.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use circles_api::CircleId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::file::millis;
use circles_store::{Caller, Kind, Outcome, Source, State, Task, TaskId, TaskView, Via};

/// What lists show of a task, and what decides how it goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub id: TaskId,
    pub caller: Caller,
    pub script_name: Option<Box<str>>,
    pub kind: Kind,
    pub key: Option<Box<str>>,
    /// Hash of what it runs, by which a call that is made again is known.
    pub call: [u8; 32],
    pub state: State,
    pub accepted_ms: u64,
    pub timeout_ms: u64,
    pub started_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    /// Whether it may have had outside effects.
    pub marked: bool,
    /// How often it may be run again in spite of that.
    pub retries: u8,
    /// Bytes of its outcome, as far as that is kept.
    pub bytes: u64,
    /// Until when it is remembered, if not as long as others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Whether it counts in its caller's share; those of earlier versions do not.
    #[serde(default)]
    pub counted: bool,
    /// Whether it counts in the share of guests, too.
    #[serde(default)]
    pub guest: bool,
    /// The runs in which its process died.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deaths: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Box<Via>>,
}

/// What a task runs.
#[derive(Serialize, Deserialize)]
pub struct Body {
    pub source: Source,
    pub args: Value,
}

impl Body {
    pub fn of(task: &Task) -> Self {
        Self { source: task.source.clone(), args: task.args.clone() }
    }
}

impl Row {
    pub fn accepted(task: &Task) -> Self {
        let retries = if let Kind::Submitted { retries } = task.kind { retries } else { 0 };
        Self {
            id: task.id,
            caller: task.caller.clone(),
            script_name: task.script_name().map(Into::into),
            kind: task.kind,
            key: task.idempotency_key.clone(),
            call: call(task),
            state: State::Queued,
            accepted_ms: millis(task.accepted_at),
            timeout_ms: u64::try_from(task.timeout.as_millis()).unwrap_or(u64::MAX),
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

    pub fn ended(self, started_at: Option<SystemTime>, ended_at: SystemTime, outcome: &Outcome) -> Self {
        Self {
            state: outcome.state(),
            started_ms: started_at.map(millis),
            ended_ms: Some(millis(ended_at)),
            ..self
        }
    }

    /// Whether it ended longer ago than ended tasks are remembered.
    pub fn is_forgotten(&self, now: SystemTime, retention: Duration) -> bool {
        if let Some(until) = self.until_ms {
            return time(until) <= now;
        }
        self.ended_ms.is_some_and(|ended| now.duration_since(time(ended)).is_ok_and(|age| age >= retention))
    }

    /// The task again, after a restart.
    pub fn task(self, circle: CircleId, body: Body) -> Task {
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

    pub fn view(self, outcome: Option<Outcome>) -> TaskView {
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

/// Hash of what a task runs.
pub fn call(task: &Task) -> [u8; 32] {
    let mut hash = Sha256::new();
    // Values that were JSON once are JSON again; objects keep their members sorted.
    hash.update(serde_json::to_vec(&(&task.source, &task.args)).unwrap_or_default());
    hash.finalize().into()
}

fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// As JSON, which a person can read and a later version can add to.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, redb::Error> {
    serde_json::from_slice(bytes).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

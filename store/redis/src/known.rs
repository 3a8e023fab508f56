//! What the scripts know of a task.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use circles_api::types::RecordVia;
use serde::{Deserialize, Serialize};

use super::RedisConfig;
use circles_store::{Caller, Error, Kind, Outcome, State, Task, TaskId, TaskView, record_via};

/// What the scripts have to know of a task that has not ended; also its view, while it is remembered. The scripts
/// add fields of their own.
#[derive(Debug, Serialize, Deserialize)]
pub struct Known {
    pub circle: String,
    /// As `CALLER` shows it.
    pub caller: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// In milliseconds of Unix time, by the clock of the server.
    pub accepted: u64,
    /// Milliseconds.
    pub timeout: u64,
    pub pool: String,
    /// Whether it is remembered when it has ended, and how long, in milliseconds.
    pub kept: bool,
    pub remember: u64,
    pub submitted: bool,
    pub retries: u8,
    /// How many bytes its caller's share has, if it is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// How many that of all guests has, if its caller is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guests: Option<u64>,
    /// Its idempotency key, with circle and caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The play that called it, as its record names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<RecordVia>,
}

impl Known {
    pub fn of(task: &Task, pool: &str, config: &RedisConfig) -> Self {
        let quota = config.quotas.of(&task.circle);
        let (submitted, retries) = match task.kind {
            Kind::Submitted { retries } => (true, retries),
            Kind::Play => (false, 0),
        };
        Self {
            circle: task.circle.to_string(),
            caller: task.caller.to_string(),
            name: task.script_name().map(Into::into),
            accepted: millis(task.accepted_at),
            timeout: whole_millis(task.timeout),
            pool: pool.to_owned(),
            kept: task.is_remembered(),
            remember: whole_millis(config.remember_for),
            submitted,
            retries,
            most: task.is_remembered().then_some(quota.caller_bytes),
            guests: (task.is_remembered() && task.guest).then_some(quota.guest_bytes),
            key: task.idempotency_key.as_ref().map(|key| match &task.caller {
                Caller::Anonymous => format!("{}::{key}", task.circle),
                Caller::Peer(caller) => format!("{}:{caller}:{key}", task.circle),
            }),
            via: task.via.as_deref().and_then(record_via).and_then(Result::ok),
        }
    }

    /// What scripts that only look for these need not read the rest for; see `parse` in `lua/shared.lua`.
    pub const fn flags(&self) -> &'static str {
        match (self.kept, self.submitted) {
            (true, true) => "ks",
            (true, false) => "k",
            (false, _) => "-",
        }
    }

    /// The caller, as the scripts have it in keys and words.
    pub fn caller_word(&self) -> &str {
        if self.caller.is_empty() { "-" } else { &self.caller }
    }

    /// How others see the task, from what the scripts tell of it.
    pub fn view(self, id: TaskId, told: &Told) -> Result<TaskView, Error> {
        let caller = match &*self.caller {
            "" => Caller::Anonymous,
            key => Caller::Peer(key.parse().map_err(|_| garbled("a caller"))?),
        };
        let outcome: Option<Outcome> = match &*told.outcome {
            "" => None,
            text => Some(serde_json::from_str(text).map_err(|_| garbled("an outcome"))?),
        };
        // The clocks of a server and of Redis differ a little.
        let accepted_at = UNIX_EPOCH + Duration::from_millis(self.accepted);
        let started_at = time(&told.started).map(|started| started.max(accepted_at));
        Ok(TaskView {
            id,
            caller,
            script_name: self.name,
            state: state(&told.state)?,
            accepted_at,
            timeout: Duration::from_millis(self.timeout),
            started_at,
            ended_at: time(&told.ended).map(|ended| ended.max(started_at.unwrap_or(accepted_at))),
            outcome,
        })
    }
}

/// The rest of what the scripts tell of a task.
#[derive(Debug, Default)]
pub struct Told {
    pub state: String,
    pub started: String,
    pub ended: String,
    pub outcome: String,
}

/// How a task ended, as its servers are told.
#[derive(Clone, Debug)]
pub struct End {
    pub outcome: Outcome,
    pub started_at: Option<SystemTime>,
    pub ended_at: SystemTime,
}

impl End {
    /// When it began, or `-`, when it ended, and the outcome.
    pub fn read(text: &str) -> Result<Self, Error> {
        let wrong = || garbled("an outcome");
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().ok_or_else(wrong);
        let (started, ended, outcome) = (word()?, word()?, word()?);
        Ok(Self {
            outcome: serde_json::from_str(outcome).map_err(|_| wrong())?,
            started_at: time(started),
            ended_at: time(ended).ok_or_else(wrong)?,
        })
    }

    /// One that Redis did not tell of.
    pub fn now(outcome: Outcome) -> Self {
        Self { outcome, started_at: None, ended_at: SystemTime::now() }
    }

    /// A task at this end, of which less was known before.
    pub fn of(self, view: TaskView) -> TaskView {
        let started_at = self.started_at.map(|started| started.max(view.accepted_at));
        TaskView {
            state: self.outcome.state(),
            ended_at: Some(self.ended_at.max(started_at.unwrap_or(view.accepted_at))),
            started_at,
            outcome: Some(self.outcome),
            ..view
        }
    }
}

/// Milliseconds, where there are any.
fn time(text: &str) -> Option<SystemTime> {
    text.parse().ok().map(|millis| UNIX_EPOCH + Duration::from_millis(millis))
}

/// Reads what a script tells of a task.
pub fn view(id: TaskId, known: &str, told: &Told) -> Result<TaskView, Error> {
    serde_json::from_str::<Known>(known).map_err(|_| garbled("a task"))?.view(id, told)
}

/// As scripts write states: the names of the variants.
pub fn state(text: &str) -> Result<State, Error> {
    let value = serde_json::Value::from(text);
    State::deserialize(value).map_err(|_| garbled("a state"))
}

pub fn state_name(state: State) -> String {
    format!("{state:?}")
}

pub fn garbled(what: &str) -> Error {
    Error::Unavailable(format!("what is in Redis is not {what} of ours").into())
}

pub fn millis(time: SystemTime) -> u64 {
    whole_millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Beyond what Lua's numbers hold exactly, and far beyond any use.
pub fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).map_or(1 << 50, |millis| millis.min(1 << 50))
}

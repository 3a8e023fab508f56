//! The description of a task that the scripts keep, and how their replies about it are read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use circles_api::types::RecordVia;
use circles_store::{Caller, Error, Kind, Outcome, State, Task, TaskId, TaskView, record_via};
use serde::{Deserialize, Serialize};

use crate::config::RedisConfig;

/// The part of a task that the scripts read, as JSON. It is also the task's view while the task is remembered. The
/// fields are named as the scripts read them, which add some of their own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TaskMeta {
    pub(crate) circle: String,
    /// The caller as `Caller` displays it.
    pub(crate) caller: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Box<str>>,
    /// In milliseconds of Unix time, by the server's clock.
    pub(crate) accepted: u64,
    /// In milliseconds.
    pub(crate) timeout: u64,
    pub(crate) pool: String,
    /// Set if the task is remembered after its end.
    pub(crate) kept: bool,
    /// Milliseconds to remember it.
    pub(crate) remember: u64,
    pub(crate) submitted: bool,
    pub(crate) retries: u8,
    /// The bytes of its caller's share, if the task is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) most: Option<u64>,
    /// The bytes of all guests' share, if the caller is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) guests: Option<u64>,
    /// The idempotency key, behind the circle and the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// The play that called it, as its record names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) via: Option<RecordVia>,
}

impl TaskMeta {
    pub(crate) fn of(task: &Task, pool: &str, config: &RedisConfig) -> Self {
        let quota = config.quotas.of(&task.circle);
        let (submitted, retries) = match task.kind {
            Kind::Submitted { retries } => (true, retries),
            Kind::Play => (false, 0),
        };
        Self {
            circle: task.circle.to_string(),
            caller: task.caller.to_string(),
            name: task.script_name().map(Into::into),
            accepted: unix_millis(task.accepted_at),
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

    /// The flags `k` (kept) and `s` (submitted), which spare most scripts the JSON; see `parse` in `lua/shared.lua`.
    pub(crate) const fn flags(&self) -> &'static str {
        match (self.kept, self.submitted) {
            (true, true) => "ks",
            (true, false) => "k",
            (false, _) => "-",
        }
    }

    /// The caller as the scripts write it in keys.
    pub(crate) fn caller_word(&self) -> &str {
        if self.caller.is_empty() { "-" } else { &self.caller }
    }

    fn view(self, id: TaskId, status: &TaskStatus) -> Result<TaskView, Error> {
        let caller = match &*self.caller {
            "" => Caller::Anonymous,
            key => Caller::Peer(key.parse().map_err(|_| unexpected("a caller"))?),
        };
        let outcome: Option<Outcome> = match &*status.outcome {
            "" => None,
            text => Some(serde_json::from_str(text).map_err(|_| unexpected("an outcome"))?),
        };
        // The clocks of a server and of Redis differ a little, and a task must not start before it is accepted.
        let accepted_at = UNIX_EPOCH + Duration::from_millis(self.accepted);
        let started_at = time(&status.started).map(|started| started.max(accepted_at));
        Ok(TaskView {
            id,
            caller,
            script_name: self.name,
            state: parse_state(&status.state)?,
            accepted_at,
            timeout: Duration::from_millis(self.timeout),
            started_at,
            ended_at: time(&status.ended).map(|ended| ended.max(started_at.unwrap_or(accepted_at))),
            outcome,
        })
    }
}

/// The changing part of a task, as the scripts return it. A text is empty if there is no such thing yet.
#[derive(Debug, Default)]
pub(crate) struct TaskStatus {
    pub(crate) state: String,
    pub(crate) started: String,
    pub(crate) ended: String,
    pub(crate) outcome: String,
}

/// Joins what scripts return of a task: the JSON of its [`TaskMeta`], and its status.
pub(crate) fn task_view(id: TaskId, meta: &str, status: &TaskStatus) -> Result<TaskView, Error> {
    serde_json::from_str::<TaskMeta>(meta).map_err(|_| unexpected("a task"))?.view(id, status)
}

/// The end of a task, as Redis publishes it to servers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskEnd {
    pub(crate) outcome: Outcome,
    pub(crate) started_at: Option<SystemTime>,
    pub(crate) ended_at: SystemTime,
}

impl TaskEnd {
    /// Reads the start or `-`, the end, and the outcome, with a space between each.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || unexpected("an outcome");
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().ok_or_else(wrong);
        let (started, ended, outcome) = (word()?, word()?, word()?);
        Ok(Self {
            outcome: serde_json::from_str(outcome).map_err(|_| wrong())?,
            started_at: time(started),
            ended_at: time(ended).ok_or_else(wrong)?,
        })
    }

    /// An end that this server decides on, without Redis.
    pub(crate) fn now(outcome: Outcome) -> Self {
        Self { outcome, started_at: None, ended_at: SystemTime::now() }
    }

    /// Adds this end to an earlier view of the task.
    pub(crate) fn apply_to(self, view: TaskView) -> TaskView {
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

/// Reads milliseconds of Unix time, if there are any.
fn time(text: &str) -> Option<SystemTime> {
    text.parse().ok().map(|millis| UNIX_EPOCH + Duration::from_millis(millis))
}

/// Reads a state as scripts write it: the name of the variant.
pub(crate) fn parse_state(text: &str) -> Result<State, Error> {
    let value = serde_json::Value::from(text);
    State::deserialize(value).map_err(|_| unexpected("a state"))
}

pub(crate) fn state_name(state: State) -> String {
    format!("{state:?}")
}

/// The error for data in Redis that cannot be read.
pub(crate) fn unexpected(expected: &str) -> Error {
    let sentence = format!(
        "unexpected data in Redis: expected {expected} (written by another program or a newer version?)"
    );
    Error::Unavailable(sentence.into())
}

/// Writes a value as JSON for a script.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::Unavailable(format!("cannot encode as JSON: {error}").into()))
}

fn unix_millis(time: SystemTime) -> u64 {
    whole_millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Milliseconds, at most 2^50: Lua's numbers hold that exactly, and no duration in use comes near it.
pub(crate) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).map_or(1 << 50, |millis| millis.min(1 << 50))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_end_is_parsed_with_and_without_a_start() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let end = TaskEnd::parse("1000 2000 \"TimedOut\"").unwrap();
        assert_eq!(
            (end.started_at, end.ended_at, end.outcome),
            (Some(at(1_000)), at(2_000), Outcome::timed_out())
        );
        assert_eq!(TaskEnd::parse("- 2000 \"Cancelled\"").unwrap().started_at, None);
        for text in ["", "1000", "1000 2000", "- - \"Lost\"", "1000 2000 what?"] {
            assert_eq!(TaskEnd::parse(text), Err(unexpected("an outcome")), "{text}");
        }
    }

    #[test]
    fn state_names_are_parsed_back() {
        for state in [State::Queued, State::Running, State::Succeeded, State::TimedOut, State::Lost] {
            assert_eq!(parse_state(&state_name(state)), Ok(state));
        }
        assert_eq!(parse_state("queued"), Err(unexpected("a state")));
    }
}

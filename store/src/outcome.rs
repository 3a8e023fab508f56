use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::task::State;

/// The final state of a task with its details, among them the lines that its script logged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum Outcome {
    /// The script ended and its writes are stored.
    Succeeded(Success),
    /// The script or its environment failed; its writes are dropped.
    Failed(Failure, Vec<LogLine>),
    /// Its deadline passed, in the queue or while it ran.
    TimedOut(Vec<LogLine>),
    /// Its caller cancelled it or disconnected, or the server shut down.
    Cancelled(Vec<LogLine>),
    /// Its worker died after the task may have had side effects, so the task was not run again. Its log lines are gone.
    Lost,
}

impl Outcome {
    /// Returns whether the play was refused before its script ran, or failed for a reason that is not the script's. It
    /// had no effect, and the same call may end otherwise later, so its idempotency key becomes free.
    pub const fn is_refusal(&self) -> bool {
        let Self::Failed(failure, _) = self else { return false };
        matches!(
            failure,
            Failure::Forbidden
                | Failure::NoScript
                | Failure::Unavailable
                | Failure::Internal(_)
                | Failure::Script { kind: ScriptErrorKind::Compile, .. }
        )
    }
}

/// The stored and sent form of an outcome. One without log lines has the form of versions that had none.
#[derive(Serialize, Deserialize)]
enum Stored {
    Succeeded(Success),
    Failed(Failure),
    TimedOut,
    Cancelled,
    Lost,
    FailedLogged(Failure, Vec<LogLine>),
    TimedOutLogged(Vec<LogLine>),
    CancelledLogged(Vec<LogLine>),
}

impl From<Outcome> for Stored {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded(success) => Self::Succeeded(success),
            Outcome::Failed(failure, logs) if logs.is_empty() => Self::Failed(failure),
            Outcome::Failed(failure, logs) => Self::FailedLogged(failure, logs),
            Outcome::TimedOut(logs) if logs.is_empty() => Self::TimedOut,
            Outcome::TimedOut(logs) => Self::TimedOutLogged(logs),
            Outcome::Cancelled(logs) if logs.is_empty() => Self::Cancelled,
            Outcome::Cancelled(logs) => Self::CancelledLogged(logs),
            Outcome::Lost => Self::Lost,
        }
    }
}

impl From<Stored> for Outcome {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Succeeded(success) => Self::Succeeded(success),
            Stored::Failed(failure) => Self::failed(failure),
            Stored::TimedOut => Self::timed_out(),
            Stored::Cancelled => Self::cancelled(),
            Stored::Lost => Self::Lost,
            Stored::FailedLogged(failure, logs) => Self::Failed(failure, logs),
            Stored::TimedOutLogged(logs) => Self::TimedOut(logs),
            Stored::CancelledLogged(logs) => Self::Cancelled(logs),
        }
    }
}

impl Outcome {
    /// Returns a failure without log lines.
    pub const fn failed(failure: Failure) -> Self {
        Self::Failed(failure, Vec::new())
    }

    /// Returns a timeout without log lines.
    pub const fn timed_out() -> Self {
        Self::TimedOut(Vec::new())
    }

    /// Returns a cancellation without log lines.
    pub const fn cancelled() -> Self {
        Self::Cancelled(Vec::new())
    }

    /// Returns the lines that the script logged, in order.
    pub fn logs(&self) -> &[LogLine] {
        match self {
            Self::Succeeded(success) => &success.logs,
            Self::Failed(_, logs) | Self::TimedOut(logs) | Self::Cancelled(logs) => logs,
            Self::Lost => &[],
        }
    }

    /// Adds these log lines, unless the outcome has some.
    #[must_use]
    pub fn with_logs(mut self, lines: impl FnOnce() -> Vec<LogLine>) -> Self {
        if let Self::Failed(_, logs) | Self::TimedOut(logs) | Self::Cancelled(logs) = &mut self
            && logs.is_empty()
        {
            *logs = lines();
        }
        self
    }

    /// Returns the final state of a task with this outcome.
    pub const fn state(&self) -> State {
        match self {
            Self::Succeeded(_) => State::Succeeded,
            Self::Failed(..) => State::Failed,
            Self::TimedOut(_) => State::TimedOut,
            Self::Cancelled(_) => State::Cancelled,
            Self::Lost => State::Lost,
        }
    }
}

/// The result of a script that succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Success {
    /// Its value as Rhai prints it.
    pub output: String,
    /// Its value as JSON.
    pub value: Value,
    /// Its log lines, in order.
    pub logs: Vec<LogLine>,
    /// Its cost.
    pub stats: Stats,
}

/// Why a play failed, other than by timeout or cancellation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Failure {
    /// The script did not compile, or stopped with an uncaught error.
    Script {
        /// The phase in which it failed.
        kind: ScriptErrorKind,
        /// Rhai's message, without the position.
        message: String,
        /// Line, counted from 1, if known.
        line: Option<u32>,
        /// Column in characters, counted from 1, if known.
        column: Option<u32>,
        /// The value that the script threw, if it threw; the value may be null.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        thrown: Option<Value>,
    },
    /// The script exceeded a limit.
    Limit {
        /// The limit's name, as `circles.json` spells it.
        limit: String,
    },
    /// The circle's policy forbids this call, or failed.
    Forbidden,
    /// The library has no script of this name.
    NoScript,
    /// The same call was made before and has ended, and its outcome is no longer stored.
    Dropped,
    /// Other plays changed documents that it had read, in each of its runs.
    Conflict,
    /// The storage became unavailable while it ran, and it could not be run again.
    Unavailable,
    /// An internal error. The cause is in the log under this id.
    Internal(Uuid),
}

/// Reads a member that is present, so that null is a value and only an absent member is `None`.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// The phase in which a script failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptErrorKind {
    /// The source is not Rhai.
    Compile,
    /// The script stopped while it ran.
    Runtime,
}

/// A line that a script logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The level that the script gave it.
    pub level: LogLevel,
    /// The text without its line break.
    pub text: String,
}

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// `debug(…)`
    Debug,
    /// `print(…)`
    Info,
    /// A warning.
    Warn,
    /// An error after which the script continued.
    Error,
}

/// The cost of a play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Microseconds from acceptance until a worker began.
    pub queued_us: u64,
    /// Microseconds that the script ran.
    pub elapsed_us: u64,
    /// Rhai operations.
    pub operations: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outcomes_of_earlier_versions_are_read() {
        let read = |value| serde_json::from_value::<Outcome>(value).unwrap();
        assert_eq!(read(json!("TimedOut")), Outcome::timed_out());
        assert_eq!(read(json!("Cancelled")), Outcome::cancelled());
        assert_eq!(read(json!("Lost")), Outcome::Lost);
        assert_eq!(read(json!({ "Failed": "Forbidden" })), Outcome::failed(Failure::Forbidden));
        let limit = Failure::Limit { limit: "operations".into() };
        assert_eq!(read(json!({ "Failed": { "Limit": { "limit": "operations" } } })), Outcome::failed(limit));
    }

    #[test]
    fn every_outcome_stores_its_log_lines() {
        let line = LogLine { level: LogLevel::Warn, text: "so far".into() };
        for outcome in [Outcome::failed(Failure::Conflict), Outcome::timed_out(), Outcome::cancelled()] {
            let plain = serde_json::to_value(&outcome).unwrap();
            assert_eq!(serde_json::from_value::<Outcome>(plain).unwrap(), outcome);
            let logged = outcome.with_logs(|| vec![line.clone()]);
            assert_eq!(logged.logs(), std::slice::from_ref(&line));
            let kept = serde_json::to_value(&logged).unwrap();
            assert_eq!(serde_json::from_value::<Outcome>(kept).unwrap(), logged);
        }
    }
}

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Kind, State};

/// The final state of a task, with what belongs to it, the lines that its script had logged by then among it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum Outcome {
    /// The script ended and what it wrote stays.
    Succeeded(Success),
    /// The script or its surroundings failed; nothing it wrote stays.
    Failed(Failure, Vec<LogLine>),
    /// Its deadline passed, in the queue or while it ran.
    TimedOut(Vec<LogLine>),
    /// Somebody ended it: its caller, by hand or by going away, or a shutdown.
    Cancelled(Vec<LogLine>),
    /// Its worker died when it may have had outside effects, so it was not run again. What it logged died with it.
    Lost,
}

/// How long a submitted task that may not run is remembered, so that its submitter learns why: not long, as whoever
/// may do nothing can submit as many as it likes.
const FORBIDDEN_TASK: Duration = Duration::from_secs(60);

impl Outcome {
    /// For how long a task that ended so is remembered, without its key, if it is a refusal. Nothing is remembered of a
    /// play, whose caller was told.
    pub fn refusal(&self, kind: Kind, side_effects: bool, remember_for: Duration) -> Option<Duration> {
        if side_effects || !self.is_refusal() {
            return None;
        }
        Some(match (kind, self) {
            (Kind::Play, _) => Duration::ZERO,
            (Kind::Submitted { .. }, Self::Failed(Failure::Forbidden, _)) => FORBIDDEN_TASK.min(remember_for),
            (Kind::Submitted { .. }, _) => remember_for,
        })
    }

    /// Whether it was refused before its script ran, or for a reason of ours: nothing has happened, and the same call
    /// may end otherwise later. So its idempotency key is free again.
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

/// An outcome as it is kept and sent: one without lines as before there were lines in it.
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
    /// A failure before anything was logged.
    pub const fn failed(failure: Failure) -> Self {
        Self::Failed(failure, Vec::new())
    }

    /// The end of its time before anything was logged.
    pub const fn timed_out() -> Self {
        Self::TimedOut(Vec::new())
    }

    /// A cancellation before anything was logged.
    pub const fn cancelled() -> Self {
        Self::Cancelled(Vec::new())
    }

    /// What the script had logged, in order.
    pub fn logs(&self) -> &[LogLine] {
        match self {
            Self::Succeeded(success) => &success.logs,
            Self::Failed(_, logs) | Self::TimedOut(logs) | Self::Cancelled(logs) => logs,
            Self::Lost => &[],
        }
    }

    /// With these lines, unless it has some.
    #[must_use]
    pub fn with_logs(mut self, lines: impl FnOnce() -> Vec<LogLine>) -> Self {
        if let Self::Failed(_, logs) | Self::TimedOut(logs) | Self::Cancelled(logs) = &mut self
            && logs.is_empty()
        {
            *logs = lines();
        }
        self
    }

    /// The final state of a task that ended so.
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

/// What a script that succeeded left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Success {
    /// Its value as Rhai prints it.
    pub output: String,
    /// Its value as JSON.
    pub value: Value,
    /// What it logged, in order.
    pub logs: Vec<LogLine>,
    /// What it cost.
    pub stats: Stats,
}

/// Why a play failed, apart from time and cancellation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Failure {
    /// The script did not compile, or stopped with an error that nobody caught.
    Script {
        /// Which of the two.
        kind: ScriptErrorKind,
        /// What Rhai says, without the place.
        message: String,
        /// Line, counted from 1, where it is known.
        line: Option<u32>,
        /// Column in characters, counted from 1, where it is known.
        column: Option<u32>,
        /// What the script threw, if it threw, be it null.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there")]
        thrown: Option<Value>,
    },
    /// The script passed a limit.
    Limit {
        /// Its name, as `circles.json` spells it.
        limit: String,
    },
    /// The circle's policy does not let this caller do that, or failed.
    Forbidden,
    /// The library has no script of this name.
    NoScript,
    /// The call was made before and has ended, and what it left is no longer kept.
    Dropped,
    /// Other plays overtook its reads as often as it was run.
    Conflict,
    /// Redis went away while it ran, and it could not be run again.
    Unavailable,
    /// A fault of ours. The cause stands in the log under this id.
    Internal(Uuid),
}

/// Of what is there null is a value like others.
fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// Whether a script failed before or while it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptErrorKind {
    /// The source is not Rhai.
    Compile,
    /// It stopped while it ran.
    Runtime,
}

/// One line that a script logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How the script rated it.
    pub level: LogLevel,
    /// The line, without its end.
    pub text: String,
}

/// How a script rates a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// `debug(…)`
    Debug,
    /// `print(…)`
    Info,
    /// A warning.
    Warn,
    /// An error that the script went on after.
    Error,
}

/// What a play cost.
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
    fn outcomes_of_before_they_had_lines_are_read() {
        let read = |value| serde_json::from_value::<Outcome>(value).unwrap();
        assert_eq!(read(json!("TimedOut")), Outcome::timed_out());
        assert_eq!(read(json!("Cancelled")), Outcome::cancelled());
        assert_eq!(read(json!("Lost")), Outcome::Lost);
        assert_eq!(read(json!({ "Failed": "Forbidden" })), Outcome::failed(Failure::Forbidden));
        let limit = Failure::Limit { limit: "operations".into() };
        assert_eq!(read(json!({ "Failed": { "Limit": { "limit": "operations" } } })), Outcome::failed(limit));
    }

    #[test]
    fn lines_are_kept_with_every_outcome() {
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

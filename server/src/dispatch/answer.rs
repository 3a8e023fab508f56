//! What outcomes and tasks are to a caller.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use circles_api::{
    Error, Fault,
    types::{
        CancelledData, LimitData, LogLevel, LogLine, PlayResult, PlayStats, ScriptErrorData, ScriptErrorKind,
        ScriptTimeoutData, Task, TaskData, TaskError, UnixMillis,
    },
};
use circles_store as store;
use circles_store::{Failure, Outcome, TaskId, TaskView};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::Value;

use super::unavailable;
use crate::fault::internal;

/// A task as its caller sees it.
pub fn task(view: TaskView) -> Result<Task, Error> {
    let TaskView { id, caller, script_name, state, accepted_at, timeout, started_at, ended_at, outcome } =
        view;
    let (result, error) = match outcome.map(|outcome| played(id, timeout, outcome)) {
        None => (None, None),
        Some(Ok(result)) => (Some(result), None),
        Some(Err(error)) => (None, Some(task_error(error)?)),
    };
    let script_name = script_name.map(|name| String::from(name).try_into()).transpose().map_err(internal)?;
    Ok(Task {
        task_id: id.into(),
        state: state.into(),
        caller: caller.to_string().try_into().map_err(internal)?,
        script_name,
        submitted_at: millis(accepted_at)?,
        started_at: started_at.map(millis).transpose()?,
        ended_at: ended_at.map(millis).transpose()?,
        result,
        error,
    })
}

/// The error object that a call would have been answered with.
fn task_error(error: Error) -> Result<TaskError, Error> {
    let object = ErrorObjectOwned::from(error);
    let data = object.data().map(|data| serde_json::from_str::<Value>(data.get())).transpose();
    Ok(TaskError {
        code: i64::from(object.code()).try_into().map_err(internal)?,
        message: object.message().to_owned(),
        data: data.map_err(internal)?,
    })
}

fn millis(time: SystemTime) -> Result<UnixMillis, Error> {
    let millis = time.duration_since(UNIX_EPOCH).map_err(internal)?.as_millis();
    u64::try_from(millis).map_err(internal)?.try_into().map_err(internal)
}

/// What an outcome is to the caller of a play.
pub fn played(id: TaskId, timeout: Duration, outcome: Outcome) -> Result<PlayResult, Error> {
    match outcome {
        Outcome::Succeeded(success) => Ok(PlayResult {
            task_id: id.into(),
            output: success.output,
            value: success.value,
            logs: lines(success.logs),
            stats: stats(success.stats)?,
        }),
        Outcome::Failed(failure, logs) => Err(failed(id, failure).with_logs(lines(logs))),
        Outcome::TimedOut(logs) => Err(timed_out(timeout).with_logs(lines(logs))),
        Outcome::Cancelled(logs) => Err(cancelled().with_logs(lines(logs))),
        Outcome::Lost => Err(Fault::WorkerLost(task_data(id)).into()),
    }
}

fn failed(id: TaskId, failure: Failure) -> Error {
    match failure {
        Failure::Forbidden => Fault::Forbidden.into(),
        Failure::NoScript => Fault::ScriptNotFound.into(),
        Failure::Dropped => {
            let message =
                "this call was made before, and its outcome is no longer kept: `task` has its state";
            Error::declared(Fault::Conflict(task_data(id)), message)
        }
        Failure::Conflict => Fault::Conflict(task_data(id)).into(),
        Failure::Script { kind, message, line, column, thrown } => {
            let kind = match kind {
                store::ScriptErrorKind::Compile => ScriptErrorKind::Compile,
                store::ScriptErrorKind::Runtime => ScriptErrorKind::Runtime,
            };
            // A place that the document has no room for is as good as none.
            let line = line.and_then(|line| u64::from(line).try_into().ok());
            let column = column.and_then(|column| u64::from(column).try_into().ok());
            Error::declared(
                Fault::ScriptError(ScriptErrorData { kind, line, column, thrown, logs: None }),
                message,
            )
        }
        Failure::Limit { limit } => {
            let message = format!("the script passed the limit {limit}");
            match limit.try_into() {
                Ok(limit) => Error::declared(Fault::LimitExceeded(LimitData { limit, logs: None }), message),
                Err(error) => internal(error),
            }
        }
        Failure::Unavailable => unavailable(),
        Failure::Internal(id) => Error::internal(Some(id)),
    }
}

fn timed_out(timeout: Duration) -> Error {
    match u64::try_from(timeout.as_millis()).ok().and_then(|millis| millis.try_into().ok()) {
        Some(timeout_ms) => Fault::ScriptTimeout(ScriptTimeoutData { timeout_ms, logs: None }).into(),
        None => internal("a time limit longer than a day"),
    }
}

fn cancelled() -> Error {
    Fault::Cancelled(CancelledData { logs: None }).into()
}

fn task_data(id: TaskId) -> TaskData {
    TaskData { task_id: id.into(), logs: None }
}

fn lines(logs: Vec<store::LogLine>) -> Vec<LogLine> {
    logs.into_iter().map(log_line).collect()
}

pub fn log_line(line: store::LogLine) -> LogLine {
    let level = match line.level {
        store::LogLevel::Debug => LogLevel::Debug,
        store::LogLevel::Info => LogLevel::Info,
        store::LogLevel::Warn => LogLevel::Warn,
        store::LogLevel::Error => LogLevel::Error,
    };
    LogLine { level, text: line.text }
}

fn stats(stats: store::Stats) -> Result<PlayStats, Error> {
    Ok(PlayStats {
        queued_us: stats.queued_us.try_into().map_err(internal)?,
        elapsed_us: stats.elapsed_us.try_into().map_err(internal)?,
        operations: stats.operations.try_into().map_err(internal)?,
    })
}

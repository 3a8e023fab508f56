//! Converts the store's tasks, outcomes and errors to the types of `openrpc.json`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use circles_api::{
    Error, Fault,
    types::{
        CancelledData, LimitData, LogLevel, LogLine, PlayResult, PlayStats, ScriptErrorData, ScriptErrorKind,
        ScriptTimeoutData, Task, TaskData, TaskError, UnixMillis,
    },
};
use circles_store as store;
use circles_store::{Failure, Outcome, Task as StoreTask, TaskId, TaskView};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::Value;

use crate::error::{internal, retry_after};

/// The wait before a caller should retry after a full queue or a store that is not available: about the time in which
/// a full queue of short plays drains.
const STORE_RETRY_AFTER: Duration = Duration::from_millis(500);

/// Converts a task.
pub(crate) fn task(view: TaskView) -> Result<Task, Error> {
    let TaskView { id, caller, script_name, state, accepted_at, timeout, started_at, ended_at, outcome } =
        view;
    let (result, error) = match outcome.map(|outcome| play_result(id, timeout, outcome)) {
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

/// Converts an error to the error object of a task, which is the one that a call would have got.
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

/// Converts the outcome of a play.
pub(crate) fn play_result(id: TaskId, timeout: Duration, outcome: Outcome) -> Result<PlayResult, Error> {
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
                "this call was made before, and its outcome is no longer stored: `task` returns its state";
            Error::declared(Fault::Conflict(task_data(id)), message)
        }
        Failure::Conflict => Fault::Conflict(task_data(id)).into(),
        Failure::Script { kind, message, line, column, thrown } => {
            let kind = match kind {
                store::ScriptErrorKind::Compile => ScriptErrorKind::Compile,
                store::ScriptErrorKind::Runtime => ScriptErrorKind::Runtime,
            };
            // A position above the document's maximum is left out.
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

/// Converts a store's error.
pub(crate) fn store_error(error: store::Error) -> Error {
    match error {
        store::Error::QueueFull => Fault::Overloaded(retry_after(STORE_RETRY_AFTER)).into(),
        store::Error::ShareFull(time) => {
            let message = "this caller has as many remembered tasks as the circle allows";
            Error::declared(Fault::RateLimited(retry_after(time)), message)
        }
        store::Error::GuestsFull(time) => {
            let message = "guests have as many remembered tasks as the circle allows";
            Error::declared(Fault::Overloaded(retry_after(time)), message)
        }
        store::Error::KeyReused(first) => Fault::Conflict(task_data(first)).into(),
        store::Error::Closed => unavailable(),
        store::Error::Unavailable(cause) | store::Error::StorageFull(cause) => {
            tracing::debug!(%cause, "refused a call: the store is not available");
            unavailable()
        }
        other => internal(other),
    }
}

/// Returns the error for a play that has not ended when this server does (`docs/operations.md` has the table). A play
/// with an idempotency key goes on, and a repeated call gets its outcome; another one is cancelled, as only this
/// server waits for it.
pub(crate) fn aborted(task: &StoreTask) -> Error {
    if task.is_remembered() { unavailable() } else { cancelled() }
}

/// Returns the error for a store that is not available or a server that shuts down.
pub(crate) fn unavailable() -> Error {
    Fault::BackendUnavailable(retry_after(STORE_RETRY_AFTER)).into()
}

fn timed_out(timeout: Duration) -> Error {
    match u64::try_from(timeout.as_millis()).ok().and_then(|millis| millis.try_into().ok()) {
        Some(timeout_ms) => Fault::ScriptTimeout(ScriptTimeoutData { timeout_ms, logs: None }).into(),
        None => internal("a timeout of more than a day"),
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

pub(crate) fn log_line(line: store::LogLine) -> LogLine {
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

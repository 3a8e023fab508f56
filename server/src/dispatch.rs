//! The only road from the edge to the store: what every way of asking for a play passes.

mod watch;

use std::{sync::Arc, time::Duration};

use crate::fault::retry_after;
use circles_api::{
    Error, Fault,
    types::{
        LimitData, LogLevel, LogLine, PlayResult, PlayStats, ScriptErrorData, ScriptErrorKind,
        ScriptTimeoutData, TaskData,
    },
};
use circles_store as store;
use circles_store::{Failure, Outcome, Store, Task, TaskId};

pub use self::watch::{Begin, WatchRequest, WatchSource};

/// When to try again after a refusal that time heals: about as long as a full queue of short plays takes.
const RETRY: Duration = Duration::from_millis(500);

/// Takes plays to the store and outcomes back.
#[derive(Clone)]
pub struct Dispatch {
    store: Arc<dyn Store>,
    task_timeout: Duration,
}

impl Dispatch {
    /// Plays go to `store`; none may take longer than `task_timeout`, which also holds where a caller names
    /// no limit.
    pub fn new(store: Arc<dyn Store>, task_timeout: Duration) -> Self {
        Self { store, task_timeout }
    }

    /// The time a play gets that asked for `wanted`.
    pub fn timeout(&self, wanted: Option<Duration>) -> Duration {
        wanted.map_or(self.task_timeout, |wanted| wanted.min(self.task_timeout))
    }

    /// Plays a task and waits for what it leaves. Dropping the future cancels the play, unless the task has an
    /// idempotency key.
    pub async fn play(&self, task: Task) -> Result<PlayResult, Error> {
        let timeout = task.timeout;
        let ticket = self.store.submit(task).await.map_err(refused)?;
        let id = ticket.task();
        result(id, timeout, ticket.await)
    }
}

/// What a store's refusal is to a caller.
fn refused(error: store::Error) -> Error {
    match error {
        store::Error::Full => Fault::Overloaded(retry_after(RETRY)).into(),
        store::Error::Conflict(first) => Fault::Conflict(TaskData { task_id: first.into() }).into(),
        store::Error::Closed => Fault::BackendUnavailable(retry_after(RETRY)).into(),
        other => crate::fault::internal(other),
    }
}

/// What an outcome is to a caller.
fn result(id: TaskId, timeout: Duration, outcome: Outcome) -> Result<PlayResult, Error> {
    match outcome {
        Outcome::Succeeded(success) => Ok(PlayResult {
            task_id: id.into(),
            output: success.output,
            value: success.value,
            logs: success.logs.into_iter().map(log_line).collect(),
            stats: stats(success.stats)?,
        }),
        Outcome::Failed(failure) => Err(failed(failure)),
        Outcome::TimedOut => Err(timed_out(timeout)),
        Outcome::Cancelled => Err(Fault::Cancelled.into()),
    }
}

fn failed(failure: Failure) -> Error {
    match failure {
        Failure::Script { kind, message, line, column, thrown } => {
            let kind = match kind {
                store::ScriptErrorKind::Compile => ScriptErrorKind::Compile,
                store::ScriptErrorKind::Runtime => ScriptErrorKind::Runtime,
            };
            // A place that the document has no room for is as good as none.
            let line = line.and_then(|line| u64::from(line).try_into().ok());
            let column = column.and_then(|column| u64::from(column).try_into().ok());
            Error::declared(Fault::ScriptError(ScriptErrorData { kind, line, column, thrown }), message)
        }
        Failure::Limit { limit } => {
            let message = format!("the script passed the limit {limit}");
            match limit.try_into() {
                Ok(limit) => Error::declared(Fault::LimitExceeded(LimitData { limit }), message),
                Err(error) => crate::fault::internal(error),
            }
        }
        Failure::Internal(id) => Error::Internal { id: Some(id) },
    }
}

fn timed_out(timeout: Duration) -> Error {
    match u64::try_from(timeout.as_millis()).ok().and_then(|millis| millis.try_into().ok()) {
        Some(timeout_ms) => Fault::ScriptTimeout(ScriptTimeoutData { timeout_ms }).into(),
        None => crate::fault::internal("a time limit longer than a day"),
    }
}

fn log_line(line: store::LogLine) -> LogLine {
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
        queued_us: stats.queued_us.try_into().map_err(crate::fault::internal)?,
        elapsed_us: stats.elapsed_us.try_into().map_err(crate::fault::internal)?,
        operations: stats.operations.try_into().map_err(crate::fault::internal)?,
    })
}

use std::time::Duration;

use circles_api::types::{Script, ScriptName};
use circles_store::{Caller, CircleId, TaskId};
use serde_json::Value;

/// What somebody wants to watch.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    /// In whose context.
    pub circle: CircleId,
    /// Who asks, verified.
    pub caller: Caller,
    /// What is watched.
    pub source: WatchSource,
}

/// A play to begin, or a task under way.
#[derive(Clone, Debug)]
pub enum WatchSource {
    /// A play of this source.
    Script(Script, Begin),
    /// A play of a script of the circle's library.
    Library(ScriptName, Begin),
    /// A task that somebody began before.
    Task(TaskId),
}

/// How a play begins.
#[derive(Clone, Debug)]
pub struct Begin {
    /// What the script sees as `ARGS`.
    pub args: Value,
    /// How long it may take from acceptance; the circle's own limit is kept.
    pub timeout: Duration,
}

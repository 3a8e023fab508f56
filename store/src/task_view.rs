use std::time::{Duration, SystemTime};

use crate::{
    outcome::Outcome,
    task::{Caller, State, TaskId},
};

/// A task as callers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// The task's name.
    pub id: TaskId,
    /// The verified caller.
    pub caller: Caller,
    /// The name of the library script that it runs, if it runs one.
    pub script_name: Option<Box<str>>,
    /// The current state.
    pub state: State,
    /// Time of acceptance.
    pub accepted_at: SystemTime,
    /// The time it may take, counted from acceptance.
    pub timeout: Duration,
    /// Start of the latest run.
    pub started_at: Option<SystemTime>,
    /// Time of the end.
    pub ended_at: Option<SystemTime>,
    /// The outcome once it has ended; absent in lists.
    pub outcome: Option<Outcome>,
}

/// Selects the tasks of a list.
#[derive(Clone, Debug)]
pub struct TaskFilter {
    /// Tasks of this caller alone; of all callers if `None`.
    pub caller: Option<Caller>,
    /// Tasks in this state alone.
    pub state: Option<State>,
    /// Tasks older than this one: [`TaskPage::next`] of the page before.
    pub before: Option<TaskId>,
    /// The most tasks that the page may hold.
    pub limit: usize,
}

/// A page of tasks, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskPage {
    /// The tasks, without their outcomes.
    pub tasks: Vec<TaskView>,
    /// The value of [`TaskFilter::before`] for the next page, if there may be one.
    pub next: Option<TaskId>,
}

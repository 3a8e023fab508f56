//! Queries of the tasks in a circle's file. They block.

use std::{
    ops::Bound,
    time::{Duration, SystemTime},
};

use circles_store::{Error, Outcome, TaskFilter, TaskId, TaskPage};
use redb::{ReadableTable as _, TableError};

use super::{
    file::DbFile,
    tables::{BODIES, BY_CALLER, GUESTS, KEYS, OUTCOMES, SHARES, TASKS, UNFINISHED, task_row},
};
use crate::{
    embedded_config::MAX_LISTED,
    task_row::{TaskBody, TaskRow, decode},
    unix_time::whole_millis,
};

/// How much is remembered for a caller.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CallerUsage {
    pub(crate) own: Usage,
    /// The usage of all guests together.
    pub(crate) guests: Usage,
    /// The expiry of the caller's oldest task, in milliseconds of Unix time.
    pub(crate) oldest_expiry_ms: Option<u64>,
}

/// How much a share holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) tasks: u64,
    /// Bytes of their outcomes.
    pub(crate) bytes: u64,
}

impl DbFile {
    /// Returns a remembered task and its outcome, if that is stored.
    pub(crate) fn task(&self, id: TaskId) -> Result<Option<(TaskRow, Option<Outcome>)>, Error> {
        self.read(|read| {
            let Some(row) = task_row(&read.open_table(TASKS)?, id)? else { return Ok(None) };
            let outcome = read.open_table(OUTCOMES)?.get(id.as_u128())?;
            let outcome = outcome.map(|outcome| decode(outcome.value())).transpose()?;
            Ok(Some((row, outcome)))
        })
    }

    /// Returns the remembered task with this idempotency key.
    pub(crate) fn task_of_key(
        &self,
        caller: &str,
        key: &str,
    ) -> Result<Option<(TaskRow, Option<Outcome>)>, Error> {
        let id = self.read(|read| Ok(read.open_table(KEYS)?.get((caller, key))?.map(|id| id.value())))?;
        let Some(id) = id else { return Ok(None) };
        let found = self.task(TaskId::from_u128(id))?;
        Ok(found.filter(|(row, _)| !row.is_forgotten(SystemTime::now(), self.retention().time)))
    }

    /// Returns how much is remembered for a caller.
    pub(crate) fn usage(&self, caller: &str) -> Result<CallerUsage, Error> {
        self.read(|read| {
            let usage_of = |share: &str| -> Result<Usage, redb::Error> {
                let table = match read.open_table(SHARES) {
                    // Files of earlier versions have no such table before the first task ends.
                    Err(TableError::TableDoesNotExist(_)) => return Ok(Usage::default()),
                    other => other?,
                };
                let (tasks, bytes) = table.get(share)?.map(|share| share.value()).unwrap_or_default();
                Ok(Usage { tasks, bytes })
            };
            let first = Bound::Included((caller, 0));
            let last = Bound::Included((caller, u128::MAX));
            let oldest =
                read.open_table(BY_CALLER)?.range::<(&str, u128)>((first, last))?.next().transpose()?;
            let oldest = oldest.map(|(key, _)| TaskId::from_u128(key.value().1));
            let oldest = match oldest {
                Some(id) => task_row(&read.open_table(TASKS)?, id)?,
                None => None,
            };
            let remember_for = whole_millis(self.retention().time);
            let oldest_expiry_ms = oldest.and_then(|row| {
                row.until_ms.or(row.ended_ms.map(|ended| ended.saturating_add(remember_for)))
            });
            Ok(CallerUsage { own: usage_of(caller)?, guests: usage_of(GUESTS)?, oldest_expiry_ms })
        })
    }

    /// Returns the tasks that have not ended, oldest first, with their bodies.
    pub(crate) fn unfinished(&self) -> Result<Vec<(TaskRow, TaskBody)>, Error> {
        self.read(|read| {
            let (tasks, bodies) = (read.open_table(TASKS)?, read.open_table(BODIES)?);
            let mut found = Vec::new();
            for id in read.open_table(UNFINISHED)?.iter()? {
                let id = TaskId::from_u128(id?.0.value());
                let body = bodies.get(id.as_u128())?.map(|body| decode(body.value())).transpose()?;
                if let (Some(row), Some(body)) = (task_row(&tasks, id)?, body) {
                    found.push((row, body));
                }
            }
            Ok(found)
        })
    }

    /// Returns a page of remembered tasks. Tasks in progress may have outdated states.
    pub(crate) fn tasks(&self, filter: &TaskFilter) -> Result<TaskPage, Error> {
        self.read(|read| {
            let tasks = read.open_table(TASKS)?;
            let end = filter.before.map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_u128()));
            let mut page = PageBuilder::new(filter, self.retention().time);
            match &filter.caller {
                None => {
                    for found in tasks.range::<u128>((Bound::Unbounded, end))?.rev() {
                        if !page.add(decode(found?.1.value())?) {
                            break;
                        }
                    }
                }
                Some(caller) => {
                    let caller = caller.to_string();
                    let last = match end {
                        Bound::Excluded(id) => Bound::Excluded((caller.as_str(), id)),
                        _ => Bound::Included((caller.as_str(), u128::MAX)),
                    };
                    let first = Bound::Included((caller.as_str(), 0));
                    for found in read.open_table(BY_CALLER)?.range::<(&str, u128)>((first, last))?.rev() {
                        let id = TaskId::from_u128(found?.0.value().1);
                        if let Some(row) = task_row(&tasks, id)?
                            && !page.add(row)
                        {
                            break;
                        }
                    }
                }
            }
            Ok(page.page)
        })
    }
}

/// Collects the tasks of a page.
struct PageBuilder<'a> {
    page: TaskPage,
    filter: &'a TaskFilter,
    looked_at: usize,
    now: SystemTime,
    remember_for: Duration,
}

impl<'a> PageBuilder<'a> {
    fn new(filter: &'a TaskFilter, remember_for: Duration) -> Self {
        let page = TaskPage { tasks: Vec::new(), next: None };
        Self { page, filter, looked_at: 0, now: SystemTime::now(), remember_for }
    }

    /// Adds a task if it is remembered and matches the filter. Returns whether the page has room for more.
    fn add(&mut self, row: TaskRow) -> bool {
        self.looked_at += 1;
        let id = row.id;
        let is_remembered = !row.is_forgotten(self.now, self.remember_for);
        if is_remembered && self.filter.state.is_none_or(|state| state == row.state) {
            self.page.tasks.push(row.into_view(None));
        }
        let is_full = self.page.tasks.len() >= self.filter.limit || self.looked_at >= MAX_LISTED;
        self.page.next = is_full.then_some(id);
        !is_full
    }
}

//! What a file remembers of tasks, for those who ask.

use std::{ops::Bound, time::SystemTime};

use redb::{ReadableTable, TableError};

use super::{
    super::{
        row::{Body, Row, decode},
        under_way::LOOKS,
    },
    BODIES, BY_CALLER, File, GUESTS, KEYS, OUTCOMES, SHARES, TASKS, UNFINISHED,
};
use circles_store::{Error, Outcome, TaskFilter, TaskId, TaskPage};

/// What is remembered for one caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shares {
    /// Tasks, and bytes of what they left.
    pub own: (u64, u64),
    /// The same of all guests together.
    pub guests: (u64, u64),
    /// When the first of the caller's tasks may be forgotten, in milliseconds of Unix time.
    pub oldest_ms: Option<u64>,
}

impl File {
    /// A task that is remembered, and what it left.
    pub fn task(&self, id: TaskId) -> Result<Option<(Row, Option<Outcome>)>, Error> {
        self.read(|read| {
            let Some(row) = row(&read.open_table(TASKS)?, id)? else { return Ok(None) };
            let outcome = read.open_table(OUTCOMES)?.get(id.as_u128())?;
            let outcome = outcome.map(|outcome| decode(outcome.value())).transpose()?;
            Ok(Some((row, outcome)))
        })
    }

    /// The task that was called with this key within the time it is remembered.
    pub fn task_of_key(&self, caller: &str, key: &str) -> Result<Option<(Row, Option<Outcome>)>, Error> {
        let id = self.read(|read| Ok(read.open_table(KEYS)?.get((caller, key))?.map(|id| id.value())))?;
        let Some(id) = id else { return Ok(None) };
        let found = self.task(TaskId::from_u128(id))?;
        Ok(found.filter(|(row, _)| !row.is_forgotten(SystemTime::now(), self.retention.time)))
    }

    /// What is remembered for a caller.
    pub fn shares(&self, caller: &str) -> Result<Shares, Error> {
        self.read(|read| {
            let of = |whose: &str| -> Result<(u64, u64), redb::Error> {
                let table = match read.open_table(SHARES) {
                    // Files of an earlier version have none before the first task ends.
                    Err(TableError::TableDoesNotExist(_)) => return Ok((0, 0)),
                    other => other?,
                };
                Ok(table.get(whose)?.map(|share| share.value()).unwrap_or_default())
            };
            let first = Bound::Included((caller, 0));
            let last = Bound::Included((caller, u128::MAX));
            let oldest =
                read.open_table(BY_CALLER)?.range::<(&str, u128)>((first, last))?.next().transpose()?;
            let oldest = oldest.map(|(key, _)| TaskId::from_u128(key.value().1));
            let oldest = match oldest {
                Some(id) => row(&read.open_table(TASKS)?, id)?,
                None => None,
            };
            let oldest_ms = oldest.and_then(|row| {
                row.until_ms.or(row.ended_ms.map(|ended| {
                    ended.saturating_add(u64::try_from(self.retention.time.as_millis()).unwrap_or(u64::MAX))
                }))
            });
            Ok(Shares { own: of(caller)?, guests: of(GUESTS)?, oldest_ms })
        })
    }

    /// Tasks that had not ended, oldest first, with what they run.
    pub fn unfinished(&self) -> Result<Vec<(Row, Body)>, Error> {
        self.read(|read| {
            let (tasks, bodies) = (read.open_table(TASKS)?, read.open_table(BODIES)?);
            let mut found = Vec::new();
            for id in read.open_table(UNFINISHED)?.iter()? {
                let id = TaskId::from_u128(id?.0.value());
                let body = bodies.get(id.as_u128())?.map(|body| decode(body.value())).transpose()?;
                if let (Some(row), Some(body)) = (row(&tasks, id)?, body) {
                    found.push((row, body));
                }
            }
            Ok(found)
        })
    }

    /// A page of tasks that are remembered. Those under way are known better to the process.
    pub fn tasks(&self, filter: &TaskFilter) -> Result<TaskPage, Error> {
        self.read(|read| {
            let tasks = read.open_table(TASKS)?;
            let end = filter.before.map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_u128()));
            let mut page = TaskPage { tasks: Vec::new(), next: None };
            let mut looks = 0;
            let now = SystemTime::now();
            let mut take = |row: Row| -> bool {
                looks += 1;
                let id = row.id;
                let known = !row.is_forgotten(now, self.retention.time);
                if known && filter.state.is_none_or(|state| state == row.state) {
                    page.tasks.push(row.view(None));
                }
                let full = page.tasks.len() >= filter.limit || looks >= LOOKS;
                page.next = full.then_some(id);
                !full
            };
            match &filter.caller {
                None => {
                    for found in tasks.range::<u128>((Bound::Unbounded, end))?.rev() {
                        if !take(decode(found?.1.value())?) {
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
                        if let Some(row) = row(&tasks, id)?
                            && !take(row)
                        {
                            break;
                        }
                    }
                }
            }
            Ok(page)
        })
    }
}

pub(super) fn row(
    tasks: &impl ReadableTable<u128, &'static [u8]>,
    id: TaskId,
) -> Result<Option<Row>, redb::Error> {
    let found = tasks.get(id.as_u128())?;
    found.map(|row| decode(row.value())).transpose()
}

//! What a file remembers of tasks, for those who ask.

use std::{ops::Bound, time::SystemTime};

use redb::ReadableTable;

use super::{
    super::row::{Body, Row, decode},
    BODIES, BY_CALLER, File, KEYS, OUTCOMES, TASKS, UNFINISHED,
};
use crate::{Error, Outcome, TaskFilter, TaskId, TaskPage};

/// Rows that one listing looks through before it answers with what it has.
const LOOKS: usize = 10_000;

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

    /// A page of tasks.
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

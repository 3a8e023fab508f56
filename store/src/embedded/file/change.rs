//! What a step of a circle's history puts into its file.

use std::{sync::Arc, time::SystemTime};

use redb::{ReadableTable as _, ReadableTableMetadata as _, WriteTransaction};

use super::{
    super::{
        chain::Ended,
        row::{Body, Row, decode, encode},
    },
    BODIES, BY_CALLER, BY_END, KEYS, META, OUTCOMES, Retention, TASKS, UNFINISHED, millis, number,
    tasks::row,
};
use crate::{Json, Key, Outcome, Task, TaskId};

/// What one step of a circle's history puts into its file.
#[derive(Default)]
pub struct Change {
    pub documents: Vec<(Key, Option<Json>)>,
    pub task: Option<TaskChange>,
    /// For the circle's provenance.
    pub record: Option<Ended>,
}

/// What happens to the record of a task.
pub enum TaskChange {
    Accepted(Arc<Task>),
    /// It may have had outside effects from here on.
    Marked(TaskId),
    /// As `Marked`, of a play that has no record yet.
    MarkedPlay(Arc<Task>),
    /// It is to be run again in spite of its mark.
    Retried(TaskId),
    Ended {
        task: Arc<Task>,
        started_at: Option<SystemTime>,
        outcome: Outcome,
    },
}

impl TaskChange {
    fn task(&self) -> TaskId {
        match self {
            Self::Accepted(task) | Self::MarkedPlay(task) | Self::Ended { task, .. } => task.id,
            Self::Marked(id) | Self::Retried(id) => *id,
        }
    }
}

impl Change {
    /// Whether the file stays as it is.
    pub const fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.task.is_none() && self.record.is_none()
    }

    /// Roughly how many bytes it takes while it waits.
    pub fn size(&self) -> usize {
        let documents = self.documents.iter();
        let documents: usize = documents
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, |value| value.len()) + 64)
            .sum();
        let outcome = match &self.task {
            Some(TaskChange::Ended { outcome: Outcome::Succeeded(success), .. }) => 2 * success.output.len(),
            _ => 0,
        };
        256 + documents + outcome
    }
}

/// Keeps what happened to a task.
pub(super) fn apply_task(write: &WriteTransaction, change: &TaskChange) -> Result<(), redb::Error> {
    let mut tasks = write.open_table(TASKS)?;
    // Changes of one task may come by each other, as when it is cancelled while it is taken in. Its end stands.
    if row(&tasks, change.task())?.is_some_and(|row| row.state.is_final()) {
        return Ok(());
    }
    match change {
        TaskChange::Accepted(task) => {
            let id = task.id.as_u128();
            let row = Row::accepted(task);
            write.open_table(BODIES)?.insert(id, encode(&Body::of(task))?.as_slice())?;
            write.open_table(UNFINISHED)?.insert(id, ())?;
            introduce(write, &row)?;
            tasks.insert(id, encode(&row)?.as_slice())?;
        }
        TaskChange::MarkedPlay(task) => {
            let mut row = Row::accepted(task);
            row.marked = true;
            write.open_table(BODIES)?.insert(task.id.as_u128(), encode(&Body::of(task))?.as_slice())?;
            write.open_table(UNFINISHED)?.insert(task.id.as_u128(), ())?;
            introduce(write, &row)?;
            tasks.insert(task.id.as_u128(), encode(&row)?.as_slice())?;
        }
        TaskChange::Marked(id) | TaskChange::Retried(id) => {
            let Some(mut row) = row(&tasks, *id)? else { return Ok(()) };
            row.marked = matches!(change, TaskChange::Marked(_));
            row.retries = row.retries.saturating_sub(u8::from(!row.marked));
            tasks.insert(id.as_u128(), encode(&row)?.as_slice())?;
        }
        TaskChange::Ended { task, started_at, outcome } => {
            let id = task.id.as_u128();
            let outcome_bytes = encode(outcome)?;
            let row = Row::accepted(task).ended(*started_at, outcome, outcome_bytes.len());
            write.open_table(BODIES)?.remove(id)?;
            write.open_table(UNFINISHED)?.remove(id)?;
            write.open_table(OUTCOMES)?.insert(id, outcome_bytes.as_slice())?;
            write.open_table(BY_END)?.insert((row.ended_ms.unwrap_or(0), id), ())?;
            introduce(write, &row)?;
            count(write, |bytes| bytes.saturating_add(row.bytes))?;
            tasks.insert(id, encode(&row)?.as_slice())?;
        }
    }
    Ok(())
}

/// Makes a task to be found by its caller and by its key.
fn introduce(write: &WriteTransaction, row: &Row) -> Result<(), redb::Error> {
    let (caller, id) = (row.caller.to_string(), row.id.as_u128());
    write.open_table(BY_CALLER)?.insert((caller.as_str(), id), ())?;
    if let Some(key) = &row.key {
        write.open_table(KEYS)?.insert((caller.as_str(), &**key), id)?;
    }
    Ok(())
}

/// Forgets the tasks that ended longest ago, as far as they are too old or too many; at most so many at once.
pub(super) fn forget(
    write: &WriteTransaction,
    retention: &Retention,
    most: usize,
) -> Result<(), redb::Error> {
    let mut by_end = write.open_table(BY_END)?;
    let mut tasks = write.open_table(TASKS)?;
    let oldest = SystemTime::now().checked_sub(retention.time).map_or(0, millis);
    let mut bytes = count(write, |bytes| bytes)?;
    for _ in 0..most {
        let Some((ended, id)) = by_end.first()?.map(|(first, _)| first.value()) else { break };
        if ended > oldest && by_end.len()? <= retention.tasks as u64 && bytes <= retention.bytes {
            break;
        }
        by_end.remove((ended, id))?;
        write.open_table(OUTCOMES)?.remove(id)?;
        let Some(row) = tasks.remove(id)?.map(|row| decode::<Row>(row.value())).transpose()? else {
            continue;
        };
        let caller = row.caller.to_string();
        write.open_table(BY_CALLER)?.remove((caller.as_str(), id))?;
        if let Some(key) = &row.key {
            let mut keys = write.open_table(KEYS)?;
            let own = keys.get((caller.as_str(), &**key))?.is_some_and(|of| of.value() == id);
            if own {
                keys.remove((caller.as_str(), &**key))?;
            }
        }
        bytes = count(write, |bytes| bytes.saturating_sub(row.bytes))?;
    }
    Ok(())
}

/// Changes how many bytes the outcomes take, and returns it.
fn count(write: &WriteTransaction, change: impl FnOnce(u64) -> u64) -> Result<u64, redb::Error> {
    let mut meta = write.open_table(META)?;
    let before = number(meta.get("task_bytes")?.map(|value| value.value().to_vec()));
    let after = change(before);
    if after != before {
        meta.insert("task_bytes", after.to_le_bytes().as_slice())?;
    }
    Ok(after)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // What is missing in a test fails it.
mod tests {
    use std::time::Duration;

    use circles_api::CircleId;
    use serde_json::Value;

    use super::*;
    use crate::{Caller, Kind, Source, embedded::file::File};

    fn of_task(task: TaskChange) -> Change {
        Change { task: Some(task), ..Change::default() }
    }

    /// Jobs of one circle are done by several threads: a task that is cancelled while it is taken in may end first.
    #[test]
    fn the_end_of_a_task_stands_whatever_comes_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let circle = CircleId::from_bytes([2; 33]).unwrap();
        let keep = Retention { time: Duration::from_secs(60), tasks: 10, bytes: 1 << 20 };
        let (file, mut chain) = File::open(&directory.path().join("circle.db"), &circle, keep).unwrap();
        let task =
            Task::new(circle, Caller::Anonymous, Source::script("a"), Value::Null, Duration::from_secs(1));
        let task = Arc::new(Task { kind: Kind::Submitted { retries: 1 }, ..task });
        let ended = |outcome| TaskChange::Ended { task: task.clone(), started_at: None, outcome };
        let after = [
            TaskChange::Accepted(task.clone()),
            TaskChange::MarkedPlay(task.clone()),
            TaskChange::Marked(task.id),
            TaskChange::Retried(task.id),
            ended(Outcome::TimedOut),
        ];
        file.apply(&[of_task(ended(Outcome::Cancelled))], &mut chain).unwrap();
        let before = file.task(task.id).unwrap().unwrap();
        for change in after {
            file.apply(&[of_task(change)], &mut chain).unwrap();
            let (row, outcome) = file.task(task.id).unwrap().unwrap();
            assert_eq!(outcome, Some(Outcome::Cancelled));
            assert_eq!(
                (row.state, row.marked, row.retries),
                (before.0.state, before.0.marked, before.0.retries)
            );
            assert!(file.unfinished().unwrap().is_empty());
        }
    }
}

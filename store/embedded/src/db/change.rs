use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use circles_store::{Json, Key, Outcome, Quota, Task, TaskId};
use redb::{ReadableTable as _, WriteTransaction};

use super::tables::{BODIES, BY_CALLER, BY_END, GUESTS, KEYS, OUTCOMES, SHARES, TASKS, UNFINISHED, task_row};
use crate::{
    record_chain::UnsealedRecord,
    running_file::RunNumber,
    task_row::{TaskBody, TaskRow, decode, encode},
    unix_time::{millis, whole_millis},
};

/// How long and how much of a circle's tasks is remembered after their end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    pub(crate) time: Duration,
    pub(crate) quota: Quota,
}

/// A change of a circle's file.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) documents: Vec<(Key, Option<Json>)>,
    pub(crate) task: Option<TaskChange>,
    pub(crate) record: Option<UnsealedRecord>,
    /// How many expired tasks to remove, besides those that each commit removes.
    pub(crate) sweeps: usize,
}

/// A change of a task's row.
pub(crate) enum TaskChange {
    Accepted(Arc<Task>),
    /// The task may have side effects from now on.
    Marked(TaskId),
    /// As `Marked`, for a play, which has no row yet.
    MarkedPlay(Arc<Task>),
    /// The task uses up a retry and is run again without its mark.
    Retried(TaskId),
    /// The process died during this run. With `uses_retry`, the task is run again without its mark.
    Crashed {
        id: TaskId,
        run: RunNumber,
        uses_retry: bool,
    },
    Ended {
        task: Arc<Task>,
        started_at: Option<SystemTime>,
        ended_at: SystemTime,
        outcome: Outcome,
        /// For a refused task, how long it is remembered, without its key.
        refusal_retention: Option<Duration>,
    },
}

impl TaskChange {
    fn id(&self) -> TaskId {
        match self {
            Self::Accepted(task) | Self::MarkedPlay(task) | Self::Ended { task, .. } => task.id,
            Self::Marked(id) | Self::Retried(id) | Self::Crashed { id, .. } => *id,
        }
    }
}

impl Change {
    pub(crate) const fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.task.is_none() && self.record.is_none() && self.sweeps == 0
    }

    /// Estimates the bytes of memory that it holds.
    pub(crate) fn size(&self) -> usize {
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

/// Applies the changes of tasks, and removes some expired tasks.
pub(super) fn apply_to_tasks(
    write: &WriteTransaction,
    changes: &[Change],
    retention: &Retention,
) -> Result<(), redb::Error> {
    let mut ended = 0;
    for change in changes {
        if let Some(task) = &change.task {
            apply(write, task, retention)?;
            ended += usize::from(matches!(task, TaskChange::Ended { .. }));
        }
        ended += change.sweeps;
    }
    // More than were added, so that expired tasks do not accumulate.
    if ended > 0 { remove_expired(write, retention, 2 * ended + 8) } else { Ok(()) }
}

fn apply(write: &WriteTransaction, change: &TaskChange, retention: &Retention) -> Result<(), redb::Error> {
    let mut tasks = write.open_table(TASKS)?;
    let found = task_row(&tasks, change.id())?;
    // Changes of a task may arrive out of order, as when it is cancelled while it is accepted. Its end is final.
    if found.as_ref().is_some_and(|row| row.state.is_final()) {
        return Ok(());
    }
    let row = match (change, found) {
        (TaskChange::Accepted(task), _) => Some(add_unfinished(write, task)?),
        (TaskChange::MarkedPlay(task), _) => Some(TaskRow { marked: true, ..add_unfinished(write, task)? }),
        (TaskChange::Marked(_), Some(row)) => Some(TaskRow { marked: true, ..row }),
        (TaskChange::Retried(_), Some(row)) => Some(use_retry(row)),
        (TaskChange::Crashed { run, uses_retry, .. }, Some(mut row)) => {
            if !row.deaths.contains(run) {
                row.deaths.push(*run);
            }
            Some(if *uses_retry { use_retry(row) } else { row })
        }
        (TaskChange::Ended { task, started_at, ended_at, outcome, refusal_retention }, _) => {
            let row = TaskRow::accepted(task).ended(*started_at, *ended_at, outcome);
            Some(add_ended(write, row, outcome, *refusal_retention, retention)?)
        }
        (_, None) => None,
    };
    if let Some(row) = row {
        tasks.insert(row.id.as_u128(), encode(&row)?.as_slice())?;
    }
    Ok(())
}

fn use_retry(row: TaskRow) -> TaskRow {
    TaskRow { marked: false, retries: row.retries.saturating_sub(1), ..row }
}

/// Adds what tables other than [`TASKS`] hold of a task that has not ended. Returns its row.
fn add_unfinished(write: &WriteTransaction, task: &Task) -> Result<TaskRow, redb::Error> {
    let id = task.id.as_u128();
    let row = TaskRow::accepted(task);
    write.open_table(BODIES)?.insert(id, encode(&TaskBody::of(task))?.as_slice())?;
    write.open_table(UNFINISHED)?.insert(id, ())?;
    add_to_indexes(write, &row)?;
    Ok(row)
}

/// Replaces what tables other than [`TASKS`] hold of a task by its end. Returns the complete row.
fn add_ended(
    write: &WriteTransaction,
    mut row: TaskRow,
    outcome: &Outcome,
    refusal_retention: Option<Duration>,
    retention: &Retention,
) -> Result<TaskRow, redb::Error> {
    let id = row.id.as_u128();
    write.open_table(BODIES)?.remove(id)?;
    write.open_table(UNFINISHED)?.remove(id)?;
    let ended = row.ended_ms.unwrap_or(0);
    // Tasks expire in the order of this table, so a task that expires earlier counts as ended earlier.
    let mut by_end = ended;
    if let Some(time) = refusal_retention {
        free_key(write, &row)?;
        row.key = None;
        row.until_ms = Some(ended.saturating_add(whole_millis(time)));
        by_end = ended.saturating_sub(whole_millis(retention.time.saturating_sub(time)));
    }
    let outcome = encode(outcome)?;
    row.counted = true;
    row.bytes = add_to_shares(write, &row, outcome.len() as u64, &retention.quota)?;
    if row.bytes > 0 {
        write.open_table(OUTCOMES)?.insert(id, outcome.as_slice())?;
    }
    write.open_table(BY_END)?.insert((by_end, id), ())?;
    add_to_indexes(write, &row)?;
    Ok(row)
}

/// Adds a task to the indexes by caller and by key.
fn add_to_indexes(write: &WriteTransaction, row: &TaskRow) -> Result<(), redb::Error> {
    let (caller, id) = (row.caller.to_string(), row.id.as_u128());
    write.open_table(BY_CALLER)?.insert((caller.as_str(), id), ())?;
    if let Some(key) = &row.key {
        write.open_table(KEYS)?.insert((caller.as_str(), &**key), id)?;
    }
    Ok(())
}

/// Removes the task's idempotency key, unless it belongs to a later task.
fn free_key(write: &WriteTransaction, row: &TaskRow) -> Result<(), redb::Error> {
    let Some(key) = &row.key else { return Ok(()) };
    let (caller, id) = (row.caller.to_string(), row.id.as_u128());
    let mut keys = write.open_table(KEYS)?;
    let is_own = keys.get((caller.as_str(), &**key))?.is_some_and(|owner| owner.value() == id);
    if is_own {
        keys.remove((caller.as_str(), &**key))?;
    }
    Ok(())
}

/// Removes up to `limit` expired tasks, those that expired first.
fn remove_expired(write: &WriteTransaction, retention: &Retention, limit: usize) -> Result<(), redb::Error> {
    let mut by_end = write.open_table(BY_END)?;
    let mut tasks = write.open_table(TASKS)?;
    let oldest = SystemTime::now().checked_sub(retention.time).map_or(0, millis);
    for _ in 0..limit {
        let Some((ended, id)) = by_end.first()?.map(|(first, _)| first.value()) else { break };
        if ended > oldest {
            break;
        }
        by_end.remove((ended, id))?;
        write.open_table(OUTCOMES)?.remove(id)?;
        let Some(row) = tasks.remove(id)?.map(|row| decode::<TaskRow>(row.value())).transpose()? else {
            continue;
        };
        let caller = row.caller.to_string();
        write.open_table(BY_CALLER)?.remove((caller.as_str(), id))?;
        free_key(write, &row)?;
        remove_from_shares(write, &row)?;
    }
    Ok(())
}

/// Outcomes up to this many bytes are stored even if a share is full: the share bounds their number.
const ALWAYS_STORED_BYTES: u64 = 512;

/// Returns the shares in which a task counts, with the bytes that each may hold.
fn shares(row: &TaskRow, quota: &Quota) -> impl Iterator<Item = (String, u64)> {
    let own = (row.caller.to_string(), quota.caller_bytes);
    std::iter::once(own).chain(row.guest.then(|| (GUESTS.to_owned(), quota.guest_bytes)))
}

/// Counts a task that ended in its shares. Returns how many bytes of its outcome are stored: all of them, or none if
/// tasks accepted before a share was full have filled it once more.
fn add_to_shares(
    write: &WriteTransaction,
    row: &TaskRow,
    bytes: u64,
    quota: &Quota,
) -> Result<u64, redb::Error> {
    let mut table = write.open_table(SHARES)?;
    let mut stored = bytes;
    for (share, limit) in shares(row, quota) {
        let (_, used) = table.get(share.as_str())?.map(|share| share.value()).unwrap_or_default();
        if bytes > ALWAYS_STORED_BYTES && used.saturating_add(bytes) > limit.saturating_mul(2) {
            stored = 0;
        }
    }
    for (share, _) in shares(row, quota) {
        let (tasks, used) = table.get(share.as_str())?.map(|share| share.value()).unwrap_or_default();
        table.insert(share.as_str(), (tasks + 1, used.saturating_add(stored)))?;
    }
    Ok(stored)
}

fn remove_from_shares(write: &WriteTransaction, row: &TaskRow) -> Result<(), redb::Error> {
    if !row.counted {
        return Ok(());
    }
    let mut table = write.open_table(SHARES)?;
    for (share, _) in shares(row, &Quota::default()) {
        let (tasks, used) = table.get(share.as_str())?.map(|share| share.value()).unwrap_or_default();
        if tasks <= 1 {
            table.remove(share.as_str())?;
        } else {
            table.insert(share.as_str(), (tasks - 1, used.saturating_sub(row.bytes)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use circles_api::CircleId;
    use circles_store::{Caller, Kind, Source};
    use serde_json::Value;

    use super::*;
    use crate::db::DbFile;

    fn of_task(task: TaskChange) -> Change {
        Change { task: Some(task), ..Change::default() }
    }

    /// Several threads work on one circle: a task that is cancelled while it is accepted may end first.
    #[test]
    fn end_of_task_stands_against_later_changes() {
        let directory = tempfile::tempdir().unwrap();
        let circle = CircleId::from_bytes([2; 33]).unwrap();
        let keep = Retention { time: Duration::from_secs(60), quota: Quota::default() };
        let (file, mut chain) = DbFile::open(&directory.path().join("circle.db"), &circle, keep).unwrap();
        let task =
            Task::new(circle, Caller::Anonymous, Source::script("a"), Value::Null, Duration::from_secs(1));
        let task = Arc::new(Task { kind: Kind::Submitted { retries: 1 }, ..task });
        let ended = |outcome| TaskChange::Ended {
            task: task.clone(),
            started_at: None,
            ended_at: SystemTime::now(),
            outcome,
            refusal_retention: None,
        };
        let after = [
            TaskChange::Accepted(task.clone()),
            TaskChange::MarkedPlay(task.clone()),
            TaskChange::Marked(task.id),
            TaskChange::Retried(task.id),
            TaskChange::Crashed { id: task.id, run: 1, uses_retry: true },
            ended(Outcome::timed_out()),
        ];
        file.apply(&[of_task(ended(Outcome::cancelled()))], &mut chain).unwrap();
        let before = file.task(task.id).unwrap().unwrap();
        for change in after {
            file.apply(&[of_task(change)], &mut chain).unwrap();
            let (row, outcome) = file.task(task.id).unwrap().unwrap();
            assert_eq!(outcome, Some(Outcome::cancelled()));
            assert_eq!(
                (row.state, row.marked, row.retries),
                (before.0.state, before.0.marked, before.0.retries)
            );
            assert!(file.unfinished().unwrap().is_empty());
        }
    }
}

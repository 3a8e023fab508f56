//! What a step of a circle's history puts into its file.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use redb::{ReadableTable as _, WriteTransaction};

use super::{
    super::{
        chain::Ended,
        row::{Body, Row, decode, encode},
    },
    BODIES, BY_CALLER, BY_END, GUESTS, KEYS, OUTCOMES, Retention, SHARES, TASKS, UNFINISHED, millis,
    tasks::row,
};
use circles_store::{Json, Key, Outcome, Quota, Task, TaskId};

/// What one step of a circle's history puts into its file.
#[derive(Default)]
pub struct Change {
    pub documents: Vec<(Key, Option<Json>)>,
    pub task: Option<TaskChange>,
    /// For the circle's provenance.
    pub record: Option<Ended>,
    /// About how many tasks more than usual are to be forgotten whose time is over.
    pub sweeps: usize,
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
    /// The process died in this run of it. `retried` if it is to be run again in spite of its mark.
    Died {
        id: TaskId,
        run: u64,
        retried: bool,
    },
    Ended {
        task: Arc<Task>,
        started_at: Option<SystemTime>,
        ended_at: SystemTime,
        outcome: Outcome,
        /// How long it is remembered, without its key, if it was refused.
        refused: Option<Duration>,
    },
}

impl TaskChange {
    fn task(&self) -> TaskId {
        match self {
            Self::Accepted(task) | Self::MarkedPlay(task) | Self::Ended { task, .. } => task.id,
            Self::Marked(id) | Self::Retried(id) | Self::Died { id, .. } => *id,
        }
    }
}

impl Change {
    /// Whether the file stays as it is.
    pub const fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.task.is_none() && self.record.is_none() && self.sweeps == 0
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
pub(super) fn apply_task(
    write: &WriteTransaction,
    change: &TaskChange,
    retention: &Retention,
) -> Result<(), redb::Error> {
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
        TaskChange::Died { id, run, retried } => {
            let Some(mut row) = row(&tasks, *id)? else { return Ok(()) };
            if !row.deaths.contains(run) {
                row.deaths.push(*run);
            }
            if *retried {
                row.marked = false;
                row.retries = row.retries.saturating_sub(1);
            }
            tasks.insert(id.as_u128(), encode(&row)?.as_slice())?;
        }
        TaskChange::Ended { task, started_at, ended_at, outcome, refused } => {
            let id = task.id.as_u128();
            write.open_table(BODIES)?.remove(id)?;
            write.open_table(UNFINISHED)?.remove(id)?;
            let mut row = Row::accepted(task).ended(*started_at, *ended_at, outcome);
            let ended = row.ended_ms.unwrap_or(0);
            // Where those lie that are forgotten at the same time.
            let mut by_end = ended;
            if let Some(time) = refused {
                free_key(write, &row)?;
                row.key = None;
                row.until_ms = Some(ended.saturating_add(whole_millis(*time)));
                by_end = ended.saturating_sub(whole_millis(retention.time.saturating_sub(*time)));
            }
            let outcome = encode(outcome)?;
            row.counted = true;
            row.bytes = take_share(write, &row, outcome.len() as u64, &retention.quota)?;
            if row.bytes > 0 {
                write.open_table(OUTCOMES)?.insert(id, outcome.as_slice())?;
            }
            write.open_table(BY_END)?.insert((by_end, id), ())?;
            introduce(write, &row)?;
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

/// Has a key lead to no task, if it leads to this one.
fn free_key(write: &WriteTransaction, row: &Row) -> Result<(), redb::Error> {
    let Some(key) = &row.key else { return Ok(()) };
    let (caller, id) = (row.caller.to_string(), row.id.as_u128());
    let mut keys = write.open_table(KEYS)?;
    let own = keys.get((caller.as_str(), &**key))?.is_some_and(|of| of.value() == id);
    if own {
        keys.remove((caller.as_str(), &**key))?;
    }
    Ok(())
}

/// Forgets tasks whose time is over, those first whose time was over first; at most so many at once.
pub(super) fn forget(
    write: &WriteTransaction,
    retention: &Retention,
    most: usize,
) -> Result<(), redb::Error> {
    let mut by_end = write.open_table(BY_END)?;
    let mut tasks = write.open_table(TASKS)?;
    let oldest = SystemTime::now().checked_sub(retention.time).map_or(0, millis);
    for _ in 0..most {
        let Some((ended, id)) = by_end.first()?.map(|(first, _)| first.value()) else { break };
        if ended > oldest {
            break;
        }
        by_end.remove((ended, id))?;
        write.open_table(OUTCOMES)?.remove(id)?;
        let Some(row) = tasks.remove(id)?.map(|row| decode::<Row>(row.value())).transpose()? else {
            continue;
        };
        let caller = row.caller.to_string();
        write.open_table(BY_CALLER)?.remove((caller.as_str(), id))?;
        free_key(write, &row)?;
        give_share_back(write, &row)?;
    }
    Ok(())
}

/// An outcome of so many bytes is kept however full its caller's share is: there are only so many of these.
const SMALL: u64 = 512;

/// The shares in which a task counts, each with the bytes that it has.
fn shares(row: &Row, quota: &Quota) -> impl Iterator<Item = (String, u64)> {
    let own = (row.caller.to_string(), quota.caller_bytes);
    std::iter::once(own).chain(row.guest.then(|| (GUESTS.to_owned(), quota.guest_bytes)))
}

/// Counts a task that ended in its shares. Returns how many bytes of its outcome are kept: all or, where what was
/// accepted before a share was full fills it once more, none.
fn take_share(write: &WriteTransaction, row: &Row, bytes: u64, quota: &Quota) -> Result<u64, redb::Error> {
    let mut table = write.open_table(SHARES)?;
    let mut kept = bytes;
    for (whose, most) in shares(row, quota) {
        let (_, taken) = table.get(whose.as_str())?.map(|share| share.value()).unwrap_or_default();
        if bytes > SMALL && taken.saturating_add(bytes) > most.saturating_mul(2) {
            kept = 0;
        }
    }
    for (whose, _) in shares(row, quota) {
        let (tasks, taken) = table.get(whose.as_str())?.map(|share| share.value()).unwrap_or_default();
        table.insert(whose.as_str(), (tasks + 1, taken.saturating_add(kept)))?;
    }
    Ok(kept)
}

fn give_share_back(write: &WriteTransaction, row: &Row) -> Result<(), redb::Error> {
    if !row.counted {
        return Ok(());
    }
    let mut table = write.open_table(SHARES)?;
    for (whose, _) in shares(row, &Quota::default()) {
        let (tasks, taken) = table.get(whose.as_str())?.map(|share| share.value()).unwrap_or_default();
        if tasks <= 1 {
            table.remove(whose.as_str())?;
        } else {
            table.insert(whose.as_str(), (tasks - 1, taken.saturating_sub(row.bytes)))?;
        }
    }
    Ok(())
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // What is missing in a test fails it.
mod tests {
    use circles_api::CircleId;
    use serde_json::Value;

    use super::*;
    use circles_store::{Caller, Kind, Source};

    use crate::file::File;

    fn of_task(task: TaskChange) -> Change {
        Change { task: Some(task), ..Change::default() }
    }

    /// Jobs of one circle are done by several threads: a task that is cancelled while it is taken in may end first.
    #[test]
    fn the_end_of_a_task_stands_whatever_comes_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let circle = CircleId::from_bytes([2; 33]).unwrap();
        let keep = Retention { time: Duration::from_secs(60), quota: Quota::default() };
        let (file, mut chain) = File::open(&directory.path().join("circle.db"), &circle, keep).unwrap();
        let task =
            Task::new(circle, Caller::Anonymous, Source::script("a"), Value::Null, Duration::from_secs(1));
        let task = Arc::new(Task { kind: Kind::Submitted { retries: 1 }, ..task });
        let ended = |outcome| TaskChange::Ended {
            task: task.clone(),
            started_at: None,
            ended_at: SystemTime::now(),
            outcome,
            refused: None,
        };
        let after = [
            TaskChange::Accepted(task.clone()),
            TaskChange::MarkedPlay(task.clone()),
            TaskChange::Marked(task.id),
            TaskChange::Retried(task.id),
            TaskChange::Died { id: task.id, run: 1, retried: true },
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

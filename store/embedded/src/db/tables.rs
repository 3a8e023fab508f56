//! The tables of a circle's file.

use circles_store::TaskId;
use redb::{ReadableTable, TableDefinition};

use crate::task_row::{TaskRow, decode};

pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
pub(super) const DOCUMENTS: TableDefinition<&str, &str> = TableDefinition::new("documents");
/// A [`TaskRow`] for each task.
pub(super) const TASKS: TableDefinition<u128, &[u8]> = TableDefinition::new("tasks");
/// The script and arguments of tasks that have not ended.
pub(super) const BODIES: TableDefinition<u128, &[u8]> = TableDefinition::new("task_bodies");
pub(super) const OUTCOMES: TableDefinition<u128, &[u8]> = TableDefinition::new("task_outcomes");
pub(super) const UNFINISHED: TableDefinition<u128, ()> = TableDefinition::new("tasks_unfinished");
pub(super) const BY_CALLER: TableDefinition<(&str, u128), ()> = TableDefinition::new("tasks_by_caller");
/// Tasks by the millisecond of their end, for forgetting the oldest first.
pub(super) const BY_END: TableDefinition<(u64, u128), ()> = TableDefinition::new("tasks_by_end");
pub(super) const KEYS: TableDefinition<(&str, &str), u128> = TableDefinition::new("idempotency_keys");
/// The number of tasks remembered for a caller, and the bytes of their outcomes; those of all guests under [`GUESTS`].
pub(super) const SHARES: TableDefinition<&str, (u64, u64)> = TableDefinition::new("shares");
/// The key of the guests' share, which is no caller's text.
pub(super) const GUESTS: &str = "*";
pub(super) const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("provenance");

/// Returns the row of a task.
pub(super) fn task_row(
    tasks: &impl ReadableTable<u128, &'static [u8]>,
    id: TaskId,
) -> Result<Option<TaskRow>, redb::Error> {
    let found = tasks.get(id.as_u128())?;
    found.map(|row| decode(row.value())).transpose()
}

//! The file of one circle: a redb database with everything of the circle that outlives the process.

mod change;
mod documents;
mod file;
mod file_error;
#[cfg(test)]
mod power_failure;
mod private_path;
mod tables;
mod tasks;

pub(crate) use change::{Change, Retention, TaskChange};
pub(crate) use documents::Documents;
pub(crate) use file::DbFile;
pub(crate) use file_error::catch_damage;
pub(crate) use tasks::CallerUsage;

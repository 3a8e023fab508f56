//! The file that names the submitted tasks of a circle that are running, next to the circle's database.
//!
//! Tasks that are in it when a process starts were running when the process before died, and may be what killed it. The
//! file is not synced: it has to survive a crash of the process, which a script may cause, but not a power failure.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use circles_store::{TaskId, sync::lock};
use uuid::Uuid;

/// Bytes of a slot: the task's name, then the number of the run.
const SLOT_BYTES: usize = 24;

/// A number that no other run has, so that one crash counts once, however often the file is read.
pub(crate) type RunNumber = u64;

/// The file of one circle, created when its first submitted task starts.
pub(crate) struct RunningFile {
    path: PathBuf,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    file: Option<fs::File>,
    /// For each slot of the file, whether it is in use.
    in_use: Vec<bool>,
}

/// The slot of a running task. Dropping it leaves the task in the file.
pub(crate) struct RunMarker {
    file: Arc<RunningFile>,
    slot: usize,
}

impl RunningFile {
    /// Returns the file of the circle with this database.
    pub(crate) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push(".running");
        Self { path: path.into(), slots: Mutex::default() }
    }

    /// Returns the tasks that were running when the process before died. To be called before any task starts. Blocks.
    pub(crate) fn left_running(&self) -> HashMap<TaskId, RunNumber> {
        let mut slots = self.slots();
        match fs::read(&self.path) {
            Ok(bytes) => {
                let found: Vec<_> = bytes.chunks_exact(SLOT_BYTES).map(read_slot).collect();
                // Their slots stay in use, so that a crash during recovery leaves them to the next process.
                slots.in_use = found.iter().map(Option::is_some).collect();
                found.into_iter().flatten().collect()
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    let path = self.path.display();
                    tracing::warn!(%path, %error, "cannot read which tasks were running before");
                }
                HashMap::new()
            }
        }
    }

    /// Adds a task that starts. Blocks.
    pub(crate) fn add(self: &Arc<Self>, task: TaskId) -> io::Result<RunMarker> {
        let mut slots = self.slots();
        if slots.file.is_none() {
            let mut options = fs::OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
            slots.file = Some(options.open(&self.path)?);
        }
        let free = slots.in_use.iter().position(|in_use| !in_use);
        let slot = free.unwrap_or(slots.in_use.len());
        let mut bytes = [0; SLOT_BYTES];
        bytes[..16].copy_from_slice(task.as_bytes());
        bytes[16..].copy_from_slice(&Uuid::now_v7().as_u128().to_le_bytes()[..8]);
        if let Some(file) = &slots.file {
            file.write_all_at(&bytes, offset(slot))?;
        }
        match slots.in_use.get_mut(slot) {
            Some(in_use) => *in_use = true,
            None => slots.in_use.push(true),
        }
        Ok(RunMarker { file: self.clone(), slot })
    }

    fn clear(&self, slot: usize) {
        let mut slots = self.slots();
        if let Some(file) = &slots.file
            && let Err(error) = file.write_all_at(&[0; SLOT_BYTES], offset(slot))
        {
            // At worst, a later crash is counted against this task, too.
            tracing::debug!(path = %self.path.display(), %error, "cannot note that a task no longer runs");
        }
        if let Some(in_use) = slots.in_use.get_mut(slot) {
            *in_use = false;
        }
    }

    /// No code under this lock can panic, so the data of a poisoned lock is sound.
    fn slots(&self) -> MutexGuard<'_, Slots> {
        lock(&self.slots)
    }
}

impl RunMarker {
    /// Removes the task from the file. Blocks.
    pub(crate) fn remove(self) {
        self.file.clear(self.slot);
    }
}

fn offset(slot: usize) -> u64 {
    (slot * SLOT_BYTES) as u64
}

fn read_slot(slot: &[u8]) -> Option<(TaskId, RunNumber)> {
    let (task, run) = slot.split_first_chunk::<16>()?;
    let task = Uuid::from_bytes(*task);
    (!task.is_nil()).then_some((task, RunNumber::from_le_bytes(run.try_into().ok()?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn file_names_tasks_that_run() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("circle.db");
        let file = Arc::new(RunningFile::of(&database));
        assert!(file.left_running().is_empty());
        let ids: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
        let mut markers: Vec<_> = ids.iter().map(|id| file.add(*id).unwrap()).collect();
        markers.remove(1).remove();
        let next = Arc::new(RunningFile::of(&database));
        let left = next.left_running();
        assert_eq!(left.len(), 2);
        assert!(left.contains_key(&ids[0]) && left.contains_key(&ids[2]));
        // Slots of tasks that were left are not overwritten, and keep their run numbers.
        let fresh = Uuid::now_v7();
        let _marker = next.add(fresh).unwrap();
        let again = RunningFile::of(&database).left_running();
        assert_eq!(again.len(), 3);
        assert!(again.contains_key(&fresh) && left.iter().all(|(id, run)| again.get(id) == Some(run)));
    }
}

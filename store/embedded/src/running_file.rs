//! Which submitted tasks of a circle run, in a file beside its database.
//!
//! What is there when a process starts ran when the one before died, and may be what killed it. The file is not
//! brought to the disk: it has to outlive a process, not a power failure, which no script brings about.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use circles_store::TaskId;

/// Bytes of a place in the file: the task, and behind it the number of the run.
const PLACE: usize = 24;

/// A number that no other run has: one death counts once, however often it is read.
pub type Run = u64;

/// The file of one circle, made when its first submitted task begins.
pub struct Running {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<fs::File>,
    /// Whether each place of the file is taken.
    taken: Vec<bool>,
}

/// A task that runs. Dropped, it does no more.
pub struct Begun {
    running: Arc<Running>,
    place: usize,
}

impl Running {
    /// Of the circle whose database this is.
    pub fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push(".running");
        Self { path: path.into(), state: Mutex::default() }
    }

    /// What ran when the process before died, and is not known to have ended. To be called before anything begins.
    /// Blocks.
    pub fn left(&self) -> HashMap<TaskId, Run> {
        let mut state = self.state();
        match fs::read(&self.path) {
            Ok(bytes) => {
                let places: Vec<_> = bytes.chunks_exact(PLACE).map(read).collect();
                // They stay, so that a process that dies while it takes them up leaves them to the next.
                state.taken = places.iter().map(Option::is_some).collect();
                places.into_iter().flatten().collect()
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %self.path.display(), %error, "cannot see what ran before");
                }
                HashMap::new()
            }
        }
    }

    /// A task begins. Blocks.
    pub fn begin(self: &Arc<Self>, task: TaskId) -> io::Result<Begun> {
        let mut state = self.state();
        if state.file.is_none() {
            let mut options = fs::OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
            state.file = Some(options.open(&self.path)?);
        }
        let free = state.taken.iter().position(|taken| !taken);
        let place = free.unwrap_or(state.taken.len());
        let mut bytes = [0; PLACE];
        bytes[..16].copy_from_slice(task.as_bytes());
        bytes[16..].copy_from_slice(&Uuid::now_v7().as_u128().to_le_bytes()[..8]);
        if let Some(file) = &state.file {
            file.write_all_at(&bytes, offset(place))?;
        }
        match state.taken.get_mut(place) {
            Some(taken) => *taken = true,
            None => state.taken.push(true),
        }
        Ok(Begun { running: self.clone(), place })
    }

    fn end(&self, place: usize) {
        let mut state = self.state();
        if let Some(file) = &state.file
            && let Err(error) = file.write_all_at(&[0; PLACE], offset(place))
        {
            // At worst a death is counted that was none.
            tracing::debug!(path = %self.path.display(), %error, "cannot note that a task ended");
        }
        if let Some(taken) = state.taken.get_mut(place) {
            *taken = false;
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    /// It does no more. Blocks.
    pub fn end(self) {
        self.running.end(self.place);
    }
}

fn offset(place: usize) -> u64 {
    (place * PLACE) as u64
}

fn read(place: &[u8]) -> Option<(TaskId, Run)> {
    let (task, run) = place.split_first_chunk::<16>()?;
    let task = Uuid::from_bytes(*task);
    (!task.is_nil()).then_some((task, Run::from_le_bytes(run.try_into().ok()?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // What is missing in a test fails it.
mod tests {
    use super::*;

    #[test]
    fn file_names_tasks_that_run() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("circle.db");
        let running = Arc::new(Running::of(&database));
        assert!(running.left().is_empty());
        let ids: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
        let mut begun: Vec<_> = ids.iter().map(|id| running.begin(*id).unwrap()).collect();
        begun.remove(1).end();
        let next = Arc::new(Running::of(&database));
        let left = next.left();
        assert_eq!(left.len(), 2);
        assert!(left.contains_key(&ids[0]) && left.contains_key(&ids[2]));
        // What is left is not written over, and tells of the same runs again.
        let fresh = Uuid::now_v7();
        let _begun = next.begin(fresh).unwrap();
        let again = Running::of(&database).left();
        assert_eq!(again.len(), 3);
        assert!(again.contains_key(&fresh) && left.iter().all(|(id, run)| again.get(id) == Some(run)));
    }
}

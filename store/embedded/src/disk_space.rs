//! What waits for room on the disk.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use circles_store::Error;

/// Between looks at a disk that is full.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How much has to fit before the disk counts as not full: a small commit, by far.
const ENOUGH: usize = 1 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// Whether the disk has room, as far as is known, and what is to be done once it has. While it has none, a thread looks
/// again and again.
#[derive(Default)]
pub(super) struct Room(Mutex<State>);

#[derive(Default)]
struct State {
    /// Why nothing can be written.
    full: Option<Arc<str>>,
    jobs: Vec<Job>,
    looking: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
    ended: bool,
}

impl Room {
    /// Why nothing can be written, if that is so.
    pub(super) fn lack(&self) -> Option<Error> {
        self.state().full.clone().map(Error::StorageFull)
    }

    /// Takes note that nothing fits into a folder.
    pub(super) fn lacks(self: &Arc<Self>, folder: &Path, cause: &Arc<str>) {
        let mut state = self.state();
        if state.ended || state.full.is_some() {
            return;
        }
        let (stop, stopped) = mpsc::channel();
        let (room, folder) = (self.clone(), folder.to_owned());
        let look = move || room.look(&folder, &stopped);
        match thread::Builder::new().name("circle-files-room".to_owned()).spawn(look) {
            Ok(thread) => {
                tracing::error!(%cause, "the disk is full");
                state.looking = Some((stop, thread));
                state.full = Some(cause.clone());
            }
            // It is found out by the next write.
            Err(error) => tracing::error!(%error, "no thread to look at a full disk"),
        }
    }

    /// Does something once there is room; at once, if there is, and never, once this has ended.
    pub(super) fn when_there_is(&self, job: impl FnOnce() + Send + 'static) {
        {
            let mut state = self.state();
            if state.ended {
                return;
            }
            if state.full.is_some() {
                state.jobs.push(Box::new(job));
                return;
            }
        }
        job();
    }

    fn look(&self, folder: &Path, stopped: &mpsc::Receiver<()>) {
        while stopped.recv_timeout(LOOK_AGAIN) == Err(RecvTimeoutError::Timeout) {
            if !is_full(folder) {
                tracing::info!("the disk has room again");
                let jobs = {
                    let mut state = self.state();
                    (state.full, state.looking) = (None, None);
                    std::mem::take(&mut state.jobs)
                };
                return jobs.into_iter().for_each(|job| job());
            }
        }
    }

    /// Stops looking, and forgets what was to be done. Blocks.
    pub(super) fn end(&self) {
        let (looking, jobs) = {
            let mut state = self.state();
            state.ended = true;
            (state.looking.take(), std::mem::take(&mut state.jobs))
        };
        drop(jobs);
        if let Some((stop, thread)) = looking {
            drop(stop);
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this is how the system says for now that there is no room, and may say otherwise later.
pub(super) fn is_lack(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether not even a little fits into a folder. Any other trouble is found out by who writes there.
fn is_full(folder: &Path) -> bool {
    let path: PathBuf = folder.join(".room");
    let written = fs::File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; ENOUGH])?;
        file.sync_data()
    });
    let _ = fs::remove_file(&path);
    written.is_err_and(|error| is_lack(&error))
}

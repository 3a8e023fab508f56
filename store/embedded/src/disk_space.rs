use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use circles_store::{Error, sync::lock};

/// Time between probes of a full disk.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// A disk that takes a file of this size counts as not full; a small commit needs far less.
const PROBE_BYTES: usize = 1 << 20;

/// Work for another thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Knows whether the disk is full, and runs jobs once it has space again.
///
/// While the disk is full, a thread of its own probes it; a file system does not tell when space becomes free.
#[derive(Default)]
pub(crate) struct DiskSpace(Mutex<DiskState>);

#[derive(Default)]
struct DiskState {
    /// The cause, while the disk is full.
    full: Option<Arc<str>>,
    jobs: Vec<Job>,
    probe: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
    is_closed: bool,
}

impl DiskSpace {
    /// Returns [`Error::StorageFull`] while the disk is full.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.state().full.clone().map_or(Ok(()), |cause| Err(Error::StorageFull(cause)))
    }

    /// Notes that a write into a folder failed because the disk is full.
    pub(crate) fn report_full(self: &Arc<Self>, folder: &Path, cause: &Arc<str>) {
        let mut state = self.state();
        if state.is_closed || state.full.is_some() {
            return;
        }
        let (stop, stopped) = mpsc::channel();
        let (space, folder) = (self.clone(), folder.to_owned());
        let probe = move || space.probe(&folder, &stopped);
        match thread::Builder::new().name("circle-files-disk".to_owned()).spawn(probe) {
            Ok(thread) => {
                tracing::error!(%cause, "the disk is full");
                state.probe = Some((stop, thread));
                state.full = Some(cause.clone());
            }
            // The next write reports it again.
            Err(error) => tracing::error!(%error, "cannot start a thread to probe the full disk"),
        }
    }

    /// Runs a job once the disk has space: now if it is not full, never after [`DiskSpace::close`].
    pub(crate) fn run_when_available(&self, job: impl FnOnce() + Send + 'static) {
        {
            let mut state = self.state();
            if state.is_closed {
                return;
            }
            if state.full.is_some() {
                state.jobs.push(Box::new(job));
                return;
            }
        }
        job();
    }

    fn probe(&self, folder: &Path, stopped: &mpsc::Receiver<()>) {
        while stopped.recv_timeout(PROBE_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            if !is_full(folder) {
                tracing::info!("the disk has space again");
                let jobs = {
                    let mut state = self.state();
                    (state.full, state.probe) = (None, None);
                    std::mem::take(&mut state.jobs)
                };
                return jobs.into_iter().for_each(|job| job());
            }
        }
    }

    /// Ends the probing thread and drops the waiting jobs. Blocks.
    pub(crate) fn close(&self) {
        let (probe, jobs) = {
            let mut state = self.state();
            state.is_closed = true;
            (state.probe.take(), std::mem::take(&mut state.jobs))
        };
        drop(jobs);
        if let Some((stop, thread)) = probe {
            drop(stop);
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }

    /// No code under this lock can panic, so the data of a poisoned lock is sound.
    fn state(&self) -> MutexGuard<'_, DiskState> {
        lock(&self.0)
    }
}

/// Returns whether an I/O error means that the disk or a quota is full, which may change later.
pub(crate) fn is_storage_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Returns whether a small file does not fit into a folder. Other errors count as space: the next write reports them.
fn is_full(folder: &Path) -> bool {
    let path: PathBuf = folder.join(".room");
    let written = fs::File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; PROBE_BYTES])?;
        file.sync_data()
    });
    let _ = fs::remove_file(&path);
    written.is_err_and(|error| is_storage_full(&error))
}

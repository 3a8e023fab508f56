//! The circles of a store and the threads that work on their files.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use circles_api::CircleId;
use tokio::sync::oneshot;

use super::{
    circle::{Circle, Open},
    file::Retention,
    room::Room,
};
use circles_store::{Error, Quotas};

/// Threads that write files. One writes a circle at a time; several keep a slow disk busy.
const THREADS: usize = 4;

/// Circles that are known before it is looked for those that nobody uses any more.
const KNOWN: usize = 1_024;
/// Files that are closed at once, at most, while somebody waits to open one.
const CLOSED_AT_ONCE: usize = 8;

type Job = Box<dyn FnOnce() + Send>;

/// Where circles keep their files.
pub(super) type Paths = Arc<dyn Fn(&CircleId) -> PathBuf + Send + Sync>;

/// Every circle that was asked for, some with their files open.
pub(super) struct Files {
    paths: Paths,
    circles: Mutex<Known>,
    remember_for: Duration,
    quotas: Quotas,
    /// Files that may be open at a time, beside those in use.
    open_limit: usize,
    opened: Arc<AtomicUsize>,
    /// Held while files are closed to make room for others.
    closing: Mutex<()>,
    clock: AtomicU64,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
    room: Arc<Room>,
}

/// Circles by name. Whoever calls may name as many as there are keys, so those not in use are let go of.
struct Known {
    circles: HashMap<CircleId, Arc<Circle>>,
    /// How many there may be until it is looked for those.
    most: usize,
}

impl Files {
    pub(super) fn new(
        paths: Paths,
        remember_for: Duration,
        quotas: Quotas,
        open_limit: usize,
    ) -> Result<Arc<Self>, Error> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        let work = |waiting: Arc<Mutex<mpsc::Receiver<Job>>>| {
            move || {
                loop {
                    let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                        tracing::error!("work on a circle's file panicked");
                    }
                }
            }
        };
        let threads = (0..THREADS).map(|number| {
            thread::Builder::new().name(format!("circle-files-{number}")).spawn(work(waiting.clone()))
        });
        let threads = threads.collect::<Result<_, _>>();
        let threads = threads.map_err(|error| Error::File(format!("no thread for files: {error}").into()))?;
        Ok(Arc::new(Self {
            paths,
            circles: Mutex::new(Known { circles: HashMap::new(), most: KNOWN }),
            remember_for,
            quotas,
            open_limit,
            opened: Arc::default(),
            closing: Mutex::default(),
            clock: AtomicU64::new(0),
            jobs: Mutex::new(Some(jobs)),
            threads: Mutex::new(threads),
            room: Arc::default(),
        }))
    }

    pub(super) fn retention(&self, circle: &CircleId) -> Retention {
        Retention { time: self.remember_for, quota: *self.quotas.of(circle) }
    }

    /// What is known of the room on the disk.
    pub(super) const fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Takes note of what went wrong with a circle's file.
    pub(super) fn note(&self, circle: &CircleId, error: &Error) {
        if let Error::StorageFull(cause) = error {
            self.room.lacks(self.circle(circle).folder(), cause);
        }
    }

    /// The circle of this name; a new one if it was not asked for before.
    pub(super) fn circle(&self, id: &CircleId) -> Arc<Circle> {
        let mut known = self.known();
        if let Some(circle) = known.circles.get(id) {
            return circle.clone();
        }
        if known.circles.len() >= known.most {
            known.circles.retain(|_, circle| Arc::strong_count(circle) > 1 || circle.is_open());
            known.most = KNOWN.max(2 * known.circles.len());
        }
        let circle = Arc::new(Circle::new(*id, (self.paths)(id), self.opened.clone()));
        known.circles.insert(*id, circle.clone());
        circle
    }

    /// The circle with its file open. Blocks.
    pub(super) fn open(&self, circle: &Circle) -> Result<Arc<Open>, Error> {
        if !circle.is_open() {
            self.make_room();
        }
        circle.open(self.clock.fetch_add(1, Ordering::Relaxed) + 1, self.retention(circle.id()))
    }

    /// Closes the files that were used longest ago and are not in use, if as many are open as may be. Whoever
    /// opens one does this first, so that opening cannot get ahead of closing. Blocks.
    fn make_room(&self) {
        let is_full = || self.opened.load(Ordering::Relaxed) >= self.open_limit;
        if !is_full() {
            return;
        }
        let _turn = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_full() {
            return;
        }
        let mut open: Vec<_> =
            self.known().circles.values().filter(|circle| circle.is_open()).cloned().collect();
        open.sort_by_key(|circle| circle.last_use());
        let most = self.open_limit.saturating_sub(CLOSED_AT_ONCE.min(1 + self.open_limit / 10));
        for circle in open {
            if self.opened.load(Ordering::Relaxed) <= most {
                break;
            }
            circle.close_if_idle();
        }
    }

    /// Has a thread of ours do something that blocks. `false`: they have gone, and it is not done.
    #[must_use]
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.is_some_and(|jobs| jobs.send(Box::new(job)).is_ok())
    }

    /// The same, but where they have gone it is done here and now.
    pub(super) fn run_or_do(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match jobs {
            Some(jobs) => {
                if let Err(mpsc::SendError(job)) = jobs.send(Box::new(job)) {
                    job();
                }
            }
            None => job(),
        }
    }

    /// Has what waits for a circle's file brought there.
    pub(super) fn write(self: &Arc<Self>, open: &Arc<Open>) {
        let (files, next) = (self.clone(), open.clone());
        if !self.run(move || files.write_in_turn(&next)) {
            open.abandon();
        }
    }

    /// Writes to a circle's file for as long as something waits, other circles in between: there are fewer
    /// threads than busy circles. Blocks.
    pub(super) fn write_in_turn(self: &Arc<Self>, open: &Arc<Open>) {
        while open.write() {
            let (files, next) = (self.clone(), open.clone());
            if self.run(move || files.write_in_turn(&next)) {
                return;
            }
        }
    }

    /// Asks a circle's file; `None` if it has none.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        id: &CircleId,
        question: impl FnOnce(&Open) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        self.ask_if(id, |_| true, question).await
    }

    /// Asks a circle's file unless a first look at it says no; `None` then, or if it has none.
    pub(super) async fn ask_if<T: Send + 'static>(
        self: &Arc<Self>,
        id: &CircleId,
        look: impl FnOnce(&Circle) -> bool + Send + 'static,
        question: impl FnOnce(&Open) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let circle = self.circle(id);
        let (answer, answered) = oneshot::channel();
        let files = self.clone();
        let asked = self.run(move || {
            let result = (|| {
                if circle.is_open() || circle.has_file()? && look(&circle) {
                    question(&*files.open(&circle)?).map(Some)
                } else {
                    Ok(None)
                }
            })();
            // Who asked may have gone.
            let _ = answer.send(result);
        });
        if !asked {
            return Err(Error::Closed);
        }
        answered.await.unwrap_or(Err(Error::Closed))
    }

    /// Does all that was asked for, closes the files and ends. Blocks.
    pub(super) fn finish(&self) {
        self.room.end();
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread of ours does not panic; if it did, what it had to say is in the log. None waits for itself.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
        let circles: Vec<_> = self.known().circles.values().cloned().collect();
        for circle in circles {
            circle.close_if_idle();
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.circles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // What is missing in a test fails it.
mod tests {
    use super::*;

    fn id(number: u32) -> CircleId {
        let mut bytes = [2; 33];
        bytes[1..5].copy_from_slice(&number.to_be_bytes());
        CircleId::from_bytes(bytes).unwrap()
    }

    #[test]
    fn circles_that_nobody_uses_are_let_go_of() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().to_owned();
        let paths = Arc::new(move |circle: &CircleId| folder.join(circle.to_string()));
        let files = Files::new(paths, Duration::ZERO, Quotas::default(), 8).unwrap();
        let held = files.circle(&id(0));
        let open = files.circle(&id(1));
        drop(files.open(&open).unwrap());
        drop(open);
        for number in 2..100_000 {
            files.circle(&id(number));
        }
        assert!(files.known().circles.len() <= KNOWN);
        assert!(Arc::ptr_eq(&held, &files.circle(&id(0))));
        assert!(files.circle(&id(1)).is_open());
        assert_eq!(files.opened.load(Ordering::Relaxed), 1);
        files.finish();
        assert_eq!(files.opened.load(Ordering::Relaxed), 0);
    }
}

//! The circles of a store, and the threads that work on their files.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use circles_api::CircleId;
use circles_store::{Error, Quotas, sync::lock};
use tokio::sync::oneshot;

use crate::{
    circle::Circle,
    circle_db::CircleDb,
    db::Retention,
    disk_space::{DiskSpace, Job},
};

/// Threads that work on files. Each works on one circle at a time; several keep a slow disk busy.
const FILE_THREADS: usize = 4;
/// The number of cached circles at which unused ones are first removed.
const CACHED_CIRCLES: usize = 1_024;
/// The most files that are closed at a time while a caller waits to open one.
const MAX_CLOSED_AT_ONCE: usize = 8;

/// Returns the path of a circle's file.
pub(crate) type PathOf = Arc<dyn Fn(&CircleId) -> PathBuf + Send + Sync>;

/// The circles that were asked for, some with open files, and the threads that work on the files.
pub(crate) struct CircleFiles {
    path_of: PathOf,
    circles: Mutex<CircleCache>,
    remember_for: Duration,
    quotas: Quotas,
    /// The most files that may be open, besides those in use.
    open_limit: usize,
    open_count: Arc<AtomicUsize>,
    /// Held while files are closed to make room for others.
    closing: Mutex<()>,
    clock: AtomicU64,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
    disk_space: Arc<DiskSpace>,
}

/// Circles by name. Callers may ask for any number of circles, so unused ones are removed.
struct CircleCache {
    circles: HashMap<CircleId, Arc<Circle>>,
    /// The size at which unused circles are removed next.
    prune_at: usize,
}

impl CircleFiles {
    pub(crate) fn new(
        path_of: PathOf,
        remember_for: Duration,
        quotas: Quotas,
        open_limit: usize,
    ) -> Result<Arc<Self>, Error> {
        let (jobs, threads) = start_threads()?;
        Ok(Arc::new(Self {
            path_of,
            circles: Mutex::new(CircleCache { circles: HashMap::new(), prune_at: CACHED_CIRCLES }),
            remember_for,
            quotas,
            open_limit,
            open_count: Arc::default(),
            closing: Mutex::default(),
            clock: AtomicU64::new(0),
            jobs: Mutex::new(Some(jobs)),
            threads: Mutex::new(threads),
            disk_space: Arc::default(),
        }))
    }

    pub(crate) fn retention(&self, circle: &CircleId) -> Retention {
        Retention { time: self.remember_for, quota: *self.quotas.of(circle) }
    }

    pub(crate) const fn disk_space(&self) -> &Arc<DiskSpace> {
        &self.disk_space
    }

    /// Notes an error of a circle's file: a full disk is probed until it has space again.
    pub(crate) fn note_error(&self, circle: &CircleId, error: &Error) {
        if let Error::StorageFull(cause) = error {
            self.disk_space.report_full(self.circle(circle).folder(), cause);
        }
    }

    /// Returns the circle of this name, added if it is new.
    pub(crate) fn circle(&self, id: &CircleId) -> Arc<Circle> {
        let mut cache = self.cache();
        if let Some(circle) = cache.circles.get(id) {
            return circle.clone();
        }
        if cache.circles.len() >= cache.prune_at {
            cache.circles.retain(|_, circle| Arc::strong_count(circle) > 1 || circle.is_open());
            cache.prune_at = CACHED_CIRCLES.max(2 * cache.circles.len());
        }
        let circle = Arc::new(Circle::new(*id, (self.path_of)(id), self.open_count.clone()));
        cache.circles.insert(*id, circle.clone());
        circle
    }

    /// Returns a circle's database, opened if it was closed. Blocks.
    pub(crate) fn open(&self, circle: &Circle) -> Result<Arc<CircleDb>, Error> {
        if !circle.is_open() {
            self.close_least_recent();
        }
        circle.open(self.clock.fetch_add(1, Ordering::Relaxed) + 1, self.retention(circle.id()))
    }

    /// Closes the least recently used files that are not in use, if the limit of open files is reached. Called before
    /// each opening, so that openings cannot outrun closings. Blocks.
    fn close_least_recent(&self) {
        let is_full = || self.open_count.load(Ordering::Relaxed) >= self.open_limit;
        if !is_full() {
            return;
        }
        let _turn = lock(&self.closing);
        if !is_full() {
            return;
        }
        let mut open: Vec<_> =
            self.cache().circles.values().filter(|circle| circle.is_open()).cloned().collect();
        open.sort_by_key(|circle| circle.last_use());
        let target = self.open_limit.saturating_sub(MAX_CLOSED_AT_ONCE.min(1 + self.open_limit / 10));
        for circle in open {
            if self.open_count.load(Ordering::Relaxed) <= target {
                break;
            }
            circle.close_if_idle();
        }
    }

    /// Has a file thread run a job. Returns false if the threads have ended: then the job is dropped.
    #[must_use]
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let jobs = lock(&self.jobs).clone();
        jobs.is_some_and(|jobs| jobs.send(Box::new(job)).is_ok())
    }

    /// Has a file thread run a job, or runs it on this thread if the threads have ended.
    pub(crate) fn run_or_do(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = lock(&self.jobs).clone();
        match jobs {
            Some(jobs) => {
                if let Err(mpsc::SendError(job)) = jobs.send(Box::new(job)) {
                    job();
                }
            }
            None => job(),
        }
    }

    /// Has a file thread flush a circle's pending changes.
    pub(crate) fn flush_soon(self: &Arc<Self>, db: &Arc<CircleDb>) {
        let (files, next) = (self.clone(), db.clone());
        if !self.run(move || files.flush(&next)) {
            db.abandon();
        }
    }

    /// Flushes a circle's pending changes, one batch at a time with other circles in between, since there are fewer
    /// threads than busy circles. Blocks.
    pub(crate) fn flush(self: &Arc<Self>, db: &Arc<CircleDb>) {
        while db.flush_batch() {
            let (files, next) = (self.clone(), db.clone());
            if self.run(move || files.flush(&next)) {
                return;
            }
        }
    }

    /// Queries a circle's database on a file thread; `None` if the circle has no file.
    pub(crate) async fn query<T: Send + 'static>(
        self: &Arc<Self>,
        id: &CircleId,
        query: impl FnOnce(&CircleDb) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        self.query_if(id, |_| true, query).await
    }

    /// Queries a circle's database if it is open or `condition` holds for the closed one; otherwise returns `None`, as
    /// for a circle without a file.
    pub(crate) async fn query_if<T: Send + 'static>(
        self: &Arc<Self>,
        id: &CircleId,
        condition: impl FnOnce(&Circle) -> bool + Send + 'static,
        query: impl FnOnce(&CircleDb) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let circle = self.circle(id);
        let (sender, answer) = oneshot::channel();
        let files = self.clone();
        let is_sent = self.run(move || {
            let result = (|| {
                if circle.is_open() || circle.has_file()? && condition(&circle) {
                    query(&*files.open(&circle)?).map(Some)
                } else {
                    Ok(None)
                }
            })();
            // The caller may have gone.
            let _ = sender.send(result);
        });
        if !is_sent {
            return Err(Error::Closed);
        }
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Finishes the jobs, ends the threads and closes the files. Blocks.
    pub(crate) fn finish(&self) {
        self.disk_space.close();
        lock(&self.jobs).take();
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            // A file thread catches panics of its jobs. It may run this itself, and must not wait for itself.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
        let circles: Vec<_> = self.cache().circles.values().cloned().collect();
        for circle in circles {
            circle.close_if_idle();
        }
    }

    /// No code under this lock can panic, so the data of a poisoned lock is sound.
    fn cache(&self) -> MutexGuard<'_, CircleCache> {
        lock(&self.circles)
    }
}

/// Starts the file threads. They end once the sender is dropped and the jobs are done.
fn start_threads() -> Result<(mpsc::Sender<Job>, Vec<thread::JoinHandle<()>>), Error> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    let work = |jobs: Arc<Mutex<mpsc::Receiver<Job>>>| {
        move || {
            loop {
                let job = lock(&jobs).recv();
                let Ok(job) = job else { return };
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                    tracing::error!("work on a circle's file panicked");
                }
            }
        }
    };
    let threads = (0..FILE_THREADS).map(|number| {
        thread::Builder::new().name(format!("circle-files-{number}")).spawn(work(jobs.clone()))
    });
    let threads = threads.collect::<Result<_, _>>();
    let threads =
        threads.map_err(|error| Error::File(format!("cannot start a file thread: {error}").into()))?;
    Ok((sender, threads))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    fn id(number: u32) -> CircleId {
        let mut bytes = [2; 33];
        bytes[1..5].copy_from_slice(&number.to_be_bytes());
        CircleId::from_bytes(bytes).unwrap()
    }

    #[test]
    fn unused_circles_leave_the_cache() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().to_owned();
        let path_of = Arc::new(move |circle: &CircleId| folder.join(circle.to_string()));
        let files = CircleFiles::new(path_of, Duration::ZERO, Quotas::default(), 8).unwrap();
        let held = files.circle(&id(0));
        let open = files.circle(&id(1));
        drop(files.open(&open).unwrap());
        drop(open);
        for number in 2..100_000 {
            files.circle(&id(number));
        }
        assert!(files.cache().circles.len() <= CACHED_CIRCLES);
        assert!(Arc::ptr_eq(&held, &files.circle(&id(0))));
        assert!(files.circle(&id(1)).is_open());
        assert_eq!(files.open_count.load(Ordering::Relaxed), 1);
        files.finish();
        assert_eq!(files.open_count.load(Ordering::Relaxed), 0);
    }
}

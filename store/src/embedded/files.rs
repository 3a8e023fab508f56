//! The circles of a store and the threads that work on their files.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use circles_api::CircleId;
use tokio::sync::oneshot;

use super::{
    circle::{Circle, Open},
    file::Retention,
};
use crate::Error;

/// Threads that write files. One writes a circle at a time; several keep a slow disk busy.
const THREADS: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// Where circles keep their files.
pub(super) type Paths = Arc<dyn Fn(&CircleId) -> PathBuf + Send + Sync>;

/// Every circle that was asked for, some with their files open.
pub(super) struct Files {
    paths: Paths,
    circles: Mutex<HashMap<CircleId, Arc<Circle>>>,
    retention: Retention,
    /// Files that may be open at a time, beside those in use.
    open_limit: usize,
    opened: AtomicU64,
    clock: AtomicU64,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Files {
    pub(super) fn new(paths: Paths, retention: Retention, open_limit: usize) -> Result<Arc<Self>, Error> {
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
            circles: Mutex::default(),
            retention,
            open_limit,
            opened: AtomicU64::new(0),
            clock: AtomicU64::new(0),
            jobs: Mutex::new(Some(jobs)),
            threads: Mutex::new(threads),
        }))
    }

    pub(super) const fn retention(&self) -> &Retention {
        &self.retention
    }

    /// The circle of this name; a new one if it was not asked for before.
    pub(super) fn circle(&self, id: &CircleId) -> Arc<Circle> {
        let mut circles = self.circles();
        circles.entry(*id).or_insert_with(|| Arc::new(Circle::new(*id, (self.paths)(id)))).clone()
    }

    /// The circle with its file open. Blocks.
    pub(super) fn open(self: &Arc<Self>, circle: &Circle) -> Result<Arc<Open>, Error> {
        let was_open = circle.is_open();
        let open = circle.open(self.clock.fetch_add(1, Ordering::Relaxed) + 1, self.retention)?;
        if !was_open && self.opened.fetch_add(1, Ordering::Relaxed) as usize >= self.open_limit {
            let files = self.clone();
            self.run(move || files.close_some());
        }
        Ok(open)
    }

    /// Closes the files that were used longest ago and are not in use, down to nine tenths of the limit.
    fn close_some(&self) {
        let mut open: Vec<_> = self.circles().values().filter(|circle| circle.is_open()).cloned().collect();
        open.sort_by_key(|circle| circle.last_use());
        let most = self.open_limit - self.open_limit / 10;
        let mut left = open.len();
        for circle in open {
            if left <= most {
                break;
            }
            left -= usize::from(circle.close_if_idle());
        }
        self.opened.store(left as u64, Ordering::Relaxed);
    }

    /// Has a thread of ours do something that blocks.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = &*jobs {
            // They end only after this sender has gone.
            let _ = jobs.send(Box::new(job));
        }
    }

    /// Asks a circle's file; `None` if it has none.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        id: &CircleId,
        question: impl FnOnce(&Open) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        self.ask_if(id, |_| Ok(true), question).await
    }

    /// Asks a circle's file unless a first look at it says no; `None` then, or if it has none.
    pub(super) async fn ask_if<T: Send + 'static>(
        self: &Arc<Self>,
        id: &CircleId,
        look: impl FnOnce(&Circle) -> Result<bool, Error> + Send + 'static,
        question: impl FnOnce(&Open) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let circle = self.circle(id);
        let (answer, answered) = oneshot::channel();
        let files = self.clone();
        self.run(move || {
            let result = (|| match circle.is_open() || circle.has_file() && look(&circle)? {
                true => question(&*files.open(&circle)?).map(Some),
                false => Ok(None),
            })();
            let _ = answer.send(result);
        });
        answered.await.unwrap_or(Err(Error::Closed))
    }

    /// Does all that was asked for, closes the files and ends. Blocks.
    pub(super) fn finish(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread of ours does not panic; if it did, what it had to say is in the log.
            let _ = thread.join();
        }
        let circles: Vec<_> = self.circles().values().cloned().collect();
        for circle in circles {
            circle.close_if_idle();
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn circles(&self) -> MutexGuard<'_, HashMap<CircleId, Arc<Circle>>> {
        self.circles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

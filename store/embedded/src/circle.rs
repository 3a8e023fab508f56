use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use circles_api::CircleId;
use circles_store::{Error, sync::lock};

use crate::{
    circle_db::CircleDb,
    db::{DbFile, Retention},
    running_file::RunningFile,
};

/// How long a thread that reported a failed database may take to drop its handle.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// A circle of this process, whose database is open or closed.
pub(crate) struct Circle {
    id: CircleId,
    path: PathBuf,
    db: Mutex<Option<Arc<CircleDb>>>,
    /// Set while `db` is `Some`, for callers that must not wait for its lock.
    is_open: AtomicBool,
    /// The number of circles with an open database.
    open_count: Arc<AtomicUsize>,
    /// Set once this process has had the file open: if the file disappears, no empty one is created in its place.
    had_file: AtomicBool,
    last_use: AtomicU64,
    running_file: Arc<RunningFile>,
    /// Held while an idempotency key is looked up.
    pub(crate) key_lookup: tokio::sync::Mutex<()>,
}

impl Circle {
    /// Returns a circle with a closed database. `open_count` counts the circles with an open one.
    pub(crate) fn new(id: CircleId, path: PathBuf, open_count: Arc<AtomicUsize>) -> Self {
        Self {
            running_file: Arc::new(RunningFile::of(&path)),
            id,
            path,
            db: Mutex::new(None),
            is_open: AtomicBool::new(false),
            open_count,
            had_file: AtomicBool::new(false),
            last_use: AtomicU64::new(0),
            key_lookup: tokio::sync::Mutex::const_new(()),
        }
    }

    pub(crate) const fn id(&self) -> &CircleId {
        &self.id
    }

    pub(crate) const fn running_file(&self) -> &Arc<RunningFile> {
        &self.running_file
    }

    /// Returns the folder of its file.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Returns the value of `now` in the last call of [`Circle::open`].
    pub(crate) fn last_use(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed)
    }

    /// Returns whether its database is open. Does not wait for one that is being opened or closed.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Returns whether its file exists; fails if the file has disappeared. Blocks.
    pub(crate) fn has_file(&self) -> Result<bool, Error> {
        let exists = DbFile::exists(&self.path)?;
        if !exists && self.had_file.load(Ordering::Relaxed) {
            let cause = "the file has disappeared; put it back, or restart to begin with an empty one";
            return Err(Error::File(format!("{}: {cause}", self.path.display()).into()));
        }
        Ok(exists)
    }

    /// Returns whether its file may hold unfinished tasks. To be called while its database is closed. Blocks.
    pub(crate) fn may_have_unfinished(&self) -> bool {
        !DbFile::has_no_unfinished(&self.path, &self.id)
    }

    /// Returns the database, opened if it was closed. `now` orders uses. Blocks.
    pub(crate) fn open(&self, now: u64, retention: Retention) -> Result<Arc<CircleDb>, Error> {
        self.last_use.store(now, Ordering::Relaxed);
        let mut db = self.db();
        if let Some(open) = db.as_ref() {
            if !open.has_failed() {
                return Ok(open.clone());
            }
            // Two handles on one file exclude each other, so the failed one is closed first. A caller that heard of
            // the failure may come here before the thread that reported it has dropped its handle.
            let until = Instant::now() + CLOSE_TIMEOUT;
            while Arc::strong_count(open) > 1 {
                if Instant::now() < until {
                    thread::yield_now();
                    continue;
                }
                let cause = "the disk failed, and earlier plays still use the file; try again";
                return Err(Error::StorageFull(format!("{}: {cause}", self.path.display()).into()));
            }
            self.close(&mut db);
        }
        self.has_file()?;
        let open = Arc::new(CircleDb::open(&self.path, &self.id, retention)?);
        *db = Some(open.clone());
        self.is_open.store(true, Ordering::Relaxed);
        self.had_file.store(true, Ordering::Relaxed);
        self.open_count.fetch_add(1, Ordering::Relaxed);
        Ok(open)
    }

    /// Closes the database unless it is in use. Blocks.
    pub(crate) fn close_if_idle(&self) -> bool {
        let Ok(mut db) = self.db.try_lock() else { return false };
        let is_idle = db.as_ref().is_some_and(|open| Arc::strong_count(open) == 1 && open.is_idle());
        if is_idle {
            // Under the lock, so that no thread opens the file before it is closed.
            self.close(&mut db);
        }
        is_idle
    }

    fn close(&self, db: &mut Option<Arc<CircleDb>>) {
        let open = db.take();
        // redb may panic on a damaged file, also when it is dropped.
        if catch_unwind(AssertUnwindSafe(|| drop(open))).is_err() {
            tracing::error!(path = %self.path.display(), "closing a circle's file panicked");
        }
        self.is_open.store(false, Ordering::Relaxed);
        self.open_count.fetch_sub(1, Ordering::Relaxed);
    }

    /// No code under this lock can panic, so the data of a poisoned lock is sound.
    fn db(&self) -> MutexGuard<'_, Option<Arc<CircleDb>>> {
        lock(&self.db)
    }
}

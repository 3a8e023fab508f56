//! One circle of this process: its file, open or not.

mod open;
mod view;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use circles_api::CircleId;

use super::{
    file::{File, Retention},
    running::Running,
};
use circles_store::Error;

use open::State;
pub use open::{Open, RIGHT_OF_WAY, Taken};
pub use view::View;

/// How long a thread may take from telling of a failure to letting go of what failed.
const LETTING_GO: Duration = Duration::from_millis(100);

/// A circle that this process serves, open or not.
pub struct Circle {
    id: CircleId,
    path: PathBuf,
    slot: Mutex<Option<Arc<Open>>>,
    /// Whether there is something in the slot, for those who must not wait for it.
    is_open: AtomicBool,
    /// How many circles have their file open.
    opened: Arc<AtomicUsize>,
    /// Whether this process has had its file open: then it does not begin with an empty one again.
    had_file: AtomicBool,
    last_use: AtomicU64,
    /// Which of its submitted tasks run.
    running: Arc<Running>,
    /// Held while it is found out whether an idempotency key is known.
    pub keyed: tokio::sync::Mutex<()>,
}

impl Circle {
    /// A circle whose file is not open; `opened` counts those that are.
    pub fn new(id: CircleId, path: PathBuf, opened: Arc<AtomicUsize>) -> Self {
        Self {
            running: Arc::new(Running::of(&path)),
            id,
            path,
            slot: Mutex::new(None),
            is_open: AtomicBool::new(false),
            opened,
            had_file: AtomicBool::new(false),
            last_use: AtomicU64::new(0),
            keyed: tokio::sync::Mutex::const_new(()),
        }
    }

    pub const fn id(&self) -> &CircleId {
        &self.id
    }

    /// Which of its submitted tasks run.
    pub const fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The folder of its file.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// When it was used last, by a clock that the caller keeps.
    pub fn last_use(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed)
    }

    /// Whether its file is open now. Does not wait for one that is being opened or closed.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Whether there is anything on the disk. Blocks.
    pub fn has_file(&self) -> Result<bool, Error> {
        let there = File::exists(&self.path)?;
        if !there && self.had_file.load(Ordering::Relaxed) {
            let sentence = "the file has gone; put it back, or restart to begin with an empty one";
            return Err(Error::File(format!("{}: {sentence}", self.path.display()).into()));
        }
        Ok(there)
    }

    /// Whether tasks may wait in its file to be taken up; it is not open yet. Blocks.
    pub fn may_have_unfinished(&self) -> bool {
        !File::is_settled(&self.path, &self.id)
    }

    /// The circle with its file open, opened now if it was not. Blocks.
    pub fn open(&self, now: u64, retention: Retention) -> Result<Arc<Open>, Error> {
        self.last_use.store(now, Ordering::Relaxed);
        let mut slot = self.slot();
        if let Some(open) = slot.as_ref() {
            if !open.has_failed() {
                return Ok(open.clone());
            }
            // What failed is closed first: two handles on one file exclude each other. Who was told of the failure may
            // be here before the thread that told it has let go.
            let until = Instant::now() + LETTING_GO;
            while Arc::strong_count(open) > 1 {
                if Instant::now() < until {
                    thread::yield_now();
                    continue;
                }
                let sentence = "the disk failed, and plays from before have not ended yet; try again";
                return Err(Error::StorageFull(format!("{}: {sentence}", self.path.display()).into()));
            }
            self.close(&mut slot);
        }
        self.has_file()?;
        let open = Arc::new(Open::new(&self.path, &self.id, retention)?);
        *slot = Some(open.clone());
        self.is_open.store(true, Ordering::Relaxed);
        self.had_file.store(true, Ordering::Relaxed);
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(open)
    }

    /// Closes the file unless somebody uses it. Blocks.
    pub fn close_if_idle(&self) -> bool {
        let Ok(mut slot) = self.slot.try_lock() else { return false };
        let idle = slot.as_ref().is_some_and(|open| Arc::strong_count(open) == 1 && open.is_quiet());
        if idle {
            // Under the lock, so that nobody opens the file before it is closed.
            self.close(&mut slot);
        }
        idle
    }

    fn close(&self, slot: &mut Option<Arc<Open>>) {
        let open = slot.take();
        // What is damaged may panic also where it is let go of.
        if catch_unwind(AssertUnwindSafe(|| drop(open))).is_err() {
            tracing::error!(path = %self.path.display(), "closing a circle's file panicked");
        }
        self.is_open.store(false, Ordering::Relaxed);
        self.opened.fetch_sub(1, Ordering::Relaxed);
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn slot(&self) -> MutexGuard<'_, Option<Arc<Open>>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

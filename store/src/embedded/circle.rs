//! One circle: its file, what is newer than the file, and the one writer that brings the two together.

use std::{
    collections::BTreeMap,
    mem,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use circles_api::CircleId;
use tokio::{sync::Notify, time::timeout};

use super::{
    chain::Chain,
    file::{Change, Documents, File, Retention},
    versions::{Moment, Versions},
};
use crate::{Error, Json, Key, KeyRange, Reads, Snapshot, Writes};

/// Changes that go to the disk in one step, at most.
const BATCH: usize = 4_096;
/// Bytes that may wait for the disk; whoever settles more waits with them.
const WAITING_BYTES: usize = 32 << 20;
/// Bytes of versions that are kept for the sake of old snapshots; beyond them those have been overtaken.
const VERSION_BYTES: usize = 64 << 20;
/// How long a play that is run again has the right of way over others of its circle that write.
pub const RIGHT_OF_WAY: Duration = Duration::from_millis(20);

/// Told once a change is on the disk, or why it never will be.
pub type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A circle that this process serves, open or not.
pub struct Circle {
    id: CircleId,
    path: PathBuf,
    open: Mutex<Option<Arc<Open>>>,
    last_use: AtomicU64,
    /// Held while it is found out whether an idempotency key is known.
    pub keyed: tokio::sync::Mutex<()>,
}

/// A circle whose file is open.
pub struct Open {
    file: File,
    state: Mutex<State>,
    chain: Mutex<Chain>,
    /// Held by the play that is run again.
    lane: Arc<tokio::sync::Mutex<()>>,
    /// Told whenever the disk has caught up.
    written: Notify,
}

struct State {
    /// The newest moment.
    now: Moment,
    /// The moment that the file shows.
    on_disk: Moment,
    documents: Arc<Documents>,
    versions: Versions,
    /// How many snapshots look at the file as of which moment.
    snapshots: BTreeMap<Moment, usize>,
    /// Snapshots older than this have lost what they would need.
    oldest: Moment,
    waiting: Vec<(Moment, Change, Done)>,
    waiting_bytes: usize,
    writing: bool,
    /// Bytes of the file after the last write.
    file_bytes: u64,
    /// Set once the disk refused: nothing newer than the file is left, and the circle has to be opened again.
    failed: bool,
}

/// Whether a play's effects were taken.
pub enum Taken {
    /// They will be on the disk, or `Done` told why not. `true`: somebody has to call [`Open::write`].
    Yes(bool),
    /// Not, nor ever: what it read has changed. `Done` is not called.
    Overtaken,
    /// The circle's file is as large as it may be.
    Full,
}

impl Circle {
    pub const fn new(id: CircleId, path: PathBuf) -> Self {
        let keyed = tokio::sync::Mutex::const_new(());
        Self { id, path, open: Mutex::new(None), last_use: AtomicU64::new(0), keyed }
    }

    /// When it was used last, by a clock that the caller keeps.
    pub fn last_use(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed)
    }

    /// Whether its file is open now.
    pub fn is_open(&self) -> bool {
        self.slot().is_some()
    }

    /// Whether there is anything on the disk.
    pub fn has_file(&self) -> bool {
        File::exists(&self.path)
    }

    /// Whether tasks may wait in its file to be taken up; it is not open yet. Blocks.
    pub fn may_have_unfinished(&self) -> Result<bool, Error> {
        File::is_settled(&self.path, &self.id).map(|settled| !settled)
    }

    /// The circle with its file open, opened now if it was not. Blocks.
    pub fn open(&self, now: u64, retention: Retention) -> Result<Arc<Open>, Error> {
        self.last_use.store(now, Ordering::Relaxed);
        let mut slot = self.slot();
        if let Some(open) = slot.as_ref().filter(|open| !open.state().failed) {
            return Ok(open.clone());
        }
        // What failed is closed first: two handles on one file exclude each other.
        if let Some(failed) = slot.take()
            && Arc::strong_count(&failed) > 1
        {
            *slot = Some(failed);
            return Err(Error::File(format!("{}: the disk refused a write", self.path.display()).into()));
        }
        let open = Arc::new(Open::new(&self.path, &self.id, retention)?);
        *slot = Some(open.clone());
        Ok(open)
    }

    /// Closes the file unless somebody uses it. Blocks.
    pub fn close_if_idle(&self) -> bool {
        let Ok(mut slot) = self.open.try_lock() else { return false };
        let idle = slot.as_ref().is_some_and(|open| Arc::strong_count(open) == 1 && open.is_quiet());
        if idle {
            // Under the lock, so that nobody opens the file before it is closed.
            *slot = None;
        }
        idle
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn slot(&self) -> MutexGuard<'_, Option<Arc<Open>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn new(path: &std::path::Path, id: &CircleId, retention: Retention) -> Result<Self, Error> {
        let (file, chain) = File::open(path, id, retention)?;
        let state = State {
            now: 0,
            on_disk: 0,
            documents: Arc::new(file.documents()?),
            versions: Versions::default(),
            snapshots: BTreeMap::new(),
            oldest: 0,
            waiting: Vec::new(),
            waiting_bytes: 0,
            writing: false,
            file_bytes: file.len(),
            failed: false,
        };
        Ok(Self {
            file,
            state: Mutex::new(state),
            chain: Mutex::new(chain),
            lane: Arc::default(),
            written: Notify::new(),
        })
    }

    /// What has reached the disk, for what is only ever read from there. Blocks.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// The head of the circle's chain of records.
    pub fn chain(&self) -> Chain {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The documents as they are now.
    pub fn snapshot(self: &Arc<Self>) -> View {
        let mut state = self.state();
        let (at, base) = (state.now, state.on_disk);
        *state.snapshots.entry(base).or_default() += 1;
        View { open: self.clone(), at, base, documents: state.documents.clone() }
    }

    /// Waits until settling more would not let what waits for the disk grow without bound.
    pub async fn room(&self) {
        loop {
            let written = self.written.notified();
            if self.state().waiting_bytes <= WAITING_BYTES {
                return;
            }
            written.await;
        }
    }

    /// Lets a play that is run again go first, for a while.
    pub async fn give_way(&self) {
        // A play that takes longer than that does not hold up a whole circle.
        let _ = timeout(RIGHT_OF_WAY, self.lane.lock()).await;
    }

    /// The right of way, for a play that is run again.
    pub async fn right_of_way(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.lane.clone().lock_owned().await
    }

    /// Takes a play's effects, all or nothing. `view`: what it read from, if it read.
    pub fn settle(
        &self,
        reads: &Reads,
        view: Option<&View>,
        writes: Writes,
        mut change: Change,
        limit: u64,
        done: Done,
    ) -> Taken {
        let mut state = self.state();
        if state.failed {
            drop(state);
            done(Err(Error::File("the disk refused a write".into())));
            return Taken::Yes(false);
        }
        if !writes.is_empty() {
            let stale =
                view.is_some_and(|view| view.base < state.oldest || state.versions.overtake(reads, view.at));
            if stale {
                return Taken::Overtaken;
            }
            if state.file_bytes > limit && writes.values().any(Option::is_some) {
                return Taken::Full;
            }
            state.now += 1;
            let now = state.now;
            state.versions.write(now, &writes);
            change.documents = writes.into_iter().collect();
        } else if change.is_empty() && view.is_none_or(|view| view.at <= state.on_disk) {
            // Nothing to write, and nothing seen that could still be lost.
            drop(state);
            done(Ok(()));
            return Taken::Yes(false);
        }
        let at = state.now;
        state.waiting_bytes += change.size();
        state.waiting.push((at, change, done));
        Taken::Yes(!mem::replace(&mut state.writing, true))
    }

    /// Brings everything that waits to the disk. Blocks. One thread at a time may be in here.
    pub fn write(&self) {
        loop {
            let batch: Vec<_> = {
                let mut state = self.state();
                if state.waiting.is_empty() {
                    state.writing = false;
                    break;
                }
                let most = state.waiting.len().min(BATCH);
                state.waiting.drain(..most).collect()
            };
            self.write_batch(batch);
            self.written.notify_waiters();
        }
        self.written.notify_waiters();
    }

    fn write_batch(&self, batch: Vec<(Moment, Change, Done)>) {
        let bytes: usize = batch.iter().map(|(_, change, _)| change.size()).sum();
        let last = batch.last().map_or(0, |(at, _, _)| *at);
        let mut dones = Vec::with_capacity(batch.len());
        let mut changes = Vec::with_capacity(batch.len());
        for (_, change, done) in batch {
            dones.push(done);
            if !change.is_empty() {
                changes.push(change);
            }
        }
        let written = self.put(&changes, last);
        // Freed before anybody is told: what was promised to be let go of is gone by then.
        drop(changes);
        let mut left = Vec::new();
        {
            let mut state = self.state();
            state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
            if written.is_err() {
                state.failed = true;
                left = mem::take(&mut state.waiting);
                state.waiting_bytes = 0;
            }
        }
        if let Err(error) = &written {
            tracing::error!(%error, "a circle's file could not be written");
        }
        let left = left.into_iter().map(|(_, _, done)| done);
        for done in dones.into_iter().chain(left) {
            done(written.clone());
        }
    }

    fn put(&self, changes: &[Change], last: Moment) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut chain = self.chain();
        self.file.apply(changes, &mut chain)?;
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        let documents = Arc::new(self.file.documents()?);
        let file_bytes = self.file.len();
        let mut state = self.state();
        state.on_disk = last;
        state.documents = documents;
        state.file_bytes = file_bytes;
        state.let_go();
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        let state = self.state();
        !state.writing && state.snapshots.is_empty()
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets versions that the file has and no snapshot needs.
    fn let_go(&mut self) {
        let needed = self.snapshots.keys().next().copied().unwrap_or(self.on_disk);
        self.versions.forget(needed.min(self.on_disk));
        if self.versions.bytes() > VERSION_BYTES {
            self.oldest = self.on_disk;
            self.versions.forget(self.on_disk);
        }
    }
}

/// A circle's documents at one moment.
pub struct View {
    open: Arc<Open>,
    at: Moment,
    base: Moment,
    documents: Arc<Documents>,
}

impl View {
    pub const fn open(&self) -> &Arc<Open> {
        &self.open
    }

    fn check(&self, state: &State) -> Result<(), Error> {
        if state.failed || self.base < state.oldest { Err(Error::Overtaken) } else { Ok(()) }
    }
}

impl Snapshot for View {
    fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        let newer = {
            let state = self.open.state();
            self.check(&state)?;
            state.versions.get(key, self.at)
        };
        newer.map_or_else(|| self.documents.get(key), Ok)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let newer: BTreeMap<_, _> = {
            let state = self.open.state();
            self.check(&state)?;
            let found = state.versions.range(range, self.at);
            found.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        Versions::lay_over(newer, self.documents.scan(range)?, limit)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let mut state = self.open.state();
        if let Some(count) = state.snapshots.get_mut(&self.base) {
            *count -= 1;
            if *count == 0 {
                state.snapshots.remove(&self.base);
                state.let_go();
            }
        }
    }
}

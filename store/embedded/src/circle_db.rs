//! What is newer than a circle's file, and the one writer that brings the two together.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use circles_api::CircleId;
use tokio::{sync::Notify, time::timeout};

use super::{
    super::{
        chain::Chain,
        done::Done,
        file::{Change, Documents, File, Retention},
        versions::{Moment, Versions},
    },
    View,
};
use circles_store::{Error, Reads, Writes};

/// Changes that go to the disk in one step, at most.
const BATCH: usize = 4_096;
/// Bytes that may wait for the disk; whoever settles more waits with them.
const WAITING_BYTES: usize = 32 << 20;
/// Bytes of versions that are kept for the sake of old snapshots; beyond them those have been overtaken.
const VERSION_BYTES: usize = 64 << 20;
/// How long a play that is run again has the right of way over others of its circle that write.
pub const RIGHT_OF_WAY: Duration = Duration::from_millis(20);

/// A circle whose file is open.
pub struct Open {
    pub(super) file: File,
    state: Mutex<State>,
    chain: Mutex<Chain>,
    /// Held by the play that is run again.
    lane: Arc<tokio::sync::Mutex<()>>,
    /// Told whenever the disk has caught up.
    written: Notify,
}

pub(super) struct State {
    /// The newest moment.
    now: Moment,
    /// The moment that the file shows.
    on_disk: Moment,
    documents: Arc<Documents>,
    pub(super) versions: Versions,
    /// How many snapshots look at the file as of which moment.
    pub(super) snapshots: BTreeMap<Moment, usize>,
    /// Snapshots older than this have lost what they would need.
    pub(super) oldest: Moment,
    waiting: Vec<(Moment, Change, Done)>,
    waiting_bytes: usize,
    writing: bool,
    /// Bytes of the file after the last write.
    file_bytes: u64,
    /// Why, once the disk refused: nothing newer than the file is left, and the circle has to be opened again.
    pub(super) failed: Option<Error>,
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

impl Open {
    /// Blocks.
    pub(super) fn new(path: &std::path::Path, id: &CircleId, retention: Retention) -> Result<Self, Error> {
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
            file_bytes: file.len()?,
            failed: None,
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
        View { documents: state.documents.clone(), open: self.clone(), at, base }
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
        if let Some(error) = state.failed.clone() {
            drop(state);
            done.tell(Err(error));
            return Taken::Yes(false);
        }
        if !writes.is_empty() {
            let stale =
                view.is_some_and(|view| view.base < state.oldest || state.versions.overtake(reads, view.at));
            if stale {
                done.forget();
                return Taken::Overtaken;
            }
            if state.file_bytes > limit && writes.values().any(Option::is_some) {
                done.forget();
                return Taken::Full;
            }
            state.now += 1;
            let now = state.now;
            state.versions.write(now, &writes);
            change.documents = writes.into_iter().collect();
        } else if change.is_empty() && view.is_none_or(|view| view.at <= state.on_disk) {
            // Nothing to write, and nothing seen that could still be lost.
            drop(state);
            done.tell(Ok(()));
            return Taken::Yes(false);
        }
        let at = state.now;
        state.waiting_bytes += change.size();
        state.waiting.push((at, change, done));
        Taken::Yes(!mem::replace(&mut state.writing, true))
    }

    /// Brings what waits to the disk, as much as goes there in one step. Blocks. `true`: more waits, and this has
    /// to be called again. One thread at a time may be in here.
    pub fn write(&self) -> bool {
        let batch: Vec<_> = {
            let mut state = self.state();
            let most = state.waiting.len().min(BATCH);
            state.waiting.drain(..most).collect()
        };
        if !batch.is_empty() {
            self.write_batch(batch);
        }
        let more = {
            let mut state = self.state();
            state.writing = !state.waiting.is_empty();
            state.writing
        };
        self.written.notify_waiters();
        more
    }

    /// Tells everybody who waits for the disk that nothing will get there any more.
    pub fn abandon(&self) {
        let left = self.state().fail(Error::Closed);
        for (_, _, done) in left {
            done.tell(Err(Error::Closed));
        }
        self.written.notify_waiters();
    }

    /// Whether it has to be closed and opened again, or was abandoned.
    pub(super) fn has_failed(&self) -> bool {
        self.state().failed.is_some() || self.file.is_broken()
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
            if let Err(error) = &written {
                left = state.fail(error.clone());
            }
        }
        if let Err(error) = &written {
            tracing::error!(%error, "a circle's file could not be written");
        }
        let left = left.into_iter().map(|(_, _, done)| done);
        for done in dones.into_iter().chain(left) {
            done.tell(written.clone());
        }
    }

    fn put(&self, changes: &[Change], last: Moment) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        // Checked on both sides: who is told that a change was kept will look for it there.
        self.file.len()?;
        let mut chain = self.chain();
        self.file.apply(changes, &mut chain)?;
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        let documents = Arc::new(self.file.documents()?);
        let file_bytes = self.file.len()?;
        let mut state = self.state();
        state.on_disk = last;
        state.documents = documents;
        state.file_bytes = file_bytes;
        state.let_go();
        Ok(())
    }

    /// Whether nothing goes on.
    pub(super) fn is_quiet(&self) -> bool {
        let state = self.state();
        !state.writing && state.snapshots.is_empty()
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes nothing any more. Returns what will never be on the disk.
    fn fail(&mut self, error: Error) -> Vec<(Moment, Change, Done)> {
        self.failed = Some(error);
        self.writing = false;
        self.waiting_bytes = 0;
        mem::take(&mut self.waiting)
    }

    /// Forgets versions that the file has and no snapshot needs.
    pub(super) fn let_go(&mut self) {
        let needed = self.snapshots.keys().next().copied().unwrap_or(self.on_disk);
        self.versions.forget(needed.min(self.on_disk));
        if self.versions.bytes() > VERSION_BYTES {
            self.oldest = self.on_disk;
            self.versions.forget(self.on_disk);
        }
    }
}

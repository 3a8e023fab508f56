//! A circle's open database: its file, the changes that are not in the file yet, and the writer that flushes them.

use std::{
    collections::BTreeMap,
    mem,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use circles_api::CircleId;
use circles_store::{Error, Json, Key, KeyRange, Reads, Writes, sync::lock};
use tokio::{
    sync::{Notify, OwnedMutexGuard},
    time::timeout,
};

use crate::{
    db::{Change, DbFile, Documents, Retention},
    on_durable::OnDurable,
    record_chain::RecordChain,
    versions::{Moment, Versions},
};

/// The most changes that one commit of the file takes.
const MAX_BATCH: usize = 4_096;
/// Bytes of changes that may wait for the disk; beyond them settling waits.
const MAX_PENDING_BYTES: usize = 32 << 20;
/// Bytes of document versions that are kept for old snapshots; beyond them those snapshots become too old.
const MAX_VERSION_BYTES: usize = 64 << 20;
/// How long other writers of the circle wait for a play that is run again, and a nested play for the retry lock. A run
/// that takes longer must not delay a whole circle. On Redis, where a run makes trips, both waits are longer.
pub(crate) const RETRY_LOCK_WAIT: Duration = Duration::from_millis(20);

/// A circle whose file is open.
pub(crate) struct CircleDb {
    file: DbFile,
    state: Mutex<DbState>,
    chain: Mutex<RecordChain>,
    /// Held by a play that is run again after a conflict.
    retry_lock: Arc<tokio::sync::Mutex<()>>,
    /// Notified after each flush.
    flushed: Notify,
}

struct DbState {
    /// The newest moment.
    now: Moment,
    /// The moment that the file shows.
    durable: Moment,
    documents: Arc<Documents>,
    versions: Versions,
    /// The number of snapshots by the moment that their view of the file shows.
    snapshots: BTreeMap<Moment, usize>,
    /// Snapshots older than this cannot be read any more.
    oldest: Moment,
    pending: Vec<PendingChange>,
    pending_bytes: usize,
    is_flushing: bool,
    /// Bytes of the file after the last flush.
    file_bytes: u64,
    /// The error of the disk, after which nothing more is accepted: the circle has to be opened again.
    failed: Option<Error>,
}

struct PendingChange {
    at: Moment,
    change: Change,
    on_durable: OnDurable,
}

/// The moments that a snapshot shows.
#[derive(Clone, Copy)]
pub(crate) struct SnapshotMoments {
    /// The moment of the snapshot.
    at: Moment,
    /// The earlier moment of its view of the file.
    file: Moment,
}

/// The effects of a play, which are accepted as a whole or not at all.
pub(crate) struct Commit<'a> {
    pub(crate) reads: &'a Reads,
    /// The snapshot that was read, if any was.
    pub(crate) seen: Option<SnapshotMoments>,
    pub(crate) writes: Writes,
    /// Changes other than `writes`.
    pub(crate) change: Change,
    /// The size of the file from which on only deletions are accepted.
    pub(crate) size_limit: u64,
}

/// The answer to a [`Commit`].
pub(crate) enum CommitResult {
    /// It will become durable, or `OnDurable` reports why not. If `needs_flush`, the caller must have
    /// [`CircleDb::flush_batch`] called.
    Accepted { needs_flush: bool },
    /// A document that was read has changed. Nothing is stored, and `OnDurable` is not called.
    Conflict,
    /// The file has reached its size limit. Nothing is stored, and `OnDurable` is not called.
    Full,
}

impl CircleDb {
    /// Blocks.
    pub(crate) fn open(path: &Path, id: &CircleId, retention: Retention) -> Result<Self, Error> {
        let (file, chain) = DbFile::open(path, id, retention)?;
        let state = DbState {
            now: 0,
            durable: 0,
            documents: Arc::new(file.documents()?),
            versions: Versions::default(),
            snapshots: BTreeMap::new(),
            oldest: 0,
            pending: Vec::new(),
            pending_bytes: 0,
            is_flushing: false,
            file_bytes: file.len()?,
            failed: None,
        };
        Ok(Self {
            file,
            state: Mutex::new(state),
            chain: Mutex::new(chain),
            retry_lock: Arc::default(),
            flushed: Notify::new(),
        })
    }

    /// Returns the file, for queries of what is durable. They block.
    pub(crate) const fn file(&self) -> &DbFile {
        &self.file
    }

    /// Returns the circle's chain of provenance records.
    pub(crate) fn chain(&self) -> RecordChain {
        lock(&self.chain).clone()
    }

    /// Registers a snapshot of the newest moment, until [`CircleDb::drop_snapshot`].
    pub(crate) fn add_snapshot(&self) -> (SnapshotMoments, Arc<Documents>) {
        let mut state = self.state();
        let moments = SnapshotMoments { at: state.now, file: state.durable };
        *state.snapshots.entry(moments.file).or_default() += 1;
        (moments, state.documents.clone())
    }

    pub(crate) fn drop_snapshot(&self, moments: SnapshotMoments) {
        let mut state = self.state();
        if let Some(count) = state.snapshots.get_mut(&moments.file) {
            *count -= 1;
            if *count == 0 {
                state.snapshots.remove(&moments.file);
                state.drop_unneeded_versions();
            }
        }
    }

    /// Returns a document of a snapshot that is newer than the snapshot's view of the file; the inner `None` means that
    /// it was deleted.
    pub(crate) fn newer(&self, moments: SnapshotMoments, key: &str) -> Result<Option<Option<Json>>, Error> {
        let state = self.state();
        state.check(moments)?;
        Ok(state.versions.get(key, moments.at))
    }

    /// Returns the documents of a range that are newer than the snapshot's view of the file.
    pub(crate) fn newer_in(
        &self,
        moments: SnapshotMoments,
        range: &KeyRange,
    ) -> Result<BTreeMap<Key, Option<Json>>, Error> {
        let state = self.state();
        state.check(moments)?;
        let found = state.versions.range(range, moments.at);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Waits while too many bytes of changes wait for the disk.
    pub(crate) async fn backpressure(&self) {
        loop {
            let flushed = self.flushed.notified();
            if self.state().pending_bytes <= MAX_PENDING_BYTES {
                return;
            }
            flushed.await;
        }
    }

    /// Waits a moment for a play that is run again, so that it does not meet another conflict.
    pub(crate) async fn yield_to_retry(&self) {
        let _ = timeout(RETRY_LOCK_WAIT, self.retry_lock.lock()).await;
    }

    /// Waits for the lock of plays that are run again: one of them at a time, and other writers yield to it.
    pub(crate) async fn retry_lock(&self) -> OwnedMutexGuard<()> {
        self.retry_lock.clone().lock_owned().await
    }

    /// Accepts the effects of a play unless they conflict with plays accepted since its snapshot.
    pub(crate) fn commit(&self, commit: Commit<'_>, on_durable: OnDurable) -> CommitResult {
        let Commit { reads, seen, writes, mut change, size_limit } = commit;
        let mut state = self.state();
        if let Some(error) = state.failed.clone() {
            drop(state);
            on_durable.report(Err(error));
            return CommitResult::Accepted { needs_flush: false };
        }
        if !writes.is_empty() {
            if seen.is_some_and(|seen| state.has_conflict(reads, seen)) {
                on_durable.cancel();
                return CommitResult::Conflict;
            }
            if state.file_bytes > size_limit && writes.values().any(Option::is_some) {
                on_durable.cancel();
                return CommitResult::Full;
            }
            state.now += 1;
            let now = state.now;
            state.versions.write(now, &writes);
            change.documents = writes.into_iter().collect();
        } else if change.is_empty() && seen.is_none_or(|seen| seen.at <= state.durable) {
            // Nothing to write, and all that was read is durable.
            drop(state);
            on_durable.report(Ok(()));
            return CommitResult::Accepted { needs_flush: false };
        }
        let at = state.now;
        state.pending_bytes += change.size();
        state.pending.push(PendingChange { at, change, on_durable });
        CommitResult::Accepted { needs_flush: !mem::replace(&mut state.is_flushing, true) }
    }

    /// Writes a batch of pending changes in one commit of the file. Returns whether more are pending: the caller must
    /// then call it again. Only one thread at a time may call it. Blocks.
    pub(crate) fn flush_batch(&self) -> bool {
        let batch: Vec<_> = {
            let mut state = self.state();
            let count = state.pending.len().min(MAX_BATCH);
            state.pending.drain(..count).collect()
        };
        if !batch.is_empty() {
            self.flush(batch);
        }
        let has_more = {
            let mut state = self.state();
            state.is_flushing = !state.pending.is_empty();
            state.is_flushing
        };
        self.flushed.notify_waiters();
        has_more
    }

    /// Fails all pending changes, since no thread is left that could write them.
    pub(crate) fn abandon(&self) {
        let pending = self.state().fail(Error::Closed);
        for PendingChange { on_durable, .. } in pending {
            on_durable.report(Err(Error::Closed));
        }
        self.flushed.notify_waiters();
    }

    /// Returns whether it has to be closed and opened again, or was abandoned.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed.is_some() || self.file.is_broken()
    }

    /// Returns whether no change is pending and no snapshot is open.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        !state.is_flushing && state.snapshots.is_empty()
    }

    fn flush(&self, batch: Vec<PendingChange>) {
        let bytes: usize = batch.iter().map(|pending| pending.change.size()).sum();
        let last = batch.last().map_or(0, |pending| pending.at);
        let mut callbacks = Vec::with_capacity(batch.len());
        let mut changes = Vec::with_capacity(batch.len());
        for PendingChange { change, on_durable, .. } in batch {
            callbacks.push(on_durable);
            if !change.is_empty() {
                changes.push(change);
            }
        }
        let written = self.write(&changes, last);
        // Freed before callers are answered, so that an answered play holds no memory.
        drop(changes);
        let mut failed = Vec::new();
        {
            let mut state = self.state();
            state.pending_bytes = state.pending_bytes.saturating_sub(bytes);
            if let Err(error) = &written {
                failed = state.fail(error.clone());
            }
        }
        if let Err(error) = &written {
            tracing::error!(%error, "a circle's file could not be written");
        }
        let failed = failed.into_iter().map(|pending| pending.on_durable);
        for on_durable in callbacks.into_iter().chain(failed) {
            on_durable.report(written.clone());
        }
    }

    fn write(&self, changes: &[Change], last: Moment) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        // `len` also checks that the file is in its place, here and below: callers that hear of a durable change look
        // for it at that path.
        self.file.len()?;
        let mut chain = self.chain();
        self.file.apply(changes, &mut chain)?;
        *lock(&self.chain) = chain;
        let documents = Arc::new(self.file.documents()?);
        let file_bytes = self.file.len()?;
        let mut state = self.state();
        state.durable = last;
        state.documents = documents;
        state.file_bytes = file_bytes;
        state.drop_unneeded_versions();
        Ok(())
    }

    /// No code under this lock can panic, so the data of a poisoned lock is sound.
    fn state(&self) -> MutexGuard<'_, DbState> {
        lock(&self.state)
    }
}

impl DbState {
    /// Fails with [`Error::MustRetry`] if a snapshot cannot be read any more.
    fn check(&self, moments: SnapshotMoments) -> Result<(), Error> {
        let is_readable = self.failed.is_none() && moments.file >= self.oldest;
        if is_readable { Ok(()) } else { Err(Error::MustRetry) }
    }

    fn has_conflict(&self, reads: &Reads, seen: SnapshotMoments) -> bool {
        seen.file < self.oldest || self.versions.conflict_with(reads, seen.at)
    }

    /// Accepts nothing more. Returns the pending changes, which will never be durable.
    fn fail(&mut self, error: Error) -> Vec<PendingChange> {
        self.failed = Some(error);
        self.is_flushing = false;
        self.pending_bytes = 0;
        mem::take(&mut self.pending)
    }

    /// Drops versions that the file holds and no snapshot needs.
    fn drop_unneeded_versions(&mut self) {
        let needed = self.snapshots.keys().next().copied().unwrap_or(self.durable);
        self.versions.forget(needed.min(self.durable));
        if self.versions.bytes() > MAX_VERSION_BYTES {
            self.oldest = self.durable;
            self.versions.forget(self.durable);
        }
    }
}

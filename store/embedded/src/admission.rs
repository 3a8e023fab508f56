//! How a task gets in: whether there is room, whether its call is known, and to the disk first if it is kept.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::oneshot;

use super::{
    CallKey, Shared, State,
    done::Done,
    entry::{self, Entry},
    file::{Change, Shares, TaskChange},
    key_of, lease, row,
};
use circles_store::{Error, Failure, Kind, Outcome, Task, Ticket};

/// About how many tasks are forgotten, of those whose time is over, before a call is refused for want of room.
const SWEPT: usize = 500;
/// When to try again after that, if it is not known when there is room, and at the soonest.
const NEXT: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(1);

/// The task of a call that was made before.
enum Known {
    UnderWay(Arc<Entry>),
    Ended(Ticket),
}

impl Shared {
    /// Makes a task known that has not ended; false if it is.
    pub(super) fn introduce(&self, entry: &Arc<Entry>) -> bool {
        let mut state = self.lock();
        if !state.live.insert(entry) {
            return false;
        }
        if let Some(key) = key_of(entry.task()) {
            state.keyed.insert(key, entry.clone());
        }
        true
    }

    /// Lets workers have a task.
    pub(super) fn enqueue(self: &Arc<Self>, entry: Arc<Entry>) {
        let mut state = self.lock();
        if self.is_closed() {
            drop(state);
            return self.leave(&entry);
        }
        if entry.is_queued() {
            state.queue.push_back(entry);
        }
        drop(state);
        self.work.notify_one();
    }

    /// Lets workers have a task once a change is on the disk.
    pub(super) fn enqueue_after(self: &Arc<Self>, change: TaskChange, entry: Arc<Entry>) {
        let (done, stored) = oneshot::channel();
        entry.is_kept_once(stored);
        let shared = self.clone();
        let circle = entry.task().circle;
        let then = Done::new(move |result| {
            match &result {
                Ok(()) => shared.enqueue(entry),
                Err(error) => {
                    shared.files.note(&circle, error);
                    if entry.decide().is_some() {
                        shared.finish(&entry, lease::failed(error.clone()));
                    }
                }
            }
            // Who asked may have gone; the task goes on.
            let _ = done.send(result);
        });
        self.store_change(&circle, Change { task: Some(change), ..Change::default() }, then);
    }

    /// Refuses what the queue has no room for.
    pub(super) fn admit(&self, state: &State, entry: &Entry) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let config = &self.config;
        let full = state.queue.len() >= config.queue_limit
            || state.queue.len_of(&entry.task().circle) >= config.circle_queue_limit
            || self.is_too_much(state, entry);
        if full { Err(Error::QueueFull) } else { Ok(()) }
    }

    /// Whether the waiting tasks would hold too much memory with this one: all of them, or those of its circle, which
    /// may have a quarter. One task may wait, whatever it holds.
    fn is_too_much(&self, state: &State, entry: &Entry) -> bool {
        let (all, of_circle) = state.queue.bytes(&entry.task().circle);
        let (bytes, most) = (entry.bytes(), self.config.queue_bytes);
        let passes = |held: usize, most: usize| held > 0 && held + bytes > most;
        passes(all, most) || passes(of_circle, most / 4)
    }

    /// What is remembered for a caller, after what is over was forgotten if there is no room.
    async fn shares(self: &Arc<Self>, task: &Task) -> Result<Shares, Error> {
        let ask = || {
            let caller = task.caller.to_string();
            self.files.ask(&task.circle, move |open| open.file().shares(&caller))
        };
        let shares = ask().await?.unwrap_or_default();
        if self.has_room(&self.lock(), task, &shares).is_ok() {
            return Ok(shares);
        }
        let (done, swept) = oneshot::channel();
        let change = Change { sweeps: SWEPT, ..Change::default() };
        self.store_change(&task.circle, change, Done::new(|result| drop(done.send(result))));
        swept.await.unwrap_or(Err(Error::Closed))?;
        Ok(ask().await?.unwrap_or_default())
    }

    /// Refuses what cannot be remembered.
    fn has_room(&self, state: &State, task: &Task, shares: &Shares) -> Result<(), Error> {
        let quota = self.files.retention(&task.circle).quota;
        let wait = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let oldest = shares.oldest_ms.map(Duration::from_millis);
            oldest.map_or(NEXT, |oldest| oldest.saturating_sub(now)).max(SOON)
        };
        let (tasks, bytes) = shares.own;
        let tasks = tasks + state.live.to_remember(&task.circle, Some(&task.caller));
        if tasks >= quota.caller_tasks || bytes >= quota.caller_bytes {
            return Err(Error::ShareFull(wait()));
        }
        let (tasks, bytes) = shares.guests;
        let tasks = tasks + state.live.to_remember(&task.circle, None);
        if task.guest && (tasks >= quota.guest_tasks || bytes >= quota.guest_bytes) {
            return Err(Error::GuestsFull(wait()));
        }
        Ok(())
    }

    /// A call with a key that may have been made before.
    async fn known(self: &Arc<Self>, task: &Task, key: &CallKey) -> Result<Option<Known>, Error> {
        let same = |same: bool, id| if same { Ok(()) } else { Err(Error::KeyReused(id)) };
        let under_way = self.lock().keyed.get(key).cloned();
        if let Some(entry) = under_way {
            same(entry.task().is_same_call(task), entry.task().id)?;
            return Ok(Some(Known::UnderWay(entry)));
        }
        let (caller, name) = (task.caller.to_string(), key.2.clone());
        let found = self.files.ask(&task.circle, move |open| open.file().task_of_key(&caller, &name)).await?;
        let Some((row, outcome)) = found.flatten() else { return Ok(None) };
        let dropped = || row.state.is_final().then_some(Outcome::failed(Failure::Dropped));
        // One that may have reached outside and never came to its end is not run again, nor known to have ended
        // otherwise; one that did neither is.
        let Some(outcome) = outcome.or_else(dropped).or(row.marked.then_some(Outcome::Lost)) else {
            return Ok(None);
        };
        same(row.call == row::call(task), row.id)?;
        Ok(Some(Known::Ended(Ticket::ready(row.id, outcome))))
    }

    /// Accepts a task of which something is kept.
    pub(super) async fn submit_recorded(self: &Arc<Self>, task: Task) -> Result<Ticket, Error> {
        let circle = self.files.circle(&task.circle);
        let outlives = matches!(task.kind, Kind::Submitted { .. });
        let entry = {
            // One call at a time finds out whether its key is known, so that two of the same are one.
            let _turn = match &task.idempotency_key {
                Some(_) => Some(circle.keyed.lock().await),
                None => None,
            };
            let known = match key_of(&task) {
                Some(key) => self.known(&task, &key).await?,
                None => None,
            };
            match known {
                Some(Known::Ended(ticket)) => return Ok(ticket),
                Some(Known::UnderWay(entry)) => entry,
                None => self.accept(task).await?,
            }
        };
        // Who repeats a call relies on its answer no less than who made it first.
        entry.is_kept().await?;
        let ticket = entry::ticket(self, entry.clone());
        if outlives && !matches!(entry.task().kind, Kind::Submitted { .. }) {
            // Of a play there is nothing on the disk until it ends.
            return Ok(Ticket::ready(ticket.task(), ticket.await));
        }
        Ok(ticket)
    }

    /// Makes a new task of which something is kept known, and queues it, if it is to outlive the process once
    /// that is certain.
    async fn accept(self: &Arc<Self>, task: Task) -> Result<Arc<Entry>, Error> {
        let shares = self.shares(&task).await?;
        let entry = Arc::new(Entry::new(task));
        {
            let mut state = self.lock();
            self.admit(&state, &entry)?;
            self.has_room(&state, entry.task(), &shares)?;
            state.live.insert(&entry);
            if let Some(key) = key_of(entry.task()) {
                state.keyed.insert(key, entry.clone());
            }
        }
        if matches!(entry.task().kind, Kind::Submitted { .. }) {
            self.enqueue_after(TaskChange::Accepted(entry.task().clone()), entry.clone());
        } else {
            self.enqueue(entry.clone());
        }
        Ok(entry)
    }
}

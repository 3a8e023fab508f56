//! The store that lives in this process.

mod entry;
mod queue;
mod recent;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use self::{
    entry::{Ended, Entry},
    queue::Queue,
    recent::Recent,
};
use crate::{Claim, Error, Outcome, Store, Task, TaskId, Ticket};

/// Bounds of an [`EmbeddedStore`].
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many tasks may wait to be claimed, over all circles. One more is [`Error::Full`].
    pub queue_limit: usize,
    /// How many of them one circle may have, so that it cannot shut out the others.
    pub circle_queue_limit: usize,
    /// How many calls with an idempotency key are remembered, the oldest forgotten first.
    pub recent_limit: usize,
    /// How many bytes they may keep together.
    pub recent_bytes: usize,
    /// How long a remembered outcome answers repeated calls.
    pub recent_for: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_limit: 10_000,
            circle_queue_limit: 2_500,
            recent_limit: 10_000,
            recent_bytes: 64 << 20,
            // SPEC §5: the same idempotency key within 24 h.
            recent_for: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Runs tasks where they arrive if they are sure to be short, which saves two hops between threads.
pub trait Trial: Send + Sync + 'static {
    /// Runs the task now, on the caller's thread, within a budget too small to delay anybody. `None`: it was
    /// not tried, or given up; nothing has happened and it must be queued.
    fn attempt(&self, task: &Task) -> Option<Outcome>;
}

/// The store of a single process: tasks live in memory and end with it.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    trial: Option<Arc<dyn Trial>>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    /// One permit for each queued task that nobody was told of yet.
    work: Notify,
    config: Config,
    /// Set under the lock, so that nothing is queued behind it.
    closed: AtomicBool,
}

struct State {
    /// Every task that has not ended, queued or running.
    live: HashMap<TaskId, Arc<Entry>>,
    queue: Queue,
    recent: Recent,
}

impl EmbeddedStore {
    /// An empty store.
    pub fn new(config: Config) -> Self {
        let state = State { live: HashMap::new(), queue: Queue::default(), recent: Recent::default() };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                work: Notify::new(),
                config,
                closed: AtomicBool::new(false),
            }),
            trial: None,
        }
    }

    /// Lets `trial` have every task first that carries no idempotency key.
    #[must_use]
    pub fn with_trial(mut self, trial: Arc<dyn Trial>) -> Self {
        self.trial = Some(trial);
        self
    }

    /// How many tasks wait to be claimed.
    pub fn queued(&self) -> usize {
        self.shared.lock().queue.len()
    }
}

impl Shared {
    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends a task that waits in the queue or runs; true if it had not ended yet.
    fn finish(&self, entry: &Arc<Entry>, outcome: Outcome) -> bool {
        let Some(ended) = entry.finish(outcome) else { return false };
        let mut state = self.lock();
        state.live.remove(&entry.task().id);
        if ended == Ended::WhileQueued {
            state.queue.remove(entry);
        }
        if entry.task().idempotency_key.is_some() {
            state.recent.resize(entry, Instant::now(), &self.config);
        }
        true
    }

    fn give_back(&self, entry: Arc<Entry>) {
        let mut state = self.lock();
        if self.is_closed() || entry.is_unwanted() {
            drop(state);
            self.finish(&entry, Outcome::Cancelled);
        } else if entry.requeue() {
            state.queue.push_front(entry);
            drop(state);
            self.work.notify_one();
        }
    }
}

#[async_trait::async_trait]
impl Store for EmbeddedStore {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        if self.shared.is_closed() {
            return Err(Error::Closed);
        }
        if task.idempotency_key.is_none()
            && let Some(trial) = &self.trial
            && let Some(outcome) = trial.attempt(&task)
        {
            return Ok(Ticket::ready(task.id, outcome));
        }
        // The clock first: what follows happens under the lock.
        let now = Instant::now();
        let mut state = self.shared.lock();
        if self.shared.is_closed() {
            return Err(Error::Closed);
        }
        if let Some(key) = recent::key_of(&task)
            && let Some(first) = state.recent.get(&key, now, &self.shared.config)
        {
            return if first.is_same_call(&task) {
                drop(state);
                Ok(entry::wait(&self.shared, first))
            } else {
                Err(Error::Conflict(first.task().id))
            };
        }
        let config = &self.shared.config;
        if state.queue.len() >= config.queue_limit
            || state.queue.len_of(&task.circle) >= config.circle_queue_limit
        {
            return Err(Error::Full);
        }
        let entry = Arc::new(Entry::new(task, now));
        state.live.insert(entry.task().id, entry.clone());
        if let Some(key) = recent::key_of(entry.task()) {
            state.recent.insert(key, entry.clone(), now, config);
        }
        state.queue.push_back(entry.clone());
        drop(state);
        self.shared.work.notify_one();
        Ok(entry::wait(&self.shared, entry))
    }

    async fn claim(&self) -> Result<Claim, Error> {
        loop {
            let work = self.shared.work.notified();
            {
                let mut state = self.shared.lock();
                if self.shared.is_closed() {
                    return Err(Error::Closed);
                }
                while let Some(entry) = state.queue.pop() {
                    // One that ended while it waited is passed over; so is one whose deadline went by while
                    // nobody awaited it: whoever asks for it again is told.
                    if entry.is_late(Instant::now()) {
                        state.live.remove(&entry.task().id);
                        entry.finish(Outcome::TimedOut);
                    } else if entry.start() {
                        // The permit that woke us may have stood for several tasks.
                        if !state.queue.is_empty() {
                            self.shared.work.notify_one();
                        }
                        return Ok(entry::claim(&self.shared, entry));
                    }
                }
            }
            work.await;
        }
    }

    async fn cancel(&self, task: TaskId) -> Result<bool, Error> {
        let found = self.shared.lock().live.get(&task).cloned();
        Ok(found.is_some_and(|entry| entry::cancel(&self.shared, &entry)))
    }

    async fn close(&self) {
        let left = {
            let mut state = self.shared.lock();
            self.shared.closed.store(true, Ordering::Release);
            state.queue.drain()
        };
        self.shared.work.notify_waiters();
        for entry in left {
            self.shared.finish(&entry, Outcome::Cancelled);
        }
    }
}

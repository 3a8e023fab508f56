//! The store that lives in this process: tasks under way in memory, what outlives them in a file a circle.

mod accept;
mod chain;
mod circle;
mod done;
mod entry;
mod file;
mod files;
mod lease;
mod live;
mod queue;
mod record;
mod room;
mod row;
mod running;
mod under_way;
mod versions;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use circles_api::{CircleId, provenance::Head, types::RecordPage};
use tokio::{sync::Notify, time::timeout};

use self::{circle::Circle, entry::Entry, files::Files, lease::Share, queue::Queue, under_way::UnderWay};
use circles_store::{
    Claim, Error, Kind, Outcome, Quotas, State as TaskState, Store, Task, TaskFilter, TaskId, TaskPage,
    TaskView, Ticket, InlineRunner, Watch, WatchEvent,
};

/// Bounds of an [`EmbeddedStore`].
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// How many tasks may wait to be claimed, over all circles. One more is [`Error::QueueFull`].
    pub queue_limit: usize,
    /// How many of them one circle may have, so that it cannot shut out the others.
    pub circle_queue_limit: usize,
    /// How many bytes of memory the waiting tasks may hold, a quarter of them those of one circle. One more is
    /// [`Error::QueueFull`].
    pub queue_bytes: usize,
    /// How many tasks may be claimed and not settled. One circle has at most half of them, two have a third each,
    /// so that there is room for another whatever those do.
    pub running_limit: usize,
    /// How long tasks are remembered after their end that were submitted or carry an idempotency key.
    pub remember_for: Duration,
    /// How many of them, and of what size.
    pub quotas: Quotas,
    /// How many circles' files may be open at a time, beside those that plays use at the moment.
    pub open_files: usize,
    /// How many bytes a circle's file may have before nothing more is written into it but deletions.
    pub file_bytes: u64,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            queue_limit: 10_000,
            circle_queue_limit: 2_500,
            queue_bytes: 256 << 20,
            running_limit: 64,
            // SPEC §5: the same idempotency key within 24 h.
            remember_for: Duration::from_secs(24 * 60 * 60),
            quotas: Quotas::default(),
            open_files: 256,
            file_bytes: 16 << 30,
        }
    }
}

/// How often the process may die while it runs a task, before the task ends as lost: it may be what kills it.
const DEATHS: usize = 2;

/// The store of a single process.
///
/// Each circle has a file of its own, a [redb](https://docs.rs/redb) database, made when something is first to
/// be kept. It holds documents, tasks that outlive their callers, outcomes by idempotency key, and provenance,
/// and is locked against other processes. What a play leaves is written in one step together with its outcome,
/// plays that end at the same time share the wait for the disk, and nobody is told an outcome that rests on
/// what the disk does not have yet.
///
/// Dropped, it closes its files and ends its threads.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    trial: Option<Arc<dyn InlineRunner>>,
    is_served: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    /// One permit for each queued task that nobody was told of yet.
    work: Notify,
    config: EmbeddedConfig,
    /// Set under the lock, so that nothing is queued behind it.
    closed: AtomicBool,
    files: Arc<Files>,
}

struct State {
    /// Every task that has not ended, queued or running.
    live: UnderWay,
    /// Those of them that carry an idempotency key.
    keyed: HashMap<CallKey, Arc<Entry>>,
    queue: Queue,
}

/// Who called what, where: the same key of another caller, or in another circle, is another key.
type CallKey = (CircleId, circles_store::Caller, Box<str>);

fn key_of(task: &Task) -> Option<CallKey> {
    task.idempotency_key.clone().map(|key| (task.circle, task.caller.clone(), key))
}

impl EmbeddedStore {
    /// A store whose circles keep their files where `path` says. Nothing is opened yet.
    pub fn new(
        config: EmbeddedConfig,
        path: impl Fn(&CircleId) -> PathBuf + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let state = State {
            live: UnderWay::default(),
            keyed: HashMap::new(),
            queue: Queue::new(config.running_limit),
        };
        let (time, quotas) = (config.remember_for, config.quotas.clone());
        let files = Files::new(Arc::new(path), time, quotas, config.open_files)?;
        let shared = Shared {
            state: Mutex::new(state),
            work: Notify::new(),
            config,
            closed: AtomicBool::new(false),
            files,
        };
        Ok(Self { shared: Arc::new(shared), trial: None, is_served: None })
    }

    /// Lets `trial` have every task first of which nothing is kept.
    #[must_use]
    pub fn with_inline_runner(mut self, trial: Arc<dyn InlineRunner>) -> Self {
        self.trial = Some(trial);
        self
    }

    /// Asks `is_served` whether anybody takes tasks; without it [`workers`](Store::workers) takes it for granted.
    #[must_use]
    pub fn with_worker_check(mut self, is_served: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.is_served = Some(Box::new(is_served));
        self
    }

    /// How many tasks wait to be claimed.
    pub fn queued(&self) -> usize {
        self.shared.lock().queue.len()
    }

    /// Takes up what these circles had accepted before the process ended. A task that may have had outside
    /// effects ends as lost, unless it may be retried. Returns how many tasks were found; fails if a circle's
    /// file cannot be used, which is also how one learns that another process has it.
    ///
    /// As many files as may be open at a time are opened and stay so, which keeps other processes from them. Of
    /// the rest, those are that hold anything to take up.
    pub async fn recover(&self, circles: impl IntoIterator<Item = CircleId>) -> Result<usize, Error> {
        let mut count = 0;
        for (number, circle) in circles.into_iter().enumerate() {
            let stays_open = number < self.shared.config.open_files;
            let look = move |circle: &Circle| stays_open || circle.may_have_unfinished();
            let running = self.shared.files.circle(&circle).running().clone();
            let unfinished = self
                .shared
                .files
                .ask_if(&circle, look, move |open| Ok((open.file().unfinished()?, running.left())));
            let (unfinished, left) = unfinished.await?.unwrap_or_default();
            for (row, body) in unfinished {
                let (marked, retries) = (row.marked, row.retries);
                let died = left.get(&row.id).copied().filter(|run| !row.deaths.contains(run));
                let deaths = row.deaths.len() + usize::from(died.is_some());
                let entry = Arc::new(Entry::new(row.task(circle, body)).with_retries(retries));
                if !self.shared.introduce(&entry) {
                    // Accepted by this process.
                    continue;
                }
                count += 1;
                if deaths >= DEATHS {
                    tracing::warn!(task = %entry.task().id, "the process died twice with this task: it is lost");
                    self.shared.lose(&entry, marked);
                } else if let Some(run) = died {
                    self.shared.run_after_death(entry, run, marked);
                } else if marked {
                    self.shared.retry_or_lose(entry);
                } else {
                    self.shared.enqueue(entry);
                }
            }
        }
        Ok(count)
    }

    /// Brings everything to the disk and closes the files. To be called last, when no claim is left.
    pub async fn shut(&self) {
        self.close().await;
        let files = self.shared.files.clone();
        // Where there is no runtime left, what was promised is on the disk anyway.
        let _ = tokio::task::spawn_blocking(move || files.finish()).await;
    }
}

/// The store closes, its threads end once they have done what they were asked for, and this waits for them, also where
/// claims and tickets are left: nothing more is kept of those. [`shut`](EmbeddedStore::shut) waits without blocking.
impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.shared.close();
        self.shared.files.finish();
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

    fn close(self: &Arc<Self>) {
        let left = {
            let mut state = self.lock();
            self.closed.store(true, Ordering::Release);
            state.queue.drain()
        };
        self.work.notify_waiters();
        for entry in left {
            self.leave(&entry);
        }
    }

    fn live(&self, circle: &CircleId, task: TaskId) -> Option<Arc<Entry>> {
        self.lock().live.get(task).filter(|entry| entry.task().circle == *circle).cloned()
    }
}

#[async_trait::async_trait]
impl Store for EmbeddedStore {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        if self.shared.is_closed() {
            return Err(Error::Closed);
        }
        if task.is_recorded() {
            return self.shared.submit_recorded(task).await;
        }
        if let Some(trial) = &self.trial
            && let Some(outcome) = trial.try_inline(&task)
        {
            return Ok(Ticket::ready(task.id, outcome));
        }
        let entry = Arc::new(Entry::new(task));
        {
            let mut state = self.shared.lock();
            self.shared.admit(&state, &entry)?;
            state.live.insert(&entry);
            state.queue.push_back(entry.clone());
        }
        self.shared.work.notify_one();
        Ok(entry::ticket(&self.shared, entry))
    }

    fn begin_nested(&self, task: Task) -> Result<(Claim, Ticket), Error> {
        if self.shared.is_closed() {
            return Err(Error::Closed);
        }
        let entry = Arc::new(Entry::new(task));
        self.shared.lock().live.insert(&entry);
        entry.start();
        let ticket = entry::ticket(&self.shared, entry.clone());
        Ok((lease::claim(&self.shared, entry, None), ticket))
    }

    async fn claim(&self) -> Result<Claim, Error> {
        loop {
            let work = self.shared.work.notified();
            loop {
                let (entry, share, more) = {
                    let mut state = self.shared.lock();
                    if self.shared.is_closed() {
                        return Err(Error::Closed);
                    }
                    let Some(entry) = state.queue.pop() else { break };
                    let share = Share::new(&self.shared, entry.task().circle);
                    (entry, share, !state.queue.is_empty())
                };
                // One whose deadline went by while nobody awaited it is passed over.
                if entry.is_late(Instant::now()) {
                    self.shared.conclude(&entry, Outcome::timed_out());
                } else if entry.start() {
                    // The permit that woke us may have stood for several tasks.
                    if more {
                        self.shared.work.notify_one();
                    }
                    // Dropped meanwhile, it goes back.
                    let claim = lease::claim(&self.shared, entry.clone(), Some(share));
                    if matches!(entry.task().kind, Kind::Submitted { .. }) {
                        self.shared.begins(&entry).await;
                    }
                    return Ok(claim);
                }
            }
            work.await;
        }
    }

    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error> {
        match self.shared.live(circle, task) {
            Some(entry) => Ok(entry::cancelled(&self.shared, &entry).await),
            None => Ok(false),
        }
    }

    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error> {
        if let Some(entry) = self.shared.live(circle, task) {
            if (!wait.is_zero() || entry.is_late(Instant::now()))
                && let Ok(receiver) = entry.subscribe()
            {
                // Over with the task or the time, whichever comes first.
                let _ = timeout(wait, entry::outcome(&self.shared, &entry, receiver)).await;
            }
            return Ok(Some(entry.view()));
        }
        let found = self.shared.files.ask(circle, move |open| open.file().task(task)).await?.flatten();
        let retention = self.shared.files.retention(circle).time;
        let known = found.filter(|(row, _)| !row.is_forgotten(SystemTime::now(), retention));
        Ok(known.map(|(row, outcome)| row.view(outcome)))
    }

    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        let (live, more) = self.shared.lock().live.list(circle, &filter);
        let live: HashMap<_, _> = live.iter().map(|entry| (entry.task().id, entry.view())).collect();
        let asked = filter.clone();
        // What waits or runs is under way.
        let kept = match filter.state {
            Some(TaskState::Queued | TaskState::Running) => None,
            _ => self.shared.files.ask(circle, move |open| open.file().tasks(&asked)).await?,
        };
        let mut page = kept.unwrap_or(TaskPage { tasks: Vec::new(), next: None });
        // Behind what was looked at there may be others.
        page.next = page.next.max(more);
        let next = page.next;
        page.tasks.retain(|task| next.is_none_or(|next| task.id >= next));
        // What is under way is known better here than in the file.
        page.tasks.retain(|task| !live.contains_key(&task.id));
        page.tasks.extend(live.into_values().filter(|task| {
            filter.before.is_none_or(|before| task.id < before)
                && page.next.is_none_or(|next| task.id >= next)
                && filter.caller.as_ref().is_none_or(|caller| *caller == task.caller)
                && filter.state.is_none_or(|state| state == task.state)
        }));
        page.tasks.sort_by_key(|task| std::cmp::Reverse(task.id));
        if page.tasks.len() > filter.limit {
            page.tasks.truncate(filter.limit);
            page.next = page.tasks.last().map(|task| task.id);
        }
        page.tasks.iter_mut().for_each(|task| task.outcome = None);
        Ok(page)
    }

    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error> {
        if let Some(entry) = self.shared.live(circle, task) {
            return Ok(Some(live::watch(entry)));
        }
        let view = self.task(circle, task, Duration::ZERO).await?;
        Ok(view.map(|view| {
            let ended = WatchEvent::Ended(Box::new(view));
            Box::pin(futures_util::stream::once(std::future::ready(ended))) as Watch
        }))
    }

    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error> {
        let found = self.shared.files.ask(circle, move |open| {
            // The head first: no record is missing that it counts.
            let head = open.chain().head();
            Ok(RecordPage { records: open.file().records(after, limit)?, head: head.into() })
        });
        let empty = || RecordPage { records: Vec::new(), head: Head::START.into() };
        Ok(found.await?.unwrap_or_else(empty))
    }

    async fn workers(&self) -> Result<usize, Error> {
        // Its own process, and no other can.
        if self.shared.is_closed() {
            return Err(Error::Closed);
        }
        let is_served = self.is_served.as_ref().is_none_or(|is_served| is_served());
        self.shared.files.room().lack().map_or(Ok(usize::from(is_served)), Err)
    }

    async fn close(&self) {
        self.shared.close();
    }
}

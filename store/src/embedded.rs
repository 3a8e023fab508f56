//! The store that lives in this process: tasks under way in memory, what outlives them in a file a circle.

mod chain;
mod circle;
mod entry;
mod file;
mod files;
mod lease;
mod live;
mod queue;
mod row;
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
use tokio::{sync::Notify, sync::oneshot, time::timeout};

use self::{
    chain::Ended,
    circle::{Circle, Done, Taken, View},
    entry::{Entry, Was},
    file::{Change, Retention, TaskChange},
    files::Files,
    lease::Share,
    queue::Queue,
};
use crate::{
    Claim, Error, Failure, Kind, Outcome, Settlement, Store, Task, TaskFilter, TaskId, TaskPage, TaskView,
    Ticket, Watch, WatchEvent,
};

/// Bounds of an [`EmbeddedStore`].
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many tasks may wait to be claimed, over all circles. One more is [`Error::Full`].
    pub queue_limit: usize,
    /// How many of them one circle may have, so that it cannot shut out the others.
    pub circle_queue_limit: usize,
    /// How many tasks may be claimed and not settled. One circle has at most half of them, two have a third each,
    /// so that there is room for another whatever those do.
    pub running_limit: usize,
    /// How long tasks are remembered after their end that were submitted or carry an idempotency key.
    pub remember_for: Duration,
    /// How many of them each circle remembers, those that ended first forgotten first.
    pub remember_tasks: usize,
    /// How many bytes their outcomes may take in each circle.
    pub remember_bytes: u64,
    /// How many circles' files may be open at a time, beside those that plays use at the moment.
    pub open_files: usize,
    /// How many bytes a circle's file may have before nothing more is written into it but deletions.
    pub file_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_limit: 10_000,
            circle_queue_limit: 2_500,
            running_limit: 64,
            // SPEC §5: the same idempotency key within 24 h.
            remember_for: Duration::from_secs(24 * 60 * 60),
            remember_tasks: 100_000,
            remember_bytes: 1 << 30,
            open_files: 256,
            file_bytes: 16 << 30,
        }
    }
}

/// Runs tasks where they arrive if they are sure to be short, which saves two hops between threads.
pub trait Trial: Send + Sync + 'static {
    /// Runs the task now, on the caller's thread, within a budget too small to delay anybody, and without
    /// anything of its circle that lies on a disk. `None`: it was not tried, or given up; nothing has happened
    /// and it must be queued.
    fn attempt(&self, task: &Task) -> Option<Outcome>;
}

/// The store of a single process.
///
/// Each circle has a file of its own, a [redb](https://docs.rs/redb) database, made when something is first to
/// be kept. It holds documents, tasks that outlive their callers, outcomes by idempotency key, and provenance,
/// and is locked against other processes. What a play leaves is written in one step together with its outcome,
/// plays that end at the same time share the wait for the disk, and nobody is told an outcome that rests on
/// what the disk does not have yet.
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
    files: Arc<Files>,
}

struct State {
    /// Every task that has not ended, queued or running.
    live: HashMap<TaskId, Arc<Entry>>,
    /// Those of them that carry an idempotency key.
    keyed: HashMap<CallKey, Arc<Entry>>,
    queue: Queue,
}

/// Who called what, where: the same key of another caller, or in another circle, is another key.
type CallKey = (CircleId, crate::Caller, Box<str>);

/// The task of a call that was made before.
enum Known {
    UnderWay(Arc<Entry>),
    Ended(Ticket),
}

fn key_of(task: &Task) -> Option<CallKey> {
    task.idempotency_key.clone().map(|key| (task.circle, task.caller.clone(), key))
}

impl EmbeddedStore {
    /// A store whose circles keep their files where `path` says. Nothing is opened yet.
    pub fn new(
        config: Config,
        path: impl Fn(&CircleId) -> PathBuf + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let state =
            State { live: HashMap::new(), keyed: HashMap::new(), queue: Queue::new(config.running_limit) };
        let retention = Retention {
            time: config.remember_for,
            tasks: config.remember_tasks,
            bytes: config.remember_bytes,
        };
        let files = Files::new(Arc::new(path), retention, config.open_files)?;
        let shared = Shared {
            state: Mutex::new(state),
            work: Notify::new(),
            config,
            closed: AtomicBool::new(false),
            files,
        };
        Ok(Self { shared: Arc::new(shared), trial: None })
    }

    /// Lets `trial` have every task first of which nothing is kept.
    #[must_use]
    pub fn with_trial(mut self, trial: Arc<dyn Trial>) -> Self {
        self.trial = Some(trial);
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
            let look = move |circle: &Circle| Ok(stays_open || circle.may_have_unfinished()?);
            let unfinished = self.shared.files.ask_if(&circle, look, |open| open.file().unfinished()).await?;
            for (row, body) in unfinished.into_iter().flatten() {
                count += 1;
                let (marked, retries) = (row.marked, row.retries);
                let entry = Arc::new(Entry::new(row.task(circle, body)));
                self.shared.introduce(&entry);
                if marked && retries == 0 {
                    let lost = Settlement { reached_outside: true, ..Outcome::Lost.into() };
                    self.shared.settle(&entry, None, lost);
                } else if marked {
                    let change = TaskChange::Retried(entry.task().id);
                    self.shared.enqueue_after(change, entry);
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

impl Shared {
    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Makes a task known that has not ended.
    fn introduce(&self, entry: &Arc<Entry>) {
        let mut state = self.lock();
        state.live.insert(entry.task().id, entry.clone());
        if let Some(key) = key_of(entry.task()) {
            state.keyed.insert(key, entry.clone());
        }
    }

    /// Lets workers have a task.
    fn enqueue(self: &Arc<Self>, entry: Arc<Entry>) {
        let mut state = self.lock();
        if self.is_closed() {
            // A task that is kept is taken up by the next process.
            drop(state);
            if !matches!(entry.task().kind, Kind::Submitted { .. }) {
                self.conclude(&entry, Outcome::Cancelled);
            }
            return;
        }
        if entry.is_queued() {
            state.queue.push_back(entry);
        }
        drop(state);
        self.work.notify_one();
    }

    /// Lets workers have a task once a change is on the disk.
    fn enqueue_after(self: &Arc<Self>, change: TaskChange, entry: Arc<Entry>) {
        let (done, stored) = oneshot::channel();
        entry.is_kept_once(stored);
        let shared = self.clone();
        let circle = entry.task().circle;
        let then: Done = Box::new(move |result| {
            match &result {
                Ok(()) => shared.enqueue(entry),
                Err(_) if entry.decide().is_some() => {
                    shared.finish(&entry, Outcome::Failed(entry::fault("a task could not be kept")));
                }
                Err(_) => {}
            }
            // Who asked may have gone; the task goes on.
            let _ = done.send(result);
        });
        self.store_change(&circle, Change { task: Some(change), ..Change::default() }, then);
    }

    fn leave_queue(&self, entry: &Entry, was: Was) {
        if was == Was::Queued {
            self.lock().queue.remove(entry);
        }
    }

    /// Takes how a task ended, as its worker or the store itself says, to the disk if anything of it is to be
    /// kept, and then to those who wait. True if the play was overtaken: then nothing has happened.
    fn record(self: &Arc<Self>, entry: &Arc<Entry>, view: Option<&View>, settlement: Settlement) -> bool {
        let Settlement { outcome, reads, mut writes, reached_outside, script_sha256 } = settlement;
        let task = entry.task();
        if !matches!(outcome, Outcome::Succeeded(_)) {
            writes.clear();
        }
        let submitted = matches!(task.kind, Kind::Submitted { .. });
        let leaves_record = !writes.is_empty() || reached_outside || submitted;
        let record = leaves_record.then(|| Ended {
            task: task.clone(),
            script_sha256,
            ended_at: SystemTime::now(),
            state: outcome.state(),
        });
        let kept = task.is_recorded().then(|| TaskChange::Ended {
            task: task.clone(),
            started_at: entry.started_at(),
            outcome: outcome.clone(),
        });
        let change = Change { documents: Vec::new(), task: kept, record };
        if view.is_none() && change.is_empty() {
            self.finish(entry, outcome);
            return false;
        }
        let then = self.then_finish(entry.clone(), outcome);
        let Some(view) = view else {
            self.store_change(&task.circle, change, then);
            return false;
        };
        match view.open().settle(&reads, Some(view), writes, change, self.config.file_bytes, then) {
            Taken::Yes(false) => false,
            Taken::Yes(true) => {
                let open = view.open().clone();
                self.files.run(move || open.write());
                false
            }
            Taken::Overtaken => true,
            Taken::Full => {
                let limit = Outcome::Failed(Failure::Limit { limit: "database_bytes".to_owned() });
                self.record(entry, None, Settlement { reached_outside, script_sha256, ..limit.into() });
                false
            }
        }
    }

    fn then_finish(self: &Arc<Self>, entry: Arc<Entry>, outcome: Outcome) -> Done {
        let shared = self.clone();
        Box::new(move |result| {
            let outcome = match result {
                Ok(()) => outcome,
                Err(error) => lease::failed(error),
            };
            shared.finish(&entry, outcome);
        })
    }

    /// Brings a change that rests on nothing read to the disk.
    fn store_change(self: &Arc<Self>, circle: &CircleId, change: Change, then: Done) {
        let (shared, circle) = (self.clone(), self.files.circle(circle));
        self.files.run(move || {
            let open = match shared.files.open(&circle) {
                Ok(open) => open,
                Err(error) => return then(Err(error)),
            };
            let none = crate::Writes::new();
            if let Taken::Yes(true) =
                open.settle(&crate::Reads::default(), None, none, change, u64::MAX, then)
            {
                open.write();
            }
        });
    }

    /// Ends a task whose end is decided, and on the disk if it had to go there.
    fn finish(&self, entry: &Arc<Entry>, outcome: Outcome) {
        // Those who wait are told after the call can be made again with its key.
        {
            let mut state = self.lock();
            state.live.remove(&entry.task().id);
            if let Some(key) = key_of(entry.task())
                && state.keyed.get(&key).is_some_and(|known| Arc::ptr_eq(known, entry))
            {
                state.keyed.remove(&key);
            }
        }
        entry.end(outcome);
    }

    /// Refuses what the queue has no room for.
    fn admit(&self, state: &State, task: &Task) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let config = &self.config;
        let full = state.queue.len() >= config.queue_limit
            || state.queue.len_of(&task.circle) >= config.circle_queue_limit;
        if full { Err(Error::Full) } else { Ok(()) }
    }

    fn live(&self, circle: &CircleId, task: TaskId) -> Option<Arc<Entry>> {
        self.lock().live.get(&task).filter(|entry| entry.task().circle == *circle).cloned()
    }

    /// A call with a key that may have been made before.
    async fn known(self: &Arc<Self>, task: &Task, key: &CallKey) -> Result<Option<Known>, Error> {
        let same = |same: bool, id| if same { Ok(()) } else { Err(Error::Conflict(id)) };
        let under_way = self.lock().keyed.get(key).cloned();
        if let Some(entry) = under_way {
            same(entry.task().is_same_call(task), entry.task().id)?;
            return Ok(Some(Known::UnderWay(entry)));
        }
        let (caller, name) = (task.caller.to_string(), key.2.clone());
        let found = self.files.ask(&task.circle, move |open| open.file().task_of_key(&caller, &name)).await?;
        let Some((row, Some(outcome))) = found.flatten() else { return Ok(None) };
        same(row.call == row::call(task), row.id)?;
        Ok(Some(Known::Ended(Ticket::ready(row.id, outcome))))
    }

    /// Accepts a task of which something is kept.
    async fn submit_recorded(self: &Arc<Self>, task: Task) -> Result<Ticket, Error> {
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
                None => self.accept(task)?,
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
    fn accept(self: &Arc<Self>, task: Task) -> Result<Arc<Entry>, Error> {
        self.admit(&self.lock(), &task)?;
        let entry = Arc::new(Entry::new(task));
        self.introduce(&entry);
        if matches!(entry.task().kind, Kind::Submitted { .. }) {
            self.enqueue_after(TaskChange::Accepted(entry.task().clone()), entry.clone());
        } else {
            self.enqueue(entry.clone());
        }
        Ok(entry)
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
            && let Some(outcome) = trial.attempt(&task)
        {
            return Ok(Ticket::ready(task.id, outcome));
        }
        let entry = {
            let mut state = self.shared.lock();
            self.shared.admit(&state, &task)?;
            let entry = Arc::new(Entry::new(task));
            state.live.insert(entry.task().id, entry.clone());
            state.queue.push_back(entry.clone());
            entry
        };
        self.shared.work.notify_one();
        Ok(entry::ticket(&self.shared, entry))
    }

    fn begin(&self, task: Task) -> Result<(Claim, Ticket), Error> {
        if self.shared.is_closed() {
            return Err(Error::Closed);
        }
        let entry = Arc::new(Entry::new(task));
        self.shared.lock().live.insert(entry.task().id, entry.clone());
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
                    self.shared.conclude(&entry, Outcome::TimedOut);
                } else if entry.start() {
                    // The permit that woke us may have stood for several tasks.
                    if more {
                        self.shared.work.notify_one();
                    }
                    return Ok(lease::claim(&self.shared, entry, Some(share)));
                }
            }
            work.await;
        }
    }

    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error> {
        let found = self.shared.live(circle, task);
        Ok(found.is_some_and(|entry| entry::cancel(&self.shared, &entry)))
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
        let retention = self.shared.files.retention().time;
        let known = found.filter(|(row, _)| !row.is_forgotten(SystemTime::now(), retention));
        Ok(known.map(|(row, outcome)| row.view(outcome)))
    }

    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        let live: Vec<_> = {
            let state = self.shared.lock();
            state.live.values().filter(|entry| entry.task().circle == *circle).cloned().collect()
        };
        let live: HashMap<_, _> = live.iter().map(|entry| (entry.task().id, entry.view())).collect();
        let asked = filter.clone();
        let kept = self.shared.files.ask(circle, move |open| open.file().tasks(&asked)).await?;
        let mut page = kept.unwrap_or(TaskPage { tasks: Vec::new(), next: None });
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

    async fn close(&self) {
        let left = {
            let mut state = self.shared.lock();
            self.shared.closed.store(true, Ordering::Release);
            state.queue.drain()
        };
        self.shared.work.notify_waiters();
        for entry in left {
            // What is kept is taken up by the next process.
            if !matches!(entry.task().kind, Kind::Submitted { .. }) {
                self.shared.conclude(&entry, Outcome::Cancelled);
            }
        }
    }
}

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use circles_api::{CircleId, provenance::Head, types::RecordPage};
use circles_store::{
    Claim, Error, InlineRunner, Kind, Outcome, Store, Task, TaskFilter, TaskId, TaskPage, TaskView, Ticket,
    Watch, WatchEvent,
};
use tokio::time::timeout;

use crate::{
    circle_files::CircleFiles,
    embedded_config::EmbeddedConfig,
    embedded_lease::{RunningSlot, claim},
    listing,
    live_task::LiveTask,
    store_core::StoreCore,
    ticket, watch,
};

/// The store of a single process.
///
/// Each circle has a file of its own, a [redb](https://docs.rs/redb) database, created when something is first stored.
/// It holds documents, submitted tasks, outcomes by idempotency key, and provenance, and is locked against other
/// processes. The writes of a play and its outcome are stored in one step, plays that end at the same time share the
/// wait for the disk, and an outcome is published only after everything that it rests on is durable.
///
/// Dropping the store closes its files and ends its threads.
pub struct EmbeddedStore {
    core: Arc<StoreCore>,
    inline_runner: Option<Arc<dyn InlineRunner>>,
    has_worker: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl EmbeddedStore {
    /// Creates a store; `path_of` returns the path of a circle's file. No file is opened yet.
    ///
    /// # Errors
    ///
    /// Fails if the threads that work on files cannot be started.
    pub fn new(
        config: EmbeddedConfig,
        path_of: impl Fn(&CircleId) -> PathBuf + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let (remember_for, quotas) = (config.remember_for, config.quotas.clone());
        let files = CircleFiles::new(Arc::new(path_of), remember_for, quotas, config.open_files)?;
        Ok(Self { core: Arc::new(StoreCore::new(config, files)), inline_runner: None, has_worker: None })
    }

    /// Gives every play of which nothing is stored to `runner` before it is queued.
    #[must_use]
    pub fn with_inline_runner(mut self, runner: Arc<dyn InlineRunner>) -> Self {
        self.inline_runner = Some(runner);
        self
    }

    /// Sets what tells [`workers`](Store::workers) whether this process claims tasks; by default it is assumed to.
    #[must_use]
    pub fn with_worker_check(mut self, has_worker: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.has_worker = Some(Box::new(has_worker));
        self
    }

    /// Returns how many tasks are queued.
    pub fn queued(&self) -> usize {
        self.core.tasks().queue.len()
    }

    /// Recovers the tasks of these circles that an earlier process accepted, and returns their number. A task that may
    /// have had side effects ends as lost unless it has a retry left.
    ///
    /// Up to the limit of open files, the circles' files are opened and stay open, which keeps other processes from
    /// them. Of the other circles, only files with unfinished tasks are opened.
    ///
    /// # Errors
    ///
    /// Fails if a circle's file cannot be used, as when another process has it open.
    pub async fn recover(&self, circles: impl IntoIterator<Item = CircleId>) -> Result<usize, Error> {
        let mut count = 0;
        for (number, circle) in circles.into_iter().enumerate() {
            count += self.core.recover(circle, number < self.core.config.open_files).await?;
        }
        Ok(count)
    }

    /// Closes the store, makes all changes durable and closes the files. To be called when no claim is left.
    pub async fn shutdown(&self) {
        self.close().await;
        let files = self.core.files.clone();
        // Without a runtime this is skipped: whatever was promised to be durable is.
        let _ = tokio::task::spawn_blocking(move || files.finish()).await;
    }
}

/// Closes the store and waits until its threads have ended. Claims and tickets that are left change nothing more.
/// Blocks; [`shutdown`](EmbeddedStore::shutdown) does not.
impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.core.close();
        self.core.files.finish();
    }
}

#[async_trait::async_trait]
impl Store for EmbeddedStore {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        if self.core.is_closed() {
            return Err(Error::Closed);
        }
        if task.is_remembered() {
            return self.core.submit_remembered(task).await;
        }
        if let Some(runner) = &self.inline_runner
            && let Some(outcome) = runner.try_inline(&task)
        {
            return Ok(Ticket::ready(task.id, outcome));
        }
        self.core.submit_transient(task)
    }

    fn begin_nested(&self, task: Task) -> Result<(Claim, Ticket), Error> {
        if self.core.is_closed() {
            return Err(Error::Closed);
        }
        let live = Arc::new(LiveTask::new(task));
        self.core.tasks().live.insert(&live);
        live.start();
        let ticket = ticket::for_task(&self.core, live.clone());
        Ok((claim(&self.core, live, None), ticket))
    }

    async fn claim(&self) -> Result<Claim, Error> {
        loop {
            let work = self.core.work.notified();
            loop {
                let (live, slot, has_more) = {
                    let mut tasks = self.core.tasks();
                    if self.core.is_closed() {
                        return Err(Error::Closed);
                    }
                    let Some(live) = tasks.queue.pop() else { break };
                    let slot = RunningSlot::new(&self.core, live.task().circle);
                    (live, slot, !tasks.queue.is_empty())
                };
                // Its ticket, which enforces the deadline, may have been dropped.
                if live.is_overdue(Instant::now()) {
                    self.core.conclude(&live, Outcome::timed_out());
                } else if live.start() {
                    // The permit that woke this worker may have stood for several tasks.
                    if has_more {
                        self.core.work.notify_one();
                    }
                    // If this call is dropped at the await below, the claim returns the task to the queue.
                    let claim = claim(&self.core, live.clone(), Some(slot));
                    if matches!(live.task().kind, Kind::Submitted { .. }) {
                        self.core.note_running(&live).await;
                    }
                    return Ok(claim);
                }
            }
            work.await;
        }
    }

    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error> {
        match self.core.live_task(circle, task) {
            Some(live) => Ok(ticket::cancel(&self.core, &live).await),
            None => Ok(false),
        }
    }

    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error> {
        if let Some(live) = self.core.live_task(circle, task) {
            if (!wait.is_zero() || live.is_overdue(Instant::now()))
                && let Ok(receiver) = live.subscribe()
            {
                let _ = timeout(wait, ticket::outcome(&self.core, &live, receiver)).await;
            }
            return Ok(Some(live.view()));
        }
        let found = self.core.files.query(circle, move |db| db.file().task(task)).await?.flatten();
        let remember_for = self.core.files.retention(circle).time;
        let remembered = found.filter(|(row, _)| !row.is_forgotten(SystemTime::now(), remember_for));
        Ok(remembered.map(|(row, outcome)| row.into_view(outcome)))
    }

    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        listing::list(&self.core, circle, filter).await
    }

    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error> {
        if let Some(live) = self.core.live_task(circle, task) {
            return Ok(Some(watch::watch(live)));
        }
        let view = self.task(circle, task, Duration::ZERO).await?;
        Ok(view.map(|view| {
            let ended = WatchEvent::Ended(Box::new(view));
            Box::pin(futures_util::stream::once(std::future::ready(ended))) as Watch
        }))
    }

    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error> {
        let found = self.core.files.query(circle, move |db| {
            // The head is read before the records, so that no record is missing that the head counts.
            let head = db.chain().head();
            Ok(RecordPage { records: db.file().records(after, limit)?, head: head.into() })
        });
        let empty = || RecordPage { records: Vec::new(), head: Head::START.into() };
        Ok(found.await?.unwrap_or_else(empty))
    }

    async fn workers(&self) -> Result<usize, Error> {
        if self.core.is_closed() {
            return Err(Error::Closed);
        }
        self.core.files.disk_space().check()?;
        let has_worker = self.has_worker.as_ref().is_none_or(|has_worker| has_worker());
        Ok(usize::from(has_worker))
    }

    async fn close(&self) {
        self.core.close();
    }
}

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use circles_api::CircleId;
use circles_store::{Caller, Task, TaskId, sync::lock};
use tokio::sync::Notify;

use crate::{
    circle_files::CircleFiles, embedded_config::EmbeddedConfig, live_task::LiveTask, live_tasks::LiveTasks,
    queue::Queue,
};

/// The state that the store shares with its claims and tickets.
///
/// Its operations on a task are in `admission`, `settling` and `requeue`.
pub(crate) struct StoreCore {
    tasks: Mutex<TaskTable>,
    /// One permit for each queued task that no waiting worker was woken for yet.
    pub(crate) work: Notify,
    pub(crate) config: EmbeddedConfig,
    /// Set under the lock of the tasks, so that no task is queued afterwards.
    closed: AtomicBool,
    pub(crate) files: Arc<CircleFiles>,
}

/// The tasks that have not ended.
pub(crate) struct TaskTable {
    /// All of them, queued and running.
    pub(crate) live: LiveTasks,
    /// Those with an idempotency key.
    pub(crate) by_key: HashMap<CallKey, Arc<LiveTask>>,
    pub(crate) queue: Queue,
}

impl TaskTable {
    /// Adds a task that has not ended; returns false if it is present.
    pub(crate) fn insert(&mut self, live: &Arc<LiveTask>) -> bool {
        let is_new = self.live.insert(live);
        if is_new && let Some(key) = call_key(live.task()) {
            self.by_key.insert(key, live.clone());
        }
        is_new
    }

    /// Removes a task that ends, and its idempotency key unless that belongs to a later call.
    pub(crate) fn remove(&mut self, live: &Arc<LiveTask>) {
        self.live.remove(live);
        if let Some(key) = call_key(live.task())
            && self.by_key.get(&key).is_some_and(|owner| Arc::ptr_eq(owner, live))
        {
            self.by_key.remove(&key);
        }
    }
}

/// An idempotency key with its circle and caller: other circles and callers have keys of their own.
pub(crate) type CallKey = (CircleId, Caller, Box<str>);

/// Returns the key of a task, if it has one.
pub(crate) fn call_key(task: &Task) -> Option<CallKey> {
    task.idempotency_key.clone().map(|key| (task.circle, task.caller.clone(), key))
}

impl StoreCore {
    pub(crate) fn new(config: EmbeddedConfig, files: Arc<CircleFiles>) -> Self {
        let queue = Queue::new(config.running_limit);
        let tasks = TaskTable { live: LiveTasks::default(), by_key: HashMap::new(), queue };
        Self { tasks: Mutex::new(tasks), work: Notify::new(), config, closed: AtomicBool::new(false), files }
    }

    /// No code under this lock can panic, so the data of a poisoned lock is sound.
    pub(crate) fn tasks(&self) -> MutexGuard<'_, TaskTable> {
        lock(&self.tasks)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the queue and wakes the workers that wait. Returns the tasks that were queued.
    pub(crate) fn close_queue(&self) -> Vec<Arc<LiveTask>> {
        let queued = {
            let mut tasks = self.tasks();
            self.closed.store(true, Ordering::Release);
            tasks.queue.drain()
        };
        self.work.notify_waiters();
        queued
    }

    /// Returns a task of this circle that has not ended.
    pub(crate) fn live_task(&self, circle: &CircleId, task: TaskId) -> Option<Arc<LiveTask>> {
        self.tasks().live.get(task).filter(|live| live.task().circle == *circle).cloned()
    }
}

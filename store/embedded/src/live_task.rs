use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicI64, AtomicU8, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use circles_store::{Error, Kind, Outcome, State, Task, TaskView, sync::lock};
use futures_util::{FutureExt as _, future::Shared as Cloneable};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{log_stream::LogStream, running_file::RunMarker};

/// A task from its acceptance to its final state.
pub(crate) struct LiveTask {
    task: Arc<Task>,
    /// Bytes of memory that the task holds.
    bytes: usize,
    deadline: Instant,
    interrupt: CancellationToken,
    progress: Mutex<Progress>,
    /// Its position in the queue of its circle; used only under the lock of the queue.
    queue_position: AtomicI64,
    /// Resolves when the task is durable, or could not be stored. Set only for a task that its submitter must not know
    /// of before that.
    durability: OnceLock<Cloneable<oneshot::Receiver<Result<(), Error>>>>,
    log: LogStream,
    /// Its slot in the file of running tasks.
    run_marker: Mutex<Option<RunMarker>>,
    /// How often it may still be run again after side effects.
    retries: AtomicU8,
}

struct Progress {
    stage: Stage,
    started_at: Option<SystemTime>,
    ended_at: Option<SystemTime>,
    waiters: Vec<oneshot::Sender<Outcome>>,
}

enum Stage {
    Queued,
    Running,
    /// Its end is decided and being stored. Until that is done, callers see the stage before.
    Settling(Prior),
    Ended(Outcome),
}

/// The stage of a task before its end was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prior {
    Queued,
    Running,
}

impl LiveTask {
    pub(crate) fn new(task: Task) -> Self {
        // A task that is recovered after a restart has used up part of its time.
        let age = SystemTime::now().duration_since(task.accepted_at).unwrap_or_default();
        let progress =
            Progress { stage: Stage::Queued, started_at: None, ended_at: None, waiters: Vec::new() };
        Self {
            deadline: bounded_deadline(Instant::now(), task.timeout.saturating_sub(age)),
            retries: AtomicU8::new(if let Kind::Submitted { retries } = task.kind { retries } else { 0 }),
            bytes: task.memory_bytes(),
            task: Arc::new(task),
            interrupt: CancellationToken::new(),
            progress: Mutex::new(progress),
            queue_position: AtomicI64::new(0),
            durability: OnceLock::new(),
            log: LogStream::default(),
            run_marker: Mutex::default(),
        }
    }

    /// Sets how often the task may still be run again after side effects.
    pub(crate) fn with_retries(self, retries: u8) -> Self {
        Self { retries: AtomicU8::new(retries), ..self }
    }

    /// Returns whether the task may be run again after side effects.
    pub(crate) fn may_retry(&self) -> bool {
        self.retries.load(Ordering::Relaxed) > 0
    }

    /// Uses up one retry; returns whether there was one.
    pub(crate) fn take_retry(&self) -> bool {
        let less = |retries: u8| retries.checked_sub(1);
        self.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    pub(crate) const fn task(&self) -> &Arc<Task> {
        &self.task
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) const fn interrupt(&self) -> &CancellationToken {
        &self.interrupt
    }

    pub(crate) const fn log(&self) -> &LogStream {
        &self.log
    }

    pub(crate) fn queue_position(&self) -> i64 {
        self.queue_position.load(Ordering::Relaxed)
    }

    pub(crate) fn set_queue_position(&self, position: i64) {
        self.queue_position.store(position, Ordering::Relaxed);
    }

    /// Sets what resolves when the task is durable. Its submitter must not know of the task before that.
    pub(crate) fn set_durability(&self, stored: oneshot::Receiver<Result<(), Error>>) {
        // Only the first call counts: later changes concern a task that is durable already.
        let _ = self.durability.set(stored.shared());
    }

    /// Waits until the task is durable, if it has to be.
    pub(crate) async fn wait_durable(&self) -> Result<(), Error> {
        match self.durability.get().cloned() {
            Some(durability) => durability.await.unwrap_or(Err(Error::Closed)),
            None => Ok(()),
        }
    }

    pub(crate) fn set_run_marker(&self, marker: RunMarker) {
        *lock(&self.run_marker) = Some(marker);
    }

    pub(crate) fn take_run_marker(&self) -> Option<RunMarker> {
        lock(&self.run_marker).take()
    }

    /// Moves the task from the queue to a worker; returns false if it is not queued any more.
    pub(crate) fn start(&self) -> bool {
        let mut progress = self.progress();
        let starts = matches!(progress.stage, Stage::Queued);
        if starts {
            progress.stage = Stage::Running;
            progress.started_at = Some(self.now());
        }
        starts
    }

    /// Returns whether the task was cancelled, or its caller disconnected.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.interrupt.is_cancelled()
    }

    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline <= now
    }

    /// Moves the task from its worker to the queue; returns false if it is not running any more.
    pub(crate) fn requeue(&self) -> bool {
        let mut progress = self.progress();
        let is_running = matches!(progress.stage, Stage::Running);
        if is_running {
            progress.stage = Stage::Queued;
            progress.started_at = None;
        }
        is_running
    }

    /// Reserves the decision how the task ends for the caller; `None` if it was made before.
    pub(crate) fn begin_settling(&self) -> Option<Prior> {
        let mut progress = self.progress();
        let prior = match progress.stage {
            Stage::Queued => Prior::Queued,
            Stage::Running => Prior::Running,
            Stage::Settling(_) | Stage::Ended(_) => return None,
        };
        progress.stage = Stage::Settling(prior);
        progress.ended_at = Some(self.now().max(progress.started_at.unwrap_or(UNIX_EPOCH)));
        Some(prior)
    }

    /// Undoes [`LiveTask::begin_settling`] after a conflict: the worker runs the task again.
    pub(crate) fn resume(&self) {
        let mut progress = self.progress();
        progress.stage = Stage::Running;
        progress.ended_at = None;
    }

    /// Undoes [`LiveTask::begin_settling`] when the end could not be stored: the task is run again from the queue.
    pub(crate) fn return_to_queued(&self) {
        let mut progress = self.progress();
        (progress.stage, progress.started_at, progress.ended_at) = (Stage::Queued, None, None);
    }

    /// Ends the task with this outcome and wakes its waiters.
    pub(crate) fn end(&self, outcome: Outcome) {
        let waiters = {
            let mut progress = self.progress();
            progress.stage = Stage::Ended(outcome.clone());
            std::mem::take(&mut progress.waiters)
        };
        for waiter in waiters {
            // A caller that no longer waits has dropped its receiver.
            let _ = waiter.send(outcome.clone());
        }
        self.log.wake();
    }

    pub(crate) fn is_queued(&self) -> bool {
        matches!(self.progress().stage, Stage::Queued)
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.progress().stage, Stage::Running)
    }

    /// Returns whether its end is not decided yet.
    pub(crate) fn is_undecided(&self) -> bool {
        matches!(self.progress().stage, Stage::Queued | Stage::Running)
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.progress().stage, Stage::Ended(_))
    }

    /// Returns the start of the latest run, and the time at which its end was decided.
    pub(crate) fn times(&self) -> (Option<SystemTime>, Option<SystemTime>) {
        let progress = self.progress();
        (progress.started_at, progress.ended_at)
    }

    pub(crate) fn view(&self) -> TaskView {
        let progress = self.progress();
        let (state, outcome) = match &progress.stage {
            Stage::Queued | Stage::Settling(Prior::Queued) => (State::Queued, None),
            Stage::Running | Stage::Settling(Prior::Running) => (State::Running, None),
            Stage::Ended(outcome) => (outcome.state(), Some(outcome.clone())),
        };
        TaskView {
            id: self.task.id,
            caller: self.task.caller.clone(),
            script_name: self.task.script_name().map(Into::into),
            state,
            accepted_at: self.task.accepted_at,
            timeout: self.task.timeout,
            started_at: progress.started_at,
            ended_at: progress.ended_at.filter(|_| outcome.is_some()),
            outcome,
        }
    }

    /// Returns a receiver of the outcome, or the outcome if the task has ended.
    pub(crate) fn subscribe(&self) -> Result<oneshot::Receiver<Outcome>, Outcome> {
        let mut progress = self.progress();
        if let Stage::Ended(outcome) = &progress.stage {
            return Err(outcome.clone());
        }
        // Repeated queries must not let the list grow: waiters that have gone are removed first.
        progress.waiters.retain(|waiter| !waiter.is_closed());
        let (sender, receiver) = oneshot::channel();
        progress.waiters.push(sender);
        Ok(receiver)
    }

    /// Returns the current time, but none before acceptance: the system's clock may be set back.
    fn now(&self) -> SystemTime {
        SystemTime::now().max(self.task.accepted_at)
    }

    /// No code under this lock can panic, so the data of a poisoned lock is sound.
    fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }
}

/// Returns a deadline, at most a hundred years ahead: timeouts come from outside, and `Instant` overflows.
fn bounded_deadline(now: Instant, timeout: Duration) -> Instant {
    const MAX_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now + timeout.min(MAX_TIMEOUT)
}

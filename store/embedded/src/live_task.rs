use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicU8, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::{FutureExt as _, future::Shared as Repeated};
use tokio::{sync::oneshot, time::timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Shared, live::Live, running::Begun};
use circles_store::{Error, Failure, Kind, LogLine, Outcome, State, Task, TaskView, Ticket};

/// How long past its deadline a worker may still settle a play before the caller is answered without it.
/// Workers keep deadlines themselves, within 100 ms; this only catches one that does not.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How long past its deadline a play may take to reach the disk.
const DISK: Duration = Duration::from_secs(30);

/// A task on its way from submission to its final state.
pub(super) struct Entry {
    task: Arc<Task>,
    /// Bytes of memory that the task holds.
    bytes: usize,
    deadline: Instant,
    interrupt: CancellationToken,
    phase: Mutex<Phase>,
    /// Its place in the queue of its circle; only used under the lock of the queue.
    place: AtomicI64,
    /// Brings whether it could be kept; there only if it has to be before anybody is told of it.
    kept: OnceLock<Repeated<oneshot::Receiver<Result<(), Error>>>>,
    live: Live,
    /// Where it is noted that it runs.
    begun: Mutex<Option<Begun>>,
    /// How often it may still be run again although it may have had outside effects.
    retries: AtomicU8,
}

struct Phase {
    stage: Stage,
    started_at: Option<SystemTime>,
    ended_at: Option<SystemTime>,
    waiters: Vec<oneshot::Sender<Outcome>>,
}

enum Stage {
    Queued,
    Running,
    /// How it ends is decided and on its way to the disk. Until it is there, the task shows as what it was.
    Settling(Was),
    Done(Outcome),
}

/// What a task was before how it ends was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Was {
    Queued,
    Running,
}

impl Entry {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn new(task: Task) -> Self {
        // A task that comes back after a restart was accepted long ago.
        let age = SystemTime::now().duration_since(task.accepted_at).unwrap_or_default();
        let phase = Phase { stage: Stage::Queued, started_at: None, ended_at: None, waiters: Vec::new() };
        Self {
            deadline: later(Instant::now(), task.timeout.saturating_sub(age)),
            retries: AtomicU8::new(if let Kind::Submitted { retries } = task.kind { retries } else { 0 }),
            bytes: task.memory_bytes(),
            task: Arc::new(task),
            interrupt: CancellationToken::new(),
            phase: Mutex::new(phase),
            place: AtomicI64::new(0),
            kept: OnceLock::new(),
            live: Live::default(),
            begun: Mutex::default(),
        }
    }

    /// One of which it is known how often it may still be run again.
    pub(super) fn with_retries(self, retries: u8) -> Self {
        Self { retries: AtomicU8::new(retries), ..self }
    }

    /// Whether it may be run again although it may have had outside effects.
    pub(super) fn may_retry(&self) -> bool {
        self.retries.load(Ordering::Relaxed) > 0
    }

    /// Takes one of the times that it may be run again; false if there is none.
    pub(super) fn take_retry(&self) -> bool {
        let less = |retries: u8| retries.checked_sub(1);
        self.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    pub(super) const fn task(&self) -> &Arc<Task> {
        &self.task
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn interrupt(&self) -> &CancellationToken {
        &self.interrupt
    }

    pub(super) const fn live(&self) -> &Live {
        &self.live
    }

    pub(super) fn place(&self) -> i64 {
        self.place.load(Ordering::Relaxed)
    }

    pub(super) fn set_place(&self, place: i64) {
        self.place.store(place, Ordering::Relaxed);
    }

    /// Nobody is to be told of it before this comes.
    pub(super) fn is_kept_once(&self, stored: oneshot::Receiver<Result<(), Error>>) {
        // The first time counts: what is written down later is of one that was kept before.
        let _ = self.kept.set(stored.shared());
    }

    /// Returns once it is on the disk, if it has to be.
    pub(super) async fn is_kept(&self) -> Result<(), Error> {
        match self.kept.get().cloned() {
            Some(kept) => kept.await.unwrap_or(Err(Error::Closed)),
            None => Ok(()),
        }
    }

    /// Takes note of where it is noted that it runs.
    pub(super) fn set_begun(&self, begun: Begun) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    }

    pub(super) fn take_begun(&self) -> Option<Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Moves from the queue to a worker; false if it has ended.
    pub(super) fn start(&self) -> bool {
        let mut phase = self.phase();
        let starts = matches!(phase.stage, Stage::Queued);
        if starts {
            phase.stage = Stage::Running;
            phase.started_at = Some(self.now());
        }
        starts
    }

    /// Whether nobody wants its outcome any more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.interrupt.is_cancelled()
    }

    /// Whether its deadline has passed.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline <= now
    }

    /// Moves from a worker back to the queue; false if it has ended.
    pub(super) fn requeue(&self) -> bool {
        let mut phase = self.phase();
        let goes_back = matches!(phase.stage, Stage::Running);
        if goes_back {
            phase.stage = Stage::Queued;
            phase.started_at = None;
        }
        goes_back
    }

    /// Reserves to the caller how it ends; `None` if that was decided before.
    pub(super) fn decide(&self) -> Option<Was> {
        let mut phase = self.phase();
        let was = match phase.stage {
            Stage::Queued => Was::Queued,
            Stage::Running => Was::Running,
            Stage::Settling(_) | Stage::Done(_) => return None,
        };
        phase.stage = Stage::Settling(was);
        phase.ended_at = Some(self.now().max(phase.started_at.unwrap_or(UNIX_EPOCH)));
        Some(was)
    }

    /// By a clock that never shows a task begin before it was accepted.
    fn now(&self) -> SystemTime {
        SystemTime::now().max(self.task.accepted_at)
    }

    /// Takes a decision back: its worker goes on with it.
    pub(super) fn goes_on(&self) {
        let mut phase = self.phase();
        phase.stage = Stage::Running;
        phase.ended_at = None;
    }

    /// Takes a decision back: it waits to be run again.
    pub(super) fn waits_again(&self) {
        let mut phase = self.phase();
        (phase.stage, phase.started_at, phase.ended_at) = (Stage::Queued, None, None);
    }

    /// Ends it as was decided, and tells everybody who waits.
    pub(super) fn end(&self, outcome: Outcome) {
        let waiters = {
            let mut phase = self.phase();
            phase.stage = Stage::Done(outcome.clone());
            std::mem::take(&mut phase.waiters)
        };
        for waiter in waiters {
            // A caller that no longer waits has dropped its end.
            let _ = waiter.send(outcome.clone());
        }
        self.live.wake();
    }

    pub(super) fn is_queued(&self) -> bool {
        matches!(self.phase().stage, Stage::Queued)
    }

    fn is_open(&self) -> bool {
        matches!(self.phase().stage, Stage::Queued | Stage::Running)
    }

    /// Whether a worker has it, as far as is known.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase().stage, Stage::Running)
    }

    fn is_done(&self) -> bool {
        matches!(self.phase().stage, Stage::Done(_))
    }

    /// When a worker began with it last, and when its end was decided.
    pub(super) fn times(&self) -> (Option<SystemTime>, Option<SystemTime>) {
        let phase = self.phase();
        (phase.started_at, phase.ended_at)
    }

    /// How others see it.
    pub(super) fn view(&self) -> TaskView {
        let phase = self.phase();
        let (state, outcome) = match &phase.stage {
            Stage::Queued | Stage::Settling(Was::Queued) => (State::Queued, None),
            Stage::Running | Stage::Settling(Was::Running) => (State::Running, None),
            Stage::Done(outcome) => (outcome.state(), Some(outcome.clone())),
        };
        TaskView {
            id: self.task.id,
            caller: self.task.caller.clone(),
            script_name: self.task.script_name().map(Into::into),
            state,
            accepted_at: self.task.accepted_at,
            timeout: self.task.timeout,
            started_at: phase.started_at,
            ended_at: phase.ended_at.filter(|_| outcome.is_some()),
            outcome,
        }
    }

    pub(super) fn subscribe(&self) -> Result<oneshot::Receiver<Outcome>, Outcome> {
        let mut phase = self.phase();
        if let Stage::Done(outcome) = &phase.stage {
            return Err(outcome.clone());
        }
        // Those who have gone make room for those who come, however often somebody asks.
        phase.waiters.retain(|waiter| !waiter.is_closed());
        let (sender, receiver) = oneshot::channel();
        phase.waiters.push(sender);
        Ok(receiver)
    }

    /// Shows a line to those who watch.
    pub(super) fn log(&self, line: &LogLine) {
        self.live.log(line);
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ticket of an entry. Its deadline is kept here, so that a task times out even if no worker is there.
pub(super) fn ticket(shared: &Arc<Shared>, entry: Arc<Entry>) -> Ticket {
    let id = entry.task.id;
    let receiver = match entry.subscribe() {
        Ok(receiver) => receiver,
        Err(outcome) => return Ticket::ready(id, outcome),
    };
    let waiter = Waiter { shared: shared.clone(), entry };
    Ticket::waiting(id, Box::pin(waiter.outcome(receiver)))
}

/// Cancels the task if it is dropped before the task ends, unless it is one that can be asked for again.
struct Waiter {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
}

impl Waiter {
    async fn outcome(self, receiver: oneshot::Receiver<Outcome>) -> Outcome {
        outcome(&self.shared, &self.entry, receiver).await
    }
}

/// Waits for the end of a task, and sees to it that there is one by the deadline.
pub(super) async fn outcome(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    mut receiver: oneshot::Receiver<Outcome>,
) -> Outcome {
    let deadline = entry.deadline.into();
    if let Ok(Ok(outcome)) = timeout_at(deadline, &mut receiver).await {
        return outcome;
    }
    if entry.is_queued() {
        shared.conclude(entry, Outcome::timed_out());
    } else if let Ok(Ok(outcome)) = timeout_at(deadline + LAST_WORD, &mut receiver).await {
        return outcome;
    }
    if shared.conclude(entry, Outcome::timed_out()) {
        tracing::error!(task = %entry.task.id, "a worker kept a play past its deadline");
        entry.interrupt.cancel();
    }
    // What was decided is only on its way to the disk.
    match timeout_at(deadline + DISK, receiver).await {
        Ok(Ok(outcome)) => outcome,
        _ => Outcome::failed(fault("an outcome did not reach the disk in time")),
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Also while it settles: overtaken, it would be run again for nobody.
        if !self.entry.task.is_recorded() && !self.entry.is_done() {
            cancel(&self.shared, &self.entry);
        }
    }
}

/// Durations come from outside; the clock ends somewhere, and this far nobody waits.
fn later(now: Instant, by: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now + by.min(FAR)
}

/// Logs a fault of ours under a fresh id, which is all that a caller sees of it.
pub(super) fn fault(cause: impl std::fmt::Display) -> Failure {
    let id = uuid::Uuid::now_v7();
    tracing::error!(%id, %cause, "internal error");
    Failure::Internal(id)
}

/// As [`cancel`]; returns, where a queued task ends by it, once everybody sees that it has.
pub(super) async fn cancelled(shared: &Arc<Shared>, entry: &Arc<Entry>) -> bool {
    let Ok(end) = entry.subscribe() else { return false };
    let first = cancel(shared, entry);
    if first && !entry.is_open() {
        let _ = tokio::time::timeout(DISK, end).await;
    }
    first
}

/// Ends a queued task now, a running one as soon as its worker hears it; true if this call was the one.
pub(super) fn cancel(shared: &Arc<Shared>, entry: &Arc<Entry>) -> bool {
    if entry.is_queued() && shared.conclude(entry, Outcome::cancelled()) {
        return true;
    }
    let first = entry.is_open() && !entry.interrupt.is_cancelled();
    entry.interrupt.cancel();
    first
}

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout_at};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::{Claim, Error, Outcome, Settle, Task, Ticket};

/// How long past its deadline a worker may still settle a play before the caller is answered without it.
/// Workers keep deadlines themselves, within 100 ms; this only catches one that does not.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A task on its way from submission to its final state.
pub(super) struct Entry {
    task: Arc<Task>,
    deadline: Instant,
    interrupt: CancellationToken,
    phase: Mutex<Phase>,
    /// Its place in the queue of its circle; only used under the lock of the queue.
    place: AtomicI64,
}

enum Phase {
    Queued(Vec<oneshot::Sender<Outcome>>),
    Running(Vec<oneshot::Sender<Outcome>>),
    Done(Outcome),
}

/// What a task was before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    WhileQueued,
    WhileRunning,
}

impl Entry {
    pub(super) fn new(task: Task, accepted: Instant) -> Self {
        Self {
            deadline: accepted + task.timeout,
            task: Arc::new(task),
            interrupt: CancellationToken::new(),
            phase: Mutex::new(Phase::Queued(Vec::new())),
            place: AtomicI64::new(0),
        }
    }

    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    pub(super) fn place(&self) -> i64 {
        self.place.load(Ordering::Relaxed)
    }

    pub(super) fn set_place(&self, place: i64) {
        self.place.store(place, Ordering::Relaxed);
    }

    /// Whether a call that carries the same idempotency key is this one, made again.
    pub(super) fn is_same_call(&self, task: &Task) -> bool {
        self.task.script == task.script && self.task.args == task.args
    }

    /// Moves from the queue to a worker; false if it has ended.
    pub(super) fn start(&self) -> bool {
        let mut phase = self.phase();
        match &mut *phase {
            Phase::Queued(waiters) => {
                *phase = Phase::Running(std::mem::take(waiters));
                true
            }
            Phase::Running(_) | Phase::Done(_) => false,
        }
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
        match &mut *phase {
            Phase::Running(waiters) => {
                *phase = Phase::Queued(std::mem::take(waiters));
                true
            }
            Phase::Queued(_) | Phase::Done(_) => false,
        }
    }

    /// Ends it and tells everybody who waits; `None` if it had ended before.
    pub(super) fn finish(&self, outcome: Outcome) -> Option<Ended> {
        let (waiters, ended) = {
            let mut phase = self.phase();
            let (waiters, ended) = match &mut *phase {
                Phase::Queued(waiters) => (std::mem::take(waiters), Ended::WhileQueued),
                Phase::Running(waiters) => (std::mem::take(waiters), Ended::WhileRunning),
                Phase::Done(_) => return None,
            };
            *phase = Phase::Done(outcome.clone());
            (waiters, ended)
        };
        for waiter in waiters {
            // A caller that no longer waits has dropped its end.
            let _ = waiter.send(outcome.clone());
        }
        Some(ended)
    }

    /// Roughly how many bytes it keeps while it is remembered.
    pub(super) fn size(&self) -> usize {
        let outcome = match &*self.phase() {
            Phase::Done(Outcome::Succeeded(success)) => {
                let logs: usize = success.logs.iter().map(|line| line.text.len() + 32).sum();
                // The text and the JSON of a value are of one order.
                2 * success.output.len() + logs
            }
            _ => 0,
        };
        512 + self.task.script.len() + outcome
    }

    fn is_done(&self) -> bool {
        matches!(&*self.phase(), Phase::Done(_))
    }

    fn is_queued(&self) -> bool {
        matches!(&*self.phase(), Phase::Queued(_))
    }

    fn subscribe(&self) -> Result<oneshot::Receiver<Outcome>, Outcome> {
        match &mut *self.phase() {
            Phase::Queued(waiters) | Phase::Running(waiters) => {
                let (sender, receiver) = oneshot::channel();
                waiters.push(sender);
                Ok(receiver)
            }
            Phase::Done(outcome) => Err(outcome.clone()),
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ticket of an entry. Its deadline is kept here, so that a task times out even if no worker is there.
pub(super) fn wait(shared: &Arc<Shared>, entry: Arc<Entry>) -> Ticket {
    let id = entry.task.id;
    let receiver = match entry.subscribe() {
        Ok(receiver) => receiver,
        Err(outcome) => return Ticket::ready(id, outcome),
    };
    let waiter = Waiter { shared: shared.clone(), entry };
    Ticket::waiting(id, Box::pin(waiter.outcome(receiver)))
}

/// Cancels the task if it is dropped before the task ends, unless the call can be made again by its key.
struct Waiter {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
}

impl Waiter {
    async fn outcome(self, mut receiver: oneshot::Receiver<Outcome>) -> Outcome {
        let deadline = self.entry.deadline.into();
        if let Ok(Ok(outcome)) = timeout_at(deadline, &mut receiver).await {
            return outcome;
        }
        if self.entry.is_queued() {
            self.shared.finish(&self.entry, Outcome::TimedOut);
        } else if let Ok(Ok(outcome)) = timeout_at(deadline + LAST_WORD, &mut receiver).await {
            return outcome;
        }
        if self.shared.finish(&self.entry, Outcome::TimedOut) {
            tracing::error!(task = %self.entry.task.id, "a worker kept a play past its deadline");
            self.entry.interrupt.cancel();
        }
        match self.entry.subscribe() {
            Err(outcome) => outcome,
            Ok(_) => Outcome::TimedOut,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.entry.task.idempotency_key.is_none() && !self.entry.is_done() {
            cancel(&self.shared, &self.entry);
        }
    }
}

/// Ends a queued task now, a running one as soon as its worker hears it; true if this call was the one.
pub(super) fn cancel(shared: &Arc<Shared>, entry: &Arc<Entry>) -> bool {
    if entry.is_queued() && shared.finish(entry, Outcome::Cancelled) {
        return true;
    }
    let first = !entry.is_done() && !entry.interrupt.is_cancelled();
    entry.interrupt.cancel();
    first
}

/// Hands a started entry to a worker.
pub(super) fn claim(shared: &Arc<Shared>, entry: Arc<Entry>) -> Claim {
    let lease = Lease { shared: shared.clone(), entry: entry.clone() };
    Claim::new(entry.task.clone(), entry.deadline, entry.interrupt.clone(), Box::new(lease))
}

struct Lease {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
}

#[async_trait::async_trait]
impl Settle for Lease {
    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<(), Error> {
        self.shared.finish(&self.entry, outcome);
        Ok(())
    }

    fn give_back(self: Box<Self>) {
        self.shared.give_back(self.entry);
    }
}

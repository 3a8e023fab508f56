//! Tickets: how callers wait for the end of a task.

use std::{sync::Arc, time::Duration};

use circles_store::{Outcome, Ticket};
use tokio::{
    sync::oneshot,
    time::{timeout, timeout_at},
};

use crate::{failures::internal, live_task::LiveTask, store_core::StoreCore};

/// How long after its deadline a worker may still settle a play before the caller is answered without it. Workers keep
/// deadlines within 100 ms themselves.
const SETTLE_GRACE: Duration = Duration::from_secs(1);
/// How long after the deadline the end of a play may take to become durable.
const DISK_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the ticket of a task. The ticket enforces the deadline, so that a task times out without any worker.
pub(crate) fn for_task(core: &Arc<StoreCore>, live: Arc<LiveTask>) -> Ticket {
    let id = live.task().id;
    let receiver = match live.subscribe() {
        Ok(receiver) => receiver,
        Err(outcome) => return Ticket::ready(id, outcome),
    };
    let waiter = Waiter { core: core.clone(), live };
    Ticket::waiting(id, Box::pin(waiter.outcome(receiver)))
}

/// A caller that waits. Dropping it before the task ends cancels the task, unless the caller may ask for it again.
struct Waiter {
    core: Arc<StoreCore>,
    live: Arc<LiveTask>,
}

impl Waiter {
    async fn outcome(self, receiver: oneshot::Receiver<Outcome>) -> Outcome {
        outcome(&self.core, &self.live, receiver).await
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Also while it settles: after a conflict it would be run again although no caller waits.
        if !self.live.task().is_remembered() && !self.live.has_ended() {
            self.core.cancel(&self.live);
        }
    }
}

/// Waits for the end of a task, and ends it at its deadline.
pub(crate) async fn outcome(
    core: &Arc<StoreCore>,
    live: &Arc<LiveTask>,
    mut receiver: oneshot::Receiver<Outcome>,
) -> Outcome {
    let deadline = live.deadline().into();
    if let Ok(Ok(outcome)) = timeout_at(deadline, &mut receiver).await {
        return outcome;
    }
    if live.is_queued() {
        core.conclude(live, Outcome::timed_out());
    } else if let Ok(Ok(outcome)) = timeout_at(deadline + SETTLE_GRACE, &mut receiver).await {
        return outcome;
    }
    if core.conclude(live, Outcome::timed_out()) {
        tracing::error!(task = %live.task().id, "a worker kept a play past its deadline");
        live.interrupt().cancel();
    }
    // The end is decided by now, and perhaps being stored.
    match timeout_at(deadline + DISK_TIMEOUT, receiver).await {
        Ok(Ok(outcome)) => outcome,
        _ => Outcome::failed(internal("an outcome did not reach the disk in time")),
    }
}

/// Cancels a task. If that ends it at once, as in the queue, returns after every caller sees its end. Returns whether
/// this call was the first to cancel it.
pub(crate) async fn cancel(core: &Arc<StoreCore>, live: &Arc<LiveTask>) -> bool {
    let Ok(end) = live.subscribe() else { return false };
    let is_first = core.cancel(live);
    if is_first && !live.is_undecided() {
        let _ = timeout(DISK_TIMEOUT, end).await;
    }
    is_first
}

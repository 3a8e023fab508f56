//! A call that waits for the end of its task.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use circles_api::CircleId;
use circles_store::{Failure, Outcome, Task, TaskId, Ticket};
use futures_util::FutureExt as _;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout, timeout_at},
};

use super::{CATCH_UP_INTERVAL, CancelScope, Waiters, lookup::Interest};
use crate::{client::COMMAND_TIMEOUT, task_meta::TaskEnd};

/// How long past its deadline a worker may still settle a play before the server ends it.
pub(super) const REDIS_SETTLE_GRACE: Duration = Duration::from_millis(100);
/// How long past its deadline a caller waits for an answer: one command may go unanswered.
const ANSWER_GRACE: Duration = COMMAND_TIMEOUT.saturating_add(Duration::from_secs(1));

/// A call that waits for its outcome. Dropping it early cancels the task, unless a later call may ask for it.
pub(super) struct Waiter {
    pub(super) waiters: Arc<Waiters>,
    pub(super) id: TaskId,
    pub(super) circle: CircleId,
    pub(super) recorded: bool,
    pub(super) deadline: Instant,
    pub(super) receiver: oneshot::Receiver<TaskEnd>,
}

impl Waiter {
    /// A ticket for the task that this call submitted.
    pub(super) fn ticket(self) -> Ticket {
        Ticket::waiting(self.id, self.outcome().boxed())
    }

    /// A ticket for the task of an earlier call with the same idempotency key. `task` is what this call would have
    /// submitted.
    pub(super) fn joined_ticket(self, task: Task, arrived: Instant) -> Ticket {
        Ticket::waiting(self.id, self.joined_outcome(task, arrived).boxed())
    }

    async fn joined_outcome(mut self, task: Task, arrived: Instant) -> Outcome {
        // The task may have ended before this waiter was registered.
        match self.waiters.look_up(&self.circle, self.id, Interest::Outcome).await {
            Ok(Some((left, view))) => {
                // The deadline is the first call's.
                self.deadline = Instant::now() + left;
                self.waiters.confirm(self.id);
                match view.outcome {
                    Some(outcome) => outcome,
                    None if view.state.is_final() => Outcome::failed(Failure::Dropped),
                    None => self.outcome().await,
                }
            }
            // The first call was refused and is forgotten, so this call is submitted itself.
            Ok(None) => match self.waiters.submit(task, arrived).await {
                Ok(ticket) => ticket.await,
                Err(_) => Outcome::failed(Failure::Unavailable),
            },
            Err(_) => Outcome::failed(Failure::Unavailable),
        }
    }

    async fn outcome(mut self) -> Outcome {
        let outcome = self.answer().await;
        // The task is over, so there is nothing to cancel.
        self.detach();
        outcome
    }

    async fn answer(&mut self) -> Outcome {
        if let Ok(Ok(end)) = timeout_at(self.deadline.into(), &mut self.receiver).await {
            return end.outcome;
        }
        timeout(ANSWER_GRACE, self.end_past_deadline()).await.unwrap_or(Outcome::failed(Failure::Unavailable))
    }

    /// Ends the task if its deadline has passed in the queue, or if its worker does not settle it in time.
    async fn end_past_deadline(&mut self) -> Outcome {
        let timed_out = Outcome::timed_out();
        // A running task ends by its worker's clock. The worker must not be told to cancel it before.
        if let Err(error) = self.waiters.end(&self.circle, self.id, &timed_out, CancelScope::Queued).await {
            tracing::debug!(%error, task = %self.id, "cannot end a play past its deadline");
        }
        if let Ok(Ok(end)) = timeout(REDIS_SETTLE_GRACE, &mut self.receiver).await {
            return end.outcome;
        }
        match self.waiters.end(&self.circle, self.id, &timed_out, CancelScope::Now).await {
            Ok(reply) if reply == "ended" => timed_out,
            Ok(_) => self.fetch_missed_answer().await,
            Err(_) => Outcome::failed(Failure::Unavailable),
        }
    }

    /// Fetches the outcome of a task that has ended without a message that arrived here.
    async fn fetch_missed_answer(&mut self) -> Outcome {
        let shard = self.waiters.node.shard_of(&self.circle);
        let fetched = self.waiters.fetch_answers(shard, vec![self.id], Vec::new()).await;
        match timeout(REDIS_SETTLE_GRACE, &mut self.receiver).await {
            Ok(Ok(end)) => end.outcome,
            _ => {
                tracing::error!(task = %self.id, ?fetched, "the outcome of a play is unknown");
                Outcome::failed(Failure::Unavailable)
            }
        }
    }

    /// Has the task go on when this is dropped.
    pub(super) fn detach(&mut self) {
        self.recorded = true;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.receiver.close();
        self.waiters.remove_closed(self.id);
        if !self.recorded {
            let (waiters, circle, id, deadline) = (self.waiters.clone(), self.circle, self.id, self.deadline);
            let cancel = async move {
                while let Err(error) = waiters.cancel(&circle, id).await {
                    if Instant::now() > deadline || waiters.node.is_closing() {
                        tracing::debug!(%error, task = %id, "cannot cancel a play without a caller");
                        return;
                    }
                    sleep(CATCH_UP_INTERVAL).await;
                }
            };
            // A shutdown waits for it: only this process knows that the play has no caller any more.
            self.waiters.node.spawn(cancel);
        }
    }
}

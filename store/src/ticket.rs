use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;

use crate::{Outcome, TaskId};

/// Where the outcome of a task arrives, for the one who submitted it.
///
/// Dropped early it says that nobody waits any more: the task is cancelled, unless it carries an idempotency
/// key and so may be asked for again.
#[must_use = "a ticket that is dropped cancels its task"]
pub struct Ticket {
    task: TaskId,
    outcome: State,
}

enum State {
    Ready(Option<Box<Outcome>>),
    Waiting(BoxFuture<'static, Outcome>),
}

impl Ticket {
    /// A ticket for a task that has ended; for stores.
    pub fn ready(task: TaskId, outcome: Outcome) -> Self {
        Self { task, outcome: State::Ready(Some(Box::new(outcome))) }
    }

    /// A ticket for a task under way; for stores. Dropping the future must mean what dropping a ticket means.
    pub fn waiting(task: TaskId, outcome: BoxFuture<'static, Outcome>) -> Self {
        Self { task, outcome: State::Waiting(outcome) }
    }

    /// Which task; not the one submitted, if its idempotency key was known.
    pub const fn task(&self) -> TaskId {
        self.task
    }
}

/// Polled again after it is ready, it stays pending.
impl Future for Ticket {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.outcome {
            State::Ready(outcome) => outcome.take().map_or(Poll::Pending, |outcome| Poll::Ready(*outcome)),
            State::Waiting(waiting) => {
                let polled = waiting.as_mut().poll(context);
                if polled.is_ready() {
                    self.outcome = State::Ready(None);
                }
                polled
            }
        }
    }
}

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;

use crate::{outcome::Outcome, task::TaskId};

/// Resolves to the outcome of a submitted task.
///
/// Dropping it before then cancels the task, unless the task carries an idempotency key or was submitted: the caller
/// may ask for those again.
#[must_use = "dropping a ticket cancels its task"]
pub struct Ticket {
    task: TaskId,
    progress: Progress,
}

enum Progress {
    Ready(Option<Box<Outcome>>),
    Waiting(BoxFuture<'static, Outcome>),
}

impl Ticket {
    /// Creates a ticket for a task that has ended; for stores.
    pub fn ready(task: TaskId, outcome: Outcome) -> Self {
        Self { task, progress: Progress::Ready(Some(Box::new(outcome))) }
    }

    /// Creates a ticket for a task in progress; for stores. Dropping the future must mean what dropping a ticket means.
    pub fn waiting(task: TaskId, outcome: BoxFuture<'static, Outcome>) -> Self {
        Self { task, progress: Progress::Waiting(outcome) }
    }

    /// Returns the task's name; that of an earlier task if the idempotency key was known.
    pub const fn task(&self) -> TaskId {
        self.task
    }
}

/// Stays pending when it is polled after it was ready.
impl Future for Ticket {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.progress {
            Progress::Ready(outcome) => outcome.take().map_or(Poll::Pending, |outcome| Poll::Ready(*outcome)),
            Progress::Waiting(waiting) => {
                let polled = waiting.as_mut().poll(context);
                if polled.is_ready() {
                    self.progress = Progress::Ready(None);
                }
                polled
            }
        }
    }
}

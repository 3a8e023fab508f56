//! A play that was handed over to be tried and takes a thread of scripts. It may read; it is given up as soon as it has
//! to be kept: then nothing has happened, and it is queued.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Shared, snapshot::View};
use circles_store::{Error, Failure, Lease, LogLine, Outcome, Settlement, Snapshot, Task};

/// How long it may wait for a thread and run.
pub const TIME: Duration = Duration::from_millis(50);

/// Takes the outcome, if it is one to be told.
pub type Tell = Box<dyn FnOnce(Option<Outcome>) + Send + Sync>;

/// The end of such a play at the worker.
pub struct Attempt {
    shared: Arc<Shared>,
    task: Arc<Task>,
    came: Instant,
    view: Mutex<Option<Arc<View>>>,
    tell: Option<Tell>,
}

impl Attempt {
    pub fn new(shared: &Arc<Shared>, task: &Arc<Task>, tell: Tell) -> Self {
        shared.lock().attempts_of(&task.circle, |count| count + 1);
        Self {
            shared: shared.clone(),
            task: task.clone(),
            came: Instant::now(),
            view: Mutex::default(),
            tell: Some(tell),
        }
    }

    fn end(&mut self, outcome: Option<Outcome>) {
        if let Some(tell) = self.tell.take() {
            let mut state = self.shared.lock();
            state.attempts_of(&self.task.circle, |count| count.saturating_sub(1));
            state.took(self.came.elapsed());
            drop(state);
            self.shared.wanted.notify_one();
            tell(outcome);
        }
    }
}

#[async_trait::async_trait]
impl Lease for Attempt {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let view = view.get_or_insert_with(|| Arc::new(View::new(&self.shared, self.task.circle)));
        Ok(view.clone())
    }

    /// It is given up.
    fn mark_side_effects(&self) -> Result<(), Error> {
        Err(Error::MustRetry)
    }

    fn log(&self, _: &LogLine) {}

    /// What only read has seen one version, and comes right after it.
    fn accepts(&self, settlement: &Settlement) -> bool {
        settlement.writes.is_empty()
            && match &settlement.outcome {
                Outcome::Succeeded(_) => true,
                Outcome::Failed(failure, _) => !matches!(failure, Failure::Conflict | Failure::Unavailable),
                Outcome::TimedOut(_) | Outcome::Cancelled(_) | Outcome::Lost => false,
            }
    }

    async fn settle(mut self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error> {
        let outcome = self.accepts(&settlement).then_some(settlement.outcome);
        self.end(outcome);
        Ok(None)
    }

    fn release(mut self: Box<Self>) {
        self.end(None);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.end(None);
    }
}

use crate::{outcome::Outcome, task::Task};

/// Runs short plays inline, on the thread on which they arrive, which saves the queue and the hops between threads.
pub trait InlineRunner: Send + Sync + 'static {
    /// Runs the task on the caller's thread, within a small budget and without documents or files of its circle.
    ///
    /// Returns `None` if the task was not tried or exceeded the budget: it had no effect and must be queued.
    fn try_inline(&self, task: &Task) -> Option<Outcome>;
}

impl<T: InlineRunner + ?Sized> InlineRunner for std::sync::Arc<T> {
    fn try_inline(&self, task: &Task) -> Option<Outcome> {
        (**self).try_inline(task)
    }
}

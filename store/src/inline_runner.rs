use crate::{Outcome, Task};

/// Runs tasks where they arrive if they are sure to be short, which saves the way through a queue and the hops
/// between threads.
pub trait InlineRunner: Send + Sync + 'static {
    /// Runs the task now, on the caller's thread, within a budget too small to delay anybody, and without
    /// anything of its circle that lies on a disk or in a store. `None`: it was not tried, or given up; nothing has
    /// happened and it must be queued.
    fn try_inline(&self, task: &Task) -> Option<Outcome>;
}

impl<T: InlineRunner + ?Sized> InlineRunner for std::sync::Arc<T> {
    fn try_inline(&self, task: &Task) -> Option<Outcome> {
        (**self).try_inline(task)
    }
}

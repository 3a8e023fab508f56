use crate::{Outcome, Task};

/// Runs tasks where they arrive if they are sure to be short, which saves the way through a queue and the hops
/// between threads.
pub trait Trial: Send + Sync + 'static {
    /// Runs the task now, on the caller's thread, within a budget too small to delay anybody, and without
    /// anything of its circle that lies on a disk or in a store. `None`: it was not tried, or given up; nothing has
    /// happened and it must be queued.
    fn attempt(&self, task: &Task) -> Option<Outcome>;
}

impl<T: Trial + ?Sized> Trial for std::sync::Arc<T> {
    fn attempt(&self, task: &Task) -> Option<Outcome> {
        (**self).attempt(task)
    }
}

use std::time::Duration;

use circles_store::Quotas;

/// Tasks that a listing looks at before it returns an incomplete page, in memory and in a file each. It bounds the time
/// for which a listing holds the lock of the tasks.
pub(crate) const MAX_LISTED: usize = 1_000;

/// Bounds of an [`EmbeddedStore`](crate::EmbeddedStore).
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The most tasks that may be queued, over all circles. One more is
    /// [`Error::QueueFull`](circles_store::Error::QueueFull).
    pub queue_limit: usize,
    /// The most tasks that one circle may have in the queue, so that it cannot shut out the others.
    pub circle_queue_limit: usize,
    /// The most bytes of memory that queued tasks may hold; one circle's tasks may hold a quarter of it. More is
    /// [`Error::QueueFull`](circles_store::Error::QueueFull).
    pub queue_bytes: usize,
    /// The most tasks that may be claimed and not settled. One circle gets at most half of them, and two a third each,
    /// so that there is always room for a further circle.
    pub running_limit: usize,
    /// How long submitted tasks and tasks with an idempotency key are remembered after their end.
    pub remember_for: Duration,
    /// How many tasks are remembered, and of what size.
    pub quotas: Quotas,
    /// How many circles' files may be open at a time, besides those that plays use at the moment.
    pub open_files: usize,
    /// The size in bytes of a circle's file from which on only deletions are written to it.
    pub file_bytes: u64,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            queue_limit: 10_000,
            circle_queue_limit: 2_500,
            queue_bytes: 256 << 20,
            running_limit: 64,
            // The interface promises that an idempotency key is known for 24 h.
            remember_for: Duration::from_secs(24 * 60 * 60),
            quotas: Quotas::default(),
            open_files: 256,
            file_bytes: 16 << 30,
        }
    }
}

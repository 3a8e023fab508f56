use std::{sync::Arc, time::Duration};

use crate::task::TaskId;

/// Why a store refused or failed a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The queue is at its limit; nothing was accepted.
    #[error("the queue is full")]
    QueueFull,
    /// The idempotency key was used for another call, that of this task; nothing was accepted.
    #[error("the idempotency key was already used for another call, task {0}")]
    KeyReused(TaskId),
    /// The tasks remembered for this caller fill the caller's quota; nothing was accepted. There is room again after
    /// that long.
    #[error("the caller's quota of remembered tasks is full")]
    ShareFull(Duration),
    /// The tasks remembered for all guests of the circle fill their common quota; nothing was accepted. There is room
    /// again after that long.
    #[error("the guests' quota of remembered tasks is full")]
    GuestsFull(Duration),
    /// The store is closed or closing: it accepts and hands out nothing more.
    #[error("the store is closed")]
    Closed,
    /// A circle's file cannot be used. The text names its path and is for the log.
    #[error("{0}")]
    File(Arc<str>),
    /// Redis cannot be reached, or refuses. The cause is for the log.
    #[error("Redis is not available: {0}")]
    Unavailable(Arc<str>),
    /// The disk or Redis is full: writes are refused. The cause is for the log.
    #[error("{0}")]
    StorageFull(Arc<str>),
    /// This run of the play cannot go on, as when its snapshot is older than what the store keeps: the play must be
    /// run again.
    #[error("the play must be run again")]
    MustRetry,
}

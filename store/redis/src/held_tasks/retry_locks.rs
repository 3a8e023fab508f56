//! One lock for each circle, which plays take that run again after a conflict.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use circles_api::CircleId;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::timeout,
};

use circles_store::sync::lock;

/// How long a first run waits for a play that holds the lock. Its holder ends by its deadline; this is only
/// backpressure.
const BACKPRESSURE_TIME: Duration = Duration::from_millis(50);

/// Serializes retries: plays of a circle that conflicted run one after another, and first runs wait a moment for them.
#[derive(Default)]
pub(super) struct RetryLocks(Mutex<HashMap<CircleId, Weak<AsyncMutex<()>>>>);

impl RetryLocks {
    /// Takes the circle's lock for a retry.
    pub(super) async fn retry_lock(&self, circle: &CircleId) -> OwnedMutexGuard<()> {
        self.lock_of(circle).lock_owned().await
    }

    /// Lets a play that holds the circle's lock settle first.
    pub(super) async fn backpressure(&self, circle: &CircleId) {
        let lock = self.locks().get(circle).and_then(Weak::upgrade);
        if let Some(lock) = lock {
            let _ = timeout(BACKPRESSURE_TIME, lock.lock()).await;
        }
    }

    fn lock_of(&self, circle: &CircleId) -> Arc<AsyncMutex<()>> {
        let mut locks = self.locks();
        if let Some(lock) = locks.get(circle).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        locks.insert(*circle, Arc::downgrade(&lock));
        lock
    }

    fn locks(&self) -> std::sync::MutexGuard<'_, HashMap<CircleId, Weak<AsyncMutex<()>>>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn retries_of_a_circle_run_one_after_another() {
        let (locks, [one, other]) = (RetryLocks::default(), [2, 3].map(circle));
        let held = locks.retry_lock(&one).await;
        let mut second = Box::pin(locks.retry_lock(&one));
        assert!((&mut second).now_or_never().is_none());
        assert!(locks.retry_lock(&other).now_or_never().is_some());
        drop(held);
        assert!(second.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn backpressure_is_bounded_in_time() {
        let (locks, circle) = (RetryLocks::default(), circle(2));
        assert!(locks.backpressure(&circle).now_or_never().is_some());
        let _held = locks.retry_lock(&circle).await;
        let began = tokio::time::Instant::now();
        locks.backpressure(&circle).await;
        assert_eq!(began.elapsed(), BACKPRESSURE_TIME);
    }

    fn circle(number: u8) -> CircleId {
        CircleId::from_bytes([number; 33]).unwrap()
    }
}

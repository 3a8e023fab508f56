//! Backs off from scripts that the fast path cannot run.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU32, Ordering},
};

use circles_api::CircleId;

/// How many scripts are told apart.
const BACKOFF_SLOTS: usize = 4_096;
/// The low bits of a slot, which count misses in a row.
const MISS_BITS: u32 = 8;
/// The most misses that count: then 1,024 plays go to the queue between two on the fast path.
const MAX_MISSES: u32 = 10;

/// Remembers scripts that missed the fast path. Scripts that share a slot are taken for one, which costs time only.
pub(super) struct FastPathBackoff {
    hasher: RandomState,
    slots: Box<[Slot]>,
}

/// How many plays go to the queue before the next one on the fast path, and in the low bits the misses in a row.
#[derive(Default)]
pub(super) struct Slot(AtomicU32);

impl Default for FastPathBackoff {
    fn default() -> Self {
        Self { hasher: RandomState::new(), slots: (0..BACKOFF_SLOTS).map(|_| Slot::default()).collect() }
    }
}

impl FastPathBackoff {
    /// The slot of a script. There is always one.
    pub(super) fn slot(&self, circle: &CircleId, script: &str) -> Option<&Slot> {
        let hash = self.hasher.hash_one((circle, script));
        self.slots.get(usize::try_from(hash % BACKOFF_SLOTS as u64).ok()?)
    }
}

impl Slot {
    /// Returns whether the next play of the script may take the fast path. Each call counts as a play.
    pub(super) fn is_fast_path_eligible(&self) -> bool {
        let skip = |slot: u32| (slot >> MISS_BITS > 0).then(|| slot - (1 << MISS_BITS));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, skip).is_err()
    }

    /// Resets the backoff.
    pub(super) fn record_hit(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Doubles the backoff. Misses of plays that were under way together count once.
    pub(super) fn record_miss(&self) {
        let count = |slot: u32| {
            let misses = (slot % (1 << MISS_BITS) + 1).min(MAX_MISSES);
            (slot >> MISS_BITS == 0).then(|| 1 << (misses + MISS_BITS) | misses)
        };
        // It fails if another play has counted the miss.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_with_each_miss_and_stays_bounded() {
        let backoff = FastPathBackoff::default();
        let circle: CircleId =
            "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5".parse().unwrap();
        let slot = || backoff.slot(&circle, "40 + 2").unwrap();
        let skipped_then_missed = || {
            let skipped = (0..10_000).take_while(|_| !slot().is_fast_path_eligible()).count();
            // Two plays that were under way together.
            slot().record_miss();
            slot().record_miss();
            skipped
        };
        let all: Vec<usize> = (0..13).map(|_| skipped_then_missed()).collect();
        assert_eq!(all, [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
        slot().record_hit();
        assert_eq!(skipped_then_missed(), 0);
        assert_eq!(skipped_then_missed(), 2);
    }
}

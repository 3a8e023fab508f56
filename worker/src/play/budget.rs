//! The memory that all running scripts of a process share.

use std::{cell::Cell, fmt, sync::Arc, time::Instant};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::timeout_at,
};
use tokio_util::sync::CancellationToken;

/// Scripts that one process runs at a time, at most.
pub(crate) const MAX_SCRIPTS: usize = 64;
/// Memory is reserved in steps of so many bytes.
const STEP: usize = 64 << 10;

/// How much memory the scripts of a process may hold, all together.
///
/// A quarter is divided among the 64 plays that may run at a time, so that every play begins at once, and one that
/// needs little never waits. A play that needs more gets all that `memory_bytes` of its circle allows out of the other
/// three quarters, and waits until as much is free. It waits before it holds anything of them, so plays cannot wait for
/// each other. The plays of one circle get half of them at most, or as much as one play needs.
#[derive(Clone, Debug)]
pub struct Budget {
    initial_bytes: usize,
    growth: usize,
    free: Arc<Semaphore>,
}

/// The part of a [`Budget`] that one circle's plays may hold beyond their initial bytes.
pub(crate) type Share = Arc<Semaphore>;

/// Memory that one play may hold, until this is dropped.
#[derive(Debug)]
pub struct MemoryReservation {
    _circle: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        RESERVED_MUCH.set(true);
    }
}

thread_local! {
    static RESERVED_MUCH: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether a play on this thread had a reservation since the last call.
pub(crate) fn take_reserved_much() -> bool {
    RESERVED_MUCH.take()
}

impl Budget {
    /// The default: sixteen scripts may hold as much as their limits allow by default, on a machine of 2 GiB.
    pub const DEFAULT: usize = 1 << 30;

    /// The smallest budget with which scripts can do what they are expected to.
    pub const MIN: usize = 16 << 20;

    /// A budget of so many bytes, at least [`Budget::MIN`].
    pub fn new(bytes: usize) -> Self {
        let bytes = bytes.max(Self::MIN);
        let growth = bytes - bytes / 4;
        Self {
            initial_bytes: (bytes - growth) / MAX_SCRIPTS,
            growth,
            free: Arc::new(Semaphore::new(steps(growth) as usize)),
        }
    }

    /// Checks that a play which may hold so many bytes can have them.
    ///
    /// # Errors
    ///
    /// `TooSmall` if the budget is too small for it, or for any.
    pub const fn check(bytes: usize, memory_bytes: usize) -> Result<(), TooSmall> {
        let needed = memory_bytes.saturating_add(memory_bytes.div_ceil(3));
        let needed = if needed < Self::MIN { Self::MIN } else { needed };
        if bytes < needed { Err(TooSmall { memory_bytes, needed }) } else { Ok(()) }
    }

    /// Bytes that every play may hold without a reservation.
    pub const fn initial_bytes(&self) -> usize {
        self.initial_bytes
    }

    /// Bytes that one play can ever hold.
    pub const fn max_play_bytes(&self) -> usize {
        self.growth
    }

    /// The share of a circle whose plays may hold so many bytes each.
    pub fn share(&self, memory_bytes: usize) -> Share {
        let one = self.wanted(memory_bytes);
        Arc::new(Semaphore::new((steps(self.growth) / 2).max(one) as usize))
    }

    fn wanted(&self, bytes: usize) -> u32 {
        steps(bytes.min(self.growth))
    }

    /// Reserves so many bytes, if they are free.
    pub fn reserve(&self, bytes: usize, share: &Share) -> Option<MemoryReservation> {
        let steps = self.wanted(bytes);
        let reserved = |semaphore: &Share| -> Result<_, TryAcquireError> {
            semaphore.clone().try_acquire_many_owned(steps)
        };
        Some(MemoryReservation { _circle: reserved(share).ok()?, _process: reserved(&self.free).ok()? })
    }

    /// Reserves so many bytes as soon as they are free; `None` at the deadline, when interrupted, and on a thread
    /// without a runtime. Blocks.
    pub fn wait(
        &self,
        bytes: usize,
        share: &Share,
        deadline: Instant,
        interrupt: &CancellationToken,
    ) -> Option<MemoryReservation> {
        let steps = self.wanted(bytes);
        let reserved = async {
            // The circle's share first: a play that waits for it holds nothing that other circles want.
            let circle = share.clone().acquire_many_owned(steps).await.ok()?;
            let process = self.free.clone().acquire_many_owned(steps).await.ok()?;
            Some(MemoryReservation { _circle: circle, _process: process })
        };
        let handle = Handle::try_current().ok()?;
        let reserved = handle.block_on(timeout_at(deadline.into(), interrupt.run_until_cancelled(reserved)));
        reserved.ok()??
    }
}

/// A budget too small for one play to get all that its limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall {
    /// Bytes that the play may hold.
    pub memory_bytes: usize,
    /// Bytes of the smallest budget that is large enough.
    pub needed: usize,
}

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_bytes, needed } = self;
        write!(f, "a play may hold {memory_bytes} bytes (memory_bytes); expected at least {needed} bytes")
    }
}

impl std::error::Error for TooSmall {}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

/// How many steps hold so many bytes.
fn steps(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(STEP)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn budget_grants_whole_plays_and_half_to_one_circle() {
        let budget = Budget::new(64 << 20);
        assert_eq!((budget.initial_bytes(), budget.max_play_bytes()), (256 << 10, 48 << 20));
        let (one, other) = (budget.share(8 << 20), budget.share(8 << 20));
        let held: Vec<_> = std::iter::from_fn(|| budget.reserve(8 << 20, &one)).collect();
        assert_eq!(held.len(), 3, "half of 48 MiB");
        let others: Vec<_> = std::iter::from_fn(|| budget.reserve(8 << 20, &other)).collect();
        assert_eq!(others.len(), 3);
        drop(held);
        assert!(budget.reserve(8 << 20, &one).is_some(), "a dropped reservation is free again");
    }

    #[test]
    fn budget_that_passes_its_check_serves_a_play() {
        for memory_bytes in [1, 12 << 20, (12 << 20) + 1, 64 << 20, (64 << 20) + 7] {
            let Err(TooSmall { needed, .. }) = Budget::check(0, memory_bytes) else { panic!("0 bytes do") };
            assert_eq!(Budget::check(needed, memory_bytes), Ok(()));
            assert!(Budget::new(needed).max_play_bytes() >= memory_bytes, "{memory_bytes}");
        }
        assert_eq!(Budget::check(Budget::DEFAULT, circles_config::Limits::default().memory_bytes), Ok(()));
    }

    #[test]
    fn budget_serves_one_play_larger_than_half() {
        let budget = Budget::new(64 << 20);
        let share = budget.share(1 << 40);
        let whole = budget.reserve(1 << 40, &share);
        assert!(whole.is_some());
        assert!(budget.reserve(1, &budget.share(1)).is_none());
    }

    #[test]
    fn budget_wait_ends_when_memory_is_free_or_time_is_up() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let runtime = runtime.unwrap();
        let _entered = runtime.enter();
        let budget = Budget::new(64 << 20);
        let shares = [budget.share(48 << 20), budget.share(48 << 20)];
        let [held, waiting] = &shares;
        let reservation = budget.reserve(48 << 20, held);
        let now = CancellationToken::new();
        now.cancel();
        let long = Instant::now() + Duration::from_secs(600);
        assert!(budget.wait(48 << 20, waiting, long, &now).is_none(), "interrupted");
        let never = CancellationToken::new();
        assert!(budget.wait(48 << 20, waiting, Instant::now(), &never).is_none(), "at its deadline");
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let _entered = runtime.enter();
                budget.wait(48 << 20, waiting, long, &never).is_some()
            });
            drop(reservation);
            assert!(waits.join().unwrap());
        });
    }
}

//! How the memory of a play is counted and bounded.

use std::{cell::Cell, rc::Rc, time::Instant};

use tokio_util::sync::CancellationToken;

use super::{
    budget::{Budget, MemoryReservation, Share},
    memory,
    meter::{Meter, Stop},
};

/// Counts what a play holds, which is what its thread holds beyond what it held before.
///
/// A play called by another one on the same thread counts within it: it may hold what the outer one has left, and
/// no more than its own limit.
pub(crate) struct MemoryMeter {
    /// The thread's balance above which the play, or a play around it, holds more than its limit allows.
    limit: isize,
    /// The thread's balance above which the slow check runs: the limit, or what was granted so far.
    ceiling: Cell<isize>,
    /// `None` on the fast path, where a play holds next to nothing.
    grant: Option<Rc<Grant>>,
}

/// Memory that the process's budget grants to the plays of one thread that call each other.
struct Grant {
    /// The thread's balance up to which memory is granted.
    until: Cell<isize>,
    /// Bytes that the outermost play may hold, and is granted once it needs more than its initial bytes.
    wanted: usize,
    budget: Budget,
    share: Share,
    reservation: Cell<Option<MemoryReservation>>,
}

impl MemoryMeter {
    /// Counts from here on, up to so many bytes, of which only the first are granted so far.
    pub(crate) fn new(memory_bytes: usize, budget: &Budget, share: &Share) -> Self {
        let base = memory::balance();
        let limit = base.saturating_add_unsigned(memory_bytes.min(budget.max_play_bytes()));
        let until = base.saturating_add_unsigned(budget.initial_bytes());
        let grant = Grant {
            until: Cell::new(until),
            wanted: memory_bytes,
            budget: budget.clone(),
            share: share.clone(),
            reservation: Cell::new(None),
        };
        Self { limit, ceiling: Cell::new(limit.min(until)), grant: Some(Rc::new(grant)) }
    }

    /// Counts from here on, up to so many bytes, within what another play may hold.
    pub(crate) fn within(outer: &Self, memory_bytes: usize) -> Self {
        let limit = memory::balance().saturating_add_unsigned(memory_bytes).min(outer.limit);
        // The first slow check finds out what is granted.
        Self { limit, ceiling: Cell::new(limit.min(outer.ceiling.get())), grant: outer.grant.clone() }
    }

    /// Counts from here on, up to so few bytes that they need no grant.
    pub(crate) fn for_fast_path(memory_bytes: usize) -> Self {
        let limit = memory::balance().saturating_add_unsigned(memory_bytes);
        Self { limit, ceiling: Cell::new(limit), grant: None }
    }

    /// Returns whether so many more bytes need no slow check.
    #[inline]
    pub(crate) fn is_below_ceiling(&self, bytes: usize) -> bool {
        memory::balance().saturating_add_unsigned(bytes) <= self.ceiling.get()
    }

    /// Bytes that the play may still allocate.
    pub(crate) fn available_bytes(&self) -> usize {
        usize::try_from(self.limit.saturating_sub(memory::balance())).unwrap_or(0)
    }

    /// Makes sure that so many more bytes may be held. May wait for memory that other plays hold, until the play's
    /// deadline or until it is interrupted.
    pub(crate) fn make_room(&self, bytes: usize, meter: &Meter) -> Result<(), Stop> {
        let wanted = memory::balance().saturating_add_unsigned(bytes);
        if wanted > self.limit {
            return Err(Stop::Limit("memory_bytes"));
        }
        let Some(grant) = &self.grant else { return Ok(()) };
        if wanted > grant.until.get() {
            grant.grow(meter)?;
        }
        self.ceiling.set(self.limit.min(grant.until.get()));
        Ok(())
    }
}

impl Grant {
    /// Reserves at once all that the outermost play may ever hold. So no play waits for memory while it holds memory
    /// that another one waits for.
    fn grow(&self, meter: &Meter) -> Result<(), Stop> {
        let reserved = self.budget.reserve(self.wanted, &self.share).or_else(|| {
            let interrupt = meter.interrupt()?;
            meter.mark_slow();
            self.budget.wait(self.wanted, &self.share, meter.deadline(), interrupt)
        });
        match reserved {
            Some(reservation) => {
                self.reservation.set(Some(reservation));
                self.until.set(isize::MAX);
                Ok(())
            }
            None if Instant::now() >= meter.deadline() => Err(Stop::Deadline),
            None if meter.interrupt().is_some_and(CancellationToken::is_cancelled) => Err(Stop::Interrupted),
            // This thread has no runtime to wait on.
            None => Err(Stop::Unavailable),
        }
    }
}

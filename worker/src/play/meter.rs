//! How the memory of a play is counted and bounded.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use tokio_util::sync::CancellationToken;

use super::{Play, Stop};
use crate::{
    budget::{Budget, Reservation, Share},
    cache::Script,
    memory,
};

/// Counts what a play holds, which is what its thread holds beyond what it held before.
///
/// A play called by another one on the same thread counts within it: it may hold what the outer one has left, and
/// no more than its own limit.
pub struct Meter {
    /// The thread's balance above which the play holds more than its limit allows, or the one of a play around it.
    limit: isize,
    /// The thread's balance above which a closer look is taken: the limit, or what was granted so far.
    ceiling: Cell<isize>,
    /// `None` in a trial, which holds next to nothing.
    grant: Option<Rc<Grant>>,
}

/// What the process's budget grants to the plays of one thread that call each other.
struct Grant {
    /// The thread's balance up to which memory is granted.
    until: Cell<isize>,
    /// Bytes that the outermost play may hold, and gets granted once it needs more than every play has.
    wanted: usize,
    budget: Budget,
    share: Share,
    reservation: Cell<Option<Reservation>>,
}

impl Meter {
    /// Counts from here on, up to so many bytes, of which only the first are granted so far.
    pub fn new(memory_bytes: usize, budget: &Budget, share: &Share) -> Self {
        let base = memory::balance();
        let limit = base.saturating_add_unsigned(memory_bytes.min(budget.most()));
        let until = base.saturating_add_unsigned(budget.at_once());
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
    pub fn within(outer: &Self, memory_bytes: usize) -> Self {
        let limit = memory::balance().saturating_add_unsigned(memory_bytes).min(outer.limit);
        // The first look finds out what is granted.
        Self { limit, ceiling: Cell::new(limit.min(outer.ceiling.get())), grant: outer.grant.clone() }
    }

    /// Counts from here on, up to so few bytes that they need no grant.
    pub fn of_trial(memory_bytes: usize) -> Self {
        let limit = memory::balance().saturating_add_unsigned(memory_bytes);
        Self { limit, ceiling: Cell::new(limit), grant: None }
    }

    /// Whether so many bytes more need no closer look.
    #[inline]
    pub fn is_below_ceiling(&self, bytes: usize) -> bool {
        memory::balance().saturating_add_unsigned(bytes) <= self.ceiling.get()
    }

    /// Bytes that it may still allocate.
    pub fn room(&self) -> usize {
        usize::try_from(self.limit.saturating_sub(memory::balance())).unwrap_or(0)
    }

    /// Makes sure that so many bytes more may be held. May wait for memory that other plays hold, until the play's
    /// deadline or until it is interrupted.
    pub fn make_room(&self, bytes: usize, play: &Play) -> Result<(), Stop> {
        let wanted = memory::balance().saturating_add_unsigned(bytes);
        if wanted > self.limit {
            return Err(Stop::Limit("memory_bytes"));
        }
        let Some(grant) = &self.grant else { return Ok(()) };
        if wanted > grant.until.get() {
            grant.grow(play)?;
        }
        self.ceiling.set(self.limit.min(grant.until.get()));
        Ok(())
    }
}

impl Grant {
    /// All that the outermost play may ever hold is reserved at once. So no play waits for memory while it holds
    /// what another one waits for.
    fn grow(&self, play: &Play) -> Result<(), Stop> {
        let reserved = self.budget.reserve(self.wanted, &self.share).or_else(|| {
            let interrupt = play.interrupt.as_ref()?;
            play.is_slow();
            self.budget.wait(self.wanted, &self.share, play.deadline, interrupt)
        });
        match reserved {
            Some(reservation) => {
                self.reservation.set(Some(reservation));
                self.until.set(isize::MAX);
                Ok(())
            }
            None if Instant::now() >= play.deadline => Err(Stop::Deadline),
            None if play.interrupt.as_ref().is_some_and(CancellationToken::is_cancelled) => {
                Err(Stop::Interrupted)
            }
            // This thread has no runtime to wait on.
            None => Err(Stop::Unavailable),
        }
    }
}

/// The compiled scripts that a play uses. They are counted on no thread, so the play's is charged with them.
#[derive(Default)]
pub struct HeldScripts(RefCell<Vec<Arc<Script>>>);

impl HeldScripts {
    /// Charges this thread with a script, once.
    pub fn hold(&self, script: &Arc<Script>) {
        let mut scripts = self.0.borrow_mut();
        if !scripts.iter().any(|held| Arc::ptr_eq(held, script)) {
            memory::charge(script.bytes);
            scripts.push(script.clone());
        }
    }
}

impl Drop for HeldScripts {
    fn drop(&mut self) {
        memory::refund(self.0.get_mut().iter().map(|script| script.bytes).sum());
    }
}

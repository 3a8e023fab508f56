//! Which scripts are not worth a trial.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU32, Ordering},
};

use circles_api::CircleId;

/// Remembers scripts that were tried in vain. Scripts that share a place are taken for one, which costs them time and
/// nothing else.
pub struct Vain {
    hasher: RandomState,
    places: Box<[Place]>,
}

/// What is remembered of a script: how many plays to let pass before the next trial, and behind that how often in a row
/// one was in vain.
#[derive(Default)]
pub struct Place(AtomicU32);

/// How many places there are.
const PLACES: usize = 4_096;
/// Of a place, the bits of the second number.
const STRIKE_BITS: u32 = 8;
/// After so many trials in vain, no more plays are let pass than before.
const STRIKES: u32 = 10;

impl Default for Vain {
    fn default() -> Self {
        Self { hasher: RandomState::new(), places: (0..PLACES).map(|_| Place::default()).collect() }
    }
}

impl Vain {
    /// Where a script is remembered. There is always such a place.
    pub fn of(&self, circle: &CircleId, script: &str) -> Option<&Place> {
        let hash = self.hasher.hash_one((circle, script));
        self.places.get(usize::try_from(hash % PLACES as u64).ok()?)
    }
}

impl Place {
    /// Whether the script is worth a trial. Asked as often as it is in place after trials in vain, it is.
    pub fn is_worth_it(&self) -> bool {
        let pass = |at: u32| (at >> STRIKE_BITS > 0).then(|| at - (1 << STRIKE_BITS));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pass).is_err()
    }

    pub fn succeeded(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Twice as many plays pass as after the trial before. Several that were under way count as one.
    pub fn failed(&self) {
        let count = |at: u32| {
            let strikes = (at % (1 << STRIKE_BITS) + 1).min(STRIKES);
            (at >> STRIKE_BITS == 0).then(|| 1 << (strikes + STRIKE_BITS) | strikes)
        };
        // Another has counted it.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_is_tried_in_vain_is_tried_ever_less_often_and_not_never() {
        let vain = Vain::default();
        let circle: CircleId =
            "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5".parse().unwrap();
        let place = || vain.of(&circle, "40 + 2").unwrap();
        let passes = || {
            let passed = (0..10_000).take_while(|_| !place().is_worth_it()).count();
            // Several under way count as one.
            place().failed();
            place().failed();
            passed
        };
        let all: Vec<usize> = (0..13).map(|_| passes()).collect();
        assert_eq!(all, [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
        place().succeeded();
        assert_eq!(passes(), 0);
        assert_eq!(passes(), 2);
    }
}

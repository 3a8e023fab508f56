//! How much a process runs, as the claim loop needs to know it.

use std::{collections::HashMap, time::Duration};

use circles_api::CircleId;

/// The weight of the newest sample in the average play time.
const EWMA_WEIGHT: f64 = 0.2;
/// The longest sample: longer plays all mean that nothing is to be claimed ahead.
const LONGEST_SAMPLE: f64 = 1.0;

/// The exponentially weighted average of how long plays take, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlayTime(f64);

impl Default for PlayTime {
    /// Nothing is claimed ahead until plays turn out to be short.
    fn default() -> Self {
        Self(LONGEST_SAMPLE)
    }
}

impl PlayTime {
    pub(super) fn record(&mut self, time: Duration) {
        self.0 += (time.as_secs_f64().min(LONGEST_SAMPLE) - self.0) * EWMA_WEIGHT;
    }

    /// How many plays fit into this time.
    pub(crate) fn plays_in(self, time: Duration) -> usize {
        // A cast of a float saturates, and the quotient is not negative.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let plays = (time.as_secs_f64() / self.0.max(1e-9)) as usize;
        plays
    }
}

/// A count of what runs in this process.
pub(crate) struct Load {
    circles: HashMap<CircleId, usize>,
    /// Tasks on their way back to the queue.
    pub(crate) returning: usize,
    pub(crate) play_time: PlayTime,
}

impl Load {
    pub(super) fn new(
        fast_path: &HashMap<CircleId, usize>,
        held: impl Iterator<Item = CircleId>,
        returning: usize,
        play_time: PlayTime,
    ) -> Self {
        let mut circles = fast_path.clone();
        for circle in held {
            *circles.entry(circle).or_default() += 1;
        }
        Self { circles, returning, play_time }
    }

    fn running(&self) -> usize {
        self.circles.values().sum()
    }

    /// How many of `wanted` tasks to claim, if `limit` may run. No circle gets more than half of what may run.
    pub(crate) fn claimable(&self, wanted: usize, limit: usize) -> usize {
        if self.returning > 0 {
            return 0;
        }
        let free = limit.saturating_sub(self.running());
        let largest = self.circles.values().max().copied().unwrap_or(0);
        let fair = free.saturating_sub(largest).div_ceil(2).max(1);
        wanted.min(free).min(fair)
    }

    /// Circles that run as many tasks here as there is room left for: the dynamic threshold of a shared buffer.
    pub(crate) fn greedy_circles(&self, limit: usize) -> Vec<CircleId> {
        let free = limit.saturating_sub(self.running());
        self.circles.iter().filter(|(_, count)| **count >= free).map(|(circle, _)| *circle).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(number: u8) -> CircleId {
        let mut bytes = [number; 33];
        bytes[0] = 2;
        CircleId::from_bytes(bytes).unwrap()
    }

    fn load(running: &[(u8, usize)]) -> Load {
        let running = running.iter().map(|(number, count)| (circle(*number), *count)).collect();
        Load::new(&running, std::iter::empty(), 0, PlayTime::default())
    }

    #[test]
    fn claims_are_bounded_by_free_and_fair_shares() {
        assert_eq!(load(&[]).claimable(100, 64), 32);
        assert_eq!(load(&[]).claimable(3, 64), 3);
        assert_eq!(load(&[(1, 32)]).claimable(100, 64), 1);
        assert_eq!(load(&[(1, 16)]).claimable(100, 64), 16);
        assert_eq!(load(&[(1, 64)]).claimable(100, 64), 0);
        assert_eq!(Load { returning: 1, ..load(&[]) }.claimable(100, 64), 0);
    }

    #[test]
    fn held_and_fast_path_plays_count_alike() {
        let fast_path = HashMap::from([(circle(1), 2)]);
        let load = Load::new(&fast_path, [circle(1), circle(2)].into_iter(), 0, PlayTime::default());
        assert_eq!(load.running(), 4);
        assert_eq!(load.greedy_circles(7), [circle(1)]);
        assert_eq!(load.greedy_circles(10), []);
    }

    #[test]
    fn play_time_follows_short_plays() {
        let mut time = PlayTime::default();
        assert_eq!(time.plays_in(Duration::from_millis(2)), 0);
        for _ in 0..100 {
            time.record(Duration::from_micros(10));
        }
        assert!(time.plays_in(Duration::from_millis(2)) > 100);
        time.record(Duration::from_secs(3600));
        assert_eq!(time.plays_in(Duration::from_millis(2)), 0);
    }
}

use std::time::Duration;

/// What one round measured.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Answers a second.
    pub throughput: f64,
    /// Half of the answers came within this, in µs.
    pub p50: f64,
    /// 99 of 100 came within this, in µs.
    pub p99: f64,
    /// How many right answers came.
    pub right: u64,
    /// How many calls were refused, which count for nothing else.
    pub refused: u64,
}

impl Sample {
    /// Sums up a round of `length` by the time that each of its right answers took.
    pub fn new(mut latencies: Vec<Duration>, refused: u64, length: Duration) -> Self {
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = (latencies.len() as f64 * share) as usize;
            latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
        };
        let right = latencies.len() as u64;
        let throughput = right as f64 / length.as_secs_f64();
        Self { throughput, p50: at(0.5), p99: at(0.99), right, refused }
    }

    /// Each figure's median over rounds, and the sum of what was counted.
    pub fn medians(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure));
        Self {
            throughput: of(|round| round.throughput),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            right: rounds.iter().map(|round| round.right).sum(),
            refused: rounds.iter().map(|round| round.refused).sum(),
        }
    }
}

/// The value in the middle; the mean of both if there are two; not a number of none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => (low + high) / 2.0,
        (_, Some(middle)) => *middle,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_counts_and_ranks() {
        let latencies = (1..=100).rev().map(Duration::from_micros).collect();
        let sample = Sample::new(latencies, 7, Duration::from_millis(500));
        assert_eq!((sample.right, sample.refused), (100, 7));
        assert_eq!((sample.throughput, sample.p50.round(), sample.p99.round()), (200.0, 51.0, 100.0));
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([7.0].into_iter()), 7.0);
        assert!(median([].into_iter()).is_nan());
    }
}

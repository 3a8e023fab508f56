use std::time::Duration;

/// The figures of one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Answers a second.
    pub throughput: f64,
    /// Median latency in µs.
    pub p50: f64,
    /// 99th percentile of the latency in µs.
    pub p99: f64,
    /// Number of right answers.
    pub right: u64,
    /// Number of refused calls, which no other figure includes.
    pub refused: u64,
}

impl Sample {
    /// Summarises a round of `length` from the latencies of its right answers.
    pub(crate) fn new(mut latencies: Vec<Duration>, refused: u64, length: Duration) -> Self {
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = (latencies.len() as f64 * share) as usize;
            latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
        };
        let right = latencies.len() as u64;
        let throughput = right as f64 / length.as_secs_f64();
        Self { throughput, p50: at(0.5), p99: at(0.99), right, refused }
    }

    /// Returns the median of each figure over rounds, and the sums of the counts.
    pub(crate) fn medians(rounds: &[Self]) -> Self {
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

/// Returns the median; for an even number of values the mean of the middle two, and NaN for none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
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
    fn sample_has_counts_and_percentiles() {
        let latencies = (1..=100).rev().map(Duration::from_micros).collect();
        let sample = Sample::new(latencies, 7, Duration::from_millis(500));
        assert_eq!((sample.right, sample.refused), (100, 7));
        assert_eq!((sample.throughput, sample.p50.round(), sample.p99.round()), (200.0, 51.0, 100.0));
    }

    #[test]
    fn median_is_the_middle_value() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([7.0].into_iter()), 7.0);
        assert!(median([].into_iter()).is_nan());
    }
}

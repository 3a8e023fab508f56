//! Measures several subjects in alternating rounds and prints a table of their medians.

use std::time::Duration;

use crate::{
    Result,
    load::{Call, Concurrency, load},
    process::Endpoint,
    sample::{Sample, median},
};

/// The number of rounds and their length.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Rounds {
    /// Length of a round, in seconds.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Rounds for each figure; medians are printed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.05..=600.0).contains(seconds));
    seconds.ok_or_else(|| "expected a number from 0.05 to 600".to_owned())
}

impl Rounds {
    /// Returns the length of a round.
    pub(crate) fn length(self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Returns the number of rounds.
    pub(crate) const fn count(self) -> u32 {
        self.rounds
    }
}

/// The row that the ratios of a table refer to: a method that runs no script.
pub(crate) const BARE_METHOD: &str = "whoami (bare)";

/// A row of the table: a call to a server.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// Name in the table.
    pub name: &'static str,
    /// The circle or server to call.
    pub endpoint: &'a Endpoint,
    /// The call to repeat.
    pub call: Call,
}

/// Starts a runtime for the load. One thread leaves most of the machine to the servers.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("cannot start the async runtime: {error}"))
}

/// Measures the subjects in alternating rounds, after a short warm-up of each.
pub(crate) async fn measure(
    subjects: &[Subject<'_>],
    concurrency: Concurrency,
    rounds: Rounds,
) -> Result<Vec<Vec<Sample>>> {
    let mut samples = vec![Vec::new(); subjects.len()];
    for subject in subjects {
        load(subject.endpoint, subject.call, concurrency, rounds.length().min(Duration::from_millis(200)))
            .await?;
    }
    for _ in 0..rounds.count() {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            samples.push(load(subject.endpoint, subject.call, concurrency, rounds.length()).await?);
        }
    }
    Ok(samples)
}

/// Prints the machine's cores and its load before the measurement.
pub(crate) fn print_machine() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores shared by server and load; load average at the start: {}", load_average());
}

/// Prints the machine's load after the measurement.
pub(crate) fn print_end() {
    println!("load average at the end: {}", load_average());
}

/// Prints the head of a table of [`print_rows`].
pub(crate) fn print_head(rounds: Rounds) {
    print_machine();
    println!(
        "medians of {} alternating rounds of {} s; ratios to whoami, round by round\n",
        rounds.rounds, rounds.seconds
    );
    println!(
        "{:>11} {:>9}  {:<26} {:>9} {:>9} {:>9} {:>11} {:>7} {:>7}",
        "connections", "in flight", "method", "calls/s", "p50 µs", "p99 µs", "calls/s ÷", "p50 ÷", "p99 ÷"
    );
}

/// Prints a row for each subject, with ratios to [`BARE_METHOD`].
pub(crate) fn print_rows(subjects: &[Subject<'_>], concurrency: Concurrency, rounds: &[Vec<Sample>]) {
    let baseline = subjects.iter().position(|subject| subject.name == BARE_METHOD);
    let baseline = baseline.and_then(|row| rounds.get(row));
    for (subject, samples) in subjects.iter().zip(rounds) {
        let Sample { throughput, p50, p99, .. } = Sample::medians(samples);
        let pairs = || samples.iter().zip(baseline.into_iter().flatten());
        println!(
            "{:>11} {:>9}  {:<26} {throughput:>9.0} {p50:>9.1} {p99:>9.1} {:>11.3} {:>7.2} {:>7.2}",
            concurrency.connections,
            concurrency.connections * concurrency.window,
            subject.name,
            median(pairs().map(|(own, bare)| own.throughput / bare.throughput)),
            median(pairs().map(|(own, bare)| own.p50 / bare.p50)),
            median(pairs().map(|(own, bare)| own.p99 / bare.p99)),
        );
    }
    println!();
}

/// Returns the load average of the last 1, 5 and 15 minutes.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<_> = text.split(' ').take(3).collect();
    if words.len() == 3 { words.join(" ") } else { "unknown".to_owned() }
}

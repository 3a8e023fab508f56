//! Rounds of several subjects by turns, and the table of their medians.

use std::time::Duration;

use crate::{
    Result,
    load::{Call, Shape, load},
    process::Place,
    sample::{Sample, median},
};

/// How long is measured.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Rounds {
    /// How long a round lasts, in seconds.
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
    /// How long one lasts.
    pub fn length(self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// How many there are.
    pub const fn count(self) -> u32 {
        self.rounds
    }
}

/// What is called, in the order of the table's rows.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// How the table calls it.
    pub name: &'static str,
    /// Where.
    pub place: &'a Place,
    /// What.
    pub call: Call,
}

/// A runtime for load: of one thread, so that it takes as little of the machine from the servers as it can.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("no runtime: {error}"))
}

/// Rounds of each subject by turns; the first of all is not counted.
pub async fn measure(subjects: &[Subject<'_>], shape: Shape, rounds: Rounds) -> Result<Vec<Vec<Sample>>> {
    let mut samples = vec![Vec::new(); subjects.len()];
    for subject in subjects {
        load(subject.place, subject.call, shape, rounds.length().min(Duration::from_millis(200))).await?;
    }
    for _ in 0..rounds.count() {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            samples.push(load(subject.place, subject.call, shape, rounds.length()).await?);
        }
    }
    Ok(samples)
}

/// What the machine is, and what else it does.
pub fn print_machine() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores shared by server and load; load average at the start: {}", load_average());
}

/// What else the machine did.
pub fn print_end() {
    println!("load average at the end: {}", load_average());
}

/// What stands above the rows of [`print_rows`].
pub fn print_head(rounds: Rounds) {
    print_machine();
    println!(
        "medians of {} rounds of {} s by turns; ratios to whoami, round by round\n",
        rounds.rounds, rounds.seconds
    );
    println!(
        "{:>11} {:>9}  {:<26} {:>9} {:>9} {:>9} {:>11} {:>7} {:>7}",
        "connections", "in flight", "method", "calls/s", "p50 µs", "p99 µs", "calls/s ÷", "p50 ÷", "p99 ÷"
    );
}

/// A row for each subject; ratios are to the one at `yardstick`.
pub fn print_rows(subjects: &[Subject<'_>], shape: Shape, rounds: &[Vec<Sample>], yardstick: usize) {
    for (subject, samples) in subjects.iter().zip(rounds) {
        let Sample { throughput, p50, p99, .. } = Sample::medians(samples);
        let pairs = || samples.iter().zip(rounds.get(yardstick).into_iter().flatten());
        println!(
            "{:>11} {:>9}  {:<26} {throughput:>9.0} {p50:>9.1} {p99:>9.1} {:>11.3} {:>7.2} {:>7.2}",
            shape.connections,
            shape.connections * shape.window,
            subject.name,
            median(pairs().map(|(own, bare)| own.throughput / bare.throughput)),
            median(pairs().map(|(own, bare)| own.p50 / bare.p50)),
            median(pairs().map(|(own, bare)| own.p99 / bare.p99)),
        );
    }
    println!();
}

/// Of the last 1, 5 and 15 minutes.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<_> = text.split(' ').take(3).collect();
    if words.len() == 3 { words.join(" ") } else { "unknown".to_owned() }
}

use std::{path::Path, time::Duration};

use crate::{
    Result,
    load::{Call, Shape, load},
    process::Process,
    sample::{Sample, median},
};

/// What `play` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
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

const BARE: Call = Call { rest: "\"method\":\"whoami\"}", answer: "\"authenticated\":false" };
const PLAY: Call =
    Call { rest: "\"method\":\"play\",\"params\":{\"script\":\"40 + 2\"}}", answer: "\"output\":\"42\"" };

/// 1 and 64 calls under way, over 1 and 8 connections.
const SHAPES: [Shape; 4] = [
    Shape { connections: 1, window: 1 },
    Shape { connections: 8, window: 1 },
    Shape { connections: 1, window: 64 },
    Shape { connections: 8, window: 8 },
];

/// What is called, in the order of the table's rows.
#[derive(Clone, Copy)]
struct Subject<'a> {
    name: &'static str,
    server: &'a Process,
    call: Call,
}

/// Where the bare method of Circles stands among the subjects: ratios are to it.
const YARDSTICK: usize = 1;

/// Measures and prints one table.
pub fn play(server: &Path, args: &Args) -> Result {
    let (circles, plain) = (Process::circles(server)?, Process::plain()?);
    let subjects = [
        Subject { name: "plain jsonrpsee", server: &plain, call: BARE },
        Subject { name: "whoami (bare)", server: &circles, call: BARE },
        Subject { name: "play(\"40 + 2\")", server: &circles, call: PLAY },
    ];
    let length = Duration::from_secs_f64(args.seconds);
    // One thread, so that load takes as little of the machine from the servers as it can.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    print_head(args);
    for shape in SHAPES {
        let rounds = runtime.block_on(measure(&subjects, shape, args.rounds, length))?;
        print_rows(&subjects, shape, &rounds);
    }
    println!("load average at the end: {}", load_average());
    Ok(())
}

/// Rounds of each subject by turns; the first of all is not counted.
async fn measure<const N: usize>(
    subjects: &[Subject<'_>; N],
    shape: Shape,
    rounds: u32,
    length: Duration,
) -> Result<[Vec<Sample>; N]> {
    let mut samples = [const { Vec::new() }; N];
    for subject in subjects {
        load(subject.server, subject.call, shape, length.min(Duration::from_millis(200))).await?;
    }
    for _ in 0..rounds {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            samples.push(load(subject.server, subject.call, shape, length).await?);
        }
    }
    Ok(samples)
}

fn print_head(args: &Args) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores shared by server and load; load average at the start: {}", load_average());
    println!(
        "medians of {} rounds of {} s by turns; ratios to whoami, round by round\n",
        args.rounds, args.seconds
    );
    println!(
        "{:>11} {:>9}  {:<16} {:>9} {:>9} {:>9} {:>11} {:>7} {:>7}",
        "connections", "in flight", "method", "calls/s", "p50 µs", "p99 µs", "calls/s ÷", "p50 ÷", "p99 ÷"
    );
}

fn print_rows(subjects: &[Subject<'_>], shape: Shape, rounds: &[Vec<Sample>]) {
    for (subject, samples) in subjects.iter().zip(rounds) {
        let Sample { throughput, p50, p99 } = Sample::medians(samples);
        let pairs = || samples.iter().zip(rounds.get(YARDSTICK).into_iter().flatten());
        println!(
            "{:>11} {:>9}  {:<16} {throughput:>9.0} {p50:>9.1} {p99:>9.1} {:>11.2} {:>7.2} {:>7.2}",
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

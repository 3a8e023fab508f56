use std::path::{Path, PathBuf};

use crate::{
    Result, disk,
    load::{Call, Shape, load, once},
    play::{BARE, PLAY},
    process::{Place, Process},
    sample::Sample,
    table::{Rounds, Subject, measure, print_end, print_head, print_rows, runtime},
};

/// What `circle` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    rounds: Rounds,
    /// Where the circle on a disk lies, below it in a directory of its own [default: the system's temporary one].
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
    /// A directory in memory, for the same circle without a disk to wait for.
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    memory: PathBuf,
}

/// Answers with what [`PUT`] put there.
pub const GET: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::get(\\\"k\\\")\"}}", "\"output\":\"7\"");
pub const PUT: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::set(\\\"k\\\", 7)\"}}", "\"output\":");
/// Each play has a name of its own, and so its document has.
const SET: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::set(TASK, 7)\"}}", "\"output\":");
const INCR: Call = Call {
    refusal: Some("\"message\":\"in conflict with another task\""),
    ..Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::incr(\\\"hot\\\")\"}}", "\"output\":")
};
/// The queue is bounded, and submitting may outrun the workers.
const SUBMIT: Call = Call {
    refusal: Some("\"retry_after_ms\":"),
    ..Call::new("\"method\":\"submit\",\"params\":{\"script\":\"40 + 2\"}}", "\"task_id\":")
};

/// One call at a time, one on each of 8 connections, 8 on each of 8.
const SHAPES: [Shape; 3] = [
    Shape { connections: 1, window: 1 },
    Shape { connections: 8, window: 1 },
    Shape { connections: 8, window: 8 },
];
/// Callers that count on one key at a time.
const CALLERS: Shape = Shape { connections: 64, window: 1 };
/// Where the bare method stands among the subjects: ratios are to it.
const YARDSTICK: usize = 0;

/// Measures and prints one table.
pub fn circle(server: &Path, args: &Args) -> Result {
    let on_disk = Process::circles(server, args.disk.as_deref())?;
    let in_memory = match args.memory.is_dir() {
        true => Some(Process::circles(server, Some(&args.memory))?),
        false => None,
    };
    let runtime = runtime()?;
    let subjects = subjects(on_disk.place(), in_memory.as_ref().map(Process::place));
    for process in [Some(&on_disk), in_memory.as_ref()].into_iter().flatten() {
        runtime.block_on(once(process.place(), PUT))?;
    }
    // A disk that is shared is not the same from minute to minute: it is asked before and after.
    print_disk("on the disk, before", args.disk.as_deref(), args.rounds)?;
    print_head(args.rounds);
    for shape in SHAPES {
        let samples = runtime.block_on(measure(&subjects, shape, args.rounds))?;
        print_rows(&subjects, shape, &samples, YARDSTICK);
        for (subject, samples) in subjects.iter().zip(&samples) {
            let Sample { refused, right, .. } = Sample::medians(samples);
            if refused > 0 {
                println!("{}: {refused} calls were refused beside {right}\n", subject.name);
            }
        }
    }
    runtime.block_on(count("on the disk", on_disk.place(), args.rounds))?;
    if let Some(process) = &in_memory {
        runtime.block_on(count("in memory", process.place(), args.rounds))?;
        print_disk("in memory", Some(&args.memory), args.rounds)?;
    }
    print_disk("on the disk, after", args.disk.as_deref(), args.rounds)?;
    println!(
        "\"in memory\" is the same store on {}: what it would do if it did not wait for a disk,\n\
         which it always does before it answers.",
        args.memory.display()
    );
    print_end();
    Ok(())
}

fn subjects<'a>(disk: &'a Place, memory: Option<&'a Place>) -> Vec<Subject<'a>> {
    let on_disk = [
        ("whoami (bare)", BARE),
        ("play(\"40 + 2\")", PLAY),
        ("db::get", GET),
        ("db::set, own key", SET),
        ("submit", SUBMIT),
    ];
    let in_memory = [("db::set, own key, in memory", SET), ("submit, in memory", SUBMIT)];
    let on_disk = on_disk.map(|(name, call)| Subject { name, place: disk, call });
    let in_memory = memory.map(|place| in_memory.map(|(name, call)| Subject { name, place, call }));
    on_disk.into_iter().chain(in_memory.into_iter().flatten()).collect()
}

/// Has many callers count on one key, and fails unless the sum is right.
async fn count(name: &str, place: &Place, rounds: Rounds) -> Result {
    let mut samples = Vec::new();
    for _ in 0..rounds.count() {
        samples.push(load(place, INCR, CALLERS, rounds.length()).await?);
    }
    let Sample { throughput, p50, p99, right, refused } = Sample::medians(&samples);
    let kept = Call::new(
        "\"method\":\"play\",\"params\":{\"script\":\"db::get(\\\"hot\\\") == ARGS\",\"args\":",
        "\"output\":\"true\"",
    );
    let text = format!("{}{right}}}}}", kept.rest);
    // Once in a run.
    let kept = Call { rest: text.leak(), ..kept };
    once(place, kept).await.map_err(|error| format!("the counter is not {right}: {error}"))?;
    println!(
        "db::incr on one key {name}, {} callers: {throughput:.0} calls/s, p50 {p50:.0} µs, p99 {p99:.0} µs; \
         {right} succeeded, {refused} ended in CONFLICT, and the counter is {right}",
        CALLERS.connections
    );
    Ok(())
}

/// What the medium does by itself.
fn print_disk(name: &str, directory: Option<&Path>, rounds: Rounds) -> Result {
    let mut samples = Vec::new();
    for _ in 0..rounds.count() {
        samples.push(disk::fdatasync(directory, rounds.length())?);
    }
    let Sample { throughput, p50, p99, .. } = Sample::medians(&samples);
    println!("one page and fdatasync {name}: {throughput:.0} a second, p50 {p50:.0} µs, p99 {p99:.0} µs");
    Ok(())
}

use std::path::{Path, PathBuf};

use crate::{
    Result, disk,
    load::{Call, Concurrency, load, once},
    play::{BARE, PLAY},
    process::{Endpoint, Process},
    sample::Sample,
    table::{BARE_METHOD, Rounds, Subject, measure, print_end, print_head, print_rows, runtime},
};

/// Flags of `circle`.
#[derive(Debug, clap::Args)]
pub(crate) struct CircleArgs {
    #[command(flatten)]
    rounds: Rounds,
    /// The directory for the data of the circle on a disk [default: the system's temporary directory].
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
    /// A directory in memory, for the same circle without waits for a disk.
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    memory: PathBuf,
}

/// Reads the document that [`PUT`] writes.
pub(crate) const GET: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::get(\\\"k\\\")\"}}", "\"output\":\"7\"");
pub(crate) const PUT: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::set(\\\"k\\\", 7)\"}}", "\"output\":");
/// Each play writes a document of its own.
const SET: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::set(TASK, 7)\"}}", "\"output\":");
const CONTENDED_INCR: Call = Call {
    refusal: Some("\"message\":\"in conflict with another task\""),
    ..Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::incr(\\\"hot\\\")\"}}", "\"output\":")
};
/// The queue is bounded, so the server refuses submissions that outrun the workers.
const SUBMIT_OR_REFUSED: Call = Call {
    refusal: Some("\"retry_after_ms\":"),
    ..Call::new("\"method\":\"submit\",\"params\":{\"script\":\"40 + 2\"}}", "\"task_id\":")
};

/// One call at a time, one on each of 8 connections, 8 on each of 8.
const CIRCLE_CONCURRENCY: [Concurrency; 3] = [
    Concurrency { connections: 1, window: 1 },
    Concurrency { connections: 8, window: 1 },
    Concurrency { connections: 8, window: 8 },
];
/// Concurrent callers that increment one key.
const CONTENDING_CALLERS: Concurrency = Concurrency { connections: 64, window: 1 };

/// Measures and prints one table.
pub(crate) fn circle(server: &Path, args: &CircleArgs) -> Result {
    let on_disk = Process::circles(server, args.disk.as_deref())?;
    let in_memory = match args.memory.is_dir() {
        true => Some(Process::circles(server, Some(&args.memory))?),
        false => None,
    };
    let runtime = runtime()?;
    let subjects = subjects(on_disk.endpoint(), in_memory.as_ref().map(Process::endpoint));
    for process in [Some(&on_disk), in_memory.as_ref()].into_iter().flatten() {
        runtime.block_on(once(process.endpoint(), PUT))?;
    }
    // The speed of a shared disk varies, so it is measured before and after.
    print_disk("on the disk, before", args.disk.as_deref(), args.rounds)?;
    print_head(args.rounds);
    for concurrency in CIRCLE_CONCURRENCY {
        let samples = runtime.block_on(measure(&subjects, concurrency, args.rounds))?;
        print_rows(&subjects, concurrency, &samples);
        for (subject, samples) in subjects.iter().zip(&samples) {
            let Sample { refused, right, .. } = Sample::medians(samples);
            if refused > 0 {
                println!("{}: {right} calls succeeded, {refused} were refused\n", subject.name);
            }
        }
    }
    runtime.block_on(count("on the disk", on_disk.endpoint(), args.rounds))?;
    if let Some(process) = &in_memory {
        runtime.block_on(count("in memory", process.endpoint(), args.rounds))?;
        print_disk("in memory", Some(&args.memory), args.rounds)?;
    }
    print_disk("on the disk, after", args.disk.as_deref(), args.rounds)?;
    println!(
        "\"in memory\" is the same store on {}: its speed without waits for a disk. On a disk it always\n\
         waits before it answers.",
        args.memory.display()
    );
    print_end();
    Ok(())
}

fn subjects<'a>(disk: &'a Endpoint, memory: Option<&'a Endpoint>) -> Vec<Subject<'a>> {
    let on_disk = [
        (BARE_METHOD, BARE),
        ("play(\"40 + 2\")", PLAY),
        ("db::get", GET),
        ("db::set, own key", SET),
        ("submit", SUBMIT_OR_REFUSED),
    ];
    let in_memory = [("db::set, own key, in memory", SET), ("submit, in memory", SUBMIT_OR_REFUSED)];
    let on_disk = on_disk.map(|(name, call)| Subject { name, endpoint: disk, call });
    let in_memory = memory.map(|endpoint| in_memory.map(|(name, call)| Subject { name, endpoint, call }));
    on_disk.into_iter().chain(in_memory.into_iter().flatten()).collect()
}

/// Lets many callers increment one key, and fails unless the sum is right.
async fn count(name: &str, endpoint: &Endpoint, rounds: Rounds) -> Result {
    let mut samples = Vec::new();
    for _ in 0..rounds.count() {
        samples.push(load(endpoint, CONTENDED_INCR, CONTENDING_CALLERS, rounds.length()).await?);
    }
    let Sample { throughput, p50, p99, right, refused } = Sample::medians(&samples);
    let check = Call::new(
        "\"method\":\"play\",\"params\":{\"script\":\"db::get(\\\"hot\\\") == ARGS\",\"args\":",
        "\"output\":\"true\"",
    );
    let text = format!("{}{right}}}}}", check.rest);
    // Leaks a few bytes, once in a run.
    let check = Call { rest: text.leak(), ..check };
    once(endpoint, check).await.map_err(|error| format!("the counter is not {right}: {error}"))?;
    println!(
        "db::incr on one key {name}, {} callers: {throughput:.0} calls/s, p50 {p50:.0} µs, p99 {p99:.0} µs; \
         {right} succeeded, {refused} ended in CONFLICT, and the counter is {right}",
        CONTENDING_CALLERS.connections
    );
    Ok(())
}

/// Measures and prints the speed of the disk alone.
fn print_disk(name: &str, directory: Option<&Path>, rounds: Rounds) -> Result {
    let mut samples = Vec::new();
    for _ in 0..rounds.count() {
        samples.push(disk::fdatasync(directory, rounds.length())?);
    }
    let Sample { throughput, p50, p99, .. } = Sample::medians(&samples);
    println!("one page and fdatasync {name}: {throughput:.0} per second, p50 {p50:.0} µs, p99 {p99:.0} µs");
    Ok(())
}

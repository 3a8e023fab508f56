//! `circles-bench`: measures Circles against baselines. `cargo xtask bench` builds it for release and starts it.
//!
//! **Invariants.** The server is the real program in a process of its own. One run measures everything that a table
//! compares, in short alternating rounds, so that drift of the machine affects all alike. A wrong answer ends the run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints for the person who runs it"
)]

mod circle;
mod disk;
mod growth;
mod load;
mod plain;
mod play;
mod process;
mod redis;
mod sample;
mod script;
mod socket;
mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// The allocator of `circles-server`, so that the plain jsonrpsee server is compared on equal terms.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A result whose error is a sentence for the person who runs the benchmark.
type Result<T = ()> = std::result::Result<T, String>;

/// Measures Circles against baselines.
#[derive(Debug, Parser)]
struct Args {
    /// The `circles-server` to measure, built for release.
    #[arg(long, value_name = "PATH", default_value = "circles-server")]
    server: PathBuf,
    /// The directory of the example `scripts`, which times scripts in the engine alone and in a circle.
    #[arg(long, value_name = "DIR", default_value = ".")]
    examples: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A play of `40 + 2` compared with a bare method of the same server and of a plain jsonrpsee server.
    Play(table::Rounds),
    /// A circle's reads, durable writes, one contended key and submitted tasks, compared with the disk alone.
    Circle(circle::CircleArgs),
    /// Scripts under all limits, compared with the bare engine that evaluates a compiled script.
    Script(table::Rounds),
    /// A server with few circles and with many: start-up, memory, latency, open files.
    Growth(growth::GrowthArgs),
    /// Plays through Redis and worker processes, compared with the bare method and Redis alone.
    Redis(redis::RedisArgs),
    /// Serve the bare method with jsonrpsee alone, until standard input ends.
    #[command(hide = true)]
    PlainServer,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.command {
        Command::Play(rounds) => play::play(&args.server, rounds),
        Command::Circle(circle) => circle::circle(&args.server, &circle),
        Command::Script(rounds) => script::script(&args.examples, rounds),
        Command::Growth(growth) => growth::growth(&args.server, &growth),
        Command::Redis(redis) => redis::redis(&args.server, &redis),
        Command::PlainServer => plain::serve(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("circles-bench: {sentence}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn rounds_and_their_length_are_validated() {
        Args::command().debug_assert();
        let parses = |line: &str| Args::try_parse_from(line.split(' ')).is_ok();
        assert!(parses("bench --server s play --seconds 0.5 --rounds 3") && parses("bench plain-server"));
        assert!(!parses("bench play --seconds 0") && !parses("bench play --seconds NaN"));
        assert!(!parses("bench play --rounds 0"));
        assert!(parses("bench circle --rounds 2 --disk d") && parses("bench script --rounds 2"));
        assert!(parses("bench redis --workers 1,2 --rounds 2") && !parses("bench redis --workers 0"));
        assert!(parses("bench growth --circles 1,10") && !parses("bench growth --circles 0"));
    }
}

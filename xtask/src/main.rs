//! The project's chores, each in a file of its own. `cargo xtask --help` lists them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore speaks to the person who runs it")]

mod audit;
mod bench;
mod chaos;
mod ci;
mod codegen;
mod crashes;
mod debian;
mod fuzz;
mod peers;
mod redis;
mod run;
mod test;
mod tidy;
mod wasm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the project.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write what the generator makes of openrpc.json to where a person can read it.
    Codegen(codegen::Args),
    /// Set up what the tests need, build, and run them all.
    Test(test::Args),
    /// Kill servers while clients work, again and again, and audit what is left.
    Crashes(crashes::Args),
    /// Have everything around a Redis fail while clients work, again and again, and audit what is left.
    Chaos(chaos::Args),
    /// Play programs made by chance, as long as it is told, and hold each to its limits.
    Fuzz(fuzz::Args),
    /// Attack a server with every method as every kind of caller, and measure what each attack leaves.
    Audit(audit::Args),
    /// What CI runs before the tests.
    Ci,
    /// The rules of the house: arrows between crates, words, links, lengths.
    Tidy,
    /// Measure, on release builds.
    Bench(bench::Args),
    /// Build the client for WebAssembly.
    Wasm,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Codegen(args) => codegen::codegen(&args),
        Command::Test(args) => test::test(&args),
        Command::Crashes(args) => crashes::crashes(&args),
        Command::Chaos(args) => chaos::chaos(&args),
        Command::Fuzz(args) => fuzz::fuzz(&args),
        Command::Audit(args) => audit::audit(&args),
        Command::Ci => ci::ci(),
        Command::Tidy => tidy::tidy(),
        Command::Bench(args) => bench::bench(&args),
        Command::Wasm => wasm::wasm(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn flags_of_what_a_chore_starts_reach_it() {
        Args::command().debug_assert();
        for line in [
            "bench play --seconds 2 --rounds 3",
            "test -- -p circles-store -- --nocapture",
            "crashes --kills 200 --seed 7",
            "crashes",
            "chaos --minutes 3 --seed 7 --only HalfOpen,CutByRedis",
            "chaos",
            "fuzz --minutes 60 --seed 7",
            "test",
            "ci",
        ] {
            let parsed = Args::try_parse_from(["xtask"].into_iter().chain(line.split(' ')));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
        assert!(Args::try_parse_from(["xtask", "bench"]).is_err());
        assert!(Args::try_parse_from(["xtask", "test", "a_name"]).is_err());
        assert!(Args::try_parse_from(["xtask", "crashes", "--kills", "0"]).is_err());
    }
}

//! The project's tasks for developers and CI, each in a file of its own. `cargo xtask --help` lists them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints to its user")]

mod audit;
mod bench;
mod chaos;
mod ci;
mod codegen;
mod crashes;
mod debian;
mod fuzz;
mod lex;
mod peers;
mod redis;
mod run;
mod test;
mod tidy;
mod wasm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks for developers and CI.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Generate code from openrpc.json for people to read.
    Codegen(codegen::Args),
    /// Install the tests' prerequisites, build, and run all tests.
    Test(test::Args),
    /// Kill servers again and again while clients work, and audit the data left.
    Crashes(crashes::Args),
    /// Make servers, workers, networks and Redis fail while clients work, and audit the data left.
    Chaos(chaos::Args),
    /// Play random programs and check that each stays within its limits.
    Fuzz(fuzz::Args),
    /// Attack a server with every method as every kind of caller, and measure the resources that stay in use.
    Audit(audit::Args),
    /// Run the checks that CI runs before the tests.
    Ci,
    /// Check the project's rules: dependencies between crates, language, links, lengths.
    Tidy,
    /// Run a benchmark on release builds.
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
    fn arguments_reach_the_command_that_takes_them() {
        Args::command().debug_assert();
        for line in [
            "bench play --seconds 2 --rounds 3",
            "test -- -p circles-store -- --nocapture",
            "crashes --kills 200 --seed 7",
            "crashes",
            "chaos --minutes 3 --seed 7 --only HalfOpen,CutByRedis",
            "chaos",
            "fuzz --minutes 60 --seed 7",
            "audit --seconds 1 --only redis",
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

//! The generator on the command line. `circles-codegen --help` lists its commands.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks to the person who runs it"
)]

mod check;
mod corpus;
mod diff;
mod files;
mod generate;
mod growth;

use std::{path::PathBuf, process::ExitCode};

use circles_codegen::Settings;
use clap::{Parser, Subcommand};

/// The outcome of a command. An error is a sentence for the person who ran it.
type Result<T = ()> = std::result::Result<T, String>;

/// Turns OpenRPC documents into typed servers and clients.
#[derive(Debug, Parser)]
#[command(name = "circles-codegen")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write what a document becomes: Rust, a reference, or TypeScript.
    Generate(generate::Args),
    /// Fail if committed files differ from what a document becomes.
    Check(check::Args),
    /// List the changes between two documents, and the side that each change breaks.
    Diff(diff::Args),
    /// Generate every document below a folder, compile the output, and print a table.
    Corpus(corpus::Args),
    /// Time generation of a document, and of documents that hold it several times over.
    Growth(growth::Args),
}

/// How a document is read, and how the output fits into its crate.
#[derive(Clone, Debug, Default, clap::Args)]
struct SettingsArgs {
    /// Folder to search for files that are not next to the file that refers to them.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Pass over faults of the document that can be passed over, and list them.
    #[arg(long)]
    lenient: bool,
    /// Generate for a crate that is the interface itself, with one error type; PATH leads from its manifest to the
    /// document.
    #[arg(long, num_args = 2, value_names = ["ERROR", "PATH"])]
    interface: Option<Vec<String>>,
}

impl SettingsArgs {
    fn settings(&self) -> Settings {
        let settings = match self.interface.as_deref() {
            Some([error, path]) => Settings::interface(error, path),
            _ => Settings::default(),
        };
        Settings { root: self.root.clone(), lenient: self.lenient, ..settings }
    }
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Generate(args) => generate::generate(&args),
        Command::Check(args) => check::check(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Corpus(args) => corpus::corpus(&args),
        Command::Growth(args) => growth::growth(&args.document),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("circles-codegen: {sentence}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn flags_reach_their_commands() {
        Args::command().debug_assert();
        for line in [
            "generate a.json --out out --target typescript --lenient --report",
            "check a.json --interface crate::Error ../a.json --rust expected.rs --refresh",
            "diff old.json new.json --root .",
            "corpus documents --clippy",
            "corpus documents --differential",
            "corpus documents --differential 200 --seed 7",
            "growth a.json",
        ] {
            let parsed = Args::try_parse_from(["circles-codegen"].into_iter().chain(line.split(' ')));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
        for line in ["corpus documents --clippy --examples", "corpus documents --seed 7", "diff old.json"] {
            let parsed = Args::try_parse_from(["circles-codegen"].into_iter().chain(line.split(' ')));
            assert!(parsed.is_err(), "{line}: {parsed:?}");
        }
    }
}

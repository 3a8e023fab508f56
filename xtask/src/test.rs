mod failures;
mod listed;

use std::{
    env,
    io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _},
    process::Command,
};

use self::failures::Failures;
use crate::{
    peers, redis,
    run::{Result, cargo, run},
};

/// The arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Arguments of `cargo test`: a part of a test's name, `-p PACKAGE`, or, behind a second `--`, arguments of
    /// the test harness.
    #[arg(last = true)]
    args: Vec<String>,
}

/// Builds the binaries that system tests start, then runs the tests.
pub(crate) fn test(args: &Args) -> Result {
    let peers = peers::prepare()?;
    redis::prepare()?;
    build()?;
    listed::check()?;
    // A failure must not hide others.
    let mut tests = cargo("test --no-fail-fast");
    if !names_a_package(&args.args) {
        tests.arg("--workspace");
    }
    tests.args(&args.args);
    tests.env("CIRCLES_TEST_PYTHON", peers.python).env("CIRCLES_TEST_NODE_MODULES", peers.node_modules);
    let profile = args.args.iter().take_while(|arg| *arg != "--").filter(|arg| arg.starts_with("--release"));
    run_tests(&mut tests, &profile.cloned().collect::<Vec<_>>())
}

/// Runs tests, shows their output, and ends with the commands that repeat the failed ones.
fn run_tests(tests: &mut Command, profile: &[String]) -> Result {
    // One pipe for both streams, so that cargo's lines about a target stand before the target's own.
    let broken = |error: io::Error| format!("cargo test: {error}");
    let (output, stdout) = io::pipe().map_err(broken)?;
    if io::stdout().is_terminal() && env::var_os("CARGO_TERM_COLOR").is_none() {
        tests.env("CARGO_TERM_COLOR", "always");
    }
    let mut running =
        tests.stderr(stdout.try_clone().map_err(broken)?).stdout(stdout).spawn().map_err(broken)?;
    // The command holds ends of the pipe, which would keep it open.
    tests.stdout(io::stderr()).stderr(io::stderr());
    let mut failures = Failures::default();
    let mut line = Vec::new();
    let (mut lines, mut shown) = (BufReader::new(output), io::stdout().lock());
    while lines.read_until(b'\n', &mut line).map_err(broken)? > 0 {
        // The tests go on when the reader of this output has gone.
        let _ = shown.write_all(&line).and_then(|()| shown.flush());
        failures.observe(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = running.wait().map_err(broken)?;
    if status.success() {
        return Ok(());
    }
    let commands = failures.commands(profile);
    if commands.is_empty() {
        return Err(format!("`cargo test` failed ({status})"));
    }
    Err(format!("tests failed; to repeat them:\n\n{}", commands.join("\n")))
}

/// Builds with the same features as the tests, so that nothing is built twice.
pub(crate) fn build() -> Result {
    run(&mut cargo("build --workspace --all-targets"))
}

/// Whether the arguments select packages.
fn names_a_package(args: &[String]) -> bool {
    let cargo_args = args.iter().take_while(|arg| *arg != "--");
    cargo_args.into_iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_flags_count_only_before_the_harness_arguments() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for args in ["-p circles-store", "--package=circles-store", "a_name -pcircles-api"] {
            assert!(names_a_package(&words(args)), "{args}");
        }
        for args in ["a_name", "-- -p", "--release -- --package"] {
            assert!(!names_a_package(&words(args)), "{args}");
        }
    }
}

use std::{
    num::NonZeroUsize,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    run::{Result, run_tests},
    test,
};

/// The arguments of `cargo xtask crashes`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Kills of a server by each test.
    #[arg(long, value_name = "N", default_value = "200")]
    kills: NonZeroUsize,
    /// Repeats the choices of an earlier run, which printed its seed [default: random].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Builds, kills servers while clients work, and compares the data left with the answers that clients got.
pub(crate) fn crashes(args: &Args) -> Result {
    let (kills, seed) = (args.kills, args.seed.unwrap_or_else(any_seed));
    println!("to repeat these choices: cargo xtask crashes --kills {kills} --seed {seed}");
    test::build()?;
    run_tests(
        "test --workspace --test system crashes::",
        &[("CIRCLES_TEST_KILLS", kills.to_string()), ("CIRCLES_TEST_SEED", seed.to_string())],
    )
}

/// A seed that differs from run to run.
pub(crate) fn any_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()))
}

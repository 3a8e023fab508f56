use std::num::NonZeroU64;

use crate::{
    crashes::any_seed,
    run::{Result, run_tests},
};

/// The arguments of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Minutes to play random programs for.
    #[arg(long, value_name = "N", default_value = "60")]
    minutes: NonZeroU64,
    /// Repeats the programs of an earlier run, which printed its seed [default: random].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Plays random programs, in a process that may hold twice the memory that plays may hold together.
pub(crate) fn fuzz(args: &Args) -> Result {
    let (minutes, seed) = (args.minutes, args.seed.unwrap_or_else(any_seed));
    println!("to repeat these programs: cargo xtask fuzz --minutes {minutes} --seed {seed}");
    run_tests(
        "test -p circles-worker-lib --test fuzz random_programs_stay_within_limits",
        &[("CIRCLES_TEST_MINUTES", minutes.to_string()), ("CIRCLES_TEST_SEED", seed.to_string())],
    )
}

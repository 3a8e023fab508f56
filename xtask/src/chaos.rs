use std::num::NonZeroUsize;

use crate::{
    crashes::any_seed,
    redis,
    run::{Result, run_tests},
    test,
};

/// The arguments of `cargo xtask chaos`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Minutes of faults, over all Redis topologies together.
    #[arg(long, value_name = "N", default_value = "10")]
    minutes: NonZeroUsize,
    /// Repeats the choice of faults of an earlier run, which printed its seed [default: random].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Injects only these kinds of fault, separated by commas: HalfOpen,CutByRedis. The enum `Fault` in
    /// tests/tests/system/chaos/faults.rs lists them.
    #[arg(long, value_name = "FAULTS")]
    only: Option<String>,
}

/// Builds, makes servers, workers, networks and Redis fail while clients work, and audits the result.
pub(crate) fn chaos(args: &Args) -> Result {
    let (minutes, seed) = (args.minutes, args.seed.unwrap_or_else(any_seed));
    println!("to repeat these faults: cargo xtask chaos --minutes {minutes} --seed {seed}");
    redis::prepare()?;
    test::build()?;
    let mut variables =
        vec![("CIRCLES_TEST_MINUTES", minutes.to_string()), ("CIRCLES_TEST_SEED", seed.to_string())];
    variables.extend(args.only.clone().map(|only| ("CIRCLES_TEST_FAULTS", only)));
    run_tests("test --workspace --test system chaos::", &variables)
}

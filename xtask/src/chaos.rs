use std::num::NonZeroUsize;

use crate::{
    crashes::any_seed,
    redis,
    run::{Result, cargo, run},
    test,
};

/// What `cargo xtask chaos` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long faults go on, all shapes of Redis together.
    #[arg(long, value_name = "N", default_value = "10")]
    minutes: NonZeroUsize,
    /// Repeats the choice of faults of a run that printed it [default: another one each time].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Builds, then has servers, workers, networks and Redis fail while clients work, and audits what is left.
pub fn chaos(args: &Args) -> Result {
    let (minutes, seed) = (args.minutes, args.seed.unwrap_or_else(any_seed));
    println!("to choose the same faults again: cargo xtask chaos --minutes {minutes} --seed {seed}");
    redis::prepare()?;
    test::build()?;
    let mut tests = cargo("test --workspace --test system chaos::");
    // One behind the other: each loads the machine by itself.
    tests.args(["--", "--nocapture", "--test-threads", "1"]);
    run(tests.env("CIRCLES_TEST_MINUTES", minutes.to_string()).env("CIRCLES_TEST_SEED", seed.to_string()))
}

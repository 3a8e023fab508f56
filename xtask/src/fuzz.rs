use std::num::NonZeroU64;

use crate::{
    crashes::any_seed,
    run::{Result, cargo, run},
};

/// What `cargo xtask fuzz` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long to play.
    #[arg(long, value_name = "N", default_value = "60")]
    minutes: NonZeroU64,
    /// Repeats the programs of a run that printed it [default: others each time].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Plays programs made by chance, in a process that may hold twice what plays may hold together.
pub fn fuzz(args: &Args) -> Result {
    let (minutes, seed) = (args.minutes, args.seed.unwrap_or_else(any_seed));
    println!("to play the same programs again: cargo xtask fuzz --minutes {minutes} --seed {seed}");
    let mut tests = cargo("test -p circles-worker-lib --test fuzz programs_by_chance_stay -- --nocapture");
    run(tests.env("CIRCLES_TEST_MINUTES", minutes.to_string()).env("CIRCLES_TEST_SEED", seed.to_string()))
}

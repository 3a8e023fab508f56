use std::{
    num::NonZeroUsize,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    run::{Result, cargo, run},
    test,
};

/// What `cargo xtask crashes` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How often each of the tests kills its server.
    #[arg(long, value_name = "N", default_value = "200")]
    kills: NonZeroUsize,
    /// Repeats the choices of a run that printed it [default: another one each time].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Builds, then kills servers while clients work, and holds what is left against what clients were told.
pub fn crashes(args: &Args) -> Result {
    let (kills, seed) = (args.kills, args.seed.unwrap_or_else(any_seed));
    println!("to make the same choices again: cargo xtask crashes --kills {kills} --seed {seed}");
    test::build()?;
    let mut tests = cargo("test --workspace --test system crashes::");
    // One behind the other: each loads the machine by itself.
    tests.args(["--", "--nocapture", "--test-threads", "1"]);
    run(tests.env("CIRCLES_TEST_KILLS", kills.to_string()).env("CIRCLES_TEST_SEED", seed.to_string()))
}

/// Another one each time.
pub fn any_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()))
}

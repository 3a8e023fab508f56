use crate::{
    redis,
    run::{Result, cargo, run},
};

/// The arguments of `cargo xtask audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds of attack on each method by each kind of caller, on each store.
    #[arg(long, value_name = "N", default_value = "10")]
    seconds: f64,
    /// Attack release builds, for figures to publish.
    #[arg(long)]
    release: bool,
    /// Only the store whose test has this in its name: `embedded` or `redis`.
    #[arg(long, value_name = "STORE", default_value = "")]
    only: String,
}

/// Builds, attacks a server with every method as every kind of caller, and prints the resources left in use.
pub(crate) fn audit(args: &Args) -> Result {
    redis::prepare()?;
    let profile = if args.release { " --release" } else { "" };
    run(&mut cargo(&format!("build{profile} -p circles-server -p circles-worker")))?;
    let mut tests = cargo(&format!("test{profile} -p circles-tests --test system audit::"));
    tests.arg(&args.only).args(["--", "--nocapture", "--test-threads", "1"]);
    run(tests.env("CIRCLES_TEST_AUDIT_SECONDS", args.seconds.to_string()))
}

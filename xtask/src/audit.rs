use crate::{
    redis,
    run::{Result, cargo, run},
};

/// What `cargo xtask audit` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long each method is attacked by each kind of caller, on each store.
    #[arg(long, value_name = "N", default_value = "10")]
    seconds: f64,
    /// Attack release builds, for figures.
    #[arg(long)]
    release: bool,
    /// Only the store whose test has this in its name: `embedded` or `redis`.
    #[arg(long, value_name = "STORE", default_value = "")]
    only: String,
}

/// Builds, then attacks a server with every method as every kind of caller and prints what each attack left.
pub fn audit(args: &Args) -> Result {
    redis::prepare()?;
    let profile = if args.release { " --release" } else { "" };
    run(&mut cargo(&format!("build{profile} -p circles-server -p circles-worker")))?;
    let mut tests = cargo(&format!("test{profile} -p circles-tests --test system audit::"));
    tests.arg(&args.only).args(["--", "--nocapture", "--test-threads", "1"]);
    run(tests.env("CIRCLES_TEST_AUDIT_SECONDS", args.seconds.to_string()))
}

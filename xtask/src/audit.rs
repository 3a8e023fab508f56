use crate::{
    redis,
    run::{Result, cargo, run, run_tests},
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
    /// Attack on one store only.
    #[arg(long, value_name = "STORE")]
    only: Option<Store>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Store {
    Embedded,
    Redis,
}

/// Builds, attacks a server with every method as every kind of caller, and prints the resources left in use.
pub(crate) fn audit(args: &Args) -> Result {
    redis::prepare()?;
    let profile = if args.release { " --release" } else { "" };
    run(&mut cargo(&format!("build{profile} -p circles-server -p circles-worker")))?;
    let tests = match args.only {
        None => "audit::",
        Some(Store::Embedded) => "audit::resource_audit_holds_on_the_embedded_store",
        Some(Store::Redis) => "audit::resource_audit_holds_on_redis",
    };
    run_tests(
        &format!("test{profile} -p circles-tests --test system {tests}"),
        &[("CIRCLES_TEST_AUDIT_SECONDS", args.seconds.to_string())],
    )
}

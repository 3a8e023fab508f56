use crate::run::{Result, cargo, run, target};

/// The arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The benchmark to run, and its flags: `play`, `circle`, `script`, `growth`, `redis`, or `--help` for the list.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    args: Vec<String>,
}

/// Builds for release, then measures. The bench is a crate of its own, so that other chores do not wait for it.
pub(crate) fn bench(args: &Args) -> Result {
    run(&mut cargo(
        "build --release --package circles-server --package circles-worker --package circles-bench",
    ))?;
    if args.args.first().is_some_and(|what| what == "script") {
        // Only the worker knows the engine.
        run(&mut cargo("build --release --package circles-worker-lib --example scripts"))?;
    }
    let programs = target().join("release");
    let mut bench = std::process::Command::new(programs.join("circles-bench"));
    bench.arg("--server").arg(programs.join("circles-server"));
    run(bench.arg("--examples").arg(programs.join("examples")).args(&args.args))
}

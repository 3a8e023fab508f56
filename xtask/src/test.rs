use crate::{
    peers, redis,
    run::{Result, cargo, run},
};

/// What `cargo xtask test` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to hand to `cargo test`: a part of a test's name, `-p PACKAGE`, or behind a second `--` what its
    /// harness takes.
    #[arg(last = true)]
    args: Vec<String>,
}

/// Builds the binaries that system tests start, then runs the tests.
pub fn test(args: &Args) -> Result {
    let peers = peers::prepare()?;
    redis::prepare()?;
    build()?;
    // One failure hides no other.
    let mut tests = cargo("test --no-fail-fast");
    if !names_a_package(&args.args) {
        tests.arg("--workspace");
    }
    tests.args(&args.args);
    run(tests.env("CIRCLES_TEST_PYTHON", peers.python).env("CIRCLES_TEST_NODE_MODULES", peers.node_modules))
}

/// Builds with the tests' own set of features, so that nothing is built twice.
pub fn build() -> Result {
    run(&mut cargo("build --workspace --all-targets"))
}

/// Whether cargo is told which packages to test.
fn names_a_package(args: &[String]) -> bool {
    let ours = args.iter().take_while(|arg| *arg != "--");
    ours.into_iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_before_the_harness_takes_over() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for args in ["-p circles-store", "--package=circles-store", "a_name -pcircles-api"] {
            assert!(names_a_package(&words(args)), "{args}");
        }
        for args in ["a_name", "-- -p", "--release -- --package"] {
            assert!(!names_a_package(&words(args)), "{args}");
        }
    }
}

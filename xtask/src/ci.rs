use std::time::Instant;

use crate::{
    codegen,
    run::{Result, cargo, run, succeeds},
    tidy, wasm,
};

/// A step's name and what it does.
type Step = (&'static str, fn() -> Result);

/// The steps in their order.
const STEPS: [Step; 7] = [
    ("fmt", || run(&mut cargo("fmt --all --check"))),
    ("clippy", || run(&mut cargo("clippy --workspace --all-targets -- -D warnings"))),
    ("tidy", tidy::tidy),
    ("codegen --check", codegen::check),
    ("doc", || run(cargo("doc --no-deps --workspace --quiet").env("RUSTDOCFLAGS", "-D warnings"))),
    ("deny", deny),
    ("wasm", wasm::wasm),
];

/// Runs all steps up to the first that fails.
pub(crate) fn ci() -> Result {
    follow(&STEPS)
}

fn follow(steps: &[Step]) -> Result {
    for (name, step) in steps {
        println!("== {name}");
        let start = Instant::now();
        let outcome = step();
        let word = if outcome.is_ok() { "passed" } else { "failed" };
        println!("== {name} {word} in {:.1} s", start.elapsed().as_secs_f64());
        outcome?;
    }
    Ok(())
}

fn deny() -> Result {
    if !succeeds(&mut cargo("deny --version")) {
        println!("cargo-deny is not installed: licences are not checked");
        return Ok(());
    }
    // Advisories need the network, which not every machine has; `cargo deny check` asks for them too.
    run(&mut cargo("deny --workspace check licenses bans sources"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_failed_step_ends_the_run() {
        let steps: [Step; 3] = [
            ("fine", || Ok(())),
            ("broken", || Err("broken".to_owned())),
            ("never", || panic!("a step behind a failure ran")),
        ];
        assert_eq!(follow(&steps), Err("broken".to_owned()));
        assert_eq!(follow(&steps[..1]), Ok(()));
    }
}

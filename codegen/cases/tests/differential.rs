//! Every type against an independent validator, with the same values each time.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

#[allow(unreachable_pub, reason = "generated for crates that export it too")]
mod documents {
    include!(concat!(env!("OUT_DIR"), "/documents.rs"));
}

/// Values for each schema; `cargo xtask codegen corpus codegen/cases/documents --differential` tries more.
const VALUES: usize = 120;

#[test]
fn types_agree_with_independent_validator() {
    let settings = circles_differential::Settings { values: VALUES, seed: 1 };
    let mut faults = String::new();
    for (name, document) in documents::ALL {
        let outcome = circles_differential::run(document, &settings).unwrap();
        assert!(outcome.unjudged.is_empty() && outcome.schemas == document.probes.len(), "{name}: {outcome}");
        assert!(
            outcome.values > outcome.schemas && outcome.valid > 0 || outcome.schemas == 0,
            "{name}: {outcome}"
        );
        if !outcome.faults.is_empty() {
            faults.push_str(&format!("{name}: {outcome}"));
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

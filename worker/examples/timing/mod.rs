//! What the two programs of `cargo xtask bench script` share: the scripts and the clock.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Each with its name and what becomes of it as text.
pub const SCRIPTS: [(&str, &str, &str); 8] = [
    ("push 10,000", "let a = []; for i in 0..10000 { a.push(i); } a.len()", "10000"),
    ("append to a text 10,000", "let s = \"\"; for i in 0..10000 { s += \"x\"; } s.len()", "10000"),
    ("insert into a map 10,000", "let m = #{}; for i in 0..10000 { m[`k${i}`] = i; } m.len()", "10000"),
    (
        "read an array 10,000",
        "let a = []; a.pad(10000, 1); let n = 0; for i in 0..10000 { n += a[i]; } n",
        "10000",
    ),
    ("for 100,000", "let n = 0; for i in 0..100000 { n += i; } n", "4999950000"),
    ("while 100,000", "let n = 0; while n < 100000 { n += 1; } n", "100000"),
    ("call a function 10,000", "fn f(x) { x + 1 } let n = 0; for i in 0..10000 { n = f(n); } n", "10000"),
    (SHORT, "40 + 2", "42"),
];
/// The script whose cost is the way to the engine and back.
pub const SHORT: &str = "40 + 2";

/// Runs too few to time one by one are timed together.
const BATCH: Duration = Duration::from_millis(1);

/// How long each script is timed for, where all of them may take as many seconds as the first argument says.
pub fn share(figures: usize) -> Duration {
    let seconds: f64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1.0);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(1))
        / u32::try_from(figures).unwrap_or(1)
}

/// Prints the median nanoseconds of a run, for as long as `length` allows.
#[allow(clippy::print_stdout, reason = "what it prints is what it is for")]
pub fn time<T>(name: &str, length: Duration, mut run: impl FnMut() -> T) {
    let (end, mut runs, mut figures) = (Instant::now() + length, 1_u32, Vec::new());
    loop {
        let start = Instant::now();
        for _ in 0..runs {
            black_box(run());
        }
        let took = start.elapsed();
        if took < BATCH {
            // Also what warms up.
            runs = runs.saturating_mul(2);
            continue;
        }
        figures.push(took.as_secs_f64() * 1e9 / f64::from(runs));
        if Instant::now() >= end && figures.len() >= 3 {
            break;
        }
    }
    figures.sort_unstable_by(f64::total_cmp);
    println!("{} {name}", figures[figures.len() / 2]);
}

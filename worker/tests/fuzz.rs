//! Random programs, in a process that ends if it holds more than twice the memory that all of them may use together.
//!
//! Each must end soon after its deadline, with an outcome other than an internal error, and the process must survive.
//! `cargo xtask fuzz` plays them for a given time.

#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a missing value is a failure.
#![allow(clippy::print_stdout, reason = "the seed and the counts are the result of a long run")]

mod harness;

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use circles_store::{Failure, Outcome};
use circles_worker::{CountingAllocator, Host, Limits};
use harness::{
    CIRCLE, Case, Circles, Stage, on_script_thread,
    peak::{Peak, limit, live, peak, reset_peak},
    play,
    programs::program,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator<Peak> = CountingAllocator::new(Peak);

/// Memory of all plays together; one play has a quarter.
const BUDGET: usize = 64 << 20;
/// Memory of the cached scripts, and of the test itself.
const OVERHEAD: usize = 144 << 20;
const TIMEOUT: Duration = Duration::from_millis(300);
/// A delay for a loaded machine and a debug build.
const MAX_DELAY: Duration = Duration::from_secs(5);
const THREADS: u64 = 3;

/// The plays, by outcome.
#[derive(Debug, Default)]
struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    limited: AtomicU64,
    timed_out: AtomicU64,
}

fn fuzz(seed: u64, until: impl Fn(u64) -> bool + Sync) {
    println!("to repeat these programs: CIRCLES_TEST_SEED={seed}");
    let limits = Limits { memory_bytes: BUDGET / 4, ..Limits::default() };
    let case = Case::new("// module: m = export const X = 1; fn f() { 1 }\n");
    let circles = Circles::new(&case);
    let stage = circles.host_with(limits, |host: Host| host.with_memory_budget(BUDGET));
    reset_peak();
    limit(live() + (2 * BUDGET + OVERHEAD) as isize);
    let (next, counts) = (AtomicU64::new(0), Counts::default());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if !until(number) {
                        return;
                    }
                    one(&stage, seed, number, &counts);
                }
            });
        }
    });
    println!("{} programs, peak {} MiB: {counts:?}", next.into_inner(), peak() >> 20);
}

/// Plays one program on a thread of its own, so that a crash names the thread.
fn one(stage: &Stage, seed: u64, number: u64, counts: &Counts) {
    let source = program(seed, number);
    let task = Case::new("").task(CIRCLE.parse().unwrap(), &source);
    let task =
        circles_store::Task { id: uuid::Uuid::now_v7(), timeout: TIMEOUT, args: source.len().into(), ..task };
    let stage = stage.clone();
    let (outcome, took) = on_script_thread(move || {
        let began = Instant::now();
        (play(&stage, &task), began.elapsed())
    });
    let count = match &outcome {
        Outcome::Succeeded(_) => &counts.succeeded,
        Outcome::Failed(Failure::Script { .. } | Failure::Conflict, _) => &counts.failed,
        Outcome::Failed(Failure::Limit { .. }, _) => &counts.limited,
        Outcome::TimedOut(_) => &counts.timed_out,
        other => panic!("program {number} of seed {seed}: {other:?}\n{source}"),
    };
    count.fetch_add(1, Ordering::Relaxed);
    assert!(took < TIMEOUT + MAX_DELAY, "program {number} of seed {seed} took {took:?}\n{source}");
}

fn from_environment(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn random_programs_stay_within_limits() {
    match (from_environment("CIRCLES_TEST_MINUTES"), from_environment("CIRCLES_TEST_SEED")) {
        (Some(minutes), seed) => {
            let end = Instant::now() + Duration::from_secs(minutes * 60);
            fuzz(seed.unwrap_or(0), |_| Instant::now() < end);
        }
        (None, seed) => fuzz(seed.unwrap_or(1), |number| number < 400),
    }
}

#[test]
fn random_programs_mostly_compile() {
    let mut engine = rhai::Engine::new_raw();
    engine.set_max_expr_depths(64, 64);
    // Folding their constants would exceed the machine's memory.
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    let sound = (0..200).filter(|number| engine.compile(program(1, *number)).is_ok()).count();
    assert!(sound > 80, "{sound} of 200 compile");
}

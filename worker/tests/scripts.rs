//! Scripts and their outcomes: `scripts/<name>.rhai` next to `scripts/<name>.out`, found by directory.
//!
//! The module `harness` explains the header lines of a script. With the environment variable `UPDATE_GOLDEN=1` the
//! outcomes are written instead of compared; read the difference.

#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a missing value is a failure.

mod harness;

use std::{
    alloc::System,
    cell::Cell,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use circles_store::{Caller, InlineRunner as _, Outcome, Source, Task};
use circles_testing::played;
use circles_worker::{CountingAllocator, Host, Limits};
use harness::{CIRCLE, Case, Circles, Stage, compare, on_script_thread, play, small, stable_all};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

fn cases() -> Vec<Case> {
    let cases = Case::all("scripts");
    assert!(cases.len() > 150, "scripts are missing");
    cases
}

#[test]
fn every_script_matches_its_outcome_in_time() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (name, timeout, plays) = (case.name(), case.timeout, case.plays.len() as u32);
        let played = case.clone();
        let (outcome, took) = on_script_thread(move || {
            let circles = Circles::new(&case);
            let host = circles.host(case.limits);
            let began = Instant::now();
            let outcomes: Vec<_> = case.tasks().iter().map(|task| play(&host, task)).collect();
            let took = began.elapsed();
            // The thread still works.
            let next = Task { args: Value::Null, ..case.task(CIRCLE.parse().unwrap(), "40 + 2") };
            assert!(matches!(play(&host, &next), Outcome::Succeeded(_)));
            (stable_all(&outcomes), took)
        });
        wrong.extend(compare(&played, &outcome));
        // Promised within 100 ms of the deadline; the rest is for a loaded machine and debug builds.
        if took > timeout * plays + Duration::from_secs(2) {
            wrong.push(format!("{name}: took {took:?} of {timeout:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The fast path answers what a full play answers, script by script.
#[test]
fn fast_path_outcome_equals_full_play() {
    let mut inline = 0;
    for case in cases() {
        let name = case.name();
        let plays = on_script_thread(move || {
            let circles = Circles::new(&case);
            let host = circles.host(case.limits);
            let both = case.tasks().into_iter().map(|task| {
                let full = play(&host, &task);
                host.try_inline(&task).map(|inline| (stable_all(&[full]), stable_all(&[inline])))
            });
            both.collect::<Vec<_>>()
        });
        for (full, outcome) in plays.into_iter().flatten() {
            assert_eq!(outcome, full, "{name}");
            inline += 1;
        }
    }
    assert!(inline > 5, "hardly any script ran on the fast path: {inline}");
}

#[test]
fn interrupt_stops_running_and_waiting_scripts() {
    for source in
        ["loop {}", "sleep(60)", "try { loop {} } catch { loop {} }", "let a = []; loop { a = [a]; }"]
    {
        let (outcome, took) = on_script_thread(move || {
            let task = Task::new(
                CIRCLE.parse().unwrap(),
                Caller::Anonymous,
                Source::script(source),
                Value::Null,
                Duration::from_secs(60),
            );
            let stage = Stage::new(Host::new(small()));
            let mut slow = Instant::now();
            let outcome = played(&stage.store, task, |claim| {
                let (interrupt, when) = (claim.interrupt().clone(), Rc::new(Cell::new(None)));
                let slow_since = when.clone();
                // The call that reports the script as slow interrupts it.
                let played = stage.host.play(&stage.store, claim, move || {
                    slow_since.set(Some(Instant::now()));
                    interrupt.cancel();
                });
                slow = when.get().expect("it becomes slow");
                played
            });
            (outcome, slow.elapsed())
        });
        assert_eq!(outcome, Outcome::cancelled(), "{source}");
        assert!(took < Duration::from_secs(10), "{source}: {took:?}");
    }
}

#[test]
fn fast_path_gives_up_beyond_its_budget() {
    on_script_thread(|| {
        let host = Stage::new(Host::new(small()));
        let source = "let n = 0; for i in 0..ARGS { n += 1; } n";
        let task = |args| {
            Task::new(
                CIRCLE.parse().unwrap(),
                Caller::Anonymous,
                Source::script(source),
                args,
                Duration::from_secs(20),
            )
        };
        assert_eq!(host.try_inline(&task(json!(3))), None, "a new script has no record");
        // Debug builds are slow: one short play is enough.
        let short = (0..200).any(|_| {
            play(&host, &task(json!(3)));
            host.try_inline(&task(json!(3))).is_some()
        });
        assert!(short, "a short script never ran on the fast path");
        assert_eq!(host.try_inline(&task(json!(100_000_000))), None, "the fast path has a budget");
        assert!(
            matches!(play(&host, &task(json!(1_000))), Outcome::Succeeded(success) if success.value == 1_000)
        );
    });
}

/// The fast path runs on threads of the runtime, which have 2 MiB of stack: a quarter must be enough for any nesting.
#[test]
fn fast_path_needs_a_quarter_of_runtime_stack() {
    let nested = |open: &str, close: &str, levels| {
        let body = format!("{}f(n - 1){}", open.repeat(levels), close.repeat(levels));
        format!("fn g(x) {{ x }} fn f(n) {{ let a = [0]; if n == 0 {{ 0 }} else {{ {body} }} }} f(ARGS); 1")
    };
    let sources = [
        nested("(1 + ", ")", 27),
        nested("a[", "]", 18),
        nested("g(", ")", 27),
        nested("for i in 0..1 {", "}", 18),
        nested("try {", "} catch {}", 18),
        "let a = []; for i in 0..ARGS { a = [a]; } a == a".to_owned(),
    ];
    let host = Stage::new(Host::new(Limits::default()));
    for source in sources {
        let task = move |args| {
            Task::new(
                CIRCLE.parse().unwrap(),
                Caller::Anonymous,
                Source::script(&*source),
                args,
                Duration::from_secs(20),
            )
        };
        let (shared, short) = (host.clone(), task.clone());
        let was_inline = on_script_thread(move || {
            (0..1_000).any(|_| {
                let outcome = play(&shared, &short(json!(0)));
                assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
                shared.try_inline(&short(json!(0))).is_some()
            })
        });
        assert!(was_inline, "the script never ran on the fast path");
        let shared = host.clone();
        let deep = move || [7, 200].map(|args| shared.try_inline(&task(json!(args))).is_some());
        thread::Builder::new().stack_size(512 << 10).spawn(deep).unwrap().join().unwrap();
    }
}

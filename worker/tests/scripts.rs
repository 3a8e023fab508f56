//! Scripts and what becomes of them: `scripts/<name>.rhai` beside `scripts/<name>.out`, found by directory.
//!
//! What a script may begin with stands in `harness`. With the environment variable `UPDATE_GOLDEN=1` the outcomes
//! are written instead of compared; read the difference.

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
use harness::{CIRCLE, Case, Circles, Stage, compare, lasting_all, on_script_thread, play, small};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

fn cases() -> Vec<Case> {
    let cases = Case::all("scripts");
    assert!(cases.len() > 150, "scripts are missing");
    cases
}

#[test]
fn every_script_comes_to_its_outcome_in_time_and_its_thread_lives_on() {
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
            // The thread is as good as new.
            let next = Task { args: Value::Null, ..case.task(CIRCLE.parse().unwrap(), "40 + 2") };
            assert!(matches!(play(&host, &next), Outcome::Succeeded(_)));
            (lasting_all(&outcomes), took)
        });
        wrong.extend(compare(&played, &outcome));
        // Promised within 100 ms of the deadline; the rest is for a loaded machine and debug builds.
        if took > timeout * plays + Duration::from_secs(2) {
            wrong.push(format!("{name}: took {took:?} of {timeout:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a trial answers is what the pool would have answered, script by script.
#[test]
fn a_trial_changes_no_outcome() {
    let mut tried = 0;
    for case in cases() {
        let name = case.name();
        let trials = on_script_thread(move || {
            let circles = Circles::new(&case);
            let host = circles.host(case.limits);
            let both = case.tasks().into_iter().map(|task| {
                let first = play(&host, &task);
                host.try_inline(&task).map(|trial| (lasting_all(&[first]), lasting_all(&[trial])))
            });
            both.collect::<Vec<_>>()
        });
        for (first, trial) in trials.into_iter().flatten() {
            assert_eq!(trial, first, "{name}");
            tried += 1;
        }
    }
    assert!(tried > 5, "hardly any script was tried: {tried}");
}

#[test]
fn an_interrupted_script_stops_at_once_also_while_it_waits() {
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
                let said = when.clone();
                // It is interrupted by the very call that says that it has become slow.
                let played = stage.host.play(&stage.store, claim, move || {
                    said.set(Some(Instant::now()));
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
fn a_trial_is_given_up_for_what_is_not_short() {
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
        assert_eq!(host.try_inline(&task(json!(3))), None, "an unknown script is not tried");
        // Debug builds are slow: what counts is that some play of it was short.
        let short = (0..200).any(|_| {
            play(&host, &task(json!(3)));
            host.try_inline(&task(json!(3))).is_some()
        });
        assert!(short, "a short script was never tried");
        assert_eq!(host.try_inline(&task(json!(100_000_000))), None, "a trial has a budget");
        assert!(
            matches!(play(&host, &task(json!(1_000))), Outcome::Succeeded(success) if success.value == 1_000)
        );
    });
}

/// Trials run on threads of the runtime, which have 2 MiB of stack: a quarter must do, whatever a script nests.
#[test]
fn a_trial_needs_a_fraction_of_the_stack_of_a_runtime_thread() {
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
        let tried = on_script_thread(move || {
            (0..1_000).any(|_| {
                let outcome = play(&shared, &short(json!(0)));
                assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
                shared.try_inline(&short(json!(0))).is_some()
            })
        });
        assert!(tried, "never short enough to be tried");
        let shared = host.clone();
        let deep = move || [7, 200].map(|args| shared.try_inline(&task(json!(args))).is_some());
        thread::Builder::new().stack_size(512 << 10).spawn(deep).unwrap().join().unwrap();
    }
}

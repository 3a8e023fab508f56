//! Compilation is part of a play: within its memory and deadline, interruptible, and after its policy.

#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a missing value is a failure.

mod harness;

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use circles_store::{Failure, Outcome, Source, Task};
use circles_testing::played;
use circles_worker::{CountingAllocator, Host, Limits};
use harness::{
    CIRCLE, Case, Circles, OTHER, Stage, on_script_thread,
    peak::{Peak, live, peak, reset_peak, turn},
    play, put,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator<Peak> = CountingAllocator::new(Peak);

const MEMORY: isize = 16 << 20;
/// Memory besides that of plays: threads, stores, caches.
const OVERHEAD: isize = 8 << 20;
/// Memory of the cached scripts, and besides.
const CACHED: isize = (64 << 20) + (8 << 20);
/// A delay for a loaded machine and a debug build; without a bound a measured play ends minutes late, or never.
const MAX_DELAY: Duration = Duration::from_secs(2);

fn limits() -> Limits {
    Limits { memory_bytes: MEMORY as usize, ..Limits::default() }
}

fn task(source: &str, timeout: Duration) -> Task {
    let case = Case::new(source);
    Task { timeout, ..case.task(CIRCLE.parse().unwrap(), source) }
}

/// Constants, each twice as large as the one before.
fn doubling(first: &str, next: impl Fn(&str) -> String, times: usize) -> String {
    let next = (1..=times).map(|number| format!("const A{number} = {};", next(&format!("A{}", number - 1))));
    format!("const A0 = {first}; {}", next.collect::<String>())
}

/// Sources of some kilobytes that take gigabytes in a compiler that folds constants.
fn bombs() -> Vec<String> {
    let sum = |name: &str| format!("{name} + {name}");
    let map = |name: &str| format!("#{{ a: {name}, b: {name} }}");
    let array = |name: &str| format!("[{name}, {name}]");
    let text = |name: &str| format!("`${{{name}}}${{{name}}}`");
    let bodies = [
        doubling("\"xxxxxxxxxxxxxxxx\"", sum, 30),
        doubling("\"xxxxxxxxxxxxxxxx\"", text, 30),
        doubling("[0, 1, 2, 3]", sum, 30),
        doubling("1", array, 30),
        doubling("1", map, 30),
    ];
    let wrapped = |body: &String| {
        [
            format!("{body} 1"),
            format!("fn never() {{ {body} 1 }} 1"),
            format!("let never = || {{ {body} 1 }}; 1"),
            format!("if false {{ {body} }} 1"),
            format!("circle(CIRCLE).play(`{}`)", body.replace('`', "\\`").replace("${", "\\${")),
        ]
    };
    bodies.iter().flat_map(wrapped).collect()
}

/// Sources whose parsing time grows with the square of their length.
fn slow_sources(bytes: usize) -> Vec<(&'static str, String)> {
    let numbered = |each: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for number in 0.. {
            if text.len() >= bytes {
                break;
            }
            text += &each(number);
        }
        text
    };
    vec![
        ("blocks", "{}".repeat(bytes / 2)),
        ("nested blocks", format!("{}1{}", "{".repeat(20), "}".repeat(20)).repeat(bytes / 41)),
        ("variables", numbered(&|number| format!("let a{number} = 1;"))),
        ("names", numbered(&|number| format!("x{number:06};"))),
        ("members", format!("#{{ {} }}", numbered(&|number| format!("a{number}: 1,")))),
        ("parameters", format!("fn f({}z) {{}}", numbered(&|number| format!("a{number},")))),
    ]
}

#[test]
fn compiling_constants_stays_within_memory_limit() {
    let _turn = turn();
    for source in bombs() {
        reset_peak();
        let before = live();
        let timeout = Duration::from_secs(20);
        let began = Instant::now();
        let outcome = on_script_thread({
            let source = source.clone();
            move || play(&Stage::new(Host::new(limits())), &task(&source, timeout))
        });
        let held = peak() - before;
        let shown: String = source.chars().take(120).collect();
        assert!(held < 2 * MEMORY + OVERHEAD, "{held} bytes: {shown}");
        assert!(began.elapsed() < timeout + MAX_DELAY, "{:?}: {shown}", began.elapsed());
        assert!(
            matches!(
                &outcome,
                Outcome::Succeeded(_) | Outcome::Failed(Failure::Limit { .. } | Failure::Script { .. }, _)
            ),
            "{outcome:?}: {shown}"
        );
    }
}

#[test]
fn compiling_ends_at_deadline() {
    let _turn = turn();
    let timeout = Duration::from_millis(100);
    for (name, source) in slow_sources(250_000) {
        let (outcome, took) = on_script_thread(move || {
            let stage = Stage::new(Host::new(limits()));
            let began = Instant::now();
            (play(&stage, &task(&source, timeout)), began.elapsed())
        });
        // A source with linear parsing time may be done before the deadline.
        assert!(!matches!(outcome, Outcome::Failed(Failure::Script { .. }, _)), "{name}: {outcome:?}");
        assert!(took < timeout + MAX_DELAY, "{name}: {took:?}");
    }
}

#[test]
fn slow_compilation_times_out() {
    let _turn = turn();
    let (_, source) = slow_sources(250_000).swap_remove(2);
    let outcome = on_script_thread(move || {
        play(&Stage::new(Host::new(limits())), &task(&source, Duration::from_millis(20)))
    });
    assert_eq!(outcome, Outcome::timed_out());
}

/// In some places the parser accepts few kinds of errors.
#[test]
fn compilation_stops_cleanly_at_any_token() {
    let _turn = turn();
    let piece = "{ let a = [1, #{ b: `x${1 + `y${|c| c}`}z` }, 'd', \"e\"]; \
                 if a == () { f(a[0].g, -1) } else { loop { break; } } \
                 for h in 0..9 { try { throw h; } catch (i) { do { continue; } until true } } \
                 // j\nconst K = 1 ?? 2; }\n";
    on_script_thread(move || {
        for step in 0..400 {
            let memory_bytes = 100_000 + 97 * step;
            let stage = Stage::new(Host::new(Limits { memory_bytes, ..Limits::default() }));
            let outcome = play(&stage, &task(&piece.repeat(40), Duration::from_secs(60)));
            assert_eq!(
                outcome,
                Outcome::Failed(Failure::Limit { limit: "memory_bytes".into() }, Vec::new()),
                "{memory_bytes}"
            );
        }
    });
}

#[test]
fn slow_compilation_frees_slot_and_is_interruptible() {
    let _turn = turn();
    let (_, source) = slow_sources(250_000).swap_remove(2);
    let (outcome, took) = on_script_thread(move || {
        let stage = Stage::new(Host::new(limits()));
        let slow = Rc::new(Cell::new(None));
        let outcome = played(&stage.store, task(&source, Duration::from_secs(60)), |claim| {
            let (interrupt, said) = (claim.interrupt().clone(), slow.clone());
            stage.host.play(&stage.store, claim, move || {
                said.set(Some(Instant::now()));
                interrupt.cancel();
            })
        });
        (outcome, slow.get().expect("it becomes slow").elapsed())
    });
    assert_eq!(outcome, Outcome::cancelled());
    assert!(took < MAX_DELAY, "{took:?}");
}

#[test]
fn nested_compilation_ends_with_outer_play() {
    let _turn = turn();
    for (name, source) in slow_sources(125_000) {
        let timeout = Duration::from_millis(500);
        let (outcome, took) = on_script_thread(move || {
            let circles = Circles::new(&Case::new(""));
            let stage = circles.host(limits());
            let outer = "let n = 0; loop { n += 1; try { circle(CIRCLE).play(`${ARGS} // ${n}`) } catch {} }";
            let outer = Task { args: source.into(), ..task(outer, timeout) };
            let began = Instant::now();
            (play(&stage, &outer), began.elapsed())
        });
        assert!(
            matches!(&outcome, Outcome::TimedOut(_) | Outcome::Failed(Failure::Limit { .. }, _)),
            "{name}: {outcome:?}"
        );
        assert!(took < timeout + MAX_DELAY, "{name}: {took:?}");
    }
}

#[test]
fn deadline_covers_compiling_libraries_and_policies() {
    let _turn = turn();
    let (_, slow) = slow_sources(250_000).swap_remove(2);
    let timeout = Duration::from_millis(100);
    let run = |files: &[(&str, &str)], source: &str| {
        let circles = Circles::new(&Case::new(""));
        for (name, code) in files {
            put(&circles.path(&format!("circle/library/{name}.rhai")), code);
        }
        let source = source.to_owned();
        on_script_thread(move || {
            let stage = circles.host(limits());
            let began = Instant::now();
            let source = match source.strip_prefix("run ") {
                Some(name) => Source::Library(name.into()),
                None if source == "list" => Source::Listing,
                None => Source::script(source),
            };
            let outcome = play(&stage, &Task { source, ..task("", timeout) });
            assert!(began.elapsed() < timeout + MAX_DELAY, "{:?}", began.elapsed());
            outcome
        })
    };
    assert_eq!(run(&[("policy", &slow)], "1"), Outcome::timed_out(), "a policy");
    assert_eq!(run(&[("slow", &slow)], "import \"slow\" as s; 1"), Outcome::timed_out(), "a module");
    assert_eq!(run(&[("slow", &slow)], "run slow"), Outcome::timed_out(), "a script");
    assert_eq!(
        run(&[("slow", &slow), ("b", &slow), ("c", &slow)], "list"),
        Outcome::timed_out(),
        "a listing"
    );
}

/// A syntax tree of some megabytes, of a source that is large and fast to parse.
fn large(number: usize) -> String {
    format!("let a = {number}; if a < 0 {{ {} }} 1", "a = a + 1 * 2;".repeat(10_000))
}

#[test]
fn script_cache_stays_within_its_bytes() {
    let _turn = turn();
    on_script_thread(|| {
        let before = live();
        let stage = Stage::new(Host::new(Limits::default()));
        for number in 0..40 {
            let outcome = play(&stage, &task(&large(number), Duration::from_secs(60)));
            assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
        }
        let left = live() - before;
        assert!(left < CACHED, "{left} bytes are kept");
        assert!(left > 8 << 20, "{left} bytes: nothing is cached");
        for source in bombs().iter().filter(|source| source.starts_with("fn never")) {
            for number in 0..46 {
                let source = format!("{source} // {number}");
                assert!(matches!(
                    play(&stage, &task(&source, Duration::from_secs(60))),
                    Outcome::Succeeded(_)
                ));
            }
        }
        let left = live() - before;
        assert!(left < CACHED, "{left} bytes are kept");
    });
}

#[test]
fn compiled_scripts_count_toward_memory_limit() {
    let _turn = turn();
    on_script_thread(|| {
        let little = Limits { memory_bytes: 1 << 20, ..Limits::default() };
        let circles = Circles::new(&Case::new(""));
        let stage = circles.host(little);
        // The outcome is the same whether the script was compiled before or not.
        for _ in 0..3 {
            let outcome = play(&stage, &task(&large(1), Duration::from_secs(60)));
            assert_eq!(outcome, Outcome::failed(Failure::Limit { limit: "memory_bytes".into() }));
        }
        assert!(matches!(play(&stage, &task("1", Duration::from_secs(60))), Outcome::Succeeded(_)));
    });
}

#[test]
fn scripts_of_denied_callers_are_not_compiled() {
    let _turn = turn();
    let circles = Circles::new(&Case::new(""));
    put(&circles.path("circle/library/policy.rhai"), "fn authorize(request) { request.hash == \"\" }");
    let peak = on_script_thread(move || {
        let stage = circles.host(limits());
        // The first play compiles the policy itself.
        play(&stage, &task("1", Duration::from_secs(60)));
        let large = task(&large(1), Duration::from_secs(60));
        reset_peak();
        let before = live();
        assert_eq!(play(&stage, &large), Outcome::failed(Failure::Forbidden));
        let peak = peak() - before;
        let left = live() - before;
        assert!(left < 64 << 10, "{left} bytes stay");
        let outcome = play(&stage, &task("let = ;", Duration::from_secs(60)));
        assert_eq!(outcome, Outcome::failed(Failure::Forbidden), "a compile error is not shown");
        peak
    });
    assert!(peak < 1 << 20, "{peak} bytes: a syntax tree takes more");
}

#[test]
fn nested_plays_share_memory_of_outer_play() {
    let _turn = turn();
    let before = live();
    let hoard = format!("let hoard = blob({}, 1); ", MEMORY / 4);
    // Each level holds a quarter, so the fifth level is one too many.
    let deep =
        (0..4).fold(format!("{hoard} 1"), |inner, _| format!("{hoard} circle(\"{CIRCLE}\").play({inner:?})"));
    let (deep, shallow) = on_script_thread(move || {
        let circles = Circles::new(&Case::new(""));
        let stage = circles.host(limits());
        let shallow = format!("{hoard} circle(\"{CIRCLE}\").play({:?})", format!("{hoard} 1"));
        let minute = Duration::from_secs(60);
        (play(&stage, &task(&deep, minute)), play(&stage, &task(&shallow, minute)))
    });
    let shown = format!("{deep:?}");
    assert!(shown.contains("LIMIT_EXCEEDED") && shown.contains("memory_bytes"), "{shown}");
    assert!(matches!(shallow, Outcome::Succeeded(_)), "{shallow:?}");
    let held = peak() - before;
    assert!(held < MEMORY + OVERHEAD, "{held} bytes at a time");
}

#[test]
fn memory_of_finished_nested_plays_is_returned() {
    let _turn = turn();
    on_script_thread(|| {
        let circles = Circles::new(&Case::new(""));
        let stage = circles.host(limits());
        // Sources differ, so that each is compiled; the outer play does not pay for a finished inner one.
        let source = format!(
            "for n in 0..60 {{ circle(\"{OTHER}\").play(`let a = 1; if a < 0 {{ {} }} blob(${{n}}, 1); 1`); }} 1",
            "a = a + 1 * 2;".repeat(1_000)
        );
        let outcome = play(&stage, &task(&source, Duration::from_secs(60)));
        assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
        // Nor does it gain memory from them.
        let source = format!("{} let hoard = blob({MEMORY}, 1); 1", source.trim_end_matches('1'));
        let outcome = play(&stage, &task(&source, Duration::from_secs(60)));
        assert_eq!(outcome, Outcome::failed(Failure::Limit { limit: "memory_bytes".into() }));
    });
}

//! Times compiled scripts in a bare engine of Rhai's, and by turns as circles play them, with every limit enforced.
//! Prints a line for each script: nanoseconds in the bare engine, nanoseconds in a circle, the name.
//! `cargo xtask bench script` starts it.
//!
//! Both run in one program: two programs with the same code differ by a seventh for where the compiler puts it.
//! Counting memory adds 0.1 % of instructions to the bare engine.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_store::{Caller, CircleId, InlineRunner as _, Outcome, Source, Store, Task};
use circles_store_embedded::EmbeddedConfig;
use circles_testing::{embedded, played};
use circles_worker::{CountingAllocator, Host, Limits};
use mimalloc::MiMalloc;
use rhai::{Dynamic, Engine, Scope};
use serde_json::Value;

/// The server's allocator, which the memory limit rests on.
#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator::new(MiMalloc);

/// Scripts, each with a name and its output.
const SCRIPTS: [(&str, &str, &str); 7] = [
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
];
/// A script that costs little beyond the way to the engine and back, its output, and the number of ways.
const SHORT: (&str, &str, usize) = ("40 + 2", "42", 4);
/// Characters of a comment: the cache compares the whole source.
const LONG: usize = 10_000;

const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";

/// Runs too short to time one by one are timed together.
const BATCH: Duration = Duration::from_millis(1);

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A run to time: it returns the script's output.
type Run<'a> = &'a mut dyn FnMut() -> Result<String>;

fn main() -> Result {
    let engine = Engine::new();
    let host = Arc::new(Host::new(Limits::default()));
    let store: Arc<dyn Store> = Arc::new(embedded(EmbeddedConfig::default()));
    let circle: CircleId = CIRCLE.parse()?;
    let task = |source: &str| {
        Task::new(circle, Caller::Anonymous, Source::script(source), Value::Null, Duration::from_secs(600))
    };
    let play = |task: Task| output(played(&store, task, |claim| host.play(&store, claim, || ())));

    // All of it takes as many seconds as the first argument says.
    let seconds: f64 = std::env::args().nth(1).as_deref().unwrap_or("1").parse()?;
    let share = Duration::try_from_secs_f64(seconds / (SCRIPTS.len() + SHORT.2) as f64)?;
    for (name, source, expected) in SCRIPTS {
        let task = task(source);
        compare(name, expected, share, &mut bare(&engine, source)?, &mut || play(task.clone()))?;
    }

    let (source, expected, _) = SHORT;
    let (short, long) = (task(source), task(&format!("{source} // {}", "x".repeat(LONG))));
    let try_inline = |task: &Task| host.try_inline(task).map_or_else(|| play(task.clone()), output);
    let mut number = 0;
    let mut compile = || {
        number += 1;
        play(task(&format!("{source} // {number}")))
    };
    let ways: [(&str, Run<'_>); SHORT.2] = [
        ("on the fast path", &mut || try_inline(&short)),
        ("on the fast path, with 10,000 characters", &mut || try_inline(&long)),
        ("claimed and settled", &mut || play(short.clone())),
        ("claimed, compiled and settled", &mut compile),
    ];
    let mut bare = bare(&engine, source)?;
    for (way, run) in ways {
        compare(&format!("{source}, {way}"), expected, share, &mut bare, run)?;
    }
    Ok(())
}

/// A run of the compiled script in the engine alone.
fn bare(engine: &Engine, source: &str) -> Result<impl FnMut() -> Result<String>> {
    let ast = engine.compile(source)?;
    Ok(move || Ok(engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &ast)?.to_string()))
}

fn output(outcome: Outcome) -> Result<String> {
    match outcome {
        Outcome::Succeeded(success) => Ok(success.output),
        other => Err(format!("{other:?}").into()),
    }
}

/// Times both by turns until `share` is over, and prints the medians.
#[allow(clippy::print_stdout, reason = "the output is the result")]
fn compare<'a>(name: &str, expected: &str, share: Duration, bare: Run<'a>, circle: Run<'a>) -> Result {
    let end = Instant::now() + share;
    let mut subjects = [bare, circle].map(|run| (Stopwatch::new(), run));
    while Instant::now() < end || subjects.iter().any(|(stopwatch, _)| stopwatch.figures.len() < 3) {
        for (stopwatch, run) in &mut subjects {
            let result = stopwatch.time(run)?;
            if result != expected {
                return Err(format!("{name}: {result} instead of {expected}").into());
            }
        }
    }
    let [bare, circle] = subjects.map(|(stopwatch, _)| stopwatch.median());
    println!("{bare} {circle} {name}");
    Ok(())
}

struct Stopwatch {
    /// Runs that are timed together.
    runs: u32,
    /// Nanoseconds of one.
    figures: Vec<f64>,
}

impl Stopwatch {
    const fn new() -> Self {
        Self { runs: 1, figures: Vec::new() }
    }

    /// Times some runs, and returns the output of the last one.
    fn time(&mut self, run: Run<'_>) -> Result<String> {
        loop {
            let start = Instant::now();
            for _ in 1..self.runs {
                black_box(run()?);
            }
            let result = run()?;
            let took = start.elapsed();
            if took >= BATCH {
                self.figures.push(took.as_secs_f64() * 1e9 / f64::from(self.runs));
                return Ok(result);
            }
            // The first runs also warm up.
            self.runs = self.runs.saturating_mul(2);
        }
    }

    fn median(mut self) -> f64 {
        self.figures.sort_unstable_by(f64::total_cmp);
        self.figures[self.figures.len() / 2]
    }
}

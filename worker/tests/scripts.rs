//! Scripts and what becomes of them: `scripts/<name>.rhai` beside `scripts/<name>.out`, found by directory.
//!
//! A script may begin with lines `// args: JSON`, `// timeout: MILLISECONDS` and `// limit: NAME = NUMBER`. With
//! the environment variable `UPDATE_GOLDEN=1` the outcomes are written instead of compared; read the difference.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

use std::{
    alloc::System,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use circles_api::CircleId;
use circles_store::{Caller, Failure, Outcome, Task, Trial as _};
use circles_worker::{CountingAllocator, Host, Limits};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

const CALLER: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";

struct Case {
    path: PathBuf,
    source: String,
    args: Value,
    timeout: Duration,
    limits: Limits,
}

impl Case {
    fn read(path: PathBuf) -> Self {
        let source = fs::read_to_string(&path).unwrap();
        let mut case = Self {
            path,
            args: Value::Null,
            timeout: Duration::from_secs(20),
            limits: small(),
            source: String::new(),
        };
        for line in source.lines() {
            if let Some(args) = line.strip_prefix("// args: ") {
                case.args = serde_json::from_str(args).unwrap();
            } else if let Some(timeout) = line.strip_prefix("// timeout: ") {
                case.timeout = Duration::from_millis(timeout.parse().unwrap());
            } else if let Some(limit) = line.strip_prefix("// limit: ") {
                let (name, number) = limit.split_once(" = ").unwrap();
                let mut limits = serde_json::to_value(Names(case.limits)).unwrap();
                limits[name] = number.parse::<u64>().unwrap().into();
                case.limits = serde_json::from_value(limits).unwrap();
            }
        }
        case.source = source;
        case
    }

    fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    fn task(&self) -> Task {
        let caller = Caller::Peer(CALLER.parse().unwrap());
        let circle: CircleId = CIRCLE.parse().unwrap();
        let task = Task::new(circle, caller, self.source.as_str(), self.args.clone(), self.timeout);
        Task { id: uuid::Uuid::from_u128(0x019a_a4c2_7e00_7a3b_8c4d_5e6f_7081_92a3), ..task }
    }
}

/// The real limits, but that the machine's memory is spared.
fn small() -> Limits {
    Limits { memory_bytes: 16 << 20, ..Limits::default() }
}

/// Limits only deserialise in the product; this is how the test changes one by name.
struct Names(Limits);

impl serde::Serialize for Names {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Limits {
            script_bytes,
            operations,
            call_depth,
            expression_depth,
            variables,
            functions,
            modules,
            memory_bytes,
            log_lines,
            log_bytes,
            result_bytes,
            result_depth,
            file_bytes,
            file_writes,
            written_bytes,
            list_entries,
        } = self.0;
        json!({
            "script_bytes": script_bytes,
            "operations": operations,
            "call_depth": call_depth,
            "expression_depth": expression_depth,
            "variables": variables,
            "functions": functions,
            "modules": modules,
            "memory_bytes": memory_bytes,
            "log_lines": log_lines,
            "log_bytes": log_bytes,
            "result_bytes": result_bytes,
            "result_depth": result_depth,
            "file_bytes": file_bytes,
            "file_writes": file_writes,
            "written_bytes": written_bytes,
            "list_entries": list_entries,
        })
        .serialize(serializer)
    }
}

/// Plays on a thread as large as those of the product, with a runtime to wait on.
fn on_script_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let run = move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let _entered = runtime.enter();
        body()
    };
    thread::Builder::new().stack_size(1 << 30).spawn(run).unwrap().join().unwrap()
}

fn play(host: &Host, task: &Task) -> Outcome {
    host.play(task, Instant::now() + task.timeout, &CancellationToken::new(), || ())
}

/// Rhai names a closure after a hash that another build computes differently.
fn unnamed(text: &str) -> String {
    let mut parts = text.split("anon$");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "anon$" + part.trim_start_matches(|digit: char| digit.is_ascii_hexdigit())
    })
}

/// What is the same at every run.
fn lasting(outcome: &Outcome) -> String {
    let outcome = match outcome {
        Outcome::Succeeded(success) => json!({
            "output": success.output,
            "value": success.value,
            "logs": success.logs.iter().map(|line| format!("{:?}: {}", line.level, line.text)).collect::<Vec<_>>(),
        }),
        Outcome::Failed(Failure::Script { kind, message, line, column, thrown }) => json!({
            "failed": format!("{kind:?}"), "message": message, "at": [line, column], "thrown": thrown,
        }),
        Outcome::Failed(Failure::Limit { limit }) => json!({ "limit": limit }),
        Outcome::Failed(Failure::Internal(_)) => json!("internal"),
        Outcome::TimedOut => json!("timed out"),
        Outcome::Cancelled => json!("cancelled"),
    };
    unnamed(&format!("{outcome:#}\n"))
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rhai"));
    paths.sort();
    assert!(paths.len() > 60, "scripts are missing");
    paths.into_iter().map(Case::read).collect()
}

#[test]
fn every_script_comes_to_its_outcome_in_time_and_its_thread_lives_on() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let (name, golden) = (case.name(), case.path.with_extension("out"));
        let timeout = case.timeout;
        let (outcome, took) = on_script_thread(move || {
            let host = Host::new(case.limits);
            let began = Instant::now();
            let outcome = play(&host, &case.task());
            let took = began.elapsed();
            // The thread is as good as new.
            let next = Task { script: "40 + 2".into(), args: Value::Null, ..case.task() };
            assert!(matches!(play(&host, &next), Outcome::Succeeded(_)));
            (lasting(&outcome), took)
        });
        if update {
            fs::write(&golden, &outcome).unwrap();
        } else if fs::read_to_string(&golden).ok().as_ref() != Some(&outcome) {
            wrong.push(format!("{name}: {outcome}"));
        }
        // Promised within 100 ms of the deadline; the rest is for a loaded machine and debug builds.
        if took > timeout + Duration::from_secs(2) {
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
        let (first, trial) = on_script_thread(move || {
            let host = Host::new(case.limits);
            let first = play(&host, &case.task());
            (lasting(&first), host.attempt(&case.task()).map(|outcome| lasting(&outcome)))
        });
        if let Some(trial) = trial {
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
                source,
                Value::Null,
                Duration::from_secs(60),
            );
            let interrupt = CancellationToken::new();
            let slow = interrupt.clone();
            let host = Host::new(small());
            // It is interrupted by the very call that says that it has become slow.
            let outcome = host.play(&task, Instant::now() + task.timeout, &interrupt, move || slow.cancel());
            let began = Instant::now();
            drop(host);
            (outcome, began.elapsed())
        });
        assert_eq!(outcome, Outcome::Cancelled, "{source}");
        assert!(took < Duration::from_secs(10), "{source}: {took:?}");
    }
}

#[test]
fn a_trial_is_given_up_for_what_is_not_short() {
    on_script_thread(|| {
        let host = Arc::new(Host::new(small()));
        let source = "let n = 0; for i in 0..ARGS { n += 1; } n";
        let task = |args| {
            Task::new(CIRCLE.parse().unwrap(), Caller::Anonymous, source, args, Duration::from_secs(20))
        };
        assert_eq!(host.attempt(&task(json!(3))), None, "an unknown script is not tried");
        // Debug builds are slow: what counts is that some play of it was short.
        let short = (0..200).any(|_| {
            play(&host, &task(json!(3)));
            host.attempt(&task(json!(3))).is_some()
        });
        assert!(short, "a short script was never tried");
        assert_eq!(host.attempt(&task(json!(100_000_000))), None, "a trial has a budget");
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
    let host = Arc::new(Host::new(Limits::default()));
    for source in sources {
        let task = move |args| {
            Task::new(CIRCLE.parse().unwrap(), Caller::Anonymous, &*source, args, Duration::from_secs(20))
        };
        let (shared, short) = (host.clone(), task.clone());
        let tried = on_script_thread(move || {
            (0..1_000).any(|_| {
                let outcome = play(&shared, &short(json!(0)));
                assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
                shared.attempt(&short(json!(0))).is_some()
            })
        });
        assert!(tried, "never short enough to be tried");
        let shared = host.clone();
        let deep = move || [7, 200].map(|args| shared.attempt(&task(json!(args))).is_some());
        thread::Builder::new().stack_size(512 << 10).spawn(deep).unwrap().join().unwrap();
    }
}

//! Circles with settings of their own: libraries that change, limits, what is listed.

#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a missing value is a failure.

mod harness;

use std::{
    alloc::System,
    collections::{BTreeMap, HashMap},
    fs,
    sync::Arc,
    thread,
    time::Duration,
};

use circles_store::{Failure, InlineRunner as _, Outcome, Task};
use circles_worker::{CircleSettings, CountingAllocator, Host, LibraryFunction, LibraryScript, Limits};
use harness::{CIRCLE, Case, Circles, OTHER, SECRET, Stage, on_script_thread, play, put, small};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

fn task(circle: &str, source: &str) -> Task {
    Case::new("").task(circle.parse().unwrap(), source)
}

fn value(host: &Stage, circle: &str, source: &str) -> Value {
    match play(host, &task(circle, source)) {
        Outcome::Succeeded(success) => success.value,
        other => panic!("{source}: {other:?}"),
    }
}

#[test]
fn changed_library_script_is_reloaded() {
    on_script_thread(|| {
        let circles = Circles::new(&Case::new(""));
        let host = circles.host(small());
        let path = circles.path("circle/library/geo.rhai");
        let script = "import \"geo\" as geo; geo::X";
        put(&path, "export const X = 1;");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(value(&host, CIRCLE, script), 1);
        assert_eq!(value(&host, CIRCLE, script), 1);
        // The same file and length, with the old time.
        put(&path, "export const X = 2;");
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(value(&host, CIRCLE, script), 2);
        // The file is replaced.
        put(&circles.path("circle/library/next"), "export const X = 3;");
        fs::rename(circles.path("circle/library/next"), &path).unwrap();
        assert_eq!(value(&host, CIRCLE, script), 3);
        fs::remove_dir_all(circles.path("circle/library")).unwrap();
        assert!(matches!(play(&host, &task(CIRCLE, script)), Outcome::Failed(..)));
        put(&path, "export const X = 4;");
        assert_eq!(value(&host, CIRCLE, script), 4);
    });
}

#[test]
fn unused_library_is_not_opened() {
    on_script_thread(|| {
        let circles = Circles::new(&Case::new(""));
        let host = circles.host(small());
        assert_eq!(value(&host, CIRCLE, "40 + 2"), 42);
        assert_eq!(value(&host, CIRCLE, "fs::list()"), json!([]));
        assert!(!circles.path("circle/files").exists(), "a directory was made before anything was written");
        assert_eq!(value(&host, CIRCLE, "fs::write(\"a\", \"x\"); fs::list()"), json!(["a"]));
        assert!(circles.path("circle/files/a").exists());
    });
}

#[test]
fn circle_without_settings_has_no_resources() {
    on_script_thread(|| {
        let host = Stage::new(Host::new(small()));
        for (script, why) in [
            ("fs::read(\"a\")", "fs::read \"a\": this circle has no files"),
            ("fs::write(\"a\", \"\")", "fs::write \"a\": this circle has no files"),
            ("fs::list()", "fs::list \"\": this circle has no files"),
            ("import \"a\" as a; a::x", "Module not found: a"),
            ("secret(\"key\")", "this circle has no secret \"key\""),
        ] {
            let outcome = play(&host, &task(CIRCLE, script));
            assert!(
                matches!(&outcome, Outcome::Failed(Failure::Script { message, .. }, _) if message == why),
                "{script}: {outcome:?}"
            );
        }
        assert_eq!(host.scripts(&CIRCLE.parse().unwrap()).unwrap(), []);
    });
}

#[test]
fn limits_apply_per_circle() {
    on_script_thread(|| {
        let settings = |expression_depth, operations| CircleSettings {
            limits: Limits { expression_depth, operations, ..small() },
            ..CircleSettings::default()
        };
        let circles = HashMap::from([
            (CIRCLE.parse().unwrap(), settings(64, 1_000)),
            (OTHER.parse().unwrap(), settings(8, 100_000)),
        ]);
        let host = Stage::new(Host::with_circles(small(), circles));
        let limit = |circle, script: &str| match play(&host, &task(circle, script)) {
            Outcome::Failed(Failure::Limit { limit }, _) => limit,
            outcome => format!("{outcome:?}").chars().take(9).collect(),
        };
        let (deep, long) =
            (format!("{}1{}", "(1+".repeat(20), ")".repeat(20)), "for i in 0..2000 { 1 + i; }");
        assert_eq!(limit(CIRCLE, &deep), "Succeeded");
        assert_eq!(limit(OTHER, &deep), "expression_depth", "a script compiled for another circle");
        assert_eq!(limit(CIRCLE, long), "operations");
        assert_eq!(limit(OTHER, long), "Succeeded");
    });
}

#[test]
fn scripts_with_io_stay_off_fast_path() {
    on_script_thread(|| {
        let circles = Circles::new(&Case::new(""));
        put(&circles.path("circle/library/geo.rhai"), "export const X = 1;");
        let host = circles.host(small());
        for script in [
            "fs::exists(\"a\")",
            "secret(\"key\"); 1",
            "import \"geo\" as geo; geo::X",
            "fs::append(\"a\", \"x\")",
        ] {
            for _ in 0..200 {
                let task = task(CIRCLE, script);
                assert!(matches!(play(&host, &task), Outcome::Succeeded(_)), "{script}");
                assert_eq!(host.try_inline(&task), None, "{script}");
            }
        }
        // A script that was short with other arguments starts on the fast path, and leaves nothing.
        let task = |args: bool| Task {
            args: args.into(),
            ..task(CIRCLE, "if ARGS { fs::append(\"n\", \"x\"); } 1")
        };
        let was_inline = (0..200).any(|_| {
            play(&host, &task(false));
            host.try_inline(&task(false)).is_some()
        });
        assert!(was_inline);
        assert_eq!(host.try_inline(&task(true)), None);
        assert!(!circles.path("circle/files/n").exists());
    });
}

#[test]
fn listing_has_doc_comments_and_faults() {
    let circles = Circles::new(&Case::new(""));
    let library = circles.path("circle/library");
    let plot = "//! Plots of land.\n//!\n//! In metres.\n\n/// The area of a plot.\n/// Square metres.\n\
                fn area(width, length) { width * length }\nprivate fn hidden() { }\n\
                fn bare() { let f = |x| x; f.call(1) }\n";
    put(&library.join("geo/plot.rhai"), plot);
    put(&library.join("broken.rhai"), "let = 1;");
    put(&library.join("large.rhai"), &"/".repeat(300 << 10));
    for other in ["README.md", ".hidden.rhai", "bad name.rhai", "dir.rhai/inner", "-x/inner.rhai"] {
        put(&library.join(other), "1");
    }
    let function = |name: &str, params: &[&str], description: &str| LibraryFunction {
        name: name.into(),
        params: params.iter().map(|param| (*param).into()).collect(),
        description: description.into(),
    };
    let faulty = |name: &str, fault: &str| LibraryScript {
        name: name.into(),
        description: String::new(),
        functions: Vec::new(),
        fault: Some(fault.into()),
    };
    let host = circles.host(Limits::default());
    let scripts = host.scripts(&CIRCLE.parse().unwrap()).unwrap();
    let expected = [
        faulty("broken", "Expecting name of a variable (line 1, position 5)"),
        LibraryScript {
            name: "geo/plot".into(),
            description: "Plots of land.\n\nIn metres.".into(),
            functions: vec![
                function("area", &["width", "length"], "The area of a plot.\nSquare metres."),
                function("bare", &[], ""),
            ],
            fault: None,
        },
        faulty("large", "it is longer than script_bytes allows"),
    ];
    assert_eq!(scripts, expected);
    assert_eq!(host.scripts(&OTHER.parse().unwrap()).unwrap().len(), 1);
}

#[test]
fn listing_and_import_find_the_same_scripts() {
    use std::os::unix::fs::symlink;

    let circles = Circles::new(&Case::new(""));
    let library = circles.path("circle/library");
    let deep = "a/b/c/d/e/f/g/h/i/j/k/deep";
    // A name of 128 bytes is the longest.
    let longest = ["n".repeat(60), "n".repeat(67)].join("/");
    for name in ["shared/plot", deep, &longest] {
        put(&library.join(format!("{name}.rhai")), "//! Here.\n1");
    }
    put(&library.join(format!("{longest}n.rhai")), "1");
    put(&circles.path("outside/out.rhai"), "1");
    fs::create_dir(library.join("area")).unwrap();
    for (target, link) in [
        ("shared", "linked"),
        ("../shared", "area/linked"),
        ("shared/plot.rhai", "one.rhai"),
        ("../../outside", "area/out"),
        ("../outside/out.rhai", "out.rhai"),
        ("..", "shared/up"),
        ("nowhere", "broken"),
    ] {
        symlink(target, library.join(link)).unwrap();
    }
    let host = circles.host(Limits::default());
    let scripts = host.scripts(&CIRCLE.parse().unwrap()).unwrap();
    let names: Vec<_> = scripts.iter().map(|script| script.name.as_str()).collect();
    assert_eq!(names, [deep, "area/linked/plot", "linked/plot", &longest, "one", "shared/plot"]);
    assert!(scripts.iter().all(|script| script.fault.is_none() && script.description == "Here."));
    for name in names {
        assert_eq!(value(&host, CIRCLE, &format!("import \"{name}\" as m; 1")), json!(1), "{name}");
    }
    for name in ["out", "area/out/out", &format!("{longest}n")] {
        let script =
            format!("let why = (); try {{ import \"{name}\" as m; }} catch (e) {{ why = e.error; }} why");
        assert_eq!(value(&host, CIRCLE, &script), json!("ErrorModuleNotFound"), "{name}");
    }
}

/// Threads that list a library have 2 MiB of stack: a quarter of it must be enough in a debug build.
#[test]
fn deeply_nested_library_is_listed_with_small_stack() {
    let circles = Circles::new(&Case::new(""));
    let library = circles.path("circle/library");
    for (name, begin, open, close, end) in [
        ("a", "", "(", ")", "1"),
        ("b", "", "|x| ", "", "1"),
        ("c", "", "if true {", "}", "1"),
        ("d", "", "[", "]", "1"),
        ("e", "", "1 + ", "", "1"),
        ("f", "let a = 1; ", "a.b.", "", "b"),
        ("g", "", "if false {} else ", "", "{}"),
        ("h", "let a = 1; ", "a && ", "", "a"),
        ("i", "let a = 1; ", "a[", "]", "1"),
        ("j", "", "-", "", "1"),
        ("k", "fn f(x) {} ", "f(", ")", "1"),
        ("l", "let a = 1; ", "a ?? ", "", "a"),
        ("m", "let a = 1; a", ".f()", "", ""),
        ("n", "let a = 1; a", "[0]", "", ""),
    ] {
        for count in [20, 60, 10_000] {
            let code = format!("{begin}{}{end}{}", open.repeat(count), close.repeat(count));
            put(&library.join(format!("{name}{count}.rhai")), &code);
        }
    }
    let host = Arc::new(circles.host(Limits::default()));
    let list = move || host.scripts(&CIRCLE.parse().unwrap()).unwrap().len();
    let listed = thread::Builder::new().stack_size(512 << 10).spawn(list).unwrap().join().unwrap();
    assert_eq!(listed, 14 * 3);
}

#[test]
fn listing_is_limited_to_1000_scripts() {
    let circles = Circles::new(&Case::new(""));
    for number in 0..1_100 {
        put(&circles.path(&format!("circle/library/s{number:04}.rhai")), "1");
    }
    let scripts = circles.host(Limits::default()).scripts(&CIRCLE.parse().unwrap()).unwrap();
    assert_eq!(scripts.len(), 1_000);
    assert!(scripts.is_sorted_by_key(|script| script.name.clone()));
}

#[test]
fn openrpc_script_length_equals_highest_script_bytes() {
    let document: Value = serde_json::from_str(circles_api::DOCUMENT).unwrap();
    let longest = document["components"]["schemas"]["Script"]["maxLength"].as_u64();
    assert_eq!(longest, Some(circles_config::MAX_SCRIPT_BYTES));
}

#[test]
fn policy_without_authorize_is_listed_as_faulty() {
    let circles = Circles::new(&Case::new(""));
    let policy = circles.path("circle/library/policy.rhai");
    let host = circles.host(Limits::default());
    for (source, is_sound) in [
        ("fn authorize(request) { true }", true),
        ("fn authorise(request) { true }", false),
        ("fn authorize() { true }", false),
        ("fn authorize(request, more) { true }", false),
        ("true", false),
    ] {
        put(&policy, source);
        let scripts = host.scripts(&CIRCLE.parse().unwrap()).unwrap();
        let fault = scripts[0].fault.as_deref();
        assert_eq!(fault.is_none(), is_sound, "{source}: {fault:?}");
        assert!(fault.is_none_or(|fault| fault.contains("authorize(request)")), "{fault:?}");
    }
}

#[test]
fn listing_fits_into_one_answer() {
    let circles = Circles::new(&Case::new(""));
    let (comment, function) = ("/// \"\"\"\"\n".repeat(400), "x".repeat(100));
    for number in 0..1_000 {
        let code = format!("//! {}\n{comment}fn {function}(a, b) {{ }}\n", "\"".repeat(3_000));
        put(&circles.path(&format!("circle/library/s{number:03}.rhai")), &code);
    }
    let scripts = circles.host(Limits::default()).scripts(&CIRCLE.parse().unwrap()).unwrap();
    let bytes = serde_json::to_string(&scripts).unwrap().len();
    assert!(bytes < circles_api::ANSWER_BYTES - (64 << 10), "{bytes}");
    assert_eq!(scripts.len(), 1_000);
    assert!(!scripts[0].functions.is_empty() && scripts[999].functions.is_empty());
}

#[test]
fn settings_debug_output_hides_secrets() {
    let secrets = BTreeMap::from([("key".to_owned(), SECRET.to_owned())]);
    let shown = format!("{:?}", CircleSettings { secrets, ..CircleSettings::default() });
    assert!(shown.contains("key") && !shown.contains("hush"), "{shown}");
}

#[test]
fn thousands_of_circles_start_quickly() {
    let circles = (0..2_000_u64).map(|number| {
        let limits = Limits { operations: 1_000_000 + number, ..Limits::default() };
        let mut id = [2; 33];
        id[25..].copy_from_slice(&number.to_be_bytes());
        let id = circles_api::hex::encode(&id);
        (id.parse().unwrap(), CircleSettings { limits, ..CircleSettings::default() })
    });
    let began = std::time::Instant::now();
    drop(Host::with_circles(Limits::default(), circles.collect()));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

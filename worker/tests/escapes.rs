//! Scripts that try to leave their circle: `escapes/<name>.rhai` next to `escapes/<name>.out`, found by directory.
//!
//! Each script has traps around it: links of all kinds, pipes, sockets and devices among the circle's files, links in
//! its library, another circle next to it. No outcome may show content or paths of the outside, and nothing outside may
//! change.

#![cfg(target_os = "linux")] // Other systems create no such devices, and exchange no names in one step.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a missing value is a failure.

mod harness;

use std::{
    alloc::System,
    collections::BTreeMap,
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use circles_store::Outcome;
use circles_worker::CountingAllocator;
use harness::{
    CIRCLE, Case, Circles, MARKER, OTHERS_SECRET, SECRET_BEGINS, compare, on_script_thread, play, put,
    stable_all,
};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, makedev, mknodat, renameat_with};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

/// Creates the traps.
fn lay_traps(circles: &Circles) {
    let files = circles.path("circle/files");
    put(&files.join("notes.txt"), "notes");
    put(&files.join("dir/inner.txt"), "inner");
    for (link, target) in [
        ("link-up", "../../outside/marker.txt"),
        ("link-dir", "../../outside"),
        ("link-root", "/"),
        ("link-proc", "/proc/self"),
        ("link-other", "../../other/files"),
        ("link-dev", "/dev/zero"),
        ("link-self", "link-self"),
        ("link-of-link", "link-up"),
        ("link-in", "notes.txt"),
        ("link-fifo", "fifo"),
        ("dir/link-up", "../../../outside/marker.txt"),
        // This link stays inside until it is moved.
        ("dir/link-deep", "../sibling.txt"),
    ] {
        symlink(target, files.join(link)).unwrap();
    }
    symlink(circles.path("outside/marker.txt"), files.join("link-file")).unwrap();
    fs::hard_link(circles.path("outside/marker.txt"), files.join("hard")).unwrap();
    mknodat(CWD, files.join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    drop(UnixListener::bind(files.join("socket")).unwrap());
    // Only root may create a device.
    let zero = mknodat(CWD, files.join("device"), FileType::CharacterDevice, Mode::RWXU, makedev(1, 5));
    if zero.is_err() {
        mknodat(CWD, files.join("device"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    }

    let library = circles.path("circle/library");
    put(&library.join("good.rhai"), "export const MARKER = \"good\";");
    put(&library.join("sub/good.rhai"), "export const MARKER = \"good\";");
    put(&library.join("dir.rhai/inner.rhai"), "export const MARKER = \"inner\";");
    put(&library.join(".hidden.rhai"), "export const MARKER = \"hidden\";");
    symlink("../../outside/evil.rhai", library.join("link.rhai")).unwrap();
    symlink("../../outside", library.join("linkdir")).unwrap();
    symlink("/", library.join("linkroot")).unwrap();
    mknodat(CWD, library.join("fifo.rhai"), FileType::Fifo, Mode::RWXU, 0).unwrap();
}

/// Every file outside of the circle's own directory, with its content.
fn outside(circles: &Circles) -> BTreeMap<PathBuf, String> {
    fn walk(dir: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.insert(path.clone(), fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    for dir in ["outside", "other"] {
        walk(&circles.path(dir), &mut found);
    }
    found.insert("sibling".into(), fs::read_to_string(circles.path("circle/sibling.txt")).unwrap());
    found
}

#[test]
fn scripts_cannot_leave_their_circle() {
    let cases = Case::all("escapes");
    assert!(cases.len() > 15, "scripts are missing");
    let mut wrong = Vec::new();
    for case in cases {
        let (name, timeout, played) = (case.name(), case.timeout, case.clone());
        let (outcome, root, changed, took) = on_script_thread(move || {
            let circles = Circles::new(&case);
            lay_traps(&circles);
            let (host, before, began) = (circles.host(case.limits), outside(&circles), Instant::now());
            let outcomes: Vec<_> = case.tasks().iter().map(|task| play(&host, task)).collect();
            let took = began.elapsed();
            let root = circles.root.path().display().to_string();
            (stable_all(&outcomes), root, outside(&circles) != before, took)
        });
        for secret in [MARKER, OTHERS_SECRET, SECRET_BEGINS, &root, "root:x:0:0"] {
            // A text in the script itself is no secret.
            let is_known = played.plays.iter().any(|(_, source)| source.contains(secret));
            assert!(is_known || !outcome.contains(secret), "{name} shows {secret}: {outcome}");
        }
        assert!(!changed, "{name} changed something outside");
        assert!(took < timeout, "{name} took {took:?}");
        wrong.extend(compare(&played, &outcome));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A directory is swapped with a link to the outside as fast as possible.
#[test]
fn races_between_check_and_use_do_not_leave_circle() {
    let script = r#"
        let seen = [0, 0];
        while seen[0] < 200 || seen[1] < 200 {
            for way in [|| fs::read("swap/marker.txt"), || fs::read_blob("swap/marker.txt").as_string(),
                || `${fs::list("swap").contains("evil.rhai")}`, || `${fs::stat("swap/marker.txt").size}`,
                || { import "swap/code" as code; code::MARKER }] {
                try {
                    let got = way.call();
                    if got != "inside" && got != "false" && got != "6" { throw #{ leaked: got }; }
                    seen[0] += 1;
                } catch (why) {
                    if type_of(why) == "map" && why.leaked != () { throw why; }
                    seen[1] += 1;
                }
            }
            for way in [|| fs::write("swap/new", "forged"), || fs::append("swap/new", "forged"),
                || fs::remove("swap/new"), || fs::make_dir("swap/made"), || fs::remove("swap/made"),
                || fs::rename("notes.txt", "swap/new"), || fs::rename("swap/new", "notes.txt")] {
                try { way.call(); } catch { }
            }
        }
        seen
    "#;
    let mut case = Case::new(script);
    case.limits.file_writes = 100_000_000;
    case.limits.modules = 100_000_000;
    case.timeout = Duration::from_secs(60);
    let circles = Circles::new(&case);
    put(&circles.path("circle/files/notes.txt"), "notes");
    for (inner, name, text) in [
        ("circle/files", "marker.txt", "inside"),
        ("circle/library", "code.rhai", "export const MARKER = \"inside\";"),
    ] {
        put(&circles.path(inner).join("swap").join(name), text);
    }
    put(&circles.path("code/code.rhai"), &format!("export const MARKER = \"{MARKER}\";"));
    symlink(circles.path("outside"), circles.path("circle/spare")).unwrap();
    symlink(circles.path("code"), circles.path("circle/spare-code")).unwrap();
    let before = outside(&circles);

    let stop = Arc::new(AtomicBool::new(false));
    let swapping = {
        let (stop, circle) = (stop.clone(), circles.path("circle"));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for (inner, spare) in [("files/swap", "spare"), ("library/swap", "spare-code")] {
                    let (inner, spare) = (circle.join(inner), circle.join(spare));
                    renameat_with(CWD, inner, CWD, spare, RenameFlags::EXCHANGE).unwrap();
                }
            }
        })
    };
    let host = circles.host(case.limits);
    let outcome = on_script_thread(move || play(&host, &case.task(CIRCLE.parse().unwrap(), script)));
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(matches!(outcome, Outcome::Succeeded(_)), "{outcome:?}");
    assert_eq!(outside(&circles), before);
}

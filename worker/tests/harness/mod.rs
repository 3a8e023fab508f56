//! Scripts as tests: a file of plays, their circle, and the outcome of each.
//!
//! A file may begin with lines `// args: JSON`, `// timeout: MILLISECONDS` and `// limit: NAME = NUMBER`. There are two
//! circles, each with files, a library and a secret of its own. Lines `// file: PATH = TEXT` and `// module: NAME =
//! CODE` add a file to the first, with `\n` for a new line. A line `// ---` begins another play of the same circle, `//
//! --- other` of the other one.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // Not every test uses all of it.

pub(crate) mod peak;
pub(crate) mod programs;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use circles_api::CircleId;
use circles_store::{Caller, Failure, LogLine, Outcome, Source, Store, Task};
use circles_store_embedded::EmbeddedConfig;
use circles_testing::{embedded, played};
use circles_worker::{CircleSettings, Host, Limits};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const CALLER: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
pub(crate) const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
pub(crate) const OTHER: &str = "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";
/// The text in files outside of the circle's own directory.
pub(crate) const MARKER: &str = "what lies outside";
/// The secret `key` of [`CIRCLE`], its beginning and end, and the secret of [`OTHER`].
pub(crate) const SECRET: &str = "hush \"7\"\nhush";
pub(crate) const SECRET_BEGINS: &str = "hush";
pub(crate) const OTHERS_SECRET: &str = "not yours";

/// A file of plays.
#[derive(Clone)]
pub(crate) struct Case {
    pub path: PathBuf,
    pub plays: Vec<(CircleId, String)>,
    pub args: Value,
    pub timeout: Duration,
    pub limits: Limits,
    files: Vec<(String, String)>,
    modules: Vec<(String, String)>,
}

impl Case {
    /// The cases of a directory of tests, sorted by name.
    pub(crate) fn all(directory: &str) -> Vec<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory);
        let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "rhai"));
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let mut case = Self::new(&text);
        case.path = path;
        case
    }

    pub(crate) fn new(text: &str) -> Self {
        let mut case = Self {
            path: PathBuf::new(),
            plays: Vec::new(),
            args: Value::Null,
            timeout: Duration::from_secs(20),
            limits: small(),
            files: Vec::new(),
            modules: Vec::new(),
        };
        let (mut circle, mut source) = (CIRCLE, String::new());
        for line in text.split_inclusive('\n') {
            if let Some(next) = line.strip_prefix("// ---") {
                case.plays.push((circle.parse().unwrap(), std::mem::take(&mut source)));
                circle = if next.trim() == "other" { OTHER } else { CIRCLE };
            } else {
                source.push_str(line);
                case.header(line.trim_end());
            }
        }
        case.plays.push((circle.parse().unwrap(), source));
        case
    }

    fn header(&mut self, line: &str) {
        let Some((name, value)) = line.strip_prefix("// ").and_then(|line| line.split_once(": ")) else {
            return;
        };
        let pair = || {
            let (name, text) = value.split_once(" = ").unwrap();
            (name.to_owned(), text.replace("\\n", "\n"))
        };
        match name {
            "args" => self.args = serde_json::from_str(value).unwrap(),
            "timeout" => self.timeout = Duration::from_millis(value.parse().unwrap()),
            "limit" => self.limits = changed(self.limits, value),
            "file" => self.files.push(pair()),
            "module" => self.modules.push(pair()),
            _ => {}
        }
    }

    pub(crate) fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    pub(crate) fn tasks(&self) -> Vec<Task> {
        self.plays.iter().map(|(circle, source)| self.task(*circle, source)).collect()
    }

    pub(crate) fn task(&self, circle: CircleId, source: &str) -> Task {
        let caller = Caller::Peer(CALLER.parse().unwrap());
        let task = Task::new(circle, caller, Source::script(source), self.args.clone(), self.timeout);
        Task { id: uuid::Uuid::from_u128(0x019a_a4c2_7e00_7a3b_8c4d_5e6f_7081_92a3), ..task }
    }
}

/// Two circles on the disk, with something outside of both.
pub(crate) struct Circles {
    pub root: TempDir,
}

impl Circles {
    pub(crate) fn new(case: &Case) -> Self {
        let circles = Self { root: TempDir::new().unwrap() };
        put(&circles.path("outside/marker.txt"), MARKER);
        put(&circles.path("outside/evil.rhai"), &format!("export const MARKER = \"{MARKER}\";"));
        put(&circles.path("circle/sibling.txt"), MARKER);
        put(&circles.path("other/files/marker.txt"), MARKER);
        put(&circles.path("other/library/marker.rhai"), &format!("export const MARKER = \"{MARKER}\";"));
        for (path, text) in &case.files {
            put(&circles.path("circle/files").join(path), text);
        }
        for (name, code) in &case.modules {
            put(&circles.path("circle/library").join(format!("{name}.rhai")), code);
        }
        circles
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn host(&self, limits: Limits) -> Stage {
        self.host_with(limits, |host| host)
    }

    /// As [`host`](Self::host), with further setup.
    pub(crate) fn host_with(&self, limits: Limits, further: impl FnOnce(Host) -> Host) -> Stage {
        let settings = |directory: &str, secret: &str| CircleSettings {
            library: Some(self.path(directory).join("library")),
            files: Some(self.path(directory).join("files")),
            secrets: BTreeMap::from([("key".to_owned(), secret.to_owned())]),
            limits,
            ..CircleSettings::default()
        };
        let circles = HashMap::from([
            (CIRCLE.parse().unwrap(), settings("circle", SECRET)),
            (OTHER.parse().unwrap(), settings("other", OTHERS_SECRET)),
        ]);
        Stage::new(further(Host::with_circles(limits, circles)))
    }
}

/// A host, and a store for its tasks.
#[derive(Clone)]
pub(crate) struct Stage {
    pub host: Arc<Host>,
    pub store: Arc<dyn Store>,
}

impl Stage {
    pub(crate) fn new(host: Host) -> Self {
        Self { host: Arc::new(host), store: Arc::new(embedded(EmbeddedConfig::default())) }
    }
}

impl Deref for Stage {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

/// Writes a file and its parent directories.
pub(crate) fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The default limits, with less memory for the sake of the test machine.
pub(crate) fn small() -> Limits {
    Limits { memory_bytes: 16 << 20, ..Limits::default() }
}

/// Limits with one of them changed: `NAME = NUMBER`.
fn changed(limits: Limits, change: &str) -> Limits {
    let mut limits = serde_json::to_value(limits).unwrap();
    let (name, value) = change.split_once(" = ").unwrap();
    *limits.get_mut(name).expect("a limit of this name") = value.parse::<u64>().unwrap().into();
    serde_json::from_value(limits).unwrap()
}

/// Runs `body` on a thread with a stack as large as in the product, and a runtime to wait on.
pub(crate) fn on_script_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let run = move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let _entered = runtime.enter();
        body()
    };
    thread::Builder::new().stack_size(1 << 30).spawn(run).unwrap().join().unwrap()
}

pub(crate) fn play(stage: &Stage, task: &Task) -> Outcome {
    played(&stage.store, task.clone(), |claim| stage.host.play(&stage.store, claim, || ()))
}

/// The part of outcomes that is the same at every run, of all plays of a file.
pub(crate) fn stable_all(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(stable).collect()
}

fn log_line(line: &LogLine) -> String {
    format!("{:?}: {}", line.level, line.text)
}

/// The part of an outcome that is the same at every run.
pub(crate) fn stable(outcome: &Outcome) -> String {
    let outcome = match outcome {
        Outcome::Succeeded(success) => json!({
            "output": success.output,
            "value": success.value,
            "logs": success.logs.iter().map(log_line).collect::<Vec<_>>(),
        }),
        Outcome::Failed(Failure::Script { kind, message, line, column, thrown }, _) => json!({
            "failed": format!("{kind:?}"), "message": message, "at": [line, column], "thrown": thrown,
        }),
        Outcome::Failed(Failure::Limit { limit }, _) => json!({ "limit": limit }),
        Outcome::Failed(Failure::Internal(_), _) => json!("internal"),
        Outcome::Failed(Failure::Forbidden, _) => json!("forbidden"),
        Outcome::Failed(Failure::NoScript, _) => json!("no such script"),
        Outcome::Failed(Failure::Conflict, _) => json!("conflict"),
        Outcome::Failed(Failure::Dropped, _) => json!("dropped"),
        Outcome::Failed(Failure::Unavailable, _) => json!("unavailable"),
        Outcome::Lost => json!("lost"),
        Outcome::TimedOut(_) => json!("timed out"),
        Outcome::Cancelled(_) => json!("cancelled"),
    };
    unnamed(&format!("{outcome:#}\n"))
}

/// Rhai names a closure after a hash that another build computes differently.
fn unnamed(text: &str) -> String {
    let mut parts = text.split("anon$");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "anon$" + part.trim_start_matches(|digit: char| digit.is_ascii_hexdigit())
    })
}

/// Compares an outcome with its golden file and returns the difference; writes the file if `UPDATE_GOLDEN` is set.
pub(crate) fn compare(case: &Case, outcome: &str) -> Option<String> {
    let golden = case.path.with_extension("out");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, outcome).unwrap();
        return None;
    }
    let same = fs::read_to_string(&golden).is_ok_and(|golden| golden == outcome);
    (!same).then(|| format!("{}: {outcome}", case.name()))
}

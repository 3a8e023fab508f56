//! The server under audit, as an operator starts it, and its measurements.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use circles_testing::Redis;
use circles_tests::{Program, Raw, secret_key, without_settings};
use serde_json::json;
use tempfile::TempDir;
use tokio::{process::Command, task::JoinHandle};

use super::bounds::Latency;

/// The name of the attacked circle's owner.
pub(super) const OWNER: &str = "owner";
/// A key that may play and run there.
pub(super) const ALLOWED: &str = "allowed";
/// A key on the lists that the policy denies.
pub(super) const DENIED: &str = "denied";
/// A key on no list.
pub(super) const STRANGER: &str = "stranger";
/// The owner of the other circle.
const NEIGHBOUR: &str = "neighbour";
/// Time after a load within which its connections and threads end, and memory is returned.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);
/// Tasks of a load have deadlines of 200 ms, and a store that is behind settles them within this time.
const TASKS_END_WITHIN: Duration = Duration::from_secs(60);
/// Writing has ended once nothing was written for this time.
const STABLE_FOR: Duration = Duration::from_millis(250);
/// Change of Redis's memory without writes, in bytes: buffers of its clients.
const REDIS_NOISE: u64 = 64 << 10;
/// Pause between two measurements of the processes.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Growth of memory that counts as settled.
pub(super) const MEMORY_BOUND: u64 = 100 << 20;

/// A server with two circles, optionally with a Redis and a worker.
pub(super) struct Site {
    /// The URLs of the attacked circle and of the neighbour's.
    pub urls: Vec<String>,
    programs: Vec<Program>,
    redis: Option<Redis>,
    directory: TempDir,
}

/// Resource usage of the site at a moment, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Resident memory of the server and the worker.
    pub memory: u64,
    /// Files of circles.
    pub disk: u64,
    /// Logs of the server and the worker.
    pub log: u64,
    /// Memory of Redis.
    pub redis: u64,
    /// Open files and sockets of the server and the worker.
    pub files: usize,
}

/// A neighbour who plays in the other circle.
pub(super) struct Neighbour {
    over: Arc<AtomicBool>,
    plays: JoinHandle<Vec<Duration>>,
}

impl Site {
    /// A server with its own workers.
    pub(super) async fn embedded() -> Self {
        Self::start(None).await
    }

    /// A server and a worker, joined by a Redis.
    pub(super) async fn on_redis() -> Self {
        Self::start(Some(Redis::start())).await
    }

    async fn start(redis: Option<Redis>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = write_config(directory.path());
        let url = redis.as_ref().map(Redis::url);
        let mut server = Program::start(&mut logged("circles-server", directory.path(), |command| {
            command.args(["--port", "0", "--auth", "--config"]).arg(&config);
            redis_url(command, url.as_deref());
        }));
        let mut urls = Vec::new();
        for _ in 0..2 {
            let line = server.line().await.expect("a line for each circle");
            urls.push(line.split(' ').nth(2).expect("circle, key, URL").to_owned());
        }
        let mut programs = vec![server];
        if url.is_some() {
            let mut worker = Program::start(&mut logged("circles-worker", directory.path(), |command| {
                command.args(["--lease", "2s", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
                redis_url(command, url.as_deref());
            }));
            worker.line().await.expect("it is ready");
            programs.push(worker);
        }
        let site = Self { urls, programs, redis, directory };
        // A first play opens each circle's long-lived resources, before the first measurement.
        for (url, name) in site.urls.iter().zip([OWNER, NEIGHBOUR]) {
            let mut raw = Raw::connect(url).await;
            raw.log_in(&secret_key(name)).await;
            raw.play(r#"db::set("mine", "safe"); 1"#).await.expect("the owner plays");
        }
        site
    }

    /// Waits until no task of the attacked circle is queued or runs, so that its effects count for its own load.
    async fn idle(&self) {
        let mut owner = Raw::connect(&self.urls[0]).await;
        owner.log_in(&secret_key(OWNER)).await;
        for state in ["queued", "running"] {
            let end = Instant::now() + TASKS_END_WITHIN;
            while owner.call("tasks", json!({ "state": state })).await.expect("a page")["tasks"] != json!([])
            {
                assert!(Instant::now() < end, "tasks are still {state}");
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        }
    }

    /// Waits until earlier loads have been written, and returns the resource usage. The memory peak counts from there.
    pub(super) async fn measure(&self) -> Usage {
        self.idle().await;
        let end = Instant::now() + SETTLES_WITHIN;
        let mut last = self.usage();
        loop {
            tokio::time::sleep(STABLE_FOR).await;
            let usage = self.usage();
            let is_stable = usage.redis.abs_diff(last.redis) < REDIS_NOISE
                && (usage.disk, usage.files) == (last.disk, last.files);
            if is_stable || Instant::now() > end {
                break;
            }
            last = usage;
        }
        for program in &self.programs {
            // Resets VmHWM (Linux, proc(5)).
            fs::write(format!("/proc/{}/clear_refs", program.id()), "5").expect("our own process");
        }
        self.usage()
    }

    fn usage(&self) -> Usage {
        let log = |name: &str| fs::metadata(self.directory.path().join(name)).map_or(0, |it| it.len());
        Usage {
            memory: self.sum("VmRSS"),
            disk: size(&self.directory.path().join("data")),
            log: log("circles-server.log") + log("circles-worker.log"),
            redis: self.redis.as_ref().map_or(0, used_memory),
            files: self.programs.iter().map(|program| open_files(program.id())).sum(),
        }
    }

    /// Peak of resident memory since [`measure`](Self::measure).
    pub(super) fn peak_memory(&self) -> u64 {
        self.sum("VmHWM")
    }

    fn sum(&self, field: &str) -> u64 {
        self.programs.iter().map(|program| status(program.id(), field)).sum()
    }

    /// The resource usage once connections have ended and memory is returned, or after a timeout.
    pub(super) async fn settled(&self, before: &Usage) -> Usage {
        self.idle().await;
        let end = Instant::now() + SETTLES_WITHIN;
        loop {
            let usage = self.usage();
            let is_settled =
                usage.files <= before.files && usage.memory.saturating_sub(before.memory) < MEMORY_BOUND;
            if is_settled || Instant::now() > end {
                return usage;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Starts plays in the neighbour's circle, one after the other.
    pub(super) async fn neighbour(&self) -> Neighbour {
        let mut raw = Raw::connect(&self.urls[1]).await;
        raw.log_in(&secret_key(NEIGHBOUR)).await;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let plays = tokio::spawn(async move {
            let mut times = Vec::new();
            loop {
                for (script, value) in [("40 + 2", json!(42)), (r#"db::get("mine")"#, json!("safe"))] {
                    let began = Instant::now();
                    assert_eq!(raw.play(script).await, Ok(value), "the neighbour");
                    times.push(began.elapsed());
                }
                if is_over.load(Ordering::SeqCst) {
                    return times;
                }
            }
        });
        Neighbour { over, plays }
    }

    /// Ends the programs and returns their logs.
    pub(super) async fn end(&mut self) -> String {
        for program in self.programs.drain(..) {
            program.signal("TERM").await;
            let (code, _) = program.ended().await;
            assert_eq!(code, 0, "exit code");
        }
        let read = |name: &str| fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        [read("circles-server.log"), read("circles-worker.log")].concat()
    }
}

impl Neighbour {
    /// Ends the plays, and returns their latencies.
    pub(super) async fn ended(self) -> Latency {
        self.over.store(true, Ordering::SeqCst);
        Latency::of(self.plays.await.expect("the neighbour is served"))
    }
}

/// Writes `circles.json` and the attacked circle's library.
fn write_config(directory: &Path) -> PathBuf {
    let key = |name: &str| secret_key(name).public_key().to_string();
    let listed = json!([key(DENIED), key(ALLOWED)]);
    let library = directory.join("library");
    fs::create_dir(&library).expect("a folder");
    fs::write(library.join("noop.rhai"), "()").expect("a script");
    let policy = format!("fn authorize(request) {{ request.caller != \"{}\" }}", key(DENIED));
    fs::write(library.join("policy.rhai"), policy).expect("a policy");
    let config = json!([
        {
            "id": "guarded", "public_key": key(OWNER), "rhai_path": library,
            "access": { "play": listed, "run": listed },
        },
        { "id": "home", "public_key": key(NEIGHBOUR), "access": {} },
    ]);
    let path = directory.join("circles.json");
    fs::write(&path, config.to_string()).expect("a file");
    path
}

/// A program with a data directory and a log file.
fn logged(name: &str, directory: &Path, configure: impl FnOnce(&mut Command)) -> Command {
    let binary = circles_tests::binary(name);
    // `exec` keeps the process id, so that measurements and signals reach the program.
    let mut command = without_settings(Command::new("sh"));
    command.args(["-c", r#"log=$1; shift; exec "$@" 2>"$log""#, "sh"]);
    command.arg(directory.join(format!("{name}.log"))).arg(binary);
    command.arg("--data-dir").arg(directory.join("data"));
    configure(&mut command);
    command
}

fn redis_url(command: &mut Command, url: Option<&str>) {
    if let Some(url) = url {
        command.args(["--redis-url", url]);
    }
}

/// A number from `/proc/PID/status` that is in kibibytes there, in bytes.
fn status(process: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("our own process");
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).expect("a field");
    let number: u64 = line.split_whitespace().next().and_then(|it| it.parse().ok()).expect("a number");
    number << 10
}

fn open_files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).expect("our own process").count()
}

/// Bytes on the disk of everything below a folder.
fn size(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => meta.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

/// Bytes that a Redis has allocated.
fn used_memory(redis: &Redis) -> u64 {
    redis.info("used_memory").parse().expect("a number")
}

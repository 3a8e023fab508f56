use std::path::{Path, PathBuf};

use circles_testing::Redis;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
};

use crate::{Program, Raw, binary, secret_key, soon, until};

/// A command that runs a binary without the settings in this process's environment.
pub fn program(name: &str) -> Command {
    without_settings(Command::new(binary(name)))
}

/// Removes the programs' settings from a command's environment.
pub fn without_settings(mut command: Command) -> Command {
    let is_setting = |name: &str| name.starts_with("CIRCLES_") || name == "REDIS_URL" || name == "RUST_LOG";
    for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command
}

/// Sends a GET, and returns status and body. The URL has an IP address.
pub async fn get(url: &str) -> (u16, String) {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let mut stream = soon(TcpStream::connect(host)).await.expect("a server listens there");
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is read");
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.expect("it is UTF-8");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

/// A Redis, a server without workers of its own, and their directory: processes as an operator starts them.
pub struct Fleet {
    /// The Redis that joins server and workers.
    pub redis: Redis,
    /// The URL of their database.
    pub redis_url: String,
    /// The server.
    pub server: Program,
    /// The URL of each of its circles.
    pub urls: Vec<String>,
    directory: TempDir,
}

/// A `circles-worker` that is ready.
pub struct Worker {
    /// The process.
    pub program: Program,
    /// Its name in Redis.
    pub id: String,
    /// The URL of its status page.
    pub url: String,
}

impl Fleet {
    /// Starts a Redis, and a server of these people's circles.
    pub async fn of(circles: &[&str]) -> Self {
        let keys: Vec<_> = circles.iter().map(|name| secret_key(name).public_key().to_string()).collect();
        Self::with(keys.len(), |command, _| {
            for key in &keys {
                command.args(["-k", key]);
            }
        })
        .await
    }

    /// Starts a Redis, and a server with this number of circles. `configure` adds arguments, and may write files to the
    /// directory.
    pub async fn with(circles: usize, configure: impl FnOnce(&mut Command, &Path)) -> Self {
        let redis = Redis::start();
        let redis_url = redis.url();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = program("circles-server");
        command
            .args(["--port", "0", "--redis-url", &redis_url, "--data-dir"])
            .arg(directory.path().join("data"));
        configure(&mut command, directory.path());
        let mut server = Program::start(&mut command);
        let mut urls = Vec::new();
        for _ in 0..circles {
            let Some(line) = server.line().await else {
                panic!("the server did not start: {}", server.ended().await.1);
            };
            urls.push(line.split(' ').nth(2).expect("circle, key, URL").to_owned());
        }
        Self { redis, redis_url, server, urls, directory }
    }

    /// The directory of all files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The path of a file in a circle.
    pub fn file(&self, circle: &str, name: &str) -> PathBuf {
        let key = secret_key(circle).public_key().to_string();
        self.directory().join("data").join(key).join("files").join(name)
    }

    /// A worker's command line, with more arguments.
    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = program("circles-worker");
        let data_dir = self.directory().join("data").display().to_string();
        for (flag, value) in [
            ("--redis-url", self.redis_url.as_str()),
            ("--data-dir", &data_dir),
            ("--listen", "127.0.0.1:0"),
            ("--lease", "1s"),
        ] {
            if !more.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.args(more);
        command
    }

    /// Starts a worker.
    pub async fn worker(&self, more: &[&str]) -> Worker {
        let mut program = Program::start(&mut self.command(more));
        let Some(line) = program.line().await else {
            panic!("the worker did not start: {}", program.ended().await.1);
        };
        let words: Vec<_> = line.split(' ').collect();
        let ["worker", id, "ready", url] = words[..] else { panic!("{line}") };
        Worker { program, id: id.to_owned(), url: url.to_owned() }
    }

    /// Sends a GET for a path of the server.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let rest = self.urls[0].strip_prefix("ws://").expect("a URL");
        let host = rest.split('/').next().expect("a host");
        get(&format!("http://{host}{path}")).await
    }

    /// A connection to a circle.
    pub async fn raw(&self, circle: usize) -> Raw {
        Raw::connect(&self.urls[circle]).await
    }

    /// Watches a new play of a script until it has logged `begun`. Returns the connection and the task id.
    pub async fn start_play(&self, circle: usize, script: &str) -> (Raw, Value) {
        let mut raw = self.raw(circle).await;
        raw.call("watch_play", json!({ "script": script })).await.expect("a subscription");
        let id = event(&mut raw).await["task_id"].take();
        event_that(&mut raw, |event| event["line"]["text"] == "begun").await;
        (raw, id)
    }
}

/// The next event of a watched play.
pub async fn event(raw: &mut Raw) -> Value {
    let event = raw.receive().await.expect("an event")["params"]["result"].take();
    assert!(event.is_object(), "the play had ended before");
    event
}

/// The first event of a watched play that meets a condition.
pub async fn event_that(raw: &mut Raw, is: impl Fn(&Value) -> bool) -> Value {
    let first = async {
        loop {
            let event = event(raw).await;
            if is(&event) {
                break event;
            }
            assert!(event["event"] != "ended", "it ended before: {event}");
        }
    };
    soon(first).await
}

/// The task of a watched play at its end.
pub async fn end(raw: &mut Raw) -> Value {
    event_that(raw, |event| event["event"] == "ended").await["task"].take()
}

impl Worker {
    /// A metric of the worker; 0 if it does not show it yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let (status, text) = get(&format!("{}/metrics", self.url)).await;
        assert_eq!(status, 200, "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().expect("a number"))
    }

    /// Waits until a metric has this value.
    pub async fn wait_for_metric(&self, name: &str, number: f64) {
        until(async || (self.metric(name).await - number).abs() <= f64::EPSILON).await;
    }

    /// Whether the worker reports that it is ready.
    pub async fn is_ready(&self) -> bool {
        get(&format!("{}/ready", self.url)).await.0 == 200
    }
}

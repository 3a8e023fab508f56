//! Programs whose standard output or standard error is closed, full, or not read.

use std::{
    fs::{File, OpenOptions},
    io::{PipeReader, Write as _, pipe},
    net::SocketAddr,
    process::Stdio,
};

use circles_tests::{Fleet, Raw, get, program, soon, until, unused_address};
use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

use crate::workers::circle_of;

/// Kinds of unreadable stream.
#[derive(Clone, Copy, Debug)]
enum Unread {
    /// The reading end of the pipe is closed.
    Closed,
    /// The pipe is full.
    Full,
    /// The disk is full.
    NoSpace,
}

const ALL: [Unread; 3] = [Unread::Closed, Unread::Full, Unread::NoSpace];

impl Unread {
    /// A stream of this kind, and a value that keeps it so.
    fn open(self) -> (Stdio, Option<PipeReader>) {
        match self {
            Self::NoSpace => {
                let file: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
                (file.into(), None)
            }
            Self::Closed => {
                let (reader, writer) = pipe().unwrap();
                drop(reader);
                (writer.into(), None)
            }
            Self::Full => {
                let (reader, mut writer) = pipe().unwrap();
                let room = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
                writer.write_all(&vec![b'\n'; room]).unwrap();
                (writer.into(), Some(reader))
            }
        }
    }
}

/// A program with both streams of this kind.
struct Muted {
    child: Child,
    _readers: [Option<PipeReader>; 2],
}

impl Muted {
    fn start(command: &mut Command, unread: Unread) -> Self {
        let ((stdout, out), (stderr, err)) = (unread.open(), unread.open());
        let command = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).kill_on_drop(true);
        Self { child: command.spawn().unwrap(), _readers: [out, err] }
    }

    async fn exit_code(mut self) -> Option<i32> {
        soon(self.child.wait()).await.unwrap().code()
    }

    /// Shuts it down.
    async fn ends(self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().await.unwrap().success());
        assert_eq!(self.exit_code().await, Some(0));
    }
}

async fn is_ready(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    tokio::net::TcpStream::connect(host).await.is_ok() && get(url).await.0 == 200
}

#[tokio::test]
async fn server_serves_without_reader_of_its_output() {
    for (number, unread) in (0..).zip(ALL) {
        let directory = tempfile::tempdir().unwrap();
        let address = SocketAddr::new(unused_address(70 + number).ip(), 9001);
        let mut command = program("circles-server");
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        command.args(["--host", &host, "--port", &port, "--auth", "--data-dir"]).arg(directory.path());
        // At this level the log is more than the pipe and its queue hold.
        let server = Muted::start(command.env("RUST_LOG", "trace"), unread);
        until(async || is_ready(&format!("http://{address}/ready")).await).await;
        let mut raw = Raw::connect(&format!("ws://{address}")).await;
        raw.log_in(&circles_tests::secret_key("ana")).await;
        for number in 0..50 {
            let script = format!("for n in 0..200 {{ print(n) }} {number}");
            assert_eq!(raw.play(&script).await, Ok(json!(number)), "{unread:?}");
        }
        assert!(is_ready(&format!("http://{address}/ready")).await, "{unread:?}");
        server.ends().await;
    }
}

#[tokio::test]
async fn worker_works_without_reader_of_its_output() {
    let fleet = Fleet::of(&["alice"]).await;
    for (number, unread) in (0..).zip(ALL) {
        let address = SocketAddr::new(unused_address(73 + number).ip(), 9001);
        let mut command = fleet.command(&["--listen", &address.to_string(), "-k", &circle_of("alice")]);
        let worker = Muted::start(command.env("RUST_LOG", "trace"), unread);
        until(async || is_ready(&format!("http://{address}/ready")).await).await;
        let mut raw = fleet.raw(0).await;
        for number in 0..50 {
            let script = format!("for n in 0..200 {{ print(n) }} {number}");
            assert_eq!(raw.play(&script).await, Ok(json!(number)), "{unread:?}");
        }
        worker.ends().await;
    }
}

#[tokio::test]
async fn failed_start_exits_with_2_without_reader_of_stderr() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["circles-server", "circles-worker"] {
        for unread in ALL {
            let mut command = program(name);
            command
                .args(["--redis-url", "redis://127.0.0.1:1", "--data-dir"])
                .arg(directory.path().join(name));
            assert_eq!(Muted::start(&mut command, unread).exit_code().await, Some(2), "{name} {unread:?}");
        }
    }
}

#[tokio::test]
async fn script_output_is_logged_at_operators_request() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let config = json!([{ "id": "a", "secrets": { "api": "API_SECRET" } }]);
    std::fs::write(directory.path().join("circles.json"), config.to_string()).unwrap();
    for (filter, is_logged) in [("info", false), ("info,circles_script=debug", true), ("debug", true)] {
        let mut command = program("circles-server");
        command.args(["--port", "0", "--log-format", "json", "--data-dir"]).arg(&data);
        command.arg("-c").arg(directory.path().join("circles.json")).env("API_SECRET", "hush-hush-hush");
        let (mut server, url) = crate::programs::started(command.env("RUST_LOG", filter)).await;
        let mut raw = Raw::connect(&url).await;
        let script = r#"log::warn("spent " + 7 + " on " + secret("api")); 1"#;
        assert_eq!(raw.play(script).await, Ok(json!(1)));
        server.signal("TERM").await;
        let _ = server.line().await;
        let (code, log) = server.ended().await;
        assert_eq!(code, 0);
        assert!(!log.contains("hush-hush") && !log.contains('\u{1b}'), "{log}");
        let line = log.lines().find(|line| line.contains("spent 7 on "));
        assert_eq!(line.is_some(), is_logged, "{filter}: {log}");
        if let Some(line) = line {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["target"], "circles_script");
            assert!(line["fields"]["task"].is_string() && line["fields"]["circle"].is_string(), "{line}");
        }
    }
}

/// Only terminals get colour codes.
#[tokio::test]
async fn log_has_no_color_codes_without_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program("circles-server");
    command.args(["--port", "0", "--data-dir"]).arg(directory.path()).stderr(Stdio::piped());
    let mut child = command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut log = Vec::new();
    let serving = async {
        while !String::from_utf8_lossy(&log).contains("serving") {
            assert!(stderr.read_buf(&mut log).await.unwrap() > 0);
        }
    };
    soon(serving).await;
    assert!(!log.contains(&0x1b), "{}", String::from_utf8_lossy(&log));
}

use std::{os::unix::process::ExitStatusExt as _, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};

use crate::soon;

/// A binary of this workspace, which `cargo xtask test` builds before it runs the tests.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --workspace`, or `cargo xtask test`",
        path.display()
    );
    path
}

/// The interpreter with the packages of `tests/peers`, which `cargo xtask test` sets up.
pub fn peer_python() -> PathBuf {
    prepared("CIRCLES_TEST_PYTHON")
}

/// The folder with the npm packages of `tests/peers`, which `cargo xtask test` sets up.
pub fn peer_node_modules() -> PathBuf {
    prepared("CIRCLES_TEST_NODE_MODULES")
}

/// A missing tool is a failure, never a silent skip.
fn prepared(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => panic!("{variable} is not set: run this test through `cargo xtask test`"),
    }
}

/// Runs a program to its end, and returns its exit code, standard output and standard error.
pub async fn run(command: &mut Command) -> (i32, String, String) {
    let output = soon(command.stdin(Stdio::null()).kill_on_drop(true).output()).await.expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("programs print UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A program as a process of its own, killed when the value is dropped.
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Its standard error, read continuously: a full pipe would block it.
    log: Option<JoinHandle<String>>,
}

impl Program {
    /// Starts a program.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let mut stderr = child.stderr.take().expect("its log is piped");
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stderr.read_to_string(&mut log).await.expect("it logs UTF-8");
            log
        });
        Self { child, lines, log: Some(log) }
    }

    /// The next line of its standard output; `None` at its end.
    pub async fn line(&mut self) -> Option<String> {
        soon(self.lines.next_line()).await.expect("it prints UTF-8")
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it has not ended")
    }

    /// Sends it a signal by name, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().await;
        assert!(status.expect("kill starts").success());
    }

    /// Kills it with SIGKILL, and returns its standard error.
    pub async fn kill(mut self) -> String {
        self.killed().await
    }

    /// As [`kill`](Self::kill), without taking the value.
    pub async fn killed(&mut self) -> String {
        self.child.start_kill().expect("it has not been waited for");
        let status = soon(self.child.wait()).await.expect("it can be waited for");
        assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
        self.log().await
    }

    async fn log(&mut self) -> String {
        match self.log.take() {
            Some(log) => soon(log).await.expect("nothing ends the reader"),
            None => String::new(),
        }
    }

    /// Waits until it ends by itself, and returns its exit code and standard error.
    pub async fn ended(mut self) -> (i32, String) {
        let log = self.log().await;
        let status = soon(self.child.wait()).await.expect("it can be waited for");
        (status.code().unwrap_or(-1), log)
    }

    /// Whether it has ended within `limit`.
    pub async fn ends_within(&mut self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.child.wait()).await.is_ok()
    }
}

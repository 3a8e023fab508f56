//! Servers and workers as processes.

use std::{fs::File, path::PathBuf, process::Stdio};

use circles_tests::soon;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A running program with a log file of its own.
pub(super) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// The resources that a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ResourceUsage {
    pub threads: usize,
    /// Resident memory.
    pub megabytes: usize,
    /// Open files and sockets.
    pub files: usize,
}

impl ResourceUsage {
    /// The larger of each number.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            threads: self.threads.max(other.threads),
            megabytes: self.megabytes.max(other.megabytes),
            files: self.files.max(other.files),
        }
    }
}

impl Process {
    /// Starts a program, again if it ends before it is ready, as a process supervisor does. Returns its first line.
    pub(super) async fn start(mut command: impl FnMut() -> Command, log: &PathBuf) -> (Self, String) {
        soon(async {
            loop {
                let log = File::options().create(true).append(true).open(log).expect("a log");
                let mut child = command()
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(log)
                    .kill_on_drop(true)
                    .spawn()
                    .expect("it starts");
                let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
                let mut process = Self { child, lines };
                if let Some(line) = process.lines.next_line().await.expect("it prints UTF-8") {
                    return (process, line);
                }
                process.child.wait().await.expect("it can be waited for");
            }
        })
        .await
    }

    /// The next line of its standard output.
    pub(super) async fn line(&mut self) -> String {
        soon(self.lines.next_line()).await.expect("it prints UTF-8").expect("a line")
    }

    /// Kills it.
    pub(super) async fn kill(&mut self) {
        soon(self.child.kill()).await.expect("it has not been waited for");
    }

    /// Tells it to shut down, and waits until it has ended.
    pub(super) async fn end(&mut self) {
        self.signal("TERM").await;
        let status = soon(self.child.wait()).await.expect("it can be waited for");
        assert!(status.success(), "its shutdown failed: {status}");
    }

    /// The resources that it uses; `None` unless on Linux.
    pub(super) fn usage(&self) -> Option<ResourceUsage> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()?));
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let number = |name: &str| {
            status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().nth(1)?.parse().ok())
        };
        Some(ResourceUsage {
            threads: number("Threads")?,
            megabytes: number("VmRSS")? / 1024,
            files: std::fs::read_dir(process.join("fd")).ok()?.count(),
        })
    }

    /// Suspends it.
    pub(super) async fn suspend(&self) {
        self.signal("STOP").await;
    }

    /// Resumes it.
    pub(super) async fn resume(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it has not ended").to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(status.expect("kill starts").success());
    }
}

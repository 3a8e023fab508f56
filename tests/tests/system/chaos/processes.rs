//! Servers and workers as processes, which end in every way that processes do.

use std::{fs::File, path::PathBuf, process::Stdio};

use circles_tests::soon;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A program that runs, with a log of its own.
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it, however often it ends before it says that it is ready: as whoever looks after programs does.
    /// Returns what it said.
    pub async fn start(mut command: impl FnMut() -> Command, log: &PathBuf) -> (Self, String) {
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
                let lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
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
    pub async fn line(&mut self) -> String {
        soon(self.lines.next_line()).await.expect("it prints UTF-8").expect("a line")
    }

    /// Ends it without warning.
    pub async fn kill(&mut self) {
        soon(self.child.kill()).await.expect("it has not been waited for");
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(&mut self) {
        self.signal("TERM").await;
        let status = soon(self.child.wait()).await.expect("it can be waited for");
        assert!(status.success(), "it was to end in order: {status}");
    }

    /// Stops it where it is.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it has not ended").to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(status.expect("kill starts").success());
    }
}

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use tempfile::TempDir;

use crate::Result;

/// A server in a process of its own, ended with its handle.
pub struct Process {
    child: Child,
    place: Place,
    /// Its end ends a plain server, should we be killed.
    _stdin: Option<ChildStdin>,
    _data: Option<TempDir>,
}

/// Where a circle, or a plain server, is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The path of its URL.
    pub path: String,
}

impl Process {
    /// Starts a `circles-server` with a circle of its own that anybody may play in. What it keeps lies in a
    /// temporary directory, below `directory` if one is given.
    pub fn circles(server: &Path, directory: Option<&Path>) -> Result<Self> {
        let data = temporary(directory)?;
        Self::start(server_command(server).arg("--data-dir").arg(data.path()), Some(data))
    }

    /// Starts a `circles-server` with the circles of a config; it is reached in the first of them.
    pub fn configured(server: &Path, config: &Path, data_dir: &Path) -> Result<Self> {
        let mut command = server_command(server);
        Self::start(command.arg("--config").arg(config).arg("--data-dir").arg(data_dir), None)
    }

    /// Starts a `circles-server` that leaves scripts to the workers of a Redis.
    pub fn on_redis(server: &Path, url: &str, data_dir: &Path) -> Result<Self> {
        let mut command = server_command(server);
        Self::start(command.args(["--redis-url", url, "--data-dir"]).arg(data_dir), None)
    }

    /// Starts a `circles-worker`, which is reached nowhere.
    pub fn worker(worker: &Path, url: &str, data_dir: &Path) -> Result<Self> {
        let mut command = program(worker);
        let (process, line) =
            Self::spawn(command.args(["--redis-url", url, "--data-dir"]).arg(data_dir), None)?;
        if !line.starts_with("worker ") {
            return Err(format!("{} said {line:?}, not that it is ready", worker.display()));
        }
        Ok(process)
    }

    /// Starts this program again as a plain jsonrpsee server.
    pub fn plain() -> Result<Self> {
        let own = std::env::current_exe().map_err(|error| format!("the path of this program: {error}"))?;
        Self::start(Command::new(own).arg("plain-server"), None)
    }

    /// Where it is reached.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Where it lies in `/proc`.
    pub fn proc(&self) -> String {
        format!("/proc/{}", self.child.id())
    }

    fn start(command: &mut Command, data: Option<TempDir>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (mut process, line) = Self::spawn(command, data)?;
        process.place = place(&line).ok_or_else(|| format!("{name} said {line:?}, not where it listens"))?;
        Ok(process)
    }

    /// Starts a program and waits for its first line.
    fn spawn(command: &mut Command, data: Option<TempDir>) -> Result<(Self, String)> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("{name}: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| format!("{name}: {error}"))?;
        }
        let stdin = child.stdin.take();
        // Owned from here on, so that a line we cannot read ends the process too.
        let nowhere = Place { address: ([127, 0, 0, 1], 0).into(), path: String::new() };
        Ok((Self { child, place: nowhere, _stdin: stdin, _data: data }, line))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory that goes with its handle, in one that is given or where the system keeps such.
pub fn temporary(directory: Option<&Path>) -> Result<TempDir> {
    let made = directory.map_or_else(TempDir::new, TempDir::new_in);
    made.map_err(|error| format!("a temporary directory: {error}"))
}

/// A server that nothing of this environment sets up.
fn server_command(server: &Path) -> Command {
    let mut command = program(server);
    command.args(["--port", "0"]);
    command
}

/// A program that nothing of this environment sets up.
fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env("RUST_LOG", "error").env_remove("REDIS_URL");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CIRCLES_"))
    {
        command.env_remove(name);
    }
    command
}

/// Reads `circle <public key> ws://<address>/<path>`.
fn place(line: &str) -> Option<Place> {
    let url = line.split_whitespace().nth(2)?.strip_prefix("ws://")?;
    let (address, path) = url.split_once('/').unwrap_or((url, ""));
    Some(Place { address: address.parse().ok()?, path: format!("/{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_a_server_prints_says_where_it_is() {
        let at = |path: &str| Some(Place { address: ([127, 0, 0, 1], 9001).into(), path: path.to_owned() });
        assert_eq!(place("circle 02ab ws://127.0.0.1:9001/02ab\n"), at("/02ab"));
        assert_eq!(place("plain - ws://127.0.0.1:9001"), at("/"));
        for line in ["", "error: no\n", "circle 02ab http://127.0.0.1:9001/", "circle 02ab ws://nowhere/"] {
            assert_eq!(place(line), None, "{line}");
        }
    }
}

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use tempfile::TempDir;

use crate::Result;

/// A server in a process of its own. Dropping the handle ends it.
pub(crate) struct Process {
    child: Child,
    endpoint: Endpoint,
    /// A plain server ends when this closes, even if the benchmark is killed.
    _stdin: Option<ChildStdin>,
    _data: Option<TempDir>,
}

/// The address of a circle or of a plain server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The server's address.
    pub address: SocketAddr,
    /// The path of its URL.
    pub path: String,
}

impl Process {
    /// Starts a `circles-server` with one circle that is open to all callers. Its data is in a temporary directory,
    /// below `directory` if that is given.
    pub(crate) fn circles(server: &Path, directory: Option<&Path>) -> Result<Self> {
        let data = temporary(directory)?;
        Self::start(server_command(server).arg("--data-dir").arg(data.path()), Some(data))
    }

    /// Starts a `circles-server` with the circles of a config. The endpoint is the first circle.
    pub(crate) fn configured(server: &Path, config: &Path, data_dir: &Path) -> Result<Self> {
        let mut command = server_command(server);
        Self::start(command.arg("--config").arg(config).arg("--data-dir").arg(data_dir), None)
    }

    /// Starts a `circles-server` that passes plays to workers through Redis.
    pub(crate) fn on_redis(server: &Path, url: &str, data_dir: &Path) -> Result<Self> {
        let mut command = server_command(server);
        Self::start(command.args(["--redis-url", url, "--data-dir"]).arg(data_dir), None)
    }

    /// Starts a `circles-worker`, which has no endpoint.
    pub(crate) fn worker(worker: &Path, url: &str, data_dir: &Path) -> Result<Self> {
        let mut command = program(worker);
        let (process, line) =
            Self::spawn(command.args(["--redis-url", url, "--data-dir"]).arg(data_dir), None)?;
        if !line.starts_with("worker ") {
            return Err(format!(
                "{} printed {line:?}; expected a line that begins with `worker `",
                worker.display()
            ));
        }
        Ok(process)
    }

    /// Starts this program again as a plain jsonrpsee server.
    pub(crate) fn plain() -> Result<Self> {
        let own = std::env::current_exe().map_err(|error| format!("the path of this program: {error}"))?;
        Self::start(Command::new(own).arg("plain-server"), None)
    }

    /// Returns the server's endpoint.
    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the process's directory in `/proc`.
    pub(crate) fn proc(&self) -> String {
        format!("/proc/{}", self.child.id())
    }

    fn start(command: &mut Command, data: Option<TempDir>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (mut process, line) = Self::spawn(command, data)?;
        process.endpoint = endpoint(&line).ok_or_else(|| {
            format!("{name} printed {line:?}; expected a line with a URL that begins with ws://")
        })?;
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
        // The handle owns the child before anyone reads the line, so that an unreadable line ends the process too.
        let unknown = Endpoint { address: ([127, 0, 0, 1], 0).into(), path: String::new() };
        Ok((Self { child, endpoint: unknown, _stdin: stdin, _data: data }, line))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Creates a temporary directory, in `directory` or the system's default place. Dropping the handle removes it.
pub(crate) fn temporary(directory: Option<&Path>) -> Result<TempDir> {
    let created = directory.map_or_else(TempDir::new, TempDir::new_in);
    created.map_err(|error| format!("cannot create a temporary directory: {error}"))
}

/// A server on a free port, which ignores this process's environment.
fn server_command(server: &Path) -> Command {
    let mut command = program(server);
    command.args(["--port", "0"]);
    command
}

/// A program that ignores this process's environment.
fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env("RUST_LOG", "error").env_remove("REDIS_URL");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CIRCLES_"))
    {
        command.env_remove(name);
    }
    command
}

/// Parses `circle <public key> ws://<address>/<path>`.
fn endpoint(line: &str) -> Option<Endpoint> {
    let url = line.split_whitespace().nth(2)?.strip_prefix("ws://")?;
    let (address, path) = url.split_once('/').unwrap_or((url, ""));
    Some(Endpoint { address: address.parse().ok()?, path: format!("/{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_is_parsed_from_the_first_line() {
        let at =
            |path: &str| Some(Endpoint { address: ([127, 0, 0, 1], 9001).into(), path: path.to_owned() });
        assert_eq!(endpoint("circle 02ab ws://127.0.0.1:9001/02ab\n"), at("/02ab"));
        assert_eq!(endpoint("plain - ws://127.0.0.1:9001"), at("/"));
        for line in ["", "error: no\n", "circle 02ab http://127.0.0.1:9001/", "circle 02ab ws://nowhere/"] {
            assert_eq!(endpoint(line), None, "{line}");
        }
    }
}

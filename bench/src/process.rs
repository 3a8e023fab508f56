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
    address: SocketAddr,
    path: String,
    /// Its end ends a plain server, should we be killed.
    _stdin: Option<ChildStdin>,
    _data: Option<TempDir>,
}

impl Process {
    /// Starts a `circles-server` with a circle of its own that anybody may play in.
    pub fn circles(server: &Path) -> Result<Self> {
        let data = TempDir::new().map_err(|error| format!("a temporary directory: {error}"))?;
        let mut command = Command::new(server);
        command.args(["--port", "0", "--data-dir"]).arg(data.path()).env("RUST_LOG", "warn");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CIRCLES_"))
        {
            command.env_remove(name);
        }
        Self::start(&mut command, Some(data))
    }

    /// Starts this program again as a plain jsonrpsee server.
    pub fn plain() -> Result<Self> {
        let own = std::env::current_exe().map_err(|error| format!("the path of this program: {error}"))?;
        Self::start(Command::new(own).arg("plain-server"), None)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path of its URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn start(command: &mut Command, data: Option<TempDir>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("{name}: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| format!("{name}: {error}"))?;
        }
        let stdin = child.stdin.take();
        // Owned from here on, so that a line we cannot read ends the process too.
        let mut process = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            path: String::new(),
            _stdin: stdin,
            _data: data,
        };
        let (address, path) =
            place(&line).ok_or_else(|| format!("{name} said {line:?}, not where it listens"))?;
        (process.address, process.path) = (address, path);
        Ok(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads `circle <public key> ws://<address>/<path>`.
fn place(line: &str) -> Option<(SocketAddr, String)> {
    let url = line.split_whitespace().nth(2)?.strip_prefix("ws://")?;
    let (address, path) = url.split_once('/').unwrap_or((url, ""));
    Some((address.parse().ok()?, format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_a_server_prints_says_where_it_is() {
        let address = ([127, 0, 0, 1], 9001).into();
        assert_eq!(place("circle 02ab ws://127.0.0.1:9001/02ab\n"), Some((address, "/02ab".to_owned())));
        assert_eq!(place("plain - ws://127.0.0.1:9001"), Some((address, "/".to_owned())));
        for line in ["", "error: no\n", "circle 02ab http://127.0.0.1:9001/", "circle 02ab ws://nowhere/"] {
            assert_eq!(place(line), None, "{line}");
        }
    }
}

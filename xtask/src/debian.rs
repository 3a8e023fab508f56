//! Installs Debian packages that tasks need.

use std::process::Command;

use crate::run::{Result, output, run};

/// Installs packages with apt when run as root; otherwise fails with the command to type.
///
/// `what` completes "… needs", and `packages` are Debian's names.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result {
    let list = packages.join(" ");
    if !is_root() || output(Command::new("apt-get").arg("--version")).is_none() {
        return Err(format!("{what} needs {list}; on Debian type: sudo apt-get install {list}"));
    }
    println!("{what} needs {list}: installing with apt-get");
    // The package lists of a fresh machine are empty.
    run(apt().args(["update", "--quiet=2"]))?;
    run(apt().args(["install", "--yes", "--quiet=2", "--no-install-recommends"]).args(packages))
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

//! Third-party packages that tests compare the project with: Python and npm packages under `target/peers`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    debian,
    run::{Result, read, root, run, succeeds, target, write},
};

/// The files that pin the npm packages.
const NPM_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// The places of the packages.
pub(crate) struct Peers {
    /// The interpreter that has the Python packages.
    pub python: PathBuf,
    /// The folder with the npm packages.
    pub node_modules: PathBuf,
}

/// Sets up what is missing or stale.
pub(crate) fn prepare() -> Result<Peers> {
    let wanted = root().join("tests/peers");
    let place = target().join("peers");
    Ok(Peers { python: python(&wanted, &place)?, node_modules: node_modules(&wanted, &place)? })
}

fn python(wanted: &Path, place: &Path) -> Result<PathBuf> {
    let requirements = wanted.join("requirements.txt");
    let venv = place.join("venv");
    let (python, stamp) = (venv.join("bin/python"), venv.join("requirements.txt"));
    let text = read(&requirements)?;
    // An upgrade of the system's Python leaves a virtual environment behind that does not start.
    if is_ready(&stamp, &text) && succeeds(Command::new(&python).args(["-c", "import coincurve, websockets"]))
    {
        return Ok(python);
    }
    if !succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        debian::install("a Python environment for tests", &["python3", "python3-venv"])?;
    }
    println!("setting up a Python environment in {}", venv.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    write(&stamp, &text)?;
    Ok(python)
}

fn node_modules(wanted: &Path, place: &Path) -> Result<PathBuf> {
    let modules = place.join("node_modules");
    let stamp = modules.join(".ready");
    let text = NPM_FILES.iter().map(|name| read(&wanted.join(name))).collect::<Result<Vec<_>>>()?.concat();
    if is_ready(&stamp, &text) && succeeds(Command::new("node").arg("--version")) {
        return Ok(modules);
    }
    if !["node", "npm"].into_iter().all(|program| succeeds(Command::new(program).arg("--version"))) {
        debian::install("the npm packages for tests", &["nodejs", "npm"])?;
    }
    println!("setting up npm packages in {}", modules.display());
    for name in NPM_FILES {
        write(&place.join(name), &read(&wanted.join(name))?)?;
    }
    run(Command::new("npm").args(["ci", "--loglevel", "error"]).current_dir(place))?;
    write(&stamp, &text)?;
    Ok(modules)
}

/// Whether the last setup is still up to date.
fn is_ready(stamp: &Path, wanted: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|found| found == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_or_outdated_stamp_is_not_ready() {
        let directory = tempfile::tempdir().unwrap();
        let stamp = directory.path().join("stamp");
        assert!(!is_ready(&stamp, "websockets==1"));
        write(&stamp, "websockets==1").unwrap();
        assert!(is_ready(&stamp, "websockets==1"));
        assert!(!is_ready(&stamp, "websockets==2"));
    }

    #[test]
    fn python_packages_are_pinned_and_the_npm_lock_names_no_host() {
        let peers = root().join("tests/peers");
        let requirements = read(&peers.join("requirements.txt")).unwrap();
        assert!(requirements.lines().all(|line| line.contains("==")), "{requirements}");
        assert!(!read(&peers.join("package-lock.json")).unwrap().contains("\"resolved\""));
    }
}

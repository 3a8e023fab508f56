//! A cargo workspace with a crate for each document.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use circles_codegen::Generated;

use super::{Row, Task};
use crate::{
    Result,
    files::{read, rustfmt, write},
};

const LIBRARY: &str = include_str!("library.rs.txt");
const DIFFERENTIAL_TEST: &str = include_str!("differential.rs.txt");
/// The file into which a differential test writes what it found.
const OUTCOME: &str = "outcome.txt";

/// The root of the repository, which has the crates that generated code depends on.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

pub(super) struct Project {
    folder: PathBuf,
}

impl Project {
    /// Writes the crates of all documents that could be generated.
    pub(super) fn create(rows: &[Row], task: Task) -> Result<Self> {
        let project = Self { folder: target().join("corpus") };
        let generated = || rows.iter().filter_map(|row| Some((&row.package, row.outcome.as_ref().ok()?)));
        let members = generated().map(|(package, _)| format!("{package:?}")).collect::<Vec<_>>().join(", ");
        let manifest =
            format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[profile.dev]\ndebug = false\n");
        write(&project.folder.join("Cargo.toml"), &manifest)?;
        let lock = read(&Path::new(REPOSITORY).join("Cargo.lock"))?;
        write(&project.folder.join("Cargo.lock"), &lock)?;
        generated().try_for_each(|(package, generated)| project.package(package, generated, task))?;
        Ok(project)
    }

    fn package(&self, name: &str, generated: &Generated, task: Task) -> Result {
        let package = self.folder.join(name);
        write(&package.join("Cargo.toml"), &manifest(name, task))?;
        let (outcome, tests) = (package.join(OUTCOME), package.join("tests"));
        // An earlier run may have left them, or not.
        drop((fs::remove_file(&outcome), fs::remove_dir_all(&tests)));
        if let Task::Differential { values, seed } = task {
            let test = DIFFERENTIAL_TEST
                .replace("PACKAGE", &name.replace('-', "_"))
                .replace("VALUES", &values.to_string())
                .replace("SEED", &seed.to_string())
                .replace("OUTCOME", &format!("{:?}", outcome.display().to_string()));
            write(&tests.join("differential.rs"), &test)?;
            write(&package.join("src/probes.rs"), generated.probes())?;
        }
        write(&package.join("src/lib.rs"), LIBRARY)?;
        let texts = [
            ("src/api.rs", generated.rust()),
            ("src/examples.rs", generated.tests()),
            ("src/contract.rs", generated.contract()),
        ];
        for (file, text) in texts {
            write(&package.join(file), text)?;
        }
        let paths = texts.map(|(file, _)| package.join(file));
        rustfmt(paths.iter().map(PathBuf::as_path))
    }

    /// Lets cargo check all crates; returns the names of those that fail.
    pub(super) fn check(&self, task: Task) -> Result<Vec<String>> {
        let words = match task {
            Task::Clippy => "clippy --offline --workspace --all-targets --keep-going",
            Task::Examples => "test --offline --workspace --no-fail-fast",
            Task::Differential { .. } => "test --offline --workspace --no-fail-fast --test differential",
            Task::Check => "check --offline --workspace --keep-going",
        };
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(words.split(' ')).current_dir(&self.folder);
        command.env("CARGO_TARGET_DIR", self.folder.join("target")).stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("cargo: {error}"))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let failed = text.lines().filter_map(|line| {
            let compile = line.split_once("could not compile `").map(|(_, rest)| rest);
            let name = compile.or_else(|| line.trim().strip_prefix("`-p "))?;
            Some(name.split([' ', '`']).next()?.to_owned())
        });
        let failed = failed.collect::<Vec<_>>();
        if !output.status.success() {
            let whole = format!("{text}{}", String::from_utf8_lossy(&output.stdout));
            write(&self.folder.join("errors.txt"), &whole)?;
            if failed.is_empty() {
                return Err(text.into_owned());
            }
        }
        Ok(failed)
    }

    /// Returns what the differential test of a crate found.
    pub(super) fn differences(&self, package: &str) -> String {
        read(&self.folder.join(package).join(OUTCOME)).unwrap_or_else(|_| "it did not run\n".to_owned())
    }
}

fn manifest(name: &str, task: Task) -> String {
    let ours = |package: &str, folder: &str| {
        let path = Path::new(REPOSITORY).join(folder).display().to_string();
        format!("{package} = {{ path = {path:?} }}\n")
    };
    let support = ours("circles-codegen-support", "codegen/support");
    let differential = match task {
        Task::Differential { .. } => ours("circles-differential", "codegen/differential"),
        Task::Check | Task::Clippy | Task::Examples => String::new(),
    };
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{support}\
         jsonrpsee = {{ version = \"0.26.1\", default-features = false, \
         features = [\"client-core\", \"macros\", \"server-core\"] }}\n\
         serde = {{ version = \"1.0\", features = [\"derive\"] }}\n\
         serde_json = {{ version = \"1.0\", features = [\"raw_value\"] }}\n\n\
         [dev-dependencies]\n{differential}\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}\n"
    )
}

/// The folder in which cargo builds.
fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        // Relative to the caller's folder, which is this program's folder too.
        Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| folder.into()),
        None => Path::new(REPOSITORY).canonicalize().unwrap_or_else(|_| REPOSITORY.into()).join("target"),
    }
}

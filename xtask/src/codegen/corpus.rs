//! The generator on documents of other projects: a crate for each, checked by cargo with every warning an error.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use circles_codegen::{Generated, Settings, generate_file};

use crate::run::{Result, cargo, read, root, target, write};

/// One document and what became of it.
struct Row {
    name: String,
    package: String,
    outcome: std::result::Result<Generated, circles_codegen::Error>,
    /// Whether it is generated only when faults are passed over.
    lenient: bool,
    time: Duration,
    compiles: bool,
}

/// What is done with what came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Check,
    Clippy,
    /// The examples of the documents are read and written.
    Examples,
    /// An independent validator judges values, and the types read them.
    Differential {
        values: usize,
        seed: u64,
    },
}

/// Generates each document below a directory, compiles what came out, and prints a table.
pub fn corpus(directory: &Path, task: Task) -> Result {
    let mut rows = Vec::new();
    for path in documents(directory)? {
        rows.push(row(&path, directory));
    }
    if rows.is_empty() {
        return Err(format!("{}: no OpenRPC document", directory.display()));
    }
    let project = target().join("corpus");
    lay_out(&project, &rows, task)?;
    let failed = check(&project, task)?;
    for row in &mut rows {
        row.compiles = row.outcome.is_ok() && !failed.contains(&row.package);
    }
    print(&rows);
    if let Task::Differential { .. } = task {
        print_outcomes(&project, &rows)?;
    }
    let bad = rows.iter().filter(|row| !row.compiles).count();
    let problem = if let Task::Differential { .. } = task { "have faults" } else { "do not compile" };
    if bad > 0 { Err(format!("{bad} of {} documents {problem}", rows.len())) } else { Ok(()) }
}

/// JSON files that call themselves OpenRPC documents, in order.
fn documents(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries =
            fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json")
                && read(&path).is_ok_and(|text| text.contains("\"openrpc\""))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn row(path: &Path, directory: &Path) -> Row {
    let below = path.strip_prefix(directory).unwrap_or(path);
    let name = below.with_extension("").display().to_string();
    // References are relative to the folder that holds the files of one project.
    let mut first = below.components();
    let folder = first.next().filter(|_| first.next().is_some()).map(|first| directory.join(first));
    let settings = Settings { root: folder, ..Settings::default() };
    let begun = Instant::now();
    let strict = generate_file(path, &settings);
    let mut time = begun.elapsed();
    let lenient = strict.is_err();
    let outcome = strict.or_else(|_| {
        let begun = Instant::now();
        let outcome = generate_file(path, &Settings { lenient: true, ..settings });
        time = begun.elapsed();
        outcome
    });
    let package = name.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' });
    let package = format!("document-{}", package.collect::<String>().to_lowercase());
    Row { name, package, outcome, lenient, time, compiles: false }
}

fn lay_out(project: &Path, rows: &[Row], task: Task) -> Result {
    let members = rows.iter().filter(|row| row.outcome.is_ok()).map(|row| format!("{:?}", row.package));
    let members = members.collect::<Vec<_>>().join(", ");
    let manifest =
        format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[profile.dev]\ndebug = false\n");
    write(&project.join("Cargo.toml"), &manifest)?;
    write(&project.join("Cargo.lock"), &read(&root().join("Cargo.lock"))?)?;
    for row in rows {
        let Ok(generated) = &row.outcome else { continue };
        let package = project.join(&row.package);
        let differential = matches!(task, Task::Differential { .. });
        write(&package.join("Cargo.toml"), &package_manifest(&row.package, differential))?;
        let outcome = package.join(OUTCOME);
        let tests = package.join("tests");
        for stale in [&outcome, &tests] {
            // What an earlier run left is of no account.
            drop(fs::remove_dir_all(stale).or_else(|_| fs::remove_file(stale)));
        }
        if let Task::Differential { values, seed } = task {
            let test = DIFFERENTIAL
                .replace("PACKAGE", &row.package.replace('-', "_"))
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
        for (name, text) in texts {
            write(&package.join(name), text)?;
        }
        let paths = texts.map(|(name, _)| package.join(name));
        super::rustfmt(paths.iter().map(PathBuf::as_path))?;
    }
    Ok(())
}

const LIBRARY: &str = include_str!("library.rs.txt");

/// Where the test of a document says what became of its values.
const OUTCOME: &str = "outcome.txt";

/// The test of a document against an independent validator.
const DIFFERENTIAL: &str = "\
use PACKAGE::{support, types};

mod probes {
    include!(\"../src/probes.rs\");
}

#[test]
fn types_agree_with_validator() {
    let settings = circles_differential::Settings { values: VALUES, seed: SEED };
    let outcome = circles_differential::run(&probes::DOCUMENT, &settings).unwrap();
    std::fs::write(OUTCOME, outcome.to_string()).unwrap();
    assert!(outcome.faults.is_empty(), \"{outcome}\");
}
";

fn package_manifest(name: &str, differential: bool) -> String {
    let dependencies = [
        "jsonrpsee = { version = \"0.26.1\", default-features = false, \
         features = [\"client-core\", \"macros\", \"server-core\"] }",
        "regress = \"0.10.5\"",
        "serde = { version = \"1.0\", features = [\"derive\"] }",
        "serde_json = { version = \"1.0\", features = [\"raw_value\"] }",
    ];
    let dependencies = dependencies.join("\n");
    let mut tokio = "tokio = { version = \"1\", features = [\"macros\", \"rt\"] }".to_owned();
    if differential {
        let path = root().join("codegen/differential").display().to_string();
        tokio.push_str(&format!("\ncircles-differential = {{ path = {path:?} }}"));
    }
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{dependencies}\n\n[dev-dependencies]\n{tokio}\n"
    )
}

/// Has cargo check all crates; the names of those that fail, with what is wrong on stderr.
fn check(project: &Path, task: Task) -> Result<Vec<String>> {
    let words = match task {
        Task::Clippy => "clippy --offline --workspace --all-targets --keep-going",
        Task::Examples => "test --offline --workspace --no-fail-fast",
        Task::Differential { .. } => "test --offline --workspace --no-fail-fast --test differential",
        Task::Check => "check --offline --workspace --keep-going",
    };
    let mut command = cargo(words);
    command.current_dir(project).env("CARGO_TARGET_DIR", project.join("target"));
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cargo: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let failed = text.lines().filter_map(|line| {
        let compile = line.split_once("could not compile `").map(|(_, rest)| rest);
        let name = compile.or_else(|| line.trim().strip_prefix("`-p "))?;
        Some(name.split([' ', '`']).next()?.to_owned())
    });
    let failed = failed.collect::<Vec<_>>();
    if !output.status.success() {
        let whole = format!("{text}{}", String::from_utf8_lossy(&output.stdout));
        write(&project.join("errors.txt"), &whole)?;
        if failed.is_empty() {
            return Err(text.into_owned());
        }
    }
    Ok(failed)
}

/// What became of the values of each document.
fn print_outcomes(project: &Path, rows: &[Row]) -> Result {
    for row in rows.iter().filter(|row| row.outcome.is_ok()) {
        let outcome =
            read(&project.join(&row.package).join(OUTCOME)).unwrap_or_else(|_| "it did not run\n".to_owned());
        print!("{}: {outcome}", row.name);
    }
    Ok(())
}

fn print(rows: &[Row]) {
    println!("| document | methods | types | fallbacks | valid examples | generated in | compiles |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        let time = format!("{:.0?}", row.time);
        match &row.outcome {
            Err(error) => {
                let first = error.faults().first().map(ToString::to_string).unwrap_or_default();
                println!("| {} | - | - | - | - | {time} | refused: {first} |", row.name);
            }
            Ok(generated) => {
                let report = generated.report();
                let compiles = match (row.compiles, row.lenient) {
                    (false, _) => "no",
                    (true, false) => "yes",
                    (true, true) => "yes, with --lenient",
                };
                let (methods, types, fallbacks) = (report.methods, report.types, report.fallbacks.len());
                let (name, examples) = (&row.name, report.examples);
                println!("| {name} | {methods} | {types} | {fallbacks} | {examples} | {time} | {compiles} |");
            }
        }
    }
}

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

/// Generates each document below a directory, compiles what came out, and prints a table.
pub fn corpus(directory: &Path, clippy: bool, examples: bool) -> Result {
    let mut rows = Vec::new();
    for path in documents(directory)? {
        rows.push(row(&path, directory));
    }
    if rows.is_empty() {
        return Err(format!("{}: no OpenRPC document", directory.display()));
    }
    let project = target().join("corpus");
    lay_out(&project, &rows)?;
    let failed = check(&project, clippy, examples)?;
    for row in &mut rows {
        row.compiles = row.outcome.is_ok() && !failed.contains(&row.package);
    }
    print(&rows);
    let bad = rows.iter().filter(|row| !row.compiles).count();
    if bad > 0 { Err(format!("{bad} of {} documents do not compile", rows.len())) } else { Ok(()) }
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

fn lay_out(project: &Path, rows: &[Row]) -> Result {
    let members = rows.iter().filter(|row| row.outcome.is_ok()).map(|row| format!("{:?}", row.package));
    let members = members.collect::<Vec<_>>().join(", ");
    let manifest =
        format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[profile.dev]\ndebug = false\n");
    write(&project.join("Cargo.toml"), &manifest)?;
    write(&project.join("Cargo.lock"), &read(&root().join("Cargo.lock"))?)?;
    for row in rows {
        let Ok(generated) = &row.outcome else { continue };
        let package = project.join(&row.package);
        write(&package.join("Cargo.toml"), &package_manifest(&row.package))?;
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

fn package_manifest(name: &str) -> String {
    let dependencies = [
        "jsonrpsee = { version = \"0.26.1\", default-features = false, \
         features = [\"client-core\", \"macros\", \"server-core\"] }",
        "regress = \"0.10.5\"",
        "serde = { version = \"1.0\", features = [\"derive\"] }",
        "serde_json = { version = \"1.0\", features = [\"raw_value\"] }",
    ];
    let dependencies = dependencies.join("\n");
    let tokio = "tokio = { version = \"1\", features = [\"macros\", \"rt\"] }";
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{dependencies}\n\n[dev-dependencies]\n{tokio}\n"
    )
}

/// Has cargo check all crates; the names of those that fail, with what is wrong on stderr.
fn check(project: &Path, clippy: bool, examples: bool) -> Result<Vec<String>> {
    let words = match (clippy, examples) {
        (true, _) => "clippy --offline --workspace --all-targets --keep-going",
        (false, true) => "test --offline --workspace --no-fail-fast",
        (false, false) => "check --offline --workspace --keep-going",
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

//! The generator on documents of other projects: each becomes a crate, which cargo checks with warnings as errors.

mod project;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use circles_codegen::{Generated, Settings, generate_file};

use self::project::Project;
use crate::{Result, files::read};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of OpenRPC documents, at any depth.
    folder: PathBuf,
    /// Have clippy check the output.
    #[arg(long, conflicts_with_all = ["examples", "differential"])]
    clippy: bool,
    /// Read and write each example that is valid by its own schema.
    #[arg(long, conflicts_with = "differential")]
    examples: bool,
    /// Let an independent validator judge this many values of each schema, valid and flawed ones, and compare the types
    /// with it.
    #[arg(long, value_name = "VALUES", num_args = 0..=1, default_missing_value = "60")]
    differential: Option<usize>,
    /// The seed of the values.
    #[arg(long, requires = "differential", default_value_t = 1)]
    seed: u64,
}

/// The check that the generated crates go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Check,
    Clippy,
    Examples,
    Differential { values: usize, seed: u64 },
}

impl Args {
    fn task(&self) -> Task {
        match (self.clippy, self.examples, self.differential) {
            (true, ..) => Task::Clippy,
            (_, true, _) => Task::Examples,
            (_, _, Some(values)) => Task::Differential { values, seed: self.seed },
            _ => Task::Check,
        }
    }
}

/// One document and its outcome.
struct Row {
    name: String,
    package: String,
    outcome: std::result::Result<Generated, circles_codegen::Error>,
    /// True if only a lenient run generates it.
    lenient: bool,
    time: Duration,
    passes: bool,
}

/// Generates each document below a folder, checks the output, and prints a table.
pub(crate) fn corpus(args: &Args) -> Result {
    let (folder, task) = (&args.folder, args.task());
    let mut rows = documents(folder)?.iter().map(|path| Row::of(path, folder)).collect::<Vec<_>>();
    if rows.is_empty() {
        return Err(format!("{}: no OpenRPC document", folder.display()));
    }
    let project = Project::create(&rows, task)?;
    let failed = project.check(task)?;
    for row in &mut rows {
        row.passes = row.outcome.is_ok() && !failed.contains(&row.package);
    }
    print(&rows);
    let differential = matches!(task, Task::Differential { .. });
    if differential {
        for row in rows.iter().filter(|row| row.outcome.is_ok()) {
            print!("{}: {}", row.name, project.differences(&row.package));
        }
    }
    let bad = rows.iter().filter(|row| !row.passes).count();
    let problem = if differential { "have faults" } else { "do not compile" };
    if bad > 0 { Err(format!("{bad} of {} documents {problem}", rows.len())) } else { Ok(()) }
}

/// The OpenRPC documents below a folder, in order.
fn documents(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
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

impl Row {
    fn of(path: &Path, folder: &Path) -> Self {
        let below = path.strip_prefix(folder).unwrap_or(path);
        let name = below.with_extension("").display().to_string();
        // References are relative to the folder that holds the files of one project.
        let mut first = below.components();
        let root = first.next().filter(|_| first.next().is_some()).map(|first| folder.join(first));
        let timed = |lenient| {
            let settings = Settings { root: root.clone(), lenient, ..Settings::default() };
            let begun = Instant::now();
            let outcome = generate_file(path, &settings);
            (outcome, begun.elapsed())
        };
        let (strict, time) = timed(false);
        let lenient = strict.is_err();
        let (outcome, time) = if lenient { timed(true) } else { (strict, time) };
        let package = name.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' });
        let package = format!("document-{}", package.collect::<String>().to_lowercase());
        Self { name, package, outcome, lenient, time, passes: false }
    }
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
                let passes = match (row.passes, row.lenient) {
                    (false, _) => "no",
                    (true, false) => "yes",
                    (true, true) => "yes, with --lenient",
                };
                let (methods, types, fallbacks) = (report.methods, report.types, report.fallbacks.len());
                let (name, examples) = (&row.name, report.examples);
                println!("| {name} | {methods} | {types} | {fallbacks} | {examples} | {time} | {passes} |");
            }
        }
    }
}

mod corpus;
mod growth;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use circles_codegen::{Generated, Settings, diff, generate_file};

use self::corpus::Task;

use crate::run::{Result, read, root, run, succeeds, target, write};

/// What reviewers see of a change to the interface.
const GOLDEN: &str = "codegen/tests/golden/circles/expected.rs";
/// How to renew it.
const REFRESH: &str = "UPDATE_GOLDEN=1 cargo test -p circles-codegen";
/// What people read of the interface.
const REFERENCE: &str = "docs/api.md";
/// The client for TypeScript.
const TYPESCRIPT: &str = "client/typescript/circles.ts";
/// How to renew it, and what else is committed.
const REFRESH_ALL: &str = "cargo xtask codegen --refresh";

/// What `cargo xtask codegen` takes.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Write nothing; fail if what is committed for review is not what the generator makes now.
    #[arg(long, conflicts_with = "out")]
    check: bool,
    /// Write anew what is committed: the reference in docs/ and the client for TypeScript.
    #[arg(long, conflicts_with_all = ["check", "out", "document"])]
    refresh: bool,
    /// The document [default: openrpc.json of this repository].
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    document: Option<PathBuf>,
    /// Where to write api.rs [default: target/codegen].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where to look for files that do not lie beside the one that refers to them.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Pass over what is wrong with the document and can be passed over, and list it.
    #[arg(long)]
    lenient: bool,
    /// Say what was made, and what of the document could not be said in types.
    #[arg(long)]
    report: bool,
    /// What to make: the file is api.rs, api.md or api.ts.
    #[arg(long, value_enum, default_value_t = Target::Rust)]
    target: Target,
    /// Name each change from one document to another, and whom it breaks.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with_all = ["check", "document", "out"])]
    diff: Vec<PathBuf>,
    /// Generate every document below a directory, compile what came out, and print a table.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["check", "document", "out"])]
    corpus: Option<PathBuf>,
    /// With --corpus: have clippy look at what came out.
    #[arg(long, requires = "corpus")]
    clippy: bool,
    /// With --corpus: read and write again each example that is valid by its own schema.
    #[arg(long, requires = "corpus", conflicts_with = "clippy")]
    examples: bool,
    /// With --corpus: have an independent validator judge so many values of each schema, valid ones and ones with a
    /// flaw, and the types read them.
    #[arg(long, value_name = "VALUES", requires = "corpus", conflicts_with_all = ["clippy", "examples"])]
    #[arg(num_args = 0..=1, default_missing_value = "60")]
    differential: Option<usize>,
    /// With --differential: where the choice of values begins.
    #[arg(long, requires = "differential", default_value_t = 1)]
    seed: u64,
    /// Say how long generation takes for the document, and for ones that hold it several times over.
    #[arg(long, requires = "document", conflicts_with_all = ["out", "report"])]
    growth: bool,
}

/// Languages that a document becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// Types, traits and tables for Rust.
    #[default]
    Rust,
    /// A reference for people.
    Markdown,
    /// Types and a client for TypeScript.
    Typescript,
}

impl Target {
    fn file(self) -> &'static str {
        match self {
            Self::Rust => "api.rs",
            Self::Markdown => "api.md",
            Self::Typescript => "api.ts",
        }
    }

    fn text(self, generated: &Generated) -> &str {
        match self {
            Self::Rust => generated.rust(),
            Self::Markdown => generated.markdown(),
            Self::Typescript => generated.typescript(),
        }
    }
}

/// Generates, and writes or compares.
pub fn codegen(args: &Args) -> Result {
    if let Some(directory) = &args.corpus {
        let task = match (args.clippy, args.examples, args.differential) {
            (true, ..) => Task::Clippy,
            (_, true, _) => Task::Examples,
            (_, _, Some(values)) => Task::Differential { values, seed: args.seed },
            _ => Task::Check,
        };
        return corpus::corpus(directory, task);
    }
    if let [old, new] = args.diff.as_slice() {
        return changes(old, new, args);
    }
    if let Some(document) = args.document.as_ref().filter(|_| args.growth) {
        return growth::growth(document);
    }
    if args.refresh {
        let generated = generated(&Args::default())?;
        write(&root().join(REFERENCE), generated.markdown())?;
        return write(&root().join(TYPESCRIPT), generated.typescript());
    }
    if args.check {
        return check_golden();
    }
    let path = args.out.clone().unwrap_or_else(|| target().join("codegen")).join(args.target.file());
    let generated = generated(args)?;
    write(&path, args.target.text(&generated))?;
    if args.target == Target::Rust {
        rustfmt([path.as_path()])?;
    }
    println!("{}", path.display());
    if args.report || args.lenient {
        print!("{}", generated.report());
    }
    Ok(())
}

fn changes(old: &Path, new: &Path, args: &Args) -> Result {
    let settings = Settings { root: args.root.clone(), lenient: args.lenient, ..Settings::default() };
    let changes = diff(old, new, &settings).map_err(|error| format!("no comparison:\n{error}"))?;
    changes.iter().for_each(|change| println!("{change}"));
    let breaking = changes.iter().filter(|change| change.breaks_clients || change.breaks_servers).count();
    println!("{} changes, {breaking} of them break somebody", changes.len());
    Ok(())
}

/// Formats files as people have theirs, where rustfmt is there: what the generator writes is in the style of
/// prettyplease, which needs no other program.
fn rustfmt<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result {
    if !succeeds(Command::new("rustfmt").arg("--version")) {
        return Ok(());
    }
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024"]).args(paths);
    run(&mut command)?;
    // What it does not finish with in one go is not formatted.
    run(command.arg("--check").arg("--quiet"))
}

/// Fails if what is committed is stale: the golden, and the reference in docs/.
pub fn check_golden() -> Result {
    let generated = generated(&Args::default())?;
    check(&root().join(GOLDEN), generated.rust(), REFRESH)?;
    check(&root().join(REFERENCE), generated.markdown(), REFRESH_ALL)?;
    check(&root().join(TYPESCRIPT), generated.typescript(), REFRESH_ALL)
}

/// The document of this repository as its crate includes it; any other so that it stands alone.
fn generated(args: &Args) -> Result<Generated> {
    let own = root().join("openrpc.json");
    let (path, settings) = match &args.document {
        Some(path) => (path, Settings::default()),
        None => (&own, Settings::supported("crate", "../openrpc.json")),
    };
    let settings = Settings { root: args.root.clone(), lenient: args.lenient, ..settings };
    generate_file(path, &settings).map_err(|error| format!("{} cannot become Rust:\n{error}", path.display()))
}

fn check(path: &Path, text: &str, refresh: &str) -> Result {
    let committed = read(path).unwrap_or_default();
    if committed == text {
        return Ok(());
    }
    let same = committed.lines().zip(text.lines()).take_while(|(old, new)| old == new).count();
    let path = path.strip_prefix(root()).unwrap_or(path).display();
    Err(format!("{path}:{}: not what openrpc.json becomes now; type: {refresh}", same + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_golden_is_named_with_its_first_line_and_the_command_that_renews_it() {
        let directory = tempfile::tempdir().unwrap();
        let golden = directory.path().join("expected.rs");
        write(&golden, "one\ntwo\n").unwrap();
        assert_eq!(check(&golden, "one\ntwo\n", REFRESH), Ok(()));
        let failure = check(&golden, "one\nthree\n", REFRESH).unwrap_err();
        assert!(failure.contains("expected.rs:2: ") && failure.ends_with(REFRESH), "{failure}");
        assert!(check(&directory.path().join("absent"), "one\n", REFRESH).is_err());
    }

    #[test]
    fn a_broken_document_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let document = directory.path().join("openrpc.json");
        let text = read(&root().join("openrpc.json")).unwrap();
        write(&document, &text.replacen("\"x-auth\": \"none\"", "\"x-auth\": \"perhaps\"", 1)).unwrap();
        let failure =
            generated(&Args { document: Some(document), ..Args::default() }).err().unwrap_or_default();
        assert!(failure.contains("/methods/0/x-auth"), "{failure}");
    }
}

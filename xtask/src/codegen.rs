use std::path::{Path, PathBuf};

use circles_codegen::{Settings, generate};

use crate::run::{Result, read, root, target, write};

/// What reviewers see of a change to the interface.
const GOLDEN: &str = "codegen/tests/golden/circles/expected.rs";
/// How to renew it.
const REFRESH: &str = "UPDATE_GOLDEN=1 cargo test -p circles-codegen";

/// What `cargo xtask codegen` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing; fail if what is committed for review is not what the generator makes now.
    #[arg(long, conflicts_with = "out")]
    check: bool,
    /// Where to write api.rs [default: target/codegen].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Generates, and writes or compares.
pub fn codegen(args: &Args) -> Result {
    let rust = generated(&root().join("openrpc.json"))?;
    if args.check {
        return check(&root().join(GOLDEN), &rust);
    }
    let path = args.out.clone().unwrap_or_else(|| target().join("codegen")).join("api.rs");
    write(&path, &rust)?;
    println!("{}", path.display());
    Ok(())
}

/// Fails if the committed output is stale.
pub fn check_golden() -> Result {
    codegen(&Args { check: true, out: None })
}

fn generated(document: &Path) -> Result<String> {
    let generated = generate(&read(document)?, &Settings::default());
    Ok(generated.map_err(|error| format!("openrpc.json cannot become Rust:\n{error}"))?.rust().to_owned())
}

fn check(golden: &Path, rust: &str) -> Result {
    let committed = read(golden).unwrap_or_default();
    if committed == rust {
        return Ok(());
    }
    let same = committed.lines().zip(rust.lines()).take_while(|(old, new)| old == new).count();
    Err(format!("{GOLDEN}:{}: not what openrpc.json becomes now; type: {REFRESH}", same + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_golden_is_named_with_its_first_line_and_the_command_that_renews_it() {
        let directory = tempfile::tempdir().unwrap();
        let golden = directory.path().join("expected.rs");
        write(&golden, "one\ntwo\n").unwrap();
        assert_eq!(check(&golden, "one\ntwo\n"), Ok(()));
        let failure = check(&golden, "one\nthree\n").unwrap_err();
        assert!(failure.starts_with(&format!("{GOLDEN}:2: ")) && failure.ends_with(REFRESH), "{failure}");
        assert!(check(&directory.path().join("absent"), "one\n").is_err());
    }

    #[test]
    fn a_broken_document_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let document = directory.path().join("openrpc.json");
        let text = read(&root().join("openrpc.json")).unwrap();
        write(&document, &text.replacen("\"x-auth\": \"none\"", "\"x-auth\": \"perhaps\"", 1)).unwrap();
        let failure = generated(&document).unwrap_err();
        assert!(failure.contains("/methods/0/x-auth"), "{failure}");
    }
}

use std::ffi::OsString;

use crate::run::{Result, cargo, root, run, target};

/// Arguments of `cargo xtask codegen`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a committed file is not what the generator makes of openrpc.json now.
    #[arg(long)]
    check: bool,
    /// Renew what is committed: the golden, the reference in docs/ and the client for TypeScript.
    #[arg(long, conflicts_with = "check")]
    refresh: bool,
    /// A command of the generator with its arguments, such as `corpus DIR --clippy` (`help` lists them). Without one,
    /// target/codegen gets what openrpc.json becomes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, conflicts_with_all = ["check", "refresh"])]
    command: Vec<OsString>,
}

/// Files made of openrpc.json that are committed: what reviewers see of a change, what people read, what clients use.
const COMMITTED: [(&str, &str); 3] = [
    ("--rust", "codegen/tests/golden/circles/expected.rs"),
    ("--markdown", "docs/api.md"),
    ("--typescript", "client/typescript/circles.ts"),
];

/// Runs the generator.
pub(crate) fn codegen(args: &Args) -> Result {
    if args.check {
        check()
    } else if args.refresh {
        committed(&["--refresh"])
    } else if args.command.is_empty() {
        let out = target().join("codegen");
        ["rust", "markdown", "typescript"].into_iter().try_for_each(|language| {
            let mut command = generator(&["generate", "openrpc.json"]);
            command.args(INTERFACE).arg("--out").arg(&out).args(["--target", language]);
            run(&mut command)
        })
    } else {
        run(generator(&[]).args(subcommand(&args.command)))
    }
}

/// Fails if a committed file is stale.
pub(crate) fn check() -> Result {
    committed(&[])
}

/// The settings of `build.rs`.
const INTERFACE: [&str; 3] = ["--interface", "crate::Error", "../openrpc.json"];

fn committed(more: &[&str]) -> Result {
    let mut command = generator(&["check", "openrpc.json"]);
    for (language, path) in COMMITTED {
        command.arg(language).arg(root().join(path));
    }
    run(command.args(INTERFACE).args(more))
}

fn generator(words: &[&str]) -> std::process::Command {
    let mut command = cargo("run --quiet --package circles-codegen-cli --");
    command.args(words);
    command
}

/// Commands were flags once, and may still be written so: `--corpus DIR`, `--document FILE --out DIR`.
fn subcommand(words: &[OsString]) -> Vec<OsString> {
    let mut words = words.to_vec();
    let growth = words.iter().position(|word| word == "--growth").map(|at| words.remove(at));
    if let Some(first) = words.first_mut() {
        let name = match first.to_str() {
            Some("--document") if growth.is_some() => "growth",
            Some("--document") => "generate",
            Some("--corpus") => "corpus",
            Some("--diff") => "diff",
            _ => return words,
        };
        *first = name.into();
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(words: &str) -> Args {
        Line::try_parse_from(["codegen"].into_iter().chain(words.split_whitespace())).unwrap().args
    }

    #[test]
    fn commands_of_the_generator_keep_their_flags() {
        assert!(parsed("--check").check && parsed("--refresh").refresh && parsed("").command.is_empty());
        for words in
            ["corpus documents --differential 9 --seed 7", "--corpus documents --clippy", "--diff a b"]
        {
            let args = parsed(words);
            assert_eq!(args.command.join(" ".as_ref()), words);
            assert!(!args.check && !args.refresh);
        }
    }

    #[test]
    fn former_flags_name_commands() {
        for (words, expected) in [
            ("corpus documents --clippy", "corpus documents --clippy"),
            ("--corpus documents --clippy", "corpus documents --clippy"),
            ("--diff old.json new.json", "diff old.json new.json"),
            ("--document a.json --growth", "growth a.json"),
            ("--document a.json --out out --report", "generate a.json --out out --report"),
        ] {
            let words = words.split(' ').map(OsString::from).collect::<Vec<_>>();
            assert_eq!(subcommand(&words).join(" ".as_ref()), expected);
        }
    }
}

//! Command-line flags: every program reads them in the same way.

use std::{
    any::TypeId,
    env,
    ffi::{OsStr, OsString},
    path::{Component, Path, PathBuf},
};

use clap::{
    Arg, ArgAction, Command, Parser,
    builder::{self, BoolishValueParser, PathBufValueParser, Resettable, TypedValueParser as _},
};

/// Reads the command line and the environment; ends the program with exit code 2 if they are wrong.
///
/// In addition to clap's rules, an empty environment variable counts as not set, a variable for a flag without a value
/// takes 1, 0, true and false, and a path that begins with `~` is refused.
pub fn parse<A: Parser>() -> A {
    let matches = adjusted(A::command()).get_matches();
    A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// A command whose arguments are read as [`parse`] says.
fn adjusted(command: Command) -> Command {
    command.mut_args(argument).mut_subcommands(adjusted)
}

fn argument(arg: Arg) -> Arg {
    let is_unset = arg.get_env().is_some_and(|name| variable(name).is_none());
    let arg = if is_unset { arg.env(Resettable::<builder::OsStr>::Reset) } else { arg };
    match arg.get_action() {
        ArgAction::SetTrue if arg.get_env().is_some() => arg.value_parser(BoolishValueParser::new()),
        ArgAction::Set | ArgAction::Append if arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() => {
            arg.value_parser(PathBufValueParser::new().try_map(path))
        }
        _ => arg,
    }
}

/// An environment variable's value, unless it is empty.
pub fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Refuses a path that begins with `~`, and returns any other unchanged.
///
/// Only a shell expands `~`, and only at the start of a word: `--out=~/key`, or a variable in a service file, would
/// create a folder named `~`.
pub fn path(path: PathBuf) -> Result<PathBuf, String> {
    match begins_with_tilde(&path) {
        false => Ok(path),
        true => Err(format!("~ is not expanded here: give the path in full, or ./{}", path.display())),
    }
}

fn begins_with_tilde(path: &Path) -> bool {
    match path.components().next() {
        Some(Component::Normal(first)) if first == "~" => true,
        // A shell reads `~ana` as ana's home. In rare cases it is the name of a file.
        Some(Component::Normal(first)) => {
            first.as_encoded_bytes().starts_with(b"~") && !Path::new(first).exists()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[arg(long, env = "FLAGS_TEST_NOT_SET")]
        flag: bool,
        #[arg(long)]
        file: Option<PathBuf>,
    }

    fn read(line: &[&str]) -> Result<Args, clap::Error> {
        let matches = adjusted(Args::command()).try_get_matches_from([&["program"], line].concat())?;
        Args::from_arg_matches(&matches)
    }

    #[test]
    fn paths_that_begin_with_a_tilde_are_refused() {
        for file in ["~", "~/key", "~nobody-of-this-name/key"] {
            let error = read(&["--file", file]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("--file") && error.to_string().contains("in full"), "{error}");
        }
        for file in ["./~", "a/~/b", "/~", "a~", "-"] {
            assert_eq!(read(&["--file", file]).unwrap().file, Some(file.into()));
        }
    }

    #[test]
    fn flags_without_a_value_still_take_none() {
        assert!(read(&["--flag"]).unwrap().flag && !read(&[]).unwrap().flag);
        assert!(read(&["--flag=1"]).is_err());
    }
}

//! How flags are read: in one way by every program.

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
/// Beside what clap does: an environment variable that is set and empty counts as not set, one that stands for a flag
/// without a value takes 1, 0, true and false, and a path that begins with `~` is refused.
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

/// Takes a path as it stands, but none that begins with `~`: only a shell knows what that means, and only where it
/// begins a word, so that `--out=~/key` and a variable in a service's file would make a folder of that name.
pub fn path(path: PathBuf) -> Result<PathBuf, String> {
    match begins_at_home(&path) {
        false => Ok(path),
        true => Err(format!("~ is not expanded here: expected the path in full, or ./{}", path.display())),
    }
}

fn begins_at_home(path: &Path) -> bool {
    match path.components().next() {
        Some(Component::Normal(first)) if first == "~" => true,
        // `~ana` is ana's home to a shell, and in rare cases the name of a file.
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

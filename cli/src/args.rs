//! The command line: commands, flags and their help.

use std::{path::PathBuf, time::Duration};

use circles_client::types::{TaskId, TaskState};
use clap::{
    ArgGroup, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

/// Heading of the flags that all commands share.
const HEADING: &str = "Connection";

/// Plays scripts in circles.
///
/// Results go to standard output; log lines and errors go to standard error. Text from scripts and servers cannot
/// imitate this program's own lines: its further lines start with `|`, and invisible characters appear as escapes. A
/// script's result is exact in files and pipes.
///
/// Exit codes: 0 success; 1 the script failed or was stopped, or the requested item does not exist or is invalid;
/// 2 wrong usage; 3 the connection or the login failed; 130 interrupted by Ctrl-C; 141 the reader of standard output
/// has gone.
///
/// An empty environment variable counts as not set. RUST_LOG sets which diagnostics of the program itself appear on
/// standard error [default: error].
#[derive(Debug, Parser)]
#[command(name = "circles", version)]
pub(crate) struct Args {
    /// The server's WebSocket URL, optionally with a circle's public key as the path: ws://host:port/02ab….
    #[arg(long, env = "CIRCLES_URL", default_value = "ws://127.0.0.1:9001", global = true, help_heading = HEADING)]
    pub url: String,

    /// The circle's public key [default: the one in the URL, or else the server's first circle].
    #[arg(long, env = "CIRCLES_CIRCLE", value_name = "PUBLIC KEY", global = true, help_heading = HEADING)]
    pub circle: Option<String>,

    /// The file with the secret key to log in with [default: circles.key in CIRCLES_CONFIG_DIR or the user's
    /// configuration directory, created on first use].
    #[arg(
        id = "key_file",
        long = "key",
        env = "CIRCLES_KEY_FILE",
        value_name = "FILE",
        global = true,
        help_heading = HEADING
    )]
    pub key: Option<PathBuf>,

    /// Connect without logging in.
    #[arg(long, global = true, help_heading = HEADING)]
    pub anonymous: bool,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a key pair and print the public key.
    Keygen(KeygenArgs),
    /// Show the circle, and the key that you are logged in with.
    Whoami,
    /// Play a script and print its result.
    Play(PlayArgs),
    /// Run a script of the circle's library and print its result.
    Run(RunArgs),
    /// Submit a script as a task that runs even if you disconnect, and print the task's id.
    Submit(SubmitArgs),
    /// Show a task, with its result or error.
    ///
    /// The exit code is 1 if the task failed or was stopped, or has not ended within --wait.
    Task(TaskArgs),
    /// List your tasks, the newest first; the circle's owner sees those of all callers.
    Tasks(TasksArgs),
    /// Cancel a task that has not ended. Its changes to documents are discarded.
    Cancel(TaskIdArgs),
    /// Follow a task: print its log lines as they arrive, then its result.
    Watch(TaskIdArgs),
    /// List the scripts of the circle's library.
    Scripts(OutputArgs),
    /// Read and write the circle's documents. Each command plays a small script.
    #[command(subcommand)]
    Db(DbCommand),
    /// Print the circle's sealed record of plays as lines of JSON, or verify such a log. Only the owner may read it.
    Log(LogArgs),
    /// Print the server's OpenRPC document.
    Discover,
    /// Play scripts interactively.
    Repl(ReplArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeygenArgs {
    /// The file for the secret key [default: the file of --key].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Overwrite an existing key. It cannot be recovered, nor can anything that only it gave access to.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("source").required(true).args(["expression", "file"]))]
pub(crate) struct PlayArgs {
    #[command(flatten)]
    pub script: ScriptArgs,
    #[command(flatten)]
    pub options: PlayOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The script's path in the library, without .rhai; `circles scripts` lists them.
    pub name: String,
    #[command(flatten)]
    pub options: PlayOptions,
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("source").required(true).args(["expression", "file", "name"]))]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub script: ScriptArgs,

    /// The name of a script in the circle's library.
    #[arg(long)]
    pub name: Option<String>,

    #[command(flatten)]
    pub options: PlayOptions,

    /// How often the task may run again after a crash even if it has had side effects, such as HTTP calls or files
    /// [default: 0].
    #[arg(long, value_name = "N")]
    pub retries: Option<u64>,

    /// Wait for the task to end and print its result, as `play` does.
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ScriptArgs {
    /// The script's text.
    #[arg(short = 'e', long, value_name = "SCRIPT", allow_hyphen_values = true)]
    pub expression: Option<String>,

    /// The file with the script, or - for standard input. A first line that begins with #! is skipped.
    pub file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PlayOptions {
    /// The script's ARGS, as JSON or as @FILE with a file of JSON.
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    pub args: Option<String>,

    /// The play's time limit, such as 500ms or 5m, at most a day [default: 30s; for a submitted task, the server's
    /// limit]. The server may allow less.
    #[arg(long, value_name = "DURATION", value_parser = circles_daemon::duration)]
    pub timeout: Option<Duration>,

    /// A key of your choice that makes the call safe to repeat: for 24 hours, the same call with the same key gets the
    /// first outcome and does not run again.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub idempotency_key: Option<String>,

    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReplArgs {
    /// The time limit of each play, such as 500ms or 5m, at most a day [default: 30s]. The server may allow less.
    #[arg(long, value_name = "DURATION", value_parser = circles_daemon::duration)]
    pub timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Print the whole result, or the error, as JSON to standard output.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TaskArgs {
    /// The task's id.
    #[arg(value_parser = task_id)]
    pub id: TaskId,

    /// Wait for the task to end, at most this long, such as 30s or 2h.
    #[arg(long, value_name = "DURATION", value_parser = circles_daemon::grace)]
    pub wait: Option<Duration>,

    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TasksArgs {
    /// List only tasks in this state.
    #[arg(long, value_parser = PossibleValuesParser::new(STATES).try_map(|state| state.parse::<TaskState>()))]
    pub state: Option<TaskState>,

    /// Tasks per page, from 1 to 500 [default: 50].
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,

    /// List all pages, not only the first.
    #[arg(long)]
    pub all: bool,

    #[command(flatten)]
    pub output: OutputArgs,
}

const STATES: [&str; 7] = ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"];

#[derive(Debug, clap::Args)]
pub(crate) struct TaskIdArgs {
    /// The task's id.
    #[arg(value_parser = task_id)]
    pub id: TaskId,

    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Print a document as JSON. The exit code is 1 if it does not exist.
    Get {
        /// The document's key.
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
    /// Write a document.
    Set {
        /// The document's key.
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The document, as JSON or as @FILE with a file of JSON.
        #[arg(value_name = "JSON", allow_negative_numbers = true)]
        value: String,
    },
    /// Delete a document.
    Delete {
        /// The document's key.
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
    /// Print documents in the order of their keys, one a line: key, tab, JSON.
    ///
    /// A key that is empty, begins with " or contains line breaks, tabs or invisible characters is printed as JSON.
    Scan {
        /// The beginning of the keys; "" for all documents.
        #[arg(allow_hyphen_values = true)]
        prefix: String,

        /// Print at most this many documents [default: all].
        #[arg(long, value_name = "N")]
        limit: Option<usize>,

        /// Print each document as a line of JSON with `key` and `value`.
        #[arg(long)]
        json: bool,
    },
    /// Print keys in order, one a line.
    ///
    /// A key that is empty, begins with " or contains line breaks, tabs or invisible characters is printed as JSON.
    Keys {
        /// The beginning of the keys; without it, all keys.
        #[arg(default_value = "", hide_default_value = true, allow_hyphen_values = true)]
        prefix: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct LogArgs {
    /// Start after the record of this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub after: u64,

    #[command(subcommand)]
    pub command: Option<LogCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Verify a log that `circles log` printed. Needs no connection.
    ///
    /// Prints the number of records, and the head, which a later --head can check for. The exit code is 1 if a record
    /// was removed, changed, moved or added, or if the log is not of --circle; the error names the first wrong record.
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The file with the log, or - for standard input.
    pub file: PathBuf,

    /// The hash of a head that an earlier verification printed: the log must still contain its record.
    #[arg(long, value_name = "HASH")]
    pub head: Option<String>,

    #[command(flatten)]
    pub output: OutputArgs,
}

fn task_id(text: &str) -> Result<TaskId, &'static str> {
    text.parse().map_err(|_| "expected a UUID such as 019aa4c2-7e00-7a3b-8c4d-5e6f708192a3")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Args::command().debug_assert();
    }

    fn parse(line: &[&str]) -> Result<Command, clap::Error> {
        Args::try_parse_from([&["circles"], line].concat()).map(|args| args.command)
    }

    #[test]
    fn script_has_exactly_one_source() {
        let parses = |line: &[&str]| parse(line).is_ok();
        for command in ["play", "submit"] {
            assert!(parses(&[command, "-e", "1"]) && parses(&[command, "x.rhai"]) && parses(&[command, "-"]));
            assert!(!parses(&[command]) && !parses(&[command, "-e", "1", "x.rhai"]));
        }
        assert!(parses(&["submit", "--name", "a/b"]) && parses(&["run", "a/b"]));
        assert!(!parses(&["submit", "--name", "a/b", "-e", "1"]) && !parses(&["run"]));
        assert!(!parses(&["play", "--name", "a/b"]));
    }

    #[test]
    fn submit_parses_all_its_options() {
        let line = ["submit", "-e", "1", "--args", "[1]", "--retries", "3", "--wait", "--timeout", "5s"];
        let Ok(Command::Submit(submit)) = parse(&line) else { panic!("{line:?}") };
        assert_eq!(
            (submit.script.expression.as_deref(), submit.retries, submit.wait),
            (Some("1"), Some(3), true)
        );
        assert_eq!(submit.options.args.as_deref(), Some("[1]"));
        assert_eq!(submit.options.timeout, Some(Duration::from_secs(5)));
    }

    #[test]
    fn states_and_task_ids_are_validated() {
        for state in STATES {
            let Ok(Command::Tasks(tasks)) = parse(&["tasks", "--state", state]) else { panic!("{state}") };
            assert_eq!(tasks.state.map(|state| state.to_string()).as_deref(), Some(state));
        }
        assert!(parse(&["tasks", "--state", "done"]).unwrap_err().to_string().contains("timed_out"));
        let Err(error) = parse(&["task", "7"]) else { panic!("7 is no id") };
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("expected a UUID"), "{error}");
        let Err(error) = parse(&["play", "-e", "1", "--timeout", "soon"]) else {
            panic!("soon is no duration")
        };
        assert!(error.to_string().contains("expected a duration such as 500ms"), "{error}");
        assert!(parse(&["task", "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3", "--wait", "2h"]).is_ok());
    }

    #[test]
    fn log_prints_or_verifies() {
        let Ok(Command::Log(log)) = parse(&["log", "--after", "7"]) else { panic!("it prints") };
        assert!(log.after == 7 && log.command.is_none());
        let Ok(Command::Log(log)) = parse(&["log", "verify", "-", "--circle", "02"]) else {
            panic!("verifies")
        };
        assert!(log.command.is_some());
        assert!(parse(&["log", "--after", "7", "verify", "-"]).is_err());
    }

    #[test]
    fn argument_values_may_begin_with_a_hyphen() {
        let Ok(Command::Play(play)) = parse(&["play", "-e", "-1", "--args", "-5", "--json"]) else {
            panic!("it plays")
        };
        assert_eq!(
            (play.script.expression.as_deref(), play.options.args.as_deref(), play.options.output.json),
            (Some("-1"), Some("-5"), true)
        );
        for line in [
            &["play", "-e-1"][..],
            &["play", "--expression", "-x", "--args", "-0.5e3"],
            &["submit", "-e", "--x", "--wait", "--idempotency-key", "-k"],
            &["db", "set", "n", "-5"],
            &["db", "set", "-n", "-5.5"],
            &["db", "get", "-n"],
            &["db", "scan", "-", "--limit", "5", "--json"],
            &["db", "keys", "-1"],
        ] {
            assert!(parse(line).is_ok(), "{line:?}");
        }
        let Ok(Command::Db(DbCommand::Scan { prefix, limit, json })) =
            parse(&["db", "scan", "--limit", "5", "--json", "-p"])
        else {
            panic!("it scans")
        };
        assert_eq!((prefix.as_str(), limit, json), ("-p", Some(5), true));
        for line in [&["play", "-x"][..], &["run", "--nonsense", "a"], &["db", "set", "n", "-x"]] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn db_commands_require_keys() {
        let parses = |line: &[&str]| parse(&[&["db"], line].concat()).is_ok();
        assert!(parses(&["get", "a"]) && parses(&["set", "a", "{}"]) && parses(&["delete", "a"]));
        assert!(parses(&["scan", ""]) && parses(&["keys"]) && parses(&["keys", "plot/"]));
        assert!(!parses(&["get"]) && !parses(&["set", "a"]) && !parses(&["scan"]) && !parses(&[]));
    }
}

use std::{path::PathBuf, time::Duration};

use circles_client::types::{TaskId, TaskState};
use clap::{
    ArgGroup, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

/// Under which the flags stand that all commands share.
const CONNECTION: &str = "Connection";

/// Plays scripts in circles.
///
/// Results go to standard output, log lines and errors to standard error. What a stranger wrote is shown so that it
/// cannot pass for this program's own words: with `|` before each further line, and with escapes for what cannot be
/// seen. In files and pipes a result is exactly what the script left.
///
/// Exit codes: 0 all is well; 1 the script failed, or was stopped, or what was asked for is not there or not sound;
/// 2 wrong usage; 3 no connection or no login; 130 ended by Ctrl-C; 141 nobody reads standard output any more.
///
/// An environment variable that is empty counts as not set. RUST_LOG says what the program logs of its own
/// connection [default: error].
#[derive(Debug, Parser)]
#[command(name = "circles", version)]
pub struct Args {
    /// The server, with a circle's public key as the path or none: ws://host:port/02ab….
    #[arg(long, env = "CIRCLES_URL", default_value = "ws://127.0.0.1:9001", global = true, help_heading = CONNECTION)]
    pub url: String,

    /// The circle to enter, by its public key. The server's first one if the URL names none.
    #[arg(long, env = "CIRCLES_CIRCLE", value_name = "PUBLIC KEY", global = true, help_heading = CONNECTION)]
    pub circle: Option<String>,

    /// The file with the secret key to log in with [default: circles.key in the user's configuration
    /// directory, made on first use].
    #[arg(
        id = "key_file",
        long = "key",
        env = "CIRCLES_KEY_FILE",
        value_name = "FILE",
        global = true,
        help_heading = CONNECTION
    )]
    pub key: Option<PathBuf>,

    /// Do not log in, whatever key there is.
    #[arg(long, global = true, help_heading = CONNECTION)]
    pub anonymous: bool,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key pair; prints the public key.
    Keygen(Keygen),
    /// Say in which circle this is, and as whom.
    Whoami,
    /// Play a script and print what it leaves.
    Play(Play),
    /// Run a script of the circle's library and print what it leaves.
    Run(Run),
    /// Hand over a script to be played even if you go away; prints the task's id.
    Submit(Submit),
    /// Show a task, and what it left or why it failed.
    ///
    /// The exit code is 1 if the task failed or was stopped, or has not ended within --wait.
    Task(Task),
    /// List tasks, the newest first: yours, or everybody's if the circle is your own.
    Tasks(Tasks),
    /// End a task that has not ended yet. Nothing that it wrote stays.
    Cancel(ById),
    /// Look on while a task runs: its log lines as they come, then what it left.
    Watch(ById),
    /// List the scripts of the circle's library.
    Scripts(Form),
    /// Read and write the circle's documents, each command by plays of a small script.
    #[command(subcommand)]
    Db(Db),
    /// Print the circle's sealed record of plays, if the circle is your own, as lines of JSON.
    Log(Log),
    /// Print the server's OpenRPC document.
    Discover,
    /// Play line by line.
    Repl(Repl),
}

#[derive(Debug, clap::Args)]
pub struct Keygen {
    /// Where to write the secret key [default: the file that --key names, or the default one].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Overwrite a key that is there. It is lost, and with it all that it opened.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("source").required(true).args(["expression", "file"]))]
pub struct Play {
    #[command(flatten)]
    pub text: Text,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, clap::Args)]
pub struct Run {
    /// The script's path below the library, without .rhai; `circles scripts` lists them.
    pub name: String,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("source").required(true).args(["expression", "file", "name"]))]
pub struct Submit {
    #[command(flatten)]
    pub text: Text,

    /// A script of the circle's library.
    #[arg(long)]
    pub name: Option<String>,

    #[command(flatten)]
    pub options: Options,

    /// How often the task may be run again after a crash although it may have had outside effects
    /// [default: 0].
    #[arg(long, value_name = "N")]
    pub retries: Option<u64>,

    /// Wait for the end, and print what the script leaves as `play` does.
    #[arg(long)]
    pub wait: bool,
}

/// Where a script's text is.
#[derive(Debug, clap::Args)]
pub struct Text {
    /// The script itself.
    #[arg(short = 'e', long, value_name = "SCRIPT", allow_hyphen_values = true)]
    pub expression: Option<String>,

    /// The file with the script; - for standard input. A first line that begins with #! is skipped.
    pub file: Option<PathBuf>,
}

/// How a script is to be played.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// What the script sees as ARGS: JSON, or @FILE.
    #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
    pub args: Option<String>,

    /// How long the play may take, such as 500ms or 5m, at most a day [default: 30s; for a submitted task, as long as
    /// the server allows]. The server may allow less.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,

    /// A name for this call: made again with the same name, it is answered and not run again.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub idempotency_key: Option<String>,

    #[command(flatten)]
    pub form: Form,
}

#[derive(Debug, clap::Args)]
pub struct Repl {
    /// How long each play may take, such as 500ms or 5m, at most a day [default: 30s]. The server may allow less.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
}

/// For whom to print.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Form {
    /// Print the whole result, or the error, as JSON to standard output.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Task {
    /// The task's id.
    pub id: TaskId,

    /// Wait for its end, but no longer than this, such as 30s or 2h.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub wait: Option<Duration>,

    #[command(flatten)]
    pub form: Form,
}

#[derive(Debug, clap::Args)]
pub struct Tasks {
    /// Only tasks in this state.
    #[arg(long, value_parser = PossibleValuesParser::new(STATES).try_map(|state| state.parse::<TaskState>()))]
    pub state: Option<TaskState>,

    /// How many to a page, from 1 to 500 [default: 50].
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,

    /// All pages, not only the first.
    #[arg(long)]
    pub all: bool,

    #[command(flatten)]
    pub form: Form,
}

const STATES: [&str; 7] = ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"];

#[derive(Debug, clap::Args)]
pub struct ById {
    /// The task's id.
    pub id: TaskId,

    #[command(flatten)]
    pub form: Form,
}

#[derive(Debug, Subcommand)]
pub enum Db {
    /// Print a document as JSON; the exit code is 1 if there is none.
    Get {
        /// Its key.
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
    /// Write a document.
    Set {
        /// Its key.
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The document: JSON, or @FILE.
        #[arg(value_name = "JSON", allow_negative_numbers = true)]
        value: String,
    },
    /// Delete a document.
    Delete {
        /// Its key.
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
    /// Print documents in the order of their keys: key, tab, JSON.
    ///
    /// A key that would not stand in one line as it is, or begins with ", is printed as JSON.
    Scan {
        /// What the keys begin with; "" for all.
        #[arg(allow_hyphen_values = true)]
        prefix: String,

        /// How many at most [default: all].
        #[arg(long, value_name = "N")]
        limit: Option<usize>,

        /// Print each document as a line of JSON with `key` and `value`.
        #[arg(long)]
        json: bool,
    },
    /// Print keys in order, one a line.
    ///
    /// A key that would not stand in one line as it is, or begins with ", is printed as JSON.
    Keys {
        /// What they begin with.
        #[arg(default_value = "", allow_hyphen_values = true)]
        prefix: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Log {
    /// Begin behind the record of this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub after: u64,

    #[command(subcommand)]
    pub command: Option<LogCommand>,
}

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Check what `circles log` printed, without any connection.
    ///
    /// Prints how many records there are, and the head to remember. If a record was removed, changed, moved or
    /// added, or the log is not of --circle, it names the first that is wrong, and the exit code is 1.
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The file with the log; - for standard input.
    pub file: PathBuf,

    /// A head that was printed earlier: the log must still hold that record.
    #[arg(long, value_name = "HASH")]
    pub head: Option<String>,

    #[command(flatten)]
    pub form: Form,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    fn parse(line: &[&str]) -> Result<Command, clap::Error> {
        Args::try_parse_from([&["circles"], line].concat()).map(|args| args.command)
    }

    #[test]
    fn a_script_has_one_source() {
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
    fn what_was_said_of_a_submission_is_kept() {
        let line = ["submit", "-e", "1", "--args", "[1]", "--retries", "3", "--wait", "--timeout", "5s"];
        let Ok(Command::Submit(submit)) = parse(&line) else { panic!("{line:?}") };
        assert_eq!(
            (submit.text.expression.as_deref(), submit.retries, submit.wait),
            (Some("1"), Some(3), true)
        );
        assert_eq!(submit.options.args.as_deref(), Some("[1]"));
        assert_eq!(submit.options.timeout, Some(Duration::from_secs(5)));
    }

    #[test]
    fn states_and_ids_are_checked() {
        for state in STATES {
            let Ok(Command::Tasks(tasks)) = parse(&["tasks", "--state", state]) else { panic!("{state}") };
            assert_eq!(tasks.state.map(|state| state.to_string()).as_deref(), Some(state));
        }
        assert!(parse(&["tasks", "--state", "done"]).unwrap_err().to_string().contains("timed_out"));
        let Err(error) = parse(&["task", "7"]) else { panic!("7 is no id") };
        assert_eq!(error.exit_code(), 2);
        assert!(parse(&["task", "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3", "--wait", "2h"]).is_ok());
    }

    #[test]
    fn a_log_is_printed_or_verified() {
        let Ok(Command::Log(log)) = parse(&["log", "--after", "7"]) else { panic!("it prints") };
        assert!(log.after == 7 && log.command.is_none());
        let Ok(Command::Log(log)) = parse(&["log", "verify", "-", "--circle", "02"]) else {
            panic!("verifies")
        };
        assert!(log.command.is_some());
        assert!(parse(&["log", "--after", "7", "verify", "-"]).is_err());
    }

    #[test]
    fn values_may_begin_with_a_hyphen() {
        let Ok(Command::Play(play)) = parse(&["play", "-e", "-1", "--args", "-5", "--json"]) else {
            panic!("it plays")
        };
        assert_eq!(
            (play.text.expression.as_deref(), play.options.args.as_deref(), play.options.form.json),
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
        let Ok(Command::Db(Db::Scan { prefix, limit, json })) =
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
    fn documents_have_keys() {
        let parses = |line: &[&str]| parse(&[&["db"], line].concat()).is_ok();
        assert!(parses(&["get", "a"]) && parses(&["set", "a", "{}"]) && parses(&["delete", "a"]));
        assert!(parses(&["scan", ""]) && parses(&["keys"]) && parses(&["keys", "plot/"]));
        assert!(!parses(&["get"]) && !parses(&["set", "a"]) && !parses(&["scan"]) && !parses(&[]));
    }
}

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Plays scripts in circles.
///
/// Exit codes: 0 all is well; 1 the script failed, or was stopped; 2 wrong usage; 3 no connection or no login.
#[derive(Debug, Parser)]
#[command(name = "circles", version)]
pub struct Args {
    /// The server, with a circle's public key as the path or none: ws://host:port/02ab….
    #[arg(long, env = "CIRCLES_URL", default_value = "ws://127.0.0.1:9001", global = true)]
    pub url: String,

    /// The circle to enter, by its public key. The server's first one if the URL names none.
    #[arg(long, env = "CIRCLES_CIRCLE", value_name = "PUBLIC KEY", global = true)]
    pub circle: Option<String>,

    /// The file with the secret key to log in with [default: circles.key in the user's configuration
    /// directory, made on first use].
    #[arg(long, env = "CIRCLES_KEY_FILE", value_name = "FILE", global = true)]
    pub key: Option<PathBuf>,

    /// Do not log in.
    #[arg(long, global = true, conflicts_with = "key")]
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
    /// Print the server's OpenRPC document.
    Discover,
    /// Play line by line.
    Repl,
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
#[command(group = clap::ArgGroup::new("source").required(true).args(["expression", "file"]))]
pub struct Play {
    /// The script itself.
    #[arg(short = 'e', long, value_name = "SCRIPT")]
    pub expression: Option<String>,

    /// The file with the script; - for standard input.
    pub file: Option<PathBuf>,

    /// What the script sees as ARGS: JSON, or @FILE.
    #[arg(long, value_name = "JSON")]
    pub args: Option<String>,

    /// How long the play may take, such as 500ms or 5s. The server may allow less.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,

    /// A name for this call: made again with the same name, it is answered and not run again.
    #[arg(long, value_name = "NAME")]
    pub idempotency_key: Option<String>,

    /// Print the whole result, or the error, as JSON to standard output.
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_play_has_one_source() {
        let parse = |rest: &[&str]| Args::try_parse_from([&["circles", "play"], rest].concat()).is_ok();
        assert!(parse(&["-e", "1"]) && parse(&["x.rhai"]) && parse(&["-"]));
        assert!(!parse(&[]) && !parse(&["-e", "1", "x.rhai"]));
    }
}

//! `circles`: the command line for people. The program calls [`main`].
//!
//! Results go to standard output; log lines and errors go to standard error. The exit code tells the kind of failure
//! (`CliError::exit_code`).

mod args;
mod brackets;
mod db;
mod error;
mod escape;
mod input;
mod key_file;
mod log;
mod play;
mod progress;
mod render;
mod repl;
mod show;
mod task;
mod watch;

use std::process::ExitCode;

use circles_client::{Client, PublicKey, SecretKey};

use crate::{
    args::{Args, Command, KeygenArgs},
    error::CliError,
};

/// Runs the program: parses the command line, runs the command and prints its error, if any.
pub fn main() -> ExitCode {
    let args: Args = circles_daemon::parse();
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn start(args: Args) -> Result<(), CliError> {
    let filter = circles_daemon::log_filter("error").map_err(CliError::Usage)?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| CliError::Usage(format!("cannot start the async runtime: {error}")))?;
    runtime.block_on(run(args))
}

async fn run(args: Args) -> Result<(), CliError> {
    match &args.command {
        Command::Keygen(command) => keygen(&args, command),
        Command::Whoami => {
            let identity = connect(&args).await?.whoami().await.map_err(CliError::from_call)?;
            show::json(&identity)
        }
        Command::Discover => {
            let document = connect(&args).await?.discover().await.map_err(CliError::from_call)?;
            show::json(&document)
        }
        Command::Play(command) => play::play(&args, command).await,
        Command::Run(command) => play::run(&args, command).await,
        Command::Submit(command) => play::submit(&args, command).await,
        Command::Task(command) => task::show(&args, command).await,
        Command::Tasks(command) => task::list(&args, command).await,
        Command::Cancel(command) => task::cancel(&args, command).await,
        Command::Watch(command) => watch::watch(&args, command).await,
        Command::Scripts(output) => {
            let library = connect(&args).await?.scripts().await.map_err(CliError::from_call)?;
            match (output.json, library.scripts.is_empty()) {
                (true, _) => show::json(&library),
                (false, true) => Ok(()),
                (false, false) => show::line(&render::library(&library)),
            }
        }
        Command::Db(command) => db::run(&args, command).await,
        Command::Log(command) => log::run(&args, command).await,
        Command::Repl(command) => repl::run(&args, command).await,
    }
}

/// `circles keygen`.
fn keygen(args: &Args, command: &KeygenArgs) -> Result<(), CliError> {
    let path = match (&command.out, &args.key) {
        (Some(path), _) | (None, Some(path)) => path.clone(),
        (None, None) => key_file::default_path()?,
    };
    let no_random = |error| CliError::Usage(format!("no random bytes from the operating system: {error}"));
    let key = SecretKey::generate().map_err(no_random)?;
    circles_auth::key_file::write(&path, &key, command.force).map_err(|error| match error {
        circles_auth::key_file::Error::Exists { .. } => {
            CliError::Usage(format!("{error}; --force overwrites it"))
        }
        other => CliError::Usage(other.to_string()),
    })?;
    show::line(&key.public_key().to_string())
}

/// Connects to the server and circle of the flags, and logs in unless `--anonymous` is given.
async fn connect(args: &Args) -> Result<Client, CliError> {
    let mut builder = Client::builder(&args.url);
    if let Some(circle) = circle(args)? {
        builder = builder.circle(circle);
    }
    if !args.anonymous {
        builder = builder.key(key_file::read_or_create(args.key.as_deref())?);
    }
    builder.connect().await.map_err(CliError::from_connect)
}

/// Parses `--circle`.
fn circle(args: &Args) -> Result<Option<PublicKey>, CliError> {
    let parse = |circle: &String| {
        circle.parse().map_err(|error| CliError::Usage(format!("--circle {circle:?}: {error}")))
    };
    args.circle.as_ref().map(parse).transpose()
}

//! `circles`: the command line for people.
//!
//! What a script leaves goes to standard output, what it logs and what goes wrong to standard error. The exit
//! code says which it was; see [`Trouble`].

mod args;
mod key_file;
mod play;
mod repl;
mod show;
mod trouble;

use std::process::ExitCode;

use circles_client::{Client, PublicKey, SecretKey};
use clap::Parser as _;

use crate::{
    args::{Args, Command, Keygen},
    trouble::Trouble,
};

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_default();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Err(Trouble::Usage(format!("no runtime: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            show::trouble(&trouble);
            ExitCode::from(trouble.code())
        }
    }
}

async fn run(args: Args) -> Result<(), Trouble> {
    match &args.command {
        Command::Keygen(keygen) => generate(&args, keygen),
        Command::Whoami => {
            let identity = connect(&args).await?.whoami().await.map_err(Trouble::of_call)?;
            show::json(&identity)
        }
        Command::Discover => {
            let document = connect(&args).await?.discover().await.map_err(Trouble::of_call)?;
            show::json(&document)
        }
        Command::Play(command) => play::run(&args, command).await,
        Command::Repl => repl::run(&args).await,
    }
}

fn generate(args: &Args, keygen: &Keygen) -> Result<(), Trouble> {
    let path = match (&keygen.out, &args.key) {
        (Some(path), _) | (None, Some(path)) => path.clone(),
        (None, None) => key_file::default_path()?,
    };
    let key = SecretKey::generate().map_err(|error| Trouble::Usage(format!("no random bytes: {error}")))?;
    circles_key_file::write(&path, &key, keygen.force).map_err(|error| match error {
        circles_key_file::Error::Exists { .. } => Trouble::Usage(format!("{error}; --force overwrites it")),
        other => Trouble::Usage(other.to_string()),
    })?;
    show::line(&key.public_key().to_string())
}

/// Connects as the flags say.
pub async fn connect(args: &Args) -> Result<Client, Trouble> {
    let mut builder = Client::builder(&args.url);
    if let Some(circle) = &args.circle {
        let circle: PublicKey =
            circle.parse().map_err(|error| Trouble::Usage(format!("--circle {circle}: {error}")))?;
        builder = builder.circle(circle);
    }
    if !args.anonymous {
        builder = builder.key(key_file::read_or_make(args.key.as_deref())?);
    }
    builder.connect().await.map_err(Trouble::of_connecting)
}

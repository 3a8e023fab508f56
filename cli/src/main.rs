//! `circles`: the command line for people.
//!
//! What a script leaves goes to standard output, what it logs and what goes wrong to standard error. The exit
//! code says which it was; see [`Trouble`].

mod args;
mod db;
mod key_file;
mod log;
mod play;
mod progress;
mod render;
mod repl;
mod show;
mod task;
mod text;
mod trouble;
mod watch;

use std::process::ExitCode;

use circles_client::{Client, PublicKey, SecretKey};

use crate::{
    args::{Args, Command, Keygen},
    trouble::Trouble,
};

fn main() -> ExitCode {
    let args: Args = circles_daemon::parse();
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            show::trouble(&trouble);
            ExitCode::from(trouble.code())
        }
    }
}

fn start(args: Args) -> Result<(), Trouble> {
    let filter = circles_daemon::log_filter("error").map_err(Trouble::Usage)?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::Usage(format!("no runtime: {error}")))?;
    runtime.block_on(run(args))
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
        Command::Play(command) => play::play(&args, command).await,
        Command::Run(command) => play::run(&args, command).await,
        Command::Submit(command) => play::submit(&args, command).await,
        Command::Task(command) => task::show(&args, command).await,
        Command::Tasks(command) => task::list(&args, command).await,
        Command::Cancel(command) => task::cancel(&args, command).await,
        Command::Watch(command) => watch::watch(&args, command).await,
        Command::Scripts(form) => {
            let library = connect(&args).await?.scripts().await.map_err(Trouble::of_call)?;
            match (form.json, library.scripts.is_empty()) {
                (true, _) => show::json(&library),
                (false, true) => Ok(()),
                (false, false) => show::line(&render::library(&library)),
            }
        }
        Command::Db(command) => db::run(&args, command).await,
        Command::Log(command) => log::run(&args, command).await,
        Command::Repl(repl) => repl::run(&args, repl).await,
    }
}

fn generate(args: &Args, keygen: &Keygen) -> Result<(), Trouble> {
    let path = match (&keygen.out, &args.key) {
        (Some(path), _) | (None, Some(path)) => path.clone(),
        (None, None) => key_file::default_path()?,
    };
    let key = SecretKey::generate().map_err(|error| Trouble::Usage(format!("no random bytes: {error}")))?;
    circles_auth::key_file::write(&path, &key, keygen.force).map_err(|error| match error {
        circles_auth::key_file::Error::Exists { .. } => {
            Trouble::Usage(format!("{error}; --force overwrites it"))
        }
        other => Trouble::Usage(other.to_string()),
    })?;
    show::line(&key.public_key().to_string())
}

/// Connects as the flags say.
pub async fn connect(args: &Args) -> Result<Client, Trouble> {
    let mut builder = Client::builder(&args.url);
    if let Some(circle) = circle(args)? {
        builder = builder.circle(circle);
    }
    if !args.anonymous {
        builder = builder.key(key_file::read_or_make(args.key.as_deref())?);
    }
    builder.connect().await.map_err(Trouble::of_connecting)
}

/// The circle that --circle names.
fn circle(args: &Args) -> Result<Option<PublicKey>, Trouble> {
    let parse = |circle: &String| {
        circle.parse().map_err(|error| Trouble::Usage(format!("--circle {circle}: {error}")))
    };
    args.circle.as_ref().map(parse).transpose()
}

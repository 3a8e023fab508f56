//! `circles-server`: the edge, an embedded store and its workers in one process.

mod config;

use std::{
    collections::HashMap, io::Write as _, net::SocketAddr, num::NonZeroUsize, path::PathBuf,
    process::ExitCode, sync::Arc, thread::available_parallelism, time::Duration,
};

use circles_config::CircleConfig;
use circles_server::{BindError, Server};
use circles_store::{CircleId, EmbeddedConfig, EmbeddedStore, Store as _};
use circles_worker::{CircleSettings, CountingAllocator, Host, Limits, Workers};
use clap::Parser as _;
use mimalloc::MiMalloc;
use tokio::{
    net::lookup_host,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::config::{Args, LogFormat};

/// Counts what scripts allocate, which their memory limit rests on.
#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator::new(MiMalloc);

/// Short scripts may run on a thread of the runtime, with a call depth that fits this stack.
const RUNTIME_STACK: usize = 8 << 20;
/// How long connections may take to close once the plays are over.
const GOODBYE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let args = Args::parse();
    log_to_stderr(args.log_format);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(RUNTIME_STACK).build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(&args)),
        Err(error) => Err(format!("no runtime: {error}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            // Not a log line: it answers the person who typed the command.
            let _ = writeln!(std::io::stderr(), "error: {sentence}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: &Args) -> Result<(), String> {
    let address = resolve(args).await?;
    args.check_exposure(address)?;
    let circles = args.circles()?;
    let settings = args.settings(&circles)?;
    for circle in &circles {
        circle.make_folders()?;
    }

    let host = Arc::new(Host::with_circles(Limits::default(), settings_of(&circles)));
    let queue_limit = args.queue_limit.get();
    let circle_queue_limit = queue_limit.div_ceil(4);
    let config = EmbeddedConfig { queue_limit, circle_queue_limit, ..EmbeddedConfig::default() };
    let ids: Vec<_> = circles.iter().map(|circle| circle.key.circle_id()).collect();
    let store = open_store(config, &circles)?.with_trial(host.clone());
    let store = Arc::new(store);
    let found = store.recover(ids).await.map_err(|error| format!("the store cannot be opened: {error}"))?;
    if found > 0 {
        tracing::info!(tasks = found, "took up tasks of an earlier process");
    }
    let mut signals = Signals::install().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let server =
        Server::bind(address, settings, store.clone()).await.map_err(|error| not_bound(&error, args))?;
    let workers = args.workers.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let workers = Workers::start(store.clone(), host, workers);

    announce(&server);
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(server.serve(shutdown.clone(), args.grace + GOODBYE));
    signals.next().await;
    tracing::info!(grace = ?args.grace, "shutting down; a second signal exits at once");
    let drain = async {
        shutdown.cancel();
        store.close().await;
        workers.shutdown(args.grace).await;
        let served = served.await;
        store.shut().await;
        served
    };
    tokio::select! {
        ended = drain => ended.map_err(|error| format!("the server ended badly: {error}")),
        () = signals.next() => {
            tracing::warn!("a second signal: exiting at once");
            std::process::exit(130);
        }
    }
}

/// What the scripts of each circle may reach.
fn settings_of(configs: &[CircleConfig]) -> HashMap<CircleId, CircleSettings> {
    let settings = configs.iter().map(|circle| {
        let settings = CircleSettings {
            library: Some(circle.rhai_path.clone()),
            files: Some(circle.files_path.clone()),
            secrets: circle.secrets.clone().into(),
            limits: circle.limits,
            access: circle.access.clone(),
        };
        (circle.key.circle_id(), settings)
    });
    settings.collect()
}

fn open_store(bounds: EmbeddedConfig, configs: &[CircleConfig]) -> Result<EmbeddedStore, String> {
    let paths: HashMap<CircleId, PathBuf> =
        configs.iter().map(|circle| (circle.key.circle_id(), circle.db_path.clone())).collect();
    // Calls between circles may name one that is not served here; it has no file to find.
    let path = move |circle: &CircleId| paths.get(circle).cloned().unwrap_or_default();
    EmbeddedStore::new(bounds, path).map_err(|error| format!("the store cannot be opened: {error}"))
}

/// What is wrong with the address, named by what asked for it.
fn not_bound(error: &BindError, args: &Args) -> String {
    match error {
        BindError::Address { circle: Some(circle), .. } => format!("--config: port of {circle}: {error}"),
        BindError::Address { cause, .. } => format!("--host {} --port {}: {cause}", args.host, args.port),
        other => other.to_string(),
    }
}

async fn resolve(args: &Args) -> Result<SocketAddr, String> {
    let host = args.host.trim_start_matches('[').trim_end_matches(']');
    let found = lookup_host((host, args.port)).await.map(|mut addresses| addresses.next());
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(format!("--host {}: this name has no address", args.host)),
        Err(error) => {
            Err(format!("--host {}: expected an address or a name that has one: {error}", args.host))
        }
    }
}

/// The one thing on standard output: what programs that start a server wait for.
fn announce(server: &Server) {
    let mut stdout = std::io::stdout().lock();
    for (circle, url) in server.addresses() {
        // Nobody may be reading; the server serves all the same.
        let _ = writeln!(stdout, "circle {circle} {url}");
    }
    let _ = stdout.flush();
    tracing::info!(address = %server.address(), "serving");
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}

/// SIGINT and SIGTERM, which mean the same.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

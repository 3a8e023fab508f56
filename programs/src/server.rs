//! `circles-server`: the edge, with its own store and workers, or with workers behind a Redis.

mod config;
mod locks;

use std::{
    collections::HashMap, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};

use circles_config::CircleConfig;
use circles_daemon::{Signals, raise_file_limit};
use circles_server::{BindError, Server};
use circles_store::{CircleId, Quotas, Store};
use circles_store_embedded::{EmbeddedConfig, EmbeddedStore};
use circles_store_redis::{RedisConfig, RedisStore, RedisUrl};
use circles_worker::{CircleSettings, Host, Limits, Metrics, Slots, Workers};
use tokio::{net::lookup_host, time::timeout};
use tokio_util::sync::CancellationToken;

use self::config::Args;
use crate::common;

/// Time for connections to close and for Redis to get the last results, once the plays are over.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the program to its end.
pub fn main() -> ExitCode {
    let args: Args = circles_daemon::parse();
    circles_daemon::run(args.common.log_format, run(args))
}

async fn run(args: Args) -> Result<(), String> {
    let address = resolve(&args).await?;
    args.check_exposure(address)?;
    let (circles, _locks) = args.circles()?;
    let settings = args.settings(&circles, raise_file_limit())?;
    if args.slots().is_some() {
        args.common.check_memory(&circles)?;
    }
    circles_config::make_folders(&circles, &args.common.data_dir)?;
    if args.common.config.is_some() {
        circles_config::remember(&circles, &args.common.data_dir);
    }

    let known = circles.iter().map(|circle| (circle.key.circle_id(), CircleSettings::from(circle)));
    let host =
        Host::with_circles(Limits::default(), known.collect()).with_memory_budget(args.common.memory_budget);
    let host = Arc::new(host);
    let metrics = Metrics::default();
    let backend = match &args.redis_url {
        Some(url) => Backend::redis(&args, url, &circles).await?,
        None => Backend::embedded(&args, &circles, &host, metrics.clone()).await?,
    };
    let mut signals = Signals::install()?;
    let bound = Server::bind(address, settings, backend.store()).await;
    let server = bound.map_err(|error| not_bound(&error, &args))?;
    let workers = args.slots().map(|open| {
        if let Backend::Redis(store) = &backend {
            store.enable_fast_path(host.clone());
        }
        Workers::start(backend.store(), host, Slots { open, max: Slots::MAX, metrics })
    });
    let workers = workers.transpose().map_err(|error| error.to_string())?;

    announce(&server);
    let shutdown = CancellationToken::new();
    // Plays of this process are interrupted after the grace period, and then need time to settle.
    let patience = if workers.is_some() { args.common.grace + SHUTDOWN_TIMEOUT } else { args.common.grace };
    let served = tokio::spawn(server.serve(shutdown.clone(), patience));
    signals.next().await;
    tracing::info!(grace = ?args.common.grace, "shutting down; a second signal exits at once");
    let drain = async {
        shutdown.cancel();
        backend.store().close().await;
        if let Some(workers) = workers {
            workers.shutdown(args.common.grace).await;
        }
        let served = served.await;
        backend.shutdown().await;
        if args.common.config.is_some() {
            // Databases may have been created since the start.
            circles_config::remember(&circles, &args.common.data_dir);
        }
        served
    };
    signals.run_unless_signalled(drain).await.map_err(|error| format!("the server failed: {error}"))
}

/// The store.
enum Backend {
    Embedded(Arc<EmbeddedStore>),
    Redis(Arc<RedisStore>),
}

impl Backend {
    /// Opens a store in files of this process, and resumes the tasks that an earlier process left.
    async fn embedded(
        args: &Args,
        circles: &[CircleConfig],
        host: &Arc<Host>,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let (queue_limit, circle_queue_limit) = args.queue_limits();
        let quotas = quotas(circles);
        let config = EmbeddedConfig { queue_limit, circle_queue_limit, quotas, ..EmbeddedConfig::default() };
        let store = open_store(config, circles)?
            .with_inline_runner(host.clone())
            .with_worker_check(move || metrics.script_threads() > 0);
        let found = store.recover(circles.iter().map(|circle| circle.key.circle_id())).await;
        let found = found.map_err(|error| format!("cannot open the store: {error}"))?;
        if found > 0 {
            tracing::info!(tasks = found, "resumed tasks of an earlier process");
        }
        Ok(Self::Embedded(Arc::new(store)))
    }

    /// Connects to a store in Redis, which other processes share.
    async fn redis(args: &Args, url: &RedisUrl, circles: &[CircleConfig]) -> Result<Self, String> {
        let (queue_limit, circle_queue_limit) = args.queue_limits();
        let pinned = circles.iter().filter_map(|circle| Some((circle.key.circle_id(), circle.pool.clone()?)));
        let config = RedisConfig {
            queue_limit,
            circle_queue_limit,
            pools: pinned.collect(),
            quotas: quotas(circles),
            ..RedisConfig::default()
        };
        Ok(Self::Redis(common::connect(url, config).await?))
    }

    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => store.clone(),
            Self::Redis(store) => store.clone(),
        }
    }

    /// Closes the store. Call it last.
    async fn shutdown(&self) {
        match self {
            Self::Embedded(store) => store.shutdown().await,
            Self::Redis(store) => {
                if timeout(SHUTDOWN_TIMEOUT, store.shutdown()).await.is_err() {
                    tracing::warn!(
                        "shut down before all results reached Redis; \
                         their leases and deadlines will end the remaining tasks"
                    );
                }
            }
        }
    }
}

/// The quota of remembered tasks of each circle.
fn quotas(circles: &[CircleConfig]) -> Quotas {
    let of = |circle: &CircleConfig| (circle.key.circle_id(), circle.limits.quota());
    Quotas { circles: circles.iter().map(of).collect(), ..Quotas::default() }
}

fn open_store(bounds: EmbeddedConfig, configs: &[CircleConfig]) -> Result<EmbeddedStore, String> {
    let paths: HashMap<CircleId, PathBuf> =
        configs.iter().map(|circle| (circle.key.circle_id(), circle.db_path.clone())).collect();
    // Calls between circles may name a circle that is not served here; it has no file.
    let path = move |circle: &CircleId| paths.get(circle).cloned().unwrap_or_default();
    EmbeddedStore::new(bounds, path).map_err(|error| format!("cannot open the store: {error}"))
}

/// The error for an address that cannot be bound, with the flag or field that set it.
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

/// Prints the only lines on standard output, for programs that start a server.
fn announce(server: &Server) {
    let line = |(circle, url): (_, String)| format!("circle {circle} {url}\n");
    circles_daemon::announce(server.addresses().into_iter().map(line).collect());
    tracing::info!(address = %server.address(), "serving");
}

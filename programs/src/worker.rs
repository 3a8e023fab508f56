//! `circles-worker`: claims tasks from a Redis and runs their scripts.

mod config;
mod status;

use std::{process::ExitCode, sync::Arc, time::Duration};

use circles_daemon::{Signals, raise_file_limit};
use circles_store::Store as _;
use circles_store_redis::RedisStore;
use circles_worker::{Metrics, Workers};
use tokio::time::timeout;

use self::{config::Args, status::Status};
use crate::common;

/// Time for Redis to get the last results, once no script runs.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the program to its end.
pub fn main() -> ExitCode {
    let args: Args = circles_daemon::parse();
    circles_daemon::run(args.common.log_format, run(args))
}

async fn run(args: Args) -> Result<(), String> {
    raise_file_limit();
    let circles = args.circles()?;
    let _lock = args.lock()?;
    for circle in circles.iter().filter(|circle| !circle.rhai_path.exists()) {
        let library = circle.rhai_path.display();
        tracing::warn!(circle = %circle.key, %library, "no script runs in this circle until its library exists");
    }
    let host = Arc::new(args.host(&circles));
    let metrics = Metrics::default();
    let store = common::connect(&args.redis_url, args.store(&circles)).await?;
    let status = match args.listen {
        Some(address) => Some(Status::bind(address, &store, &metrics, args.concurrency).await?),
        None => None,
    };
    let mut signals = Signals::install()?;
    store.enable_fast_path(Arc::new(metrics.counting(host.clone())));
    let workers =
        Workers::start(store.clone(), host, args.slots(metrics)).map_err(|error| error.to_string())?;

    announce(&store, status.as_ref());
    let status = status.map(|status| tokio::spawn(status.serve()));
    signals.next().await;
    tracing::info!(grace = ?args.common.grace, "shutting down; a second signal exits at once");
    let drain = async {
        store.close().await;
        workers.shutdown(args.common.grace).await;
        if timeout(SHUTDOWN_TIMEOUT, store.shutdown()).await.is_err() {
            tracing::warn!(
                "shut down before all results reached Redis; their leases will end the remaining tasks"
            );
        }
    };
    signals.run_unless_signalled(drain).await;
    // The status page stays up during the shutdown and shows that the worker claims nothing.
    if let Some(status) = status {
        status.abort();
    }
    Ok(())
}

/// Prints the only line on standard output, for programs that start a worker.
fn announce(store: &RedisStore, status: Option<&Status>) {
    let url = status.map(|status| format!(" http://{}", status.address())).unwrap_or_default();
    circles_daemon::announce(format!("worker {} ready{url}\n", store.id()));
    tracing::info!(id = store.id(), "claiming tasks");
}

//! Flags that the server and the worker share.

use std::{path::PathBuf, sync::Arc, time::Duration};

use circles_config::{CircleConfig, Faults};
use circles_daemon::{LogFormat, bytes, grace};
use circles_store_redis::{RedisConfig, RedisStore, RedisUrl};
use circles_worker::Budget;

/// Flags of every program that runs scripts.
#[derive(Debug, clap::Args)]
pub(crate) struct CommonArgs {
    /// The file of circles and their settings; docs/operations.md describes its fields. A server and its workers use
    /// the same file. For a circle that is not in it, a worker has only the files in --data-dir.
    #[arg(short = 'c', long, env = "CIRCLES_CONFIG", value_name = "circles.json")]
    pub config: Option<PathBuf>,

    /// Memory that all running scripts may hold together, such as 512MiB or 2GiB. A play that needs more than is free
    /// waits, until its deadline.
    #[arg(long, env = "CIRCLES_MEMORY_BUDGET", default_value = "1GiB", value_name = "BYTES", value_parser = bytes)]
    pub memory_budget: usize,

    /// The directory of the circles' keys, databases, libraries and files, unless --config names other paths.
    #[arg(long, env = "CIRCLES_DATA_DIR", default_value = ".circles", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Time that running plays have to finish after SIGINT or SIGTERM.
    #[arg(long, env = "CIRCLES_GRACE", default_value = "10s", value_name = "DURATION", value_parser = grace)]
    pub grace: Duration,

    /// The format of logs. The environment variable RUST_LOG sets the levels [default: info].
    #[arg(long, env = "CIRCLES_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

impl CommonArgs {
    /// Checks that a play of each circle can have the memory that its limits allow.
    ///
    /// # Errors
    ///
    /// If a circle's limit is larger than the budget. The error names the circle and the flag.
    pub(crate) fn check_memory(&self, circles: &[CircleConfig]) -> Result<(), String> {
        circles.iter().try_for_each(|circle| {
            let checked = Budget::check(self.memory_budget, circle.limits.memory_bytes);
            checked.map_err(|error| format!("--memory-budget: circle {}: {error}", circle.key))
        })
    }
}

/// Connects to the Redis of `--redis-url`, and logs a warning for each of its settings that endangers promises.
///
/// # Errors
///
/// If the URL is invalid or Redis does not answer, which may be the effect of a wrong URL.
pub(crate) async fn connect(url: &RedisUrl, config: RedisConfig) -> Result<Arc<RedisStore>, String> {
    let checked = url.checked().map_err(|fault| format!("--redis-url: {fault}"))?;
    let store = RedisStore::connect(checked, config).await;
    let store = store.map_err(|error| format!("--redis-url {url}: {error}"))?;
    for warning in store.warnings().await.unwrap_or_default() {
        tracing::warn!("{warning}");
    }
    Ok(Arc::new(store))
}

/// The error message for faults in the config.
pub(crate) fn config_fault(faults: Faults) -> String {
    format!("--config {faults}")
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::{CommandFactory, builder::Arg};

    /// The flags of a program, without those that clap adds.
    pub(crate) fn flags<A: CommandFactory>() -> Vec<Arg> {
        let ours = |arg: &&Arg| !matches!(arg.get_id().as_str(), "help" | "version");
        A::command().get_arguments().filter(ours).cloned().collect()
    }

    /// Checks a program's flags as clap does, and that each is also an environment variable.
    pub(crate) fn check_flags<A: CommandFactory>() {
        A::command().debug_assert();
        for flag in flags::<A>() {
            let long = flag.get_long().unwrap();
            let name = long.replace('-', "_").to_uppercase();
            let expected = if long == "redis-url" { name } else { format!("CIRCLES_{name}") };
            assert_eq!(flag.get_env().and_then(|env| env.to_str()), Some(&*expected), "--{long}");
        }
    }
}

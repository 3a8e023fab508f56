//! The command line of `circles-worker`, and its conversion to settings.

use std::{net::SocketAddr, num::NonZeroUsize, thread::available_parallelism, time::Duration};

use circles_auth::{Access, PublicKey};
use circles_config::{CircleConfig, Environment, Limits, make_private_folder, parse_limits};
use circles_daemon::{Lock, LockError, Sharing, duration};
use circles_store::CircleId;
use circles_store_redis::{RedisConfig, RedisUrl};
use circles_worker::{Budget, CircleSettings, Host, Metrics, Slots};
use clap::Parser;

use crate::common::{CommonArgs, config_fault};

/// Runs scripts: claims tasks that servers put into a Redis, and settles their outcomes.
///
/// When it is ready it prints one line, `worker <id> ready`, followed by the URL of --listen if it is set, and
/// nothing else, to standard output; logs go to standard error. On SIGINT or SIGTERM it lets running plays finish
/// within --grace and exits; a second signal exits at once.
#[derive(Debug, Parser)]
#[command(name = "circles-worker", version)]
pub(crate) struct Args {
    /// Flags that the server has too.
    #[command(flatten)]
    pub common: CommonArgs,

    /// The Redis that servers put tasks into: redis://, or rediss:// for TLS; append -cluster or -sentinel to the
    /// scheme for a cluster or sentinels. A password in it is not shown anywhere.
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub redis_url: RedisUrl,

    /// Plays to hold at a time, slow ones included, 1 to 64. One circle may have half of them.
    #[arg(long, env = "CIRCLES_CONCURRENCY", default_value_t = 64, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=64))]
    pub concurrency: u8,

    /// Claim only tasks of this circle, by its public key. Repeatable.
    #[arg(
        short = 'k',
        long = "circle",
        env = "CIRCLES_CIRCLE",
        value_name = "PUBLIC KEY",
        value_delimiter = ','
    )]
    pub circles: Vec<PublicKey>,

    /// The worker's pool: it claims only tasks of circles that are pinned to it. Without it, the worker claims tasks
    /// of circles without a pool.
    #[arg(long, env = "CIRCLES_POOL", value_name = "NAME", value_parser = pool)]
    pub pool: Option<String>,

    /// Limits of circles that are not in --config, in the form of its `limits`: {"operations": 1000000}.
    #[arg(long, env = "CIRCLES_LIMITS", value_name = "JSON", value_parser = parse_limits)]
    pub limits: Option<Limits>,

    /// Time after this worker's last heartbeat until other workers get its plays, 1s to 5m.
    #[arg(long, env = "CIRCLES_LEASE", default_value = "10s", value_name = "DURATION", value_parser = lease)]
    pub lease: Duration,

    /// The address that serves /health, /ready and /metrics over HTTP, such as 127.0.0.1:9100; port 0 picks a free one.
    /// Every client that reaches it may read them [default: none].
    #[arg(long, env = "CIRCLES_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

impl Args {
    /// The circles of the config whose tasks this worker claims.
    pub(crate) fn circles(&self) -> Result<Vec<CircleConfig>, String> {
        let checked = Budget::check(self.common.memory_budget, self.limits.unwrap_or_default().memory_bytes);
        checked.map_err(|error| format!("--memory-budget: {error}"))?;
        let Some(path) = &self.common.config else { return Ok(Vec::new()) };
        // A key created here would differ from the server's.
        let environment = Environment {
            data_dir: &self.common.data_dir,
            variable: &|name| std::env::var_os(name),
            creates_keys: false,
        };
        let mut circles = circles_config::read(path, environment).map_err(config_fault)?;
        for circle in circles.iter().filter(|circle| self.circles.contains(&circle.key)) {
            if circle.pool != self.pool {
                let pool =
                    circle.pool.as_ref().map_or("no pool".to_owned(), |pool| format!("the pool {pool}"));
                return Err(format!("--circle {}: it is for {pool}; set --pool accordingly", circle.key));
            }
        }
        circles.retain(|circle| {
            circle.pool == self.pool && (self.circles.is_empty() || self.circles.contains(&circle.key))
        });
        self.common.check_memory(&circles)?;
        Ok(circles)
    }

    /// Locks the data directory against servers without a Redis, if it exists: servers create it, workers do not. Other
    /// workers, and servers with a Redis, may share it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, String> {
        if !self.common.data_dir.is_dir() {
            return Ok(None);
        }
        make_private_folder(&self.common.data_dir).map_err(|error| format!("--data-dir {error}"))?;
        let lock = Lock::take(&self.common.data_dir.join("circles.lock"), Sharing::Shared, "circles-worker");
        lock.map(Some).map_err(|error| {
            let hint = match error {
                LockError::Held(_) => "; only servers and workers with --redis-url share one",
                LockError::Io(..) => "",
            };
            format!("--data-dir {}: {error}{hint}", self.common.data_dir.display())
        })
    }

    /// The script host, for these circles and for circles that are not in the config.
    pub(crate) fn host(&self, circles: &[CircleConfig]) -> Host {
        let limits = self.limits.unwrap_or_default();
        // Servers create the folders of their circles. If a library is missing, this is not the server's disk, and a
        // policy would be missing too.
        let required = |settings| CircleSettings { library_required: true, ..settings };
        let known = circles.iter().map(|circle| (circle.key.circle_id(), required(circle.into())));
        let data_dir = self.common.data_dir.clone();
        let host = Host::with_circles(limits, known.collect()).with_memory_budget(self.common.memory_budget);
        host.with_others(move |circle| {
            // Only servers know the access lists of such a circle.
            let access = Access::closed();
            required(CircleSettings { limits, access, ..CircleSettings::under(&data_dir, circle) })
        })
    }

    /// The settings of the store.
    pub(crate) fn store(&self, circles: &[CircleConfig]) -> RedisConfig {
        let pinned = circles.iter().filter_map(|circle| Some((circle.key.circle_id(), circle.pool.clone()?)));
        RedisConfig {
            pools: pinned.collect(),
            pool: self.pool.clone().unwrap_or_default(),
            only_circles: self.circles.iter().map(PublicKey::circle_id).collect::<Vec<CircleId>>(),
            running_limit: self.concurrency.into(),
            lease: self.lease,
            claim_ahead: CLAIM_AHEAD,
            ..RedisConfig::default()
        }
    }

    /// The number of concurrent scripts: several quick ones per core, since each mostly waits for Redis.
    pub(crate) fn slots(&self, metrics: Metrics) -> Slots {
        let max = NonZeroUsize::new(self.concurrency.into()).unwrap_or(NonZeroUsize::MIN);
        let cores = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Slots { open: cores.saturating_mul(SCRIPTS_PER_CORE).min(max), max, metrics }
    }
}

/// Quick scripts that run at a time on each core.
const SCRIPTS_PER_CORE: NonZeroUsize = NonZeroUsize::new(8).unwrap();
/// Work to claim ahead: twenty round trips to Redis, and a delay that callers do not notice.
const CLAIM_AHEAD: Duration = Duration::from_millis(2);

/// At least the time of a heartbeat on a busy machine and network, at most the time that a caller would wait.
fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if lease < Duration::from_secs(1) || lease > Duration::from_secs(300) {
        return Err("expected from 1s to 5m".to_owned());
    }
    Ok(lease)
}

/// A pool name, as in circles.json.
fn pool(text: &str) -> Result<String, String> {
    if !circles_config::is_name(text) {
        return Err("expected a name of 1 to 64 letters, digits, - and _".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::tests::{check_flags, flags};

    #[test]
    fn command_line_is_sound() {
        check_flags::<Args>();
    }

    #[test]
    fn operations_page_lists_every_flag_and_default() {
        let page = include_str!("../../../docs/operations.md");
        let (_, section) = page.split_once("### What a worker is told").unwrap();
        let (section, _) = section.split_once("\n##").unwrap();
        let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `-")).collect();
        assert_eq!(rows.len(), flags::<Args>().len());
        for flag in flags::<Args>() {
            let long = format!("`--{}`", flag.get_long().unwrap());
            let row = rows.iter().find(|row| row.contains(&long)).unwrap_or_else(|| panic!("{long}"));
            if let [default] = flag.get_default_values() {
                assert!(row.contains(default.to_str().unwrap()), "{row}");
            }
        }
    }

    #[test]
    fn slots_stay_within_concurrency() {
        for concurrency in ["1", "3", "64"] {
            let args = Args::try_parse_from(["w", "--redis-url", "redis://a", "--concurrency", concurrency])
                .unwrap();
            let slots = args.slots(Metrics::default());
            assert_eq!(slots.max.get().to_string(), concurrency);
            assert!(slots.open <= slots.max);
            assert_eq!(args.store(&[]).running_limit, slots.max.get());
        }
    }
}

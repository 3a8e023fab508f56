//! The command line of `circles-server`, and its conversion to settings.

use std::{net::SocketAddr, num::NonZeroUsize, thread::available_parallelism, time::Duration};

use circles_auth::{PublicKey, audience_of};
use circles_config::{CircleConfig, Environment};
use circles_daemon::duration;
use circles_server::{Audience, Circle, Limits, Origins, Settings};
use circles_store_redis::RedisUrl;
use clap::Parser;
use url::Url;

use super::locks::Locks;
use crate::common::{CommonArgs, config_fault};

/// Serves circles: peers connect by WebSocket, prove who they are, and play scripts.
///
/// When it is ready it prints one line for each circle, `circle <public key> <url>`, and nothing else, to
/// standard output; logs go to standard error. On SIGINT or SIGTERM it lets running plays finish within --grace and
/// exits; a second signal exits at once.
#[derive(Debug, Parser)]
#[command(name = "circles-server", version)]
pub(crate) struct Args {
    /// Flags that the worker has too.
    #[command(flatten)]
    pub common: CommonArgs,

    /// The address to listen on. Any other than loopback needs --auth or --insecure.
    #[arg(long, env = "CIRCLES_HOST", default_value = "127.0.0.1", value_name = "HOST")]
    pub host: String,

    /// The port to listen on; 0 picks a free one.
    #[arg(long, env = "CIRCLES_PORT", default_value_t = 9001)]
    pub port: u16,

    /// A circle to serve, by its public key: 66 lower-case hex digits. Repeatable, also together with --config.
    /// Without either, the server creates a key pair once, keeps it in --data-dir and serves that circle.
    #[arg(
        short = 'k',
        long = "circle",
        env = "CIRCLES_CIRCLE",
        value_name = "PUBLIC KEY",
        value_delimiter = ','
    )]
    pub circles: Vec<PublicKey>,

    /// Require a session for every method that openrpc.json marks so. Without it, callers who do not log in may play
    /// too; scripts see an empty CALLER for them, and the proved key of callers who log in.
    #[arg(long, env = "CIRCLES_AUTH")]
    pub auth: bool,

    /// Listen on other addresses than loopback although everybody may play.
    #[arg(long, env = "CIRCLES_INSECURE")]
    pub insecure: bool,

    /// The URL by which clients reach this server, if it differs from the listen address (a proxy, a host name).
    /// Challenges name it, and clients sign for no other.
    #[arg(long, env = "CIRCLES_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub public_url: Option<String>,

    /// An origin that may connect, in addition to the server's own and to web pages of loopback: of a web page, of an
    /// extension or app (chrome-extension://…, tauri://localhost, capacitor://localhost, app://…), file://, or
    /// null. Repeatable.
    #[arg(long = "allow-origin", env = "CIRCLES_ALLOW_ORIGIN", value_name = "ORIGIN")]
    #[arg(value_delimiter = ',', value_parser = origin)]
    pub allow_origins: Vec<String>,

    /// The Redis that carries plays to workers and holds the circles' data: redis://, or rediss:// for TLS; append
    /// -cluster or -sentinel to the scheme for a cluster or sentinels. Without it the server stores data and runs
    /// scripts itself. A password in it is not shown anywhere.
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub redis_url: Option<RedisUrl>,

    /// Scripts that this server runs at a time, in addition to slow ones [default: one per core; with --redis-url none,
    /// since circles-worker runs them].
    #[arg(long, env = "CIRCLES_WORKERS", value_name = "N")]
    pub workers: Option<NonZeroUsize>,

    /// Time limit of a play from acceptance, its time in the queue included.
    #[arg(long, env = "CIRCLES_TASK_TIMEOUT", default_value = "30s", value_name = "DURATION")]
    #[arg(value_parser = task_timeout)]
    pub task_timeout: Duration,

    /// Time limit of a submitted task from acceptance, its time in the queue included.
    #[arg(long, env = "CIRCLES_SUBMIT_TIMEOUT", default_value = "24h", value_name = "DURATION")]
    #[arg(value_parser = task_timeout)]
    pub submit_timeout: Duration,

    /// Longest duration of a session.
    #[arg(long, env = "CIRCLES_SESSION_TTL", default_value = "24h", value_name = "DURATION", value_parser = duration)]
    pub session_ttl: Duration,

    /// Maximum number of open connections.
    #[arg(long, env = "CIRCLES_MAX_CONNECTIONS", default_value = "10000", value_name = "N")]
    pub max_connections: NonZeroUsize,

    /// Maximum number of open connections of one address; of IPv6, of one network of 64 bits [default: a quarter of
    /// --max-connections]. Behind a proxy all clients have the proxy's address.
    #[arg(long, env = "CIRCLES_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub max_connections_per_address: Option<NonZeroUsize>,

    /// Bytes of answers that may wait for clients to read them, over all connections. Beyond that, the server cuts the
    /// slowest readers.
    #[arg(long, env = "CIRCLES_MAX_UNSENT_BYTES", default_value = "134217728", value_name = "N")]
    pub max_unsent_bytes: NonZeroUsize,

    /// Bytes of memory that calls may hold while they wait for their answers, over all connections; one address may
    /// have a quarter. Beyond that, calls are refused.
    #[arg(long, env = "CIRCLES_MAX_WAITING_BYTES", default_value = "268435456", value_name = "N")]
    pub max_waiting_bytes: NonZeroUsize,

    /// With --auth, time limit of a connection without a login.
    #[arg(long, env = "CIRCLES_LOGIN_TIMEOUT", default_value = "60s", value_name = "DURATION", value_parser = duration)]
    pub login_timeout: Duration,

    /// Plays that may wait for a worker; further callers get OVERLOADED. One circle may have a quarter.
    #[arg(long, env = "CIRCLES_QUEUE_LIMIT", default_value = "10000", value_name = "N")]
    pub queue_limit: NonZeroUsize,
}

impl Args {
    /// Returns the circles to serve: those of the config, then those named by flags, or else the server's own; and the
    /// locks of their files. Creates missing keys, but nothing before the locks are taken.
    pub(crate) fn circles(&self) -> Result<(Vec<CircleConfig>, Locks), String> {
        let environment = Environment {
            data_dir: &self.common.data_dir,
            variable: &|name| std::env::var_os(name),
            creates_keys: true,
        };
        let plan = self
            .common
            .config
            .as_ref()
            .map(|path| circles_config::plan(path, environment).map_err(config_fault));
        let plan = plan.transpose()?;
        let mut circles = plan.as_ref().map(|plan| plan.circles().to_vec()).unwrap_or_default();
        for key in &self.circles {
            if circles.iter().any(|circle| circle.key == *key) {
                return Err(format!("--circle {key}: named twice"));
            }
            circles.push(CircleConfig::with_defaults(*key, &self.common.data_dir));
        }
        if self.redis_url.is_none()
            && let Some(CircleConfig { id, pool: Some(pool), .. }) =
                circles.iter().find(|circle| circle.pool.is_some())
        {
            return Err(format!(
                "--config: {id} is for the workers of pool {pool}; add --redis-url to reach them"
            ));
        }
        let locks = Locks::take(&self.common.data_dir, &circles, self.redis_url.is_some())?;
        if let Some(plan) = plan {
            for loss in plan.losses(self.redis_url.is_none()) {
                tracing::warn!("{loss}");
            }
            // Another server of the same Redis may have created a key meanwhile.
            let planned = plan.circles().len();
            let made = plan.apply().map_err(config_fault)?;
            circles.splice(..planned, made);
        }
        if circles.is_empty() {
            let path = self.common.data_dir.join("circle.key");
            let made = || tracing::info!(path = %path.display(), "created a circle");
            let key = circles_auth::key_file::read_or_create(&path, made);
            let key = key.map_err(|error| format!("--data-dir: {error}"))?;
            circles.push(CircleConfig::with_defaults(key.public_key(), &self.common.data_dir));
        }
        Ok((circles, locks))
    }

    /// The number of script threads in this process; `None` without workers of its own.
    pub(crate) fn slots(&self) -> Option<NonZeroUsize> {
        let alone = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.workers.or_else(|| self.redis_url.is_none().then(alone))
    }

    /// The number of plays that may wait, and the share of one circle.
    pub(crate) const fn queue_limits(&self) -> (usize, usize) {
        (self.queue_limit.get(), self.queue_limit.get().div_ceil(4))
    }

    /// The settings of the server library, for a process that may open this number of `files`.
    pub(crate) fn settings(&self, circles: &[CircleConfig], files: Option<u64>) -> Result<Settings, String> {
        let circle = |circle: &CircleConfig| Circle {
            key: circle.key,
            access: circle.access.clone(),
            port: circle.port,
            play_timeout: Some(Duration::from_millis(circle.limits.play_timeout_ms)),
            submit_timeout: Some(Duration::from_millis(circle.limits.submit_timeout_ms)),
        };
        Ok(Settings {
            circles: circles.iter().map(circle).collect(),
            require_login: self.auth,
            audience: Audience::new(self.public_url.clone(), false),
            origins: Origins::new(&self.allow_origins)
                .map_err(|invalid| format!("--allow-origin: {invalid} is not an origin"))?,
            session_ttl: self.session_ttl,
            task_timeout: self.task_timeout,
            submit_timeout: self.submit_timeout,
            limits: self.limits(files),
        })
    }

    /// The limits. Connections use at most three quarters of the `files` that may be open, since plays need some too.
    fn limits(&self, files: Option<u64>) -> Limits {
        let wanted = self.max_connections.get();
        let most = files.map_or(usize::MAX, |files| usize::try_from(files / 4 * 3).unwrap_or(usize::MAX));
        let connections = wanted.min(most.max(1));
        if connections < wanted {
            tracing::warn!(
                connections,
                ?files,
                "fewer connections than --max-connections: the limit of open files (ulimit -Hn) allows no more"
            );
        }
        let share = self.max_connections_per_address.map_or(connections.div_ceil(4), NonZeroUsize::get);
        Limits {
            connections,
            connections_per_address: share,
            unsent_bytes: self.max_unsent_bytes.get(),
            waiting_bytes: self.max_waiting_bytes.get(),
            login_timeout: self.login_timeout,
            ..Limits::default()
        }
    }

    /// Refuses to serve other machines without login unless --insecure says so.
    pub(crate) fn check_exposure(&self, address: SocketAddr) -> Result<(), String> {
        if self.auth || self.insecure || address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(format!(
            "--host {}: other machines could play here without a login; add --auth, or --insecure to allow it",
            self.host
        ))
    }
}

/// Has the bounds of `timeout_ms` in openrpc.json.
fn task_timeout(text: &str) -> Result<Duration, String> {
    let timeout = duration(text)?;
    if timeout < Duration::from_millis(1) || timeout > Duration::from_secs(86_400) {
        return Err("expected from 1ms to 24h".to_owned());
    }
    Ok(timeout)
}

fn public_url(text: &str) -> Result<String, String> {
    let url =
        Url::parse(text).map_err(|error| format!("expected a URL such as wss://circles.example: {error}"))?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return Err(
            "expected scheme, host and port alone, such as wss://circles.example: clients sign for these, \
                    and the path names the circle"
                .to_owned(),
        );
    }
    audience_of(text).map_err(|error| error.to_string())
}

fn origin(text: &str) -> Result<String, String> {
    match Origins::new(&[text.to_owned()]) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            Err("expected an origin such as https://app.example or tauri://localhost, file:// or null"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::tests::check_flags;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["circles-server"], args].concat())
    }

    #[test]
    fn command_line_is_sound() {
        check_flags::<Args>();
    }

    #[test]
    fn flag_errors_name_the_flag_and_the_expected_form() {
        for (args, parts) in [
            (&["--port", "99999"][..], &["--port", "65535"][..]),
            (&["-k", "02ab"], &["--circle", "66 lower-case hex"]),
            (&["--task-timeout", "soon"], &["--task-timeout", "30s"]),
            (&["--task-timeout", "25h"], &["--task-timeout", "24h"]),
            (&["--submit-timeout", "25h"], &["--submit-timeout", "24h"]),
            (&["--session-ttl", "0s"], &["--session-ttl", "greater than zero"]),
            (&["--public-url", "circles"], &["--public-url", "URL"]),
            (&["--public-url", "ws://x/y"], &["--public-url", "wss://circles.example", "path"]),
            (&["--public-url", "ws://x/?y"], &["--public-url"]),
            (&["--max-connections-per-address", "0"], &["--max-connections-per-address"]),
            (&["--login-timeout", "0s"], &["--login-timeout"]),
            (&["--allow-origin", "app"], &["--allow-origin", "https://app.example"]),
            (&["--workers", "0"], &["--workers"]),
            (&["--memory-budget", "plenty"], &["--memory-budget", "512MiB"]),
            (&["--log-format", "xml"], &["--log-format", "json"]),
            (&["--nonsense"], &["--nonsense"]),
        ] {
            let error = parse(args).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{args:?}");
            let text = error.to_string();
            for part in parts {
                assert!(text.contains(part), "{args:?}: {text}");
            }
        }
    }

    #[test]
    fn anonymous_callers_beyond_loopback_need_a_flag() {
        let outside = "0.0.0.0:9001".parse().unwrap();
        assert!(parse(&[]).unwrap().check_exposure("127.0.0.1:9001".parse().unwrap()).is_ok());
        assert!(parse(&[]).unwrap().check_exposure("[::1]:9001".parse().unwrap()).is_ok());
        assert!(parse(&["--auth"]).unwrap().check_exposure(outside).is_ok());
        assert!(parse(&["--insecure"]).unwrap().check_exposure(outside).is_ok());
        let refusal = parse(&["--host", "0.0.0.0"]).unwrap().check_exposure(outside).unwrap_err();
        assert!(refusal.contains("--host 0.0.0.0") && refusal.contains("--auth"), "{refusal}");
    }
}

//! A connection to Redis that a supervisor replaces whenever it breaks.
//!
//! The client library can reconnect by itself, but not safely for this store: it resends commands that were under way,
//! it trusts a connection that swallows everything as long as writes succeed, and some errors stop it for good. Here a
//! library client lives exactly as long as its connection and sends nothing twice.

use std::{
    collections::hash_map::RandomState,
    future::Future,
    hash::{BuildHasher as _, Hasher as _},
    sync::Arc,
    time::{Duration, Instant},
};

use circles_store::Error;
use fred::{
    clients::Client,
    error::{Error as RedisError, ErrorKind},
    interfaces::ClientLike as _,
    types::{Builder, ConnectHandle, config::Options},
};
use futures_util::future::BoxFuture;
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::causes::cause_of;

/// How long a command may take. No script of ours runs as long.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(3);
/// How long connecting may take, to all nodes of a cluster.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a command waits for a connection that broke just now.
pub(crate) const RECONNECT_GRACE: Duration = Duration::from_millis(300);
/// Time between two health checks of a connection.
const HEALTH_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The first and the longest pause between attempts to connect.
const RECONNECT_BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Prepares a new connection for its purpose, and checks that it still serves it.
pub(crate) trait HealthCheck: Send + Sync + 'static {
    /// Returns once the connection is ready for use.
    fn prepare<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>>;

    /// Fails if the connection no longer works.
    fn check<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>>;
}

/// The state of a [`Connection`].
#[derive(Clone)]
pub(crate) enum ConnectionState {
    Up(ActiveClient),
    Down { since: Instant, cause: Arc<str> },
}

/// The library client of the present connection.
#[derive(Clone)]
pub(crate) struct ActiveClient {
    pub(crate) client: Client,
    ended: CancellationToken,
    suspicions: mpsc::Sender<Arc<str>>,
}

/// A connection that is replaced whenever it breaks, until it is closed or dropped.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(super) state: watch::Receiver<ConnectionState>,
    address: Arc<str>,
    closing: CancellationToken,
}

impl Connection {
    /// Connects for the first time.
    pub(super) async fn open(
        address: Arc<str>,
        builder: Builder,
        health: Arc<dyn HealthCheck>,
    ) -> Result<Self, Error> {
        let connector = Connector { builder, health };
        let connected = connector.connect().await.map_err(|cause| unavailable(&address, &cause))?;
        let (active, suspected) = ActiveClient::of(&connected);
        let (sender, state) = watch::channel(ConnectionState::Up(active));
        let closing = CancellationToken::new();
        let supervisor = Supervisor { connector, state: sender, address: address.clone() };
        tokio::spawn(closing.clone().run_until_cancelled_owned(supervisor.run(connected, suspected)));
        Ok(Self { state, address, closing })
    }

    /// Ends the connection for good.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Sends a command once.
    pub(super) async fn send<R, F>(&self, command: impl FnOnce(Client) -> F) -> Result<R, CommandError>
    where
        F: Future<Output = Result<R, RedisError>>,
    {
        let active = self.active().await?;
        let answer = tokio::select! {
            biased;
            answer = command(active.client.clone()) => answer,
            () = active.ended.cancelled() => Err(RedisError::new(ErrorKind::IO, "connection lost")),
        };
        answer.map_err(|error| {
            if ends_connection(&error) {
                active.suspect(&error);
            }
            CommandError::Failed { address: self.address.clone(), error }
        })
    }

    /// The present connection, or the next one if it comes within [`RECONNECT_GRACE`].
    async fn active(&self) -> Result<ActiveClient, CommandError> {
        let not_sent =
            |cause: &Arc<str>| CommandError::NotSent { address: self.address.clone(), cause: cause.clone() };
        let until = match &*self.state.borrow() {
            ConnectionState::Up(active) => return Ok(active.clone()),
            ConnectionState::Down { since, cause } if since.elapsed() >= RECONNECT_GRACE => {
                return Err(not_sent(cause));
            }
            ConnectionState::Down { since, .. } => *since + RECONNECT_GRACE,
        };
        let mut state = self.state.clone();
        let up = state.wait_for(|state| matches!(state, ConnectionState::Up(_)));
        // `is_ok` drops the borrow of the state before it is borrowed again below.
        let _ = timeout_at(until.into(), async { up.await.is_ok() }).await;
        match &*self.state.borrow() {
            ConnectionState::Up(active) => Ok(active.clone()),
            ConnectionState::Down { cause, .. } => Err(not_sent(cause)),
        }
    }
}

/// The reason that a command has no result.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// There was no connection.
    NotSent { address: Arc<str>, cause: Arc<str> },
    /// Redis refused the command, or its answer did not come and its effect is unknown.
    Failed { address: Arc<str>, error: RedisError },
}

impl CommandError {
    /// Returns whether the command certainly had no effect and may succeed in a moment.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::NotSent { .. } => false,
            Self::Failed { error, .. } => is_transient(error),
        }
    }

    /// Returns whether Redis does not have the script that the command named.
    pub(super) fn is_unknown_script(&self) -> bool {
        matches!(self, Self::Failed { error, .. } if error.details().starts_with("NOSCRIPT"))
    }
}

impl From<CommandError> for Error {
    fn from(failure: CommandError) -> Self {
        match failure {
            CommandError::NotSent { address, cause } => unavailable(&address, &cause),
            CommandError::Failed { address, error } if error.details().starts_with("OOM") => {
                Self::StorageFull(format!("{address}: {}", cause_of(&error)).into())
            }
            CommandError::Failed { address, error } => unavailable(&address, &cause_of(&error)),
        }
    }
}

fn unavailable(address: &str, cause: &str) -> Error {
    Error::Unavailable(format!("{address}: {cause}").into())
}

/// A slot that moves between nodes is served by neither for a moment. A command that followed it too early would find
/// half of its keys, and leave half of its own behind.
fn is_transient(error: &RedisError) -> bool {
    let details = error.details();
    ["Too many redirections", "TRYAGAIN", "LOADING"].iter().any(|refusal| details.starts_with(refusal))
}

/// Returns whether the other end does not answer or cannot do its work. A new connection may reach a better one.
fn ends_connection(error: &RedisError) -> bool {
    let details = error.details();
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Protocol | ErrorKind::Parse)
        || ["READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "NOAUTH"]
            .iter()
            .any(|refusal| details.starts_with(refusal))
}

impl ActiveClient {
    fn of(connected: &Connected) -> (Self, mpsc::Receiver<Arc<str>>) {
        let (suspicions, suspected) = mpsc::channel(1);
        (Self { client: connected.client.clone(), ended: CancellationToken::new(), suspicions }, suspected)
    }

    /// Has the supervisor replace the connection.
    fn suspect(&self, error: &RedisError) {
        // A full channel holds a suspicion already, and one is enough.
        let _ = self.suspicions.try_send(cause_of(error));
    }
}

/// A library client and the task that drives its connection.
struct Connected {
    client: Client,
    driver: Driver,
}

/// Aborts the driving task when it is dropped.
struct Driver(ConnectHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Driver {
    async fn ended(&mut self) -> Arc<str> {
        match (&mut self.0).await {
            Ok(Err(error)) => cause_of(&error),
            Ok(Ok(())) | Err(_) => "connection closed".into(),
        }
    }
}

/// Makes connections.
struct Connector {
    builder: Builder,
    health: Arc<dyn HealthCheck>,
}

impl Connector {
    async fn connect(&self) -> Result<Connected, Arc<str>> {
        let client = self.builder.build().map_err(|error| cause_of(&error))?;
        let mut driver = Driver(client.connect());
        let first = Options { timeout: Some(CONNECT_TIMEOUT), ..Options::default() };
        let ready = async {
            // The library answers this once there is a connection.
            client.with_options(&first).ping::<()>(None).await?;
            self.health.prepare(&client).await
        };
        let cause = tokio::select! {
            biased;
            cause = driver.ended() => cause,
            ready = timeout(CONNECT_TIMEOUT, ready) => match ready {
                Ok(Ok(())) => return Ok(Connected { client, driver }),
                Ok(Err(error)) => cause_of(&error),
                Err(_) => "no answer".into(),
            },
        };
        Err(cause)
    }

    /// Returns the cause once a health check fails.
    async fn check_repeatedly(&self, client: &Client) -> Arc<str> {
        loop {
            sleep(HEALTH_CHECK_INTERVAL).await;
            if let Err(error) = self.health.check(client).await {
                return cause_of(&error);
            }
        }
    }
}

/// Watches over a connection and replaces it when it breaks.
struct Supervisor {
    connector: Connector,
    state: watch::Sender<ConnectionState>,
    address: Arc<str>,
}

impl Supervisor {
    async fn run(self, mut connected: Connected, mut suspected: mpsc::Receiver<Arc<str>>) {
        let mut backoff = Backoff::default();
        loop {
            let connected_at = Instant::now();
            let cause = tokio::select! {
                cause = connected.driver.ended() => cause,
                Some(cause) = suspected.recv() => cause,
                cause = self.connector.check_repeatedly(&connected.client) => cause,
                () = self.state.closed() => return,
            };
            // A connection that breaks at once does not reset the backoff.
            if connected_at.elapsed() > HEALTH_CHECK_INTERVAL {
                backoff = Backoff::default();
            }
            self.set_down(&cause);
            drop(connected);
            connected = tokio::select! {
                connected = self.reconnect(&mut backoff) => connected,
                () = self.state.closed() => return,
            };
            let active;
            (active, suspected) = ActiveClient::of(&connected);
            tracing::info!(redis = %self.address, "reconnected");
            self.state.send_replace(ConnectionState::Up(active));
        }
    }

    fn set_down(&self, cause: &Arc<str>) {
        tracing::warn!(redis = %self.address, %cause, "connection lost");
        let down = ConnectionState::Down { since: Instant::now(), cause: cause.clone() };
        if let ConnectionState::Up(active) = self.state.send_replace(down) {
            active.ended.cancel();
        }
    }

    /// Connects, however long it takes.
    async fn reconnect(&self, backoff: &mut Backoff) -> Connected {
        loop {
            sleep(backoff.next_pause()).await;
            match self.connector.connect().await {
                Ok(connected) => return connected,
                Err(failure) => {
                    tracing::debug!(redis = %self.address, cause = %failure, "cannot connect");
                    self.state.send_modify(|state| {
                        if let ConnectionState::Down { cause, .. } = state {
                            *cause = failure;
                        }
                    });
                }
            }
        }
    }
}

/// Pauses between attempts to connect: none before the first, then longer and longer, and random, so that processes
/// do not all return at once.
#[derive(Default)]
struct Backoff(Duration);

impl Backoff {
    fn next_pause(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (2 * pause).clamp(RECONNECT_BACKOFF.0, RECONNECT_BACKOFF.1);
        let random = RandomState::new().build_hasher().finish() % 512;
        // Between three and five quarters of it.
        pause * (768 + u32::try_from(random).unwrap_or_default()) / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnect_backoff_doubles_up_to_its_bound() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_pause(), Duration::ZERO);
        for millis in [50, 100, 200, 400, 800, 1_000, 1_000] {
            let (pause, full) = (backoff.next_pause(), Duration::from_millis(millis));
            assert!(pause >= full * 3 / 4 && pause < full * 5 / 4, "{pause:?} for {full:?}");
        }
    }
}

//! A connection that is made again whenever it breaks.
//!
//! The client library can do so itself, but not safely for us: it sends commands again that were under way, it takes
//! a connection that only swallows for a good one while something is written to it, and some errors end it for good.
//! So a client lives as long as its connection, and never sends anything twice.

use std::{
    collections::hash_map::RandomState,
    future::Future,
    hash::{BuildHasher as _, Hasher as _},
    sync::Arc,
    time::{Duration, Instant},
};

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
use circles_store::Error;

/// How long a command may take. Nothing that a shard does at once takes as long.
pub const COMMAND: Duration = Duration::from_secs(3);
/// How long it may take to connect, to all nodes of a cluster.
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long who has something to send waits for a connection that broke just now.
pub const GRACE: Duration = Duration::from_millis(300);
/// How often it is looked whether a connection still answers.
pub const BEAT: Duration = Duration::from_secs(1);
/// Between attempts to connect: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What a connection needs before it is of use, and how it shows that it still is.
pub trait Use: Send + Sync + 'static {
    /// Returns once it is of use.
    fn begin<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>>;

    /// Asks whether it still is.
    fn beat<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>>;
}

/// Whether there is a connection.
#[derive(Clone)]
pub enum State {
    Up(Live),
    Down { since: Instant, cause: Arc<str> },
}

/// A connection.
#[derive(Clone)]
pub struct Live {
    pub client: Client,
    ended: CancellationToken,
    doubts: mpsc::Sender<Arc<str>>,
}

/// A connection that is made again whenever it breaks, until this is closed or dropped.
#[derive(Clone)]
pub struct Line {
    pub state: watch::Receiver<State>,
    address: Arc<str>,
    closing: CancellationToken,
}

impl Line {
    /// Connects for the first time, or says why it cannot.
    pub async fn open(address: Arc<str>, builder: Builder, purpose: Arc<dyn Use>) -> Result<Self, Error> {
        let maker = Maker { builder, purpose };
        let made = maker.attempt().await.map_err(|cause| unavailable(&address, &cause))?;
        let (live, doubted) = Live::of(&made);
        let (sender, state) = watch::channel(State::Up(live));
        let closing = CancellationToken::new();
        let keeper = Keeper { maker, state: sender, address: address.clone() };
        tokio::spawn(closing.clone().run_until_cancelled_owned(keeper.keep(made, doubted)));
        Ok(Self { state, address, closing })
    }

    /// Ends the connection for good.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Sends a command, once.
    pub async fn send<R, F>(&self, command: impl FnOnce(Client) -> F) -> Result<R, Failed>
    where
        F: Future<Output = Result<R, RedisError>>,
    {
        let live = self.live().await?;
        let answer = tokio::select! {
            biased;
            answer = command(live.client.clone()) => answer,
            () = live.ended.cancelled() => Err(RedisError::new(ErrorKind::IO, "the connection broke")),
        };
        answer.map_err(|error| {
            if ends_connection(&error) {
                live.doubt(&error);
            }
            Failed::Answered { address: self.address.clone(), error }
        })
    }

    /// The connection that there is, or is again in a moment.
    async fn live(&self) -> Result<Live, Failed> {
        let away = |cause: &Arc<str>| Failed::Away { address: self.address.clone(), cause: cause.clone() };
        let until = match &*self.state.borrow() {
            State::Up(live) => return Ok(live.clone()),
            State::Down { since, cause } if since.elapsed() >= GRACE => return Err(away(cause)),
            State::Down { since, .. } => *since + GRACE,
        };
        let mut state = self.state.clone();
        let up = state.wait_for(|state| matches!(state, State::Up(_)));
        // It must not be held while we look again.
        let _ = timeout_at(until.into(), async { up.await.is_ok() }).await;
        match &*self.state.borrow() {
            State::Up(live) => Ok(live.clone()),
            State::Down { cause, .. } => Err(away(cause)),
        }
    }
}

/// Why a command has no result.
#[derive(Debug)]
pub enum Failed {
    /// It was not sent.
    Away { address: Arc<str>, cause: Arc<str> },
    /// It was refused; or was sent, and nobody knows what came of it.
    Answered { address: Arc<str>, error: RedisError },
}

impl Failed {
    /// Whether it certainly did nothing, and may do better in a moment.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Away { .. } => false,
            Self::Answered { error, .. } => is_passing(error),
        }
    }

    /// Whether this is how Redis answers who names a script that it does not know.
    pub fn is_unknown_script(&self) -> bool {
        matches!(self, Self::Answered { error, .. } if error.details().starts_with("NOSCRIPT"))
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Away { address, cause } => unavailable(&address, &cause),
            Failed::Answered { address, error } if error.details().starts_with("OOM") => {
                Self::StorageFull(format!("{address}: {}", cause_of(&error)).into())
            }
            Failed::Answered { address, error } => unavailable(&address, &cause_of(&error)),
        }
    }
}

fn unavailable(address: &str, cause: &str) -> Error {
    Error::Unavailable(format!("{address}: {cause}").into())
}

/// A slot that moves to another node is served by neither for a moment: who follows it too early would find, and
/// leave, half of it.
fn is_passing(error: &RedisError) -> bool {
    let said = error.details();
    said.starts_with("Too many redirections") || said.starts_with("TRYAGAIN") || said.starts_with("LOADING")
}

/// Whether the connection is not, or no more, one to a Redis that does its work: there may be another in its place.
fn ends_connection(error: &RedisError) -> bool {
    let said = error.details();
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Protocol | ErrorKind::Parse)
        || ["READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "NOAUTH"]
            .iter()
            .any(|refusal| said.starts_with(refusal))
}

impl Live {
    fn of(made: &Made) -> (Self, mpsc::Receiver<Arc<str>>) {
        let (doubts, doubted) = mpsc::channel(1);
        (Self { client: made.client.clone(), ended: CancellationToken::new(), doubts }, doubted)
    }

    /// It is better made anew.
    fn doubt(&self, error: &RedisError) {
        // One doubt is enough.
        let _ = self.doubts.try_send(cause_of(error));
    }
}

/// A connection and what drives it.
struct Made {
    client: Client,
    driver: Driver,
}

/// Ends with its value.
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
            Ok(Ok(())) | Err(_) => "the connection ended".into(),
        }
    }
}

struct Maker {
    builder: Builder,
    purpose: Arc<dyn Use>,
}

impl Maker {
    async fn attempt(&self) -> Result<Made, Arc<str>> {
        let client = self.builder.build().map_err(|error| cause_of(&error))?;
        let mut driver = Driver(client.connect());
        let first = Options { timeout: Some(ATTEMPT), ..Options::default() };
        let begun = async {
            // Answered once there is a connection.
            client.with_options(&first).ping::<()>(None).await?;
            self.purpose.begin(&client).await
        };
        let failed = tokio::select! {
            biased;
            cause = driver.ended() => cause,
            begun = timeout(ATTEMPT, begun) => match begun {
                Ok(Ok(())) => return Ok(Made { client, driver }),
                Ok(Err(error)) => cause_of(&error),
                Err(_) => "no answer".into(),
            },
        };
        Err(failed)
    }

    /// Returns why the connection is of no use any more.
    async fn beats(&self, client: &Client) -> Arc<str> {
        loop {
            sleep(BEAT).await;
            if let Err(error) = self.purpose.beat(client).await {
                return cause_of(&error);
            }
        }
    }
}

struct Keeper {
    maker: Maker,
    state: watch::Sender<State>,
    address: Arc<str>,
}

impl Keeper {
    async fn keep(self, mut made: Made, mut doubted: mpsc::Receiver<Arc<str>>) {
        let mut pauses = Pauses::default();
        loop {
            let begun = Instant::now();
            let cause = tokio::select! {
                cause = made.driver.ended() => cause,
                Some(cause) = doubted.recv() => cause,
                cause = self.maker.beats(&made.client) => cause,
                () = self.state.closed() => return,
            };
            // One that breaks as soon as it is made is like none.
            if begun.elapsed() > BEAT {
                pauses = Pauses::default();
            }
            self.down(&cause);
            drop(made);
            made = tokio::select! {
                made = self.again(&mut pauses) => made,
                () = self.state.closed() => return,
            };
            let live;
            (live, doubted) = Live::of(&made);
            tracing::info!(redis = %self.address, "connected again");
            self.state.send_replace(State::Up(live));
        }
    }

    fn down(&self, cause: &Arc<str>) {
        tracing::warn!(redis = %self.address, %cause, "the connection broke");
        let down = State::Down { since: Instant::now(), cause: cause.clone() };
        if let State::Up(live) = self.state.send_replace(down) {
            live.ended.cancel();
        }
    }

    /// Connects, however long it takes.
    async fn again(&self, pauses: &mut Pauses) -> Made {
        loop {
            sleep(pauses.next()).await;
            match self.maker.attempt().await {
                Ok(made) => return made,
                Err(now) => {
                    tracing::debug!(redis = %self.address, cause = %now, "cannot connect");
                    self.state.send_modify(|state| {
                        if let State::Down { cause, .. } = state {
                            *cause = now;
                        }
                    });
                }
            }
        }
    }
}

/// Between attempts: none before the first, then longer and longer, and never the same for two processes.
#[derive(Default)]
struct Pauses(Duration);

impl Pauses {
    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (2 * pause).clamp(BACK_OFF.0, BACK_OFF.1);
        let random = RandomState::new().build_hasher().finish() % 512;
        // Between three and five quarters of it.
        pause * (768 + u32::try_from(random).unwrap_or_default()) / 1024
    }
}

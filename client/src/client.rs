use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use circles_api::{
    CirclesClient as _, Fault, ProvenanceParams, TasksParams,
    types::{Document, Identity, Library, TaskId},
};
use circles_auth::{PublicKey, SecretKey};
use futures_timer::Delay;
use futures_util::{FutureExt as _, future::Shared};
use jsonrpsee::core::client::{Client as RpcClient, Error as RpcError};

use crate::{
    call::{BoxFuture, Call, boxed},
    connect::{Target, within},
    error::Error,
    play::{Play, Source, Submission},
    task::{RecordList, TaskList, TaskLookup, TaskRequest},
    watch::{TaskWatch, Watch, WatchTaskRequest},
};

/// Wait before the second attempt to reconnect. Each further wait is twice as long, up to [`MAX_BACKOFF`].
const INITIAL_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// A connection to one circle. It is cheap to clone, and clones share the connection.
#[derive(Clone)]
pub struct Client {
    shared: Arc<ClientState>,
}

struct ClientState {
    target: Target,
    reconnects: u32,
    /// All callers await the same attempt.
    current: Mutex<ConnectionAttempt>,
    /// Held during a renewed login on a connection whose session has ended.
    renewal: futures_util::lock::Mutex<()>,
    /// Number of renewed logins, failed ones included.
    renewals: AtomicU64,
}

/// A connection, established or under way.
#[derive(Clone)]
struct ConnectionAttempt {
    number: u64,
    connection: Shared<BoxFuture<'static, Result<Arc<RpcClient>, Error>>>,
}

/// Configures and connects a [`Client`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct Builder {
    url: String,
    circle: Option<PublicKey>,
    key: Option<SecretKey>,
    timeout: Duration,
    reconnects: u32,
}

impl Builder {
    /// Enters this circle. Its key becomes the URL's path, or must equal it, and challenges must name it.
    pub const fn circle(mut self, circle: PublicKey) -> Self {
        self.circle = Some(circle);
        self
    }

    /// Logs in with this key. Without a key the client is anonymous.
    pub fn key(mut self, key: SecretKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets how long to wait for a connection, a login or an answer; 30 s by default. It is also the deadline of a
    /// play without one of its own, so that no play outlives the wait for its result.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the number of attempts to reconnect after a lost connection, with growing waits; 5 by default.
    pub const fn reconnects(mut self, reconnects: u32) -> Self {
        self.reconnects = reconnects;
        self
    }

    /// Connects and logs in. The first connection is attempted once.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] if the URL is invalid, and any error of connecting and logging in.
    pub async fn connect(self) -> Result<Client, Error> {
        let target = Target::new(&self.url, self.circle, self.key, self.timeout)?;
        let rpc = target.connect().await?;
        let first = ConnectionAttempt { number: 0, connection: boxed(async move { Ok(rpc) }).shared() };
        let state = ClientState {
            target,
            reconnects: self.reconnects,
            current: Mutex::new(first),
            renewal: futures_util::lock::Mutex::default(),
            renewals: AtomicU64::new(0),
        };
        Ok(Client { shared: Arc::new(state) })
    }
}

impl Client {
    /// Configures a client of the server at `url`: `ws://host:port`, optionally with a circle's public key as the path.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder { url: url.into(), circle: None, key: None, timeout: Duration::from_secs(30), reconnects: 5 }
    }

    /// Plays a script and returns its result.
    pub fn play(&self, script: impl Into<String>) -> Play<'_> {
        Call::new(self, Source::script(script).map(Into::into))
    }

    /// Runs a script of the circle's library by its name and returns its result.
    pub fn run(&self, name: impl Into<String>) -> Play<'_> {
        Call::new(self, Source::name(name).map(Into::into))
    }

    /// Submits a script and returns the task's id. The task runs even if this client disconnects.
    pub fn submit(&self, script: impl Into<String>) -> Submission<'_> {
        Call::new(self, Source::script(script).map(Into::into))
    }

    /// Submits a script of the circle's library, as [`submit`](Self::submit) does a script's text.
    pub fn submit_run(&self, name: impl Into<String>) -> Submission<'_> {
        Call::new(self, Source::name(name).map(Into::into))
    }

    /// Returns a task's state, times and outcome; with [`wait`](TaskLookup::wait), once it has ended.
    pub const fn task(&self, id: TaskId) -> TaskLookup<'_> {
        Call::new(self, Ok(TaskRequest::new(id)))
    }

    /// Lists the caller's tasks, or all tasks for the circle's owner: a page at a time, the newest first.
    pub const fn tasks(&self) -> TaskList<'_> {
        Call::new(self, Ok(TasksParams { state: None, limit: None, cursor: None }))
    }

    /// Cancels a task and returns whether this call ended it. A call that the client repeats after a lost connection
    /// may return false although its first attempt ended the task.
    pub async fn cancel(&self, id: TaskId) -> Result<bool, Error> {
        let answer = self.call(self.timeout(), true, |rpc| {
            let id = id.clone();
            async move { rpc.cancel(id).await }
        });
        answer.await.map(|answer| answer.cancelled)
    }

    /// Lists the scripts of the circle's library.
    pub async fn scripts(&self) -> Result<Library, Error> {
        self.call(self.timeout(), true, |rpc| async move { rpc.scripts().await }).await
    }

    /// Lists the circle's sealed records of plays, for its owner: a page at a time, the oldest first. A
    /// [`Verifier`](crate::provenance::Verifier) checks them.
    pub const fn provenance(&self) -> RecordList<'_> {
        Call::new(self, Ok(ProvenanceParams { after: None, limit: None }))
    }

    /// Plays a script and returns the stream of its events.
    ///
    /// ```no_run
    /// # async fn example(circle: circles_client::Client) -> Result<(), circles_client::Error> {
    /// use circles_client::types::PlayEvent;
    /// use futures_util::TryStreamExt;
    ///
    /// let mut events = circle.watch("for n in 0..3 { print(n) }").await?;
    /// while let Some(event) = events.try_next().await? {
    ///     if let PlayEvent::Logged { line } = event {
    ///         println!("{}", line.text);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self, script: impl Into<String>) -> Watch<'_> {
        Call::new(self, Source::script(script).map(Into::into))
    }

    /// Runs a script of the circle's library and returns the stream of its events.
    pub fn watch_library(&self, name: impl Into<String>) -> Watch<'_> {
        Call::new(self, Source::name(name).map(Into::into))
    }

    /// Returns the stream of a task's events. Options such as `args` do not apply to a task that exists already.
    pub const fn watch_task(&self, task: TaskId) -> TaskWatch<'_> {
        Call::new(self, Ok(WatchTaskRequest(task)))
    }

    /// Returns the circle of the connection and the identity of the caller.
    pub async fn whoami(&self) -> Result<Identity, Error> {
        self.call(self.timeout(), true, |rpc| async move { rpc.whoami().await }).await
    }

    /// Returns the server's OpenRPC document.
    pub async fn discover(&self) -> Result<Document, Error> {
        self.call(self.timeout(), true, |rpc| async move { rpc.rpc_discover().await }).await
    }

    /// Returns the connection itself, for the generated stubs of [`CirclesClient`](crate::CirclesClient). Calls on it
    /// are neither repeated nor limited in time.
    pub async fn rpc(&self) -> Result<Arc<RpcClient>, Error> {
        self.connection().await.map(|(_, rpc)| rpc)
    }

    /// Returns how long to wait for an answer.
    pub(crate) fn timeout(&self) -> Duration {
        self.shared.target.timeout()
    }

    /// Sends a call; `limit` bounds all attempts together. The client repeats a call if the connection breaks and the
    /// call is repeatable, or if the server answers that the session has ended: then the call did not run.
    pub(crate) async fn call<T, F: Future<Output = Result<T, RpcError>>>(
        &self,
        limit: Duration,
        repeatable: bool,
        send: impl Fn(Arc<RpcClient>) -> F,
    ) -> Result<T, Error> {
        let attempts = async {
            let (mut breaks, mut logins) = (0, 0);
            loop {
                let renewals = self.shared.renewals.load(Ordering::Acquire);
                let (number, rpc) = self.connection().await?;
                match send(rpc.clone()).await.map_err(Error::from_rpc) {
                    Err(Error::ConnectionLost) if repeatable && breaks < self.shared.reconnects => {
                        breaks += 1;
                        self.replace_attempt(number);
                    }
                    Err(Error::Call(error)) if self.may_log_in_again(&error) && logins == 0 => {
                        logins += 1;
                        self.renew(&rpc, renewals).await?;
                    }
                    answer => return answer,
                }
            }
        };
        within(limit, attempts).await?
    }

    /// Logs in again, unless another call has done so since `renewals` was read. Two logins at a time would spend each
    /// other's nonces, and the server closes a connection after five failures.
    async fn renew(&self, rpc: &RpcClient, renewals: u64) -> Result<(), Error> {
        let _guard = self.shared.renewal.lock().await;
        // A new connection has logged in already.
        if self.shared.renewals.load(Ordering::Acquire) != renewals || !rpc.is_connected() {
            return Ok(());
        }
        let renewed = self.shared.target.log_in(rpc).await;
        self.shared.renewals.fetch_add(1, Ordering::Release);
        renewed
    }

    fn may_log_in_again(&self, error: &circles_api::Error) -> bool {
        self.shared.target.key().is_some() && error.fault() == Some(&Fault::Unauthenticated)
    }

    /// Returns the connection, established or under way, after replacing a broken one.
    async fn connection(&self) -> Result<(u64, Arc<RpcClient>), Error> {
        let current = self.current().clone();
        match current.connection.clone().await {
            Ok(rpc) if rpc.is_connected() => return Ok((current.number, rpc)),
            _ => self.replace_attempt(current.number),
        }
        let next = self.current().clone();
        next.connection.clone().await.map(|rpc| (next.number, rpc))
    }

    /// Starts a new attempt in place of attempt `number`, unless another call has done so already.
    fn replace_attempt(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            let (target, attempts) = (self.shared.target.clone(), self.shared.reconnects);
            let connection = boxed(async move { reconnect(&target, attempts).await }).shared();
            *current = ConnectionAttempt { number: number + 1, connection };
        }
    }

    /// No code that can panic runs under the lock, so its data is consistent even if it is poisoned.
    fn current(&self) -> MutexGuard<'_, ConnectionAttempt> {
        self.shared.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects. Repeats a failed attempt, with backoff, unless the failure is final or the attempts are used up.
async fn reconnect(target: &Target, attempts: u32) -> Result<Arc<RpcClient>, Error> {
    let mut backoff = INITIAL_BACKOFF;
    let mut failed = 0;
    loop {
        match target.connect().await {
            Err(error @ (Error::Connect { .. } | Error::Timeout(_) | Error::ConnectionLost)) => {
                failed += 1;
                if failed >= attempts {
                    return Err(error);
                }
                tracing::debug!(%error, ?backoff, "cannot connect, retrying");
                Delay::new(with_jitter(backoff)).await;
                backoff = (backoff * 2).min(MAX_BACKOFF);
            }
            result => return result,
        }
    }
}

/// Returns 50 % to 100 % of a wait, so that the clients of a restarted server do not all reconnect at once.
fn with_jitter(backoff: Duration) -> Duration {
    let mut byte = [0];
    let part = if getrandom::fill(&mut byte).is_ok() { u32::from(byte[0]) } else { 255 };
    backoff / 2 + backoff / 2 * part / 255
}

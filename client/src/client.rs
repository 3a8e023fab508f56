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
    call::{Boxed, Call, boxed},
    connect::{Target, within},
    error::Error,
    play::{Play, Source, Submission},
    task::{Lookup, RecordList, TaskList, TaskLookup},
};

/// The first pause before connecting again; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A connection to one circle. Cheap to clone; clones share the connection, and callers may share a client.
#[derive(Clone)]
pub struct Client {
    shared: Arc<ClientState>,
}

struct ClientState {
    target: Target,
    reconnects: u32,
    /// The connection, or the one attempt at it that all callers await.
    current: Mutex<Attempt>,
    /// Held by the one caller that logs in again on a connection whose session has ended.
    renewal: futures_util::lock::Mutex<()>,
    /// How often somebody has, with or without success.
    renewals: AtomicU64,
}

#[derive(Clone)]
struct Attempt {
    number: u64,
    connection: Shared<Boxed<'static, Result<Arc<RpcClient>, Error>>>,
}

/// What a client is to be like.
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
    /// Enters this circle: its key is added to the URL, or checked against it, and challenges must name it.
    pub const fn circle(mut self, circle: PublicKey) -> Self {
        self.circle = Some(circle);
        self
    }

    /// Logs in with this key. Without one the client is nobody in particular.
    pub fn key(mut self, key: SecretKey) -> Self {
        self.key = Some(key);
        self
    }

    /// How long to wait for a connection, a login or an answer; 30 s by default. It is also the deadline of a
    /// play that is given none of its own, so that none runs on when nobody waits any more.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often to try to connect again when the connection is lost, with growing pauses; 5 by default.
    pub const fn reconnects(mut self, reconnects: u32) -> Self {
        self.reconnects = reconnects;
        self
    }

    /// Connects and logs in. The first connection is tried once.
    pub async fn connect(self) -> Result<Client, Error> {
        let target = Target::new(&self.url, self.circle, self.key, self.timeout)?;
        let rpc = target.connect().await?;
        let first = Attempt { number: 0, connection: boxed(async move { Ok(rpc) }).shared() };
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
    /// Starts to describe a client of the server at `url`: `ws://host:port`, with a circle as its path or none.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder { url: url.into(), circle: None, key: None, timeout: Duration::from_secs(30), reconnects: 5 }
    }

    /// Plays a script; awaited, it brings what the script leaves.
    pub fn play(&self, script: impl Into<String>) -> Play<'_> {
        Call::new(self, Source::of_script(script).map(Into::into))
    }

    /// Plays a script of the circle's library by its name; awaited, it brings what the script leaves.
    pub fn run(&self, name: impl Into<String>) -> Play<'_> {
        Call::new(self, Source::of_name(name).map(Into::into))
    }

    /// Hands over a script to be played whatever becomes of this client; awaited, it brings the task's id.
    pub fn submit(&self, script: impl Into<String>) -> Submission<'_> {
        Call::new(self, Source::of_script(script).map(Into::into))
    }

    /// As [`submit`](Self::submit), with a script of the circle's library.
    pub fn submit_run(&self, name: impl Into<String>) -> Submission<'_> {
        Call::new(self, Source::of_name(name).map(Into::into))
    }

    /// What is known of a task; with [`wait`](TaskLookup::wait), when it has ended.
    pub const fn task(&self, id: TaskId) -> TaskLookup<'_> {
        Call::new(self, Ok(Lookup::new(id)))
    }

    /// The caller's tasks, for the circle's owner everybody's: a page at a time, the newest first.
    pub const fn tasks(&self) -> TaskList<'_> {
        Call::new(self, Ok(TasksParams { state: None, limit: None, cursor: None }))
    }

    /// Ends a task that has not ended yet; tells whether this call did. One that had to be repeated because the
    /// connection broke may say no of a task that its first try ended.
    pub async fn cancel(&self, id: TaskId) -> Result<bool, Error> {
        let answer = self.call(self.timeout(), true, |rpc| {
            let id = id.clone();
            async move { rpc.cancel(id).await }
        });
        answer.await.map(|answer| answer.cancelled)
    }

    /// The scripts of the circle's library.
    pub async fn scripts(&self) -> Result<Library, Error> {
        self.call(self.timeout(), true, |rpc| async move { rpc.scripts().await }).await
    }

    /// The circle's sealed records of plays, for its owner: a page at a time, the oldest first. A
    /// [`Verifier`](crate::provenance::Verifier) checks them.
    pub const fn provenance(&self) -> RecordList<'_> {
        Call::new(self, Ok(ProvenanceParams { after: None, limit: None }))
    }

    /// In which circle this is, and as whom.
    pub async fn whoami(&self) -> Result<Identity, Error> {
        self.call(self.timeout(), true, |rpc| async move { rpc.whoami().await }).await
    }

    /// The server's OpenRPC document.
    pub async fn discover(&self) -> Result<Document, Error> {
        self.call(self.timeout(), true, |rpc| async move { rpc.rpc_discover().await }).await
    }

    /// The connection itself, for the generated stubs of [`CirclesClient`](crate::CirclesClient). What is
    /// called on it is neither repeated nor limited in time.
    pub async fn rpc(&self) -> Result<Arc<RpcClient>, Error> {
        self.connection().await.map(|(_, rpc)| rpc)
    }

    /// How long to wait for an answer.
    pub(crate) fn timeout(&self) -> Duration {
        self.shared.target.timeout()
    }

    /// Sends a call, within a time limit over everything. It is sent again if the connection breaks and it may
    /// be repeated, or if the server says that the session has ended, in which case it did not run.
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
                match send(rpc.clone()).await.map_err(Error::of_call) {
                    Err(Error::ConnectionLost) if repeatable && breaks < self.shared.reconnects => {
                        breaks += 1;
                        self.forget(number);
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

    /// Logs in again, unless somebody has done so since `renewals` was read. Two logins at a time would spend
    /// each other's nonces, and five that fail close the connection.
    async fn renew(&self, rpc: &RpcClient, renewals: u64) -> Result<(), Error> {
        let _one_at_a_time = self.shared.renewal.lock().await;
        // A new connection is logged in already.
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

    /// The connection that there is, or the one that is being made; a broken one is replaced first.
    async fn connection(&self) -> Result<(u64, Arc<RpcClient>), Error> {
        let current = self.current().clone();
        match current.connection.clone().await {
            Ok(rpc) if rpc.is_connected() => return Ok((current.number, rpc)),
            _ => self.forget(current.number),
        }
        let next = self.current().clone();
        next.connection.clone().await.map(|rpc| (next.number, rpc))
    }

    /// Puts a new attempt in place of attempt `number`, unless somebody has done so already.
    fn forget(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            let (target, tries) = (self.shared.target.clone(), self.shared.reconnects);
            let connection = boxed(async move { reconnect(&target, tries).await }).shared();
            *current = Attempt { number: number + 1, connection };
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn current(&self) -> MutexGuard<'_, Attempt> {
        self.shared.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries to connect until it succeeds, trying is of no use, or the tries are used up.
async fn reconnect(target: &Target, tries: u32) -> Result<Arc<RpcClient>, Error> {
    let mut pause = FIRST_PAUSE;
    let mut tried = 0;
    loop {
        match target.connect().await {
            Err(error @ (Error::Connect { .. } | Error::Timeout(_) | Error::ConnectionLost)) => {
                tried += 1;
                if tried >= tries {
                    return Err(error);
                }
                tracing::debug!(%error, ?pause, "connecting again after a pause");
                Delay::new(jittered(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            done => return done,
        }
    }
}

/// Between half of a pause and all of it, so that the clients of a server that restarts do not come at once.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes all of them wait for the whole pause.
    let part = if getrandom::fill(&mut byte).is_ok() { u32::from(byte[0]) } else { 255 };
    pause / 2 + pause / 2 * part / 255
}

use std::{fs::File, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use circles_auth::PublicKey;
use circles_store::Store;
use futures_util::future::join_all;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use jsonrpsee::Methods;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{
    auth::{Audience, Origins, dialled},
    circles::{Circle, Circles},
    connections::Connections,
    dispatch::Dispatch,
    http::{self, Socket},
    rpc::{self, Limits},
};

/// How long the answers of calls may take that are ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often the log tells of connections that were turned away.
const REPORT: Duration = Duration::from_secs(10);
/// How long to wait before connections are accepted again, after one could not be.
const PAUSE: Duration = Duration::from_millis(50);
/// What a connection is told for which there is no place.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What a server serves, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The circles, at least one; `/` leads to the first of those that share a listener.
    pub circles: Vec<Circle>,
    /// Whether methods marked `x-auth: session` need a session.
    pub auth: bool,
    /// How the server is called from outside.
    pub audience: Audience,
    /// Which web pages may connect.
    pub origins: Origins,
    /// How long a session lasts at most.
    pub session_ttl: Duration,
    /// How long a play lasts at most, from acceptance.
    pub task_timeout: Duration,
    /// How long a submitted task lasts at most, from acceptance.
    pub submit_timeout: Duration,
    /// What one client may ask for.
    pub limits: Limits,
}

impl Settings {
    /// Settings for these circles with everything else as `circles-server` has it without flags: anybody may play, from
    /// web pages of this machine too.
    pub fn of(circles: impl IntoIterator<Item = Circle>) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            circles: circles.into_iter().collect(),
            auth: false,
            audience: Audience::default(),
            origins: Origins::default(),
            session_ttl: DAY,
            task_timeout: Duration::from_secs(30),
            submit_timeout: DAY,
            limits: Limits::default(),
        }
    }
}

/// Why a server was not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The settings name no circle.
    #[error("no circle to serve")]
    NoCircle,
    /// An address could not be had.
    #[error("{address}: {cause}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The circle that wants it for its own; without it, it is the shared one.
        circle: Option<PublicKey>,
        /// What the system says.
        cause: io::Error,
    },
}

/// A server that is bound to its addresses and not yet serving.
pub struct Server {
    listeners: Vec<Listener>,
    /// Each circle and its listener, in the order of the settings.
    circles: Vec<(PublicKey, SocketAddr)>,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// One address and the circles behind it.
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// The port that its circles asked for; none if it is the shared one.
    port: Option<u16>,
    circles: Circles,
}

/// What all listeners do with a connection.
struct Accept {
    limits: Limits,
    connections: Arc<Connections>,
    requests: TaskTracker,
    router: Router,
    shutdown: CancellationToken,
}

/// What all connections share.
pub struct Shared {
    pub(crate) settings: Settings,
    pub(crate) methods: Methods,
    pub(crate) store: Arc<dyn Store>,
    /// Counts WebSockets that are open.
    pub(crate) connections: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    /// Tells calls that still wait that nobody does any more.
    over: CancellationToken,
}

impl Server {
    /// Binds `address` for the circles that have no port of their own, and the same host at each port that
    /// circles have; a port that nobody wants is not bound. Port 0 picks a free one. Plays will go to `store`.
    pub async fn bind(
        address: SocketAddr,
        settings: Settings,
        store: Arc<dyn Store>,
    ) -> Result<Self, BindError> {
        let mut listeners: Vec<Listener> = Vec::new();
        let mut circles = Vec::with_capacity(settings.circles.len());
        for Circle { key, port, .. } in &settings.circles {
            // Who asks for the shared port shares it; who asks for a free one gets one of its own.
            let port = port.filter(|port| *port == 0 || *port != address.port());
            let bound = listeners.iter_mut().find(|bound| bound.port == port && port != Some(0));
            let at = match bound {
                Some(listener) => {
                    listener.circles.add(*key);
                    listener.address
                }
                None => {
                    let listener = Listener::bind(address, port, *key).await?;
                    listeners.push(listener);
                    listeners.last().map_or(address, |listener| listener.address)
                }
            };
            circles.push((*key, at));
        }
        let shared_listener = listeners.iter().find(|listener| listener.port.is_none());
        let Some(address) = shared_listener.or(listeners.first()).map(|listener| listener.address) else {
            return Err(BindError::NoCircle);
        };
        let over = CancellationToken::new();
        let dispatch = Dispatch::new(store.clone(), &settings, over.clone());
        let shared = Shared {
            methods: rpc::methods(dispatch),
            store,
            over,
            connections: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            settings,
        };
        Ok(Self { listeners, circles, address, shared: Arc::new(shared) })
    }

    /// The address of the shared listener; if there is none, of the first circle.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Each circle with the URL at which it is reached, from this machine if no public one is known.
    pub fn addresses(&self) -> Vec<(PublicKey, String)> {
        let url = |(circle, address): &(PublicKey, SocketAddr)| {
            (*circle, format!("{}/{circle}", self.shared.settings.audience.of(None, dialled(*address))))
        };
        self.circles.iter().map(url).collect()
    }

    /// Serves until `shutdown`; then accepts nothing more, lets calls under way end within `grace`, answers the
    /// rest with an error, and returns when the last connection is gone, or a second later. Plays are drained by
    /// the store's owner, beside this.
    pub async fn serve(self, shutdown: CancellationToken, grace: Duration) {
        let limits = self.shared.settings.limits;
        let accept = Accept {
            limits,
            connections: Arc::new(Connections::new(&limits)),
            requests: TaskTracker::new(),
            router: http::router(self.shared.clone()),
            shutdown,
        };
        let listen = join_all(self.listeners.into_iter().map(|listener| listener.serve(&accept)));
        let report = async {
            loop {
                sleep(REPORT).await;
                accept.connections.report();
            }
        };
        tokio::select! {
            _ = listen => {}
            () = report => {}
        }
        accept.connections.report();
        self.shared.shutdown.cancel();
        accept.requests.close();
        self.shared.connections.close();
        let gone = async {
            accept.requests.wait().await;
            self.shared.connections.wait().await;
        };
        let mut gone = pin!(gone);
        if timeout(grace, &mut gone).await.is_ok() {
            return;
        }
        self.shared.over.cancel();
        if timeout(FAREWELL, gone).await.is_err() {
            tracing::warn!("connections were still open when the grace period ended");
        }
    }
}

impl Listener {
    /// Binds the shared address, or the same host at another port, for a first circle.
    async fn bind(mut address: SocketAddr, port: Option<u16>, first: PublicKey) -> Result<Self, BindError> {
        address.set_port(port.unwrap_or(address.port()));
        let bound = async {
            let socket = TcpListener::bind(address).await?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address, port, circles: Circles::new(first) })
        };
        let failed = |cause| BindError::Address { address, circle: port.map(|_| first), cause };
        bound.await.map_err(failed)
    }

    /// Takes connections until the shutdown, and serves each on a task of its own.
    async fn serve(self, accept: &Accept) {
        let circles = Arc::new(self.circles);
        let mut spare = Spare::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = accept.shutdown.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_out_of_files(&error) => {
                    accept.connections.is_out_of_files();
                    spare.refuse_one(&self.socket).await;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let Some(place) = accept.connections.admit(peer.ip()) else {
                // Best effort: whoever floods is not waited for.
                let _ = stream.try_write(NO_PLACE);
                continue;
            };
            let Ok(local) = stream.local_addr() else { continue };
            let socket = Socket { local, circles: circles.clone(), place: Arc::new(place) };
            let (router, shutdown) = (accept.router.clone(), accept.shutdown.clone());
            accept.requests.spawn(serve_http(stream, socket, router, accept.limits, shutdown));
        }
    }
}

/// A file descriptor kept for the time when there is no other: with it those who knock are told, and do not wait.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Refuses a connection that waits to be accepted, if the spare descriptor will do for it.
    async fn refuse_one(&mut self, socket: &TcpListener) {
        self.0 = None;
        if let Ok(Ok((stream, _))) = timeout(PAUSE, socket.accept()).await {
            let _ = stream.try_write(NO_PLACE);
        } else {
            // Those who hold the others need time to let go of them.
            sleep(PAUSE).await;
        }
        *self = Self::new();
    }
}

/// Whether this process, or the whole system, can open no more files.
pub fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

async fn serve_http(
    stream: TcpStream,
    socket: Socket,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    // Answers are written whole; waiting for company in the kernel would only delay them.
    let _ = stream.set_nodelay(true);
    // A client that reads nothing is dropped, be it in HTTP, where nothing else waits for it, or later.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    let cut = socket.place.cut().clone();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(socket.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = cut.cancelled() => return,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

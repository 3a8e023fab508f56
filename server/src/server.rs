use std::{fs::File, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use circles_auth::PublicKey;
use circles_store::Store;
use futures_util::future::join_all;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{
    auth::dialled,
    circles::Circles,
    connections::Connections,
    dispatch::Dispatch,
    error::is_out_of_files,
    http::{self, Shared, Socket},
    limits::Limits,
    rpc,
    settings::{Circle, Settings},
};

/// How long connections may take to send the errors of aborted calls.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the log reports refused connections.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// The pause after a connection could not be accepted.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);
/// The answer to a refused connection.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Why a server was not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The settings name no circle.
    #[error("no circle to serve")]
    NoCircle,
    /// An address could not be bound.
    #[error("{address}: {cause}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The circle whose own port it is; `None` for the shared address.
        circle: Option<PublicKey>,
        /// The operating system's error.
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
    /// Ends the wait of calls that have not ended with the grace period.
    abort: CancellationToken,
}

/// A socket and the circles that it serves.
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// The port in the settings of its circles; `None` for the shared listener.
    port: Option<u16>,
    circles: Circles,
}

/// The parts of a server that all listeners use.
struct Acceptor {
    limits: Limits,
    connections: Arc<Connections>,
    requests: TaskTracker,
    router: Router,
    shutdown: CancellationToken,
}

impl Server {
    /// Binds `address` for circles without a port of their own, if there are any, and the same host at each port of
    /// other circles. Port 0 picks a free one. Plays will go to `store`.
    ///
    /// # Errors
    ///
    /// Returns the first address that cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        settings: Settings,
        store: Arc<dyn Store>,
    ) -> Result<Self, BindError> {
        let mut listeners: Vec<Listener> = Vec::new();
        let mut circles = Vec::with_capacity(settings.circles.len());
        for Circle { key, port, .. } in &settings.circles {
            // A circle with the shared port shares its listener; one with port 0 gets a listener of its own.
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
        let abort = CancellationToken::new();
        let dispatch = Dispatch::new(store.clone(), &settings, abort.clone());
        let shared = Shared {
            methods: rpc::methods(dispatch),
            store,
            connections: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            settings,
        };
        Ok(Self { listeners, circles, address, shared: Arc::new(shared), abort })
    }

    /// Returns the address of the shared listener, or of the first circle if there is none.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns each circle with its URL: the public one, or one that this machine can dial.
    pub fn addresses(&self) -> Vec<(PublicKey, String)> {
        let url = |(circle, address): &(PublicKey, SocketAddr)| {
            (*circle, format!("{}/{circle}", self.shared.settings.audience.of(None, dialled(*address))))
        };
        self.circles.iter().map(url).collect()
    }

    /// Serves until `shutdown` is cancelled. Then it stops accepting connections, lets calls under way end within
    /// `grace`, answers the rest with an error, and returns when all connections are closed, or a second later. The
    /// store's owner drains plays meanwhile.
    pub async fn serve(self, shutdown: CancellationToken, grace: Duration) {
        let limits = self.shared.settings.limits;
        let acceptor = Acceptor {
            limits,
            connections: Arc::new(Connections::new(&limits)),
            requests: TaskTracker::new(),
            router: http::router(self.shared.clone()),
            shutdown,
        };
        let listen = join_all(self.listeners.into_iter().map(|listener| listener.serve(&acceptor)));
        let report = async {
            loop {
                sleep(REPORT_INTERVAL).await;
                acceptor.connections.report();
            }
        };
        tokio::select! {
            _ = listen => {}
            () = report => {}
        }
        acceptor.connections.report();
        self.shared.shutdown.cancel();
        acceptor.requests.close();
        self.shared.connections.close();
        let closed = async {
            acceptor.requests.wait().await;
            self.shared.connections.wait().await;
        };
        let mut closed = pin!(closed);
        if timeout(grace, &mut closed).await.is_ok() {
            return;
        }
        self.abort.cancel();
        if timeout(ABORT_TIMEOUT, closed).await.is_err() {
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

    /// Accepts connections until the shutdown, and serves each on a task of its own.
    async fn serve(self, acceptor: &Acceptor) {
        let circles = Arc::new(self.circles);
        let mut spare = SpareFile::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = acceptor.shutdown.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_out_of_files(&error) => {
                    acceptor.connections.count_out_of_files();
                    spare.refuse_one(&self.socket).await;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection");
                    sleep(ACCEPT_RETRY_DELAY).await;
                    continue;
                }
            };
            let Some(slot) = acceptor.connections.admit(peer.ip()) else {
                // Best effort, without waiting for a client that floods the server.
                let _ = stream.try_write(REFUSAL);
                continue;
            };
            let Ok(local) = stream.local_addr() else { continue };
            let socket = Socket { local, circles: circles.clone(), slot: Arc::new(slot) };
            let (router, shutdown) = (acceptor.router.clone(), acceptor.shutdown.clone());
            acceptor.requests.spawn(serve_http(stream, socket, router, acceptor.limits, shutdown));
        }
    }
}

/// A file descriptor in reserve, to refuse clients with an answer when there is no other descriptor left.
struct SpareFile(Option<File>);

impl SpareFile {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Accepts a waiting connection with the spare descriptor and refuses it.
    async fn refuse_one(&mut self, socket: &TcpListener) {
        self.0 = None;
        if let Ok(Ok((stream, _))) = timeout(ACCEPT_RETRY_DELAY, socket.accept()).await {
            let _ = stream.try_write(REFUSAL);
        } else {
            // Other connections need time to close their descriptors.
            sleep(ACCEPT_RETRY_DELAY).await;
        }
        *self = Self::new();
    }
}

async fn serve_http(
    stream: TcpStream,
    socket: Socket,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    // Answers are written whole, so Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    // Closes the connection of a client that does not read, also in HTTP, where no other timeout applies to writes.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    let evicted = socket.slot.evicted().clone();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(socket.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = evicted.cancelled() => return,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use circles_auth::PublicKey;
use circles_store::Store;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use jsonrpsee::Methods;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{
    auth::{Audience, Origins},
    dispatch::Dispatch,
    http::{self, Socket},
    rpc::{Limits, Rpc},
};
use circles_api::CirclesServer as _;

/// What a server serves, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The circles, at least one; `/` leads to the first.
    pub circles: Vec<PublicKey>,
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
    /// What one client may ask for.
    pub limits: Limits,
}

/// A server that is bound to its address and not yet serving.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections share.
pub struct Shared {
    pub(crate) settings: Settings,
    pub(crate) methods: Methods,
    /// Counts WebSockets that are open.
    pub(crate) connections: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    first_circle: PublicKey,
}

impl Server {
    /// Binds `address`; port 0 picks a free one. Plays will go to `store`. Settings without a circle are an
    /// error of kind `InvalidInput`.
    pub async fn bind(address: SocketAddr, settings: Settings, store: Arc<dyn Store>) -> io::Result<Self> {
        let Some(&first_circle) = settings.circles.first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no circle to serve"));
        };
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let dispatch = Dispatch::new(store, settings.task_timeout);
        let shared = Shared {
            methods: Rpc::new(dispatch).into_rpc().into(),
            connections: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            settings,
            first_circle,
        };
        Ok(Self { listener, address, shared: Arc::new(shared) })
    }

    /// The address that was bound.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Each circle with the URL at which it is reached.
    pub fn addresses(&self) -> Vec<(PublicKey, String)> {
        let base = self.shared.settings.audience.of(None, self.address);
        self.shared.settings.circles.iter().map(|circle| (*circle, format!("{base}/{circle}"))).collect()
    }

    /// Serves until `shutdown`; then accepts nothing more, lets calls under way end within `grace`, and
    /// returns when the last connection is gone. Plays are drained by the store's owner, beside this.
    pub async fn serve(self, shutdown: CancellationToken, grace: Duration) {
        let limits = self.shared.settings.limits;
        let slots = Arc::new(Semaphore::new(limits.connections));
        let requests = TaskTracker::new();
        let router = http::router(self.shared.clone());
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, mostly: give those who hold them time to let go.
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(permit) = slots.clone().try_acquire_owned() else {
                tracing::warn!(limit = limits.connections, "too many connections; one was refused");
                continue;
            };
            let Ok(local) = stream.local_addr() else { continue };
            let socket = Socket { local, permit: Arc::new(permit) };
            requests.spawn(serve_http(stream, socket, router.clone(), limits, shutdown.clone()));
        }
        drop(self.listener);
        self.shared.shutdown.cancel();
        requests.close();
        self.shared.connections.close();
        let gone = async {
            requests.wait().await;
            self.shared.connections.wait().await;
        };
        if timeout(grace, gone).await.is_err() {
            tracing::warn!("connections were still open when the grace period ended");
        }
    }
}

impl Shared {
    pub(crate) const fn first_circle(&self) -> PublicKey {
        self.first_circle
    }
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
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(socket.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

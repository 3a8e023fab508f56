//! HTTP routes, and the upgrade to a WebSocket.

use std::{fs::File, net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, Request, State, WebSocketUpgrade,
        ws::{Utf8Bytes, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use circles_auth::PublicKey;
use circles_store::Store;
use jsonrpsee::Methods;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{
    auth::{Session, Transport},
    circles::Circles,
    connection,
    connections::ConnectionSlot,
    error::is_out_of_files,
    message::error_text,
    respond::{BatchYields, respond},
    rpc::Handler,
    settings::Settings,
};

/// Bytes read from a socket at a time. Each read clears the buffer first, and each connection keeps one: the library's
/// 128 KiB took an eighth of the server's time under load. Longer messages take several reads.
const READ_BUFFER: usize = 8 << 10;

/// Bytes of answers collected before a write to the socket. A connection whose client does not read holds at least as
/// many.
const WRITE_BUFFER: usize = 16 << 10;

/// The state that all connections share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) methods: Methods,
    pub(crate) store: Arc<dyn Store>,
    /// Counts open WebSockets.
    pub(crate) connections: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

/// The socket of a request.
#[derive(Clone)]
pub(crate) struct Socket {
    /// The server's address of the connection.
    pub(crate) local: SocketAddr,
    /// The circles of its listener.
    pub(crate) circles: Arc<Circles>,
    /// The connection's slot, which its last user frees.
    pub(crate) slot: Arc<ConnectionSlot>,
}

/// Returns the routes of the server, as `docs/protocol.md` and `docs/operations.md` describe them.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let limits = shared.settings.limits;
    Router::new()
        .route("/", get(first_circle).post(post_first_circle))
        .route("/ws", get(first_circle))
        .route("/ws/", get(first_circle))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/openrpc.json", get(document))
        .route("/{circle}", get(named_circle).post(post_named_circle))
        .layer(DefaultBodyLimit::max(limits.message_bytes))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request_timeout))
        .layer(middleware::from_fn(require_host))
        .layer(CatchPanicLayer::new())
        .with_state(shared)
}

/// Refuses a request without exactly one `Host` header (RFC 9112, 3.2).
async fn require_host(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() > Version::HTTP_10) {
        return (StatusCode::BAD_REQUEST, "Send one Host header.\n").into_response();
    }
    next.run(request).await
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

async fn first_circle(
    State(shared): State<Arc<Shared>>,
    Extension(socket): Extension<Socket>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let circle = socket.circles.first();
    open_websocket(shared, circle, socket, &headers, upgrade)
}

async fn named_circle(
    State(shared): State<Arc<Shared>>,
    Extension(socket): Extension<Socket>,
    Path(circle): Path<String>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    match socket.circles.named(&circle) {
        Some(circle) => open_websocket(shared, circle, socket, &headers, upgrade),
        None => unknown_circle(),
    }
}

/// Opens a WebSocket in a circle if the request's origin may connect.
fn open_websocket(
    shared: Arc<Shared>,
    circle: PublicKey,
    socket: Socket,
    headers: &HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(_) if !headers.contains_key(header::UPGRADE) => {
            let text = "This is a circle: connect by WebSocket. The interface is at /openrpc.json.\n";
            return (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], text).into_response();
        }
        Err(WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_)) => {
            let head = [(header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_VERSION, "13")];
            return (StatusCode::UPGRADE_REQUIRED, head, "Speak version 13 of WebSocket.\n").into_response();
        }
        Err(rejection) => return rejection.into_response(),
    };
    let audience = audience(&shared, &socket, headers);
    if let Some(origin) = headers.get(header::ORIGIN)
        && !origin.to_str().is_ok_and(|origin| shared.settings.origins.allow(origin, &audience))
    {
        return (StatusCode::FORBIDDEN, "This origin may not connect.\n").into_response();
    }
    let limits = shared.settings.limits;
    let session = session(&shared, circle, audience, Transport::WebSocket);
    let handler = handler(&shared, session);
    let connections = shared.connections.token();
    let shutdown = shared.shutdown.clone();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(limits.message_bytes)
        .max_frame_size(limits.message_bytes)
        .on_upgrade(async move |websocket| {
            connection::serve(websocket, handler, socket.slot, shutdown).await;
            drop(connections);
        })
}

async fn post_first_circle(
    State(shared): State<Arc<Shared>>,
    Extension(socket): Extension<Socket>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let circle = socket.circles.first();
    answer(&shared, circle, &socket, &headers, body).await
}

async fn post_named_circle(
    State(shared): State<Arc<Shared>>,
    Extension(socket): Extension<Socket>,
    Path(circle): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match socket.circles.named(&circle) {
        Some(circle) => answer(&shared, circle, &socket, &headers, body).await,
        None => unknown_circle(),
    }
}

/// Answers JSON-RPC in a POST; the guard refuses methods that need a session or a connection.
async fn answer(
    shared: &Shared,
    circle: PublicKey,
    socket: &Socket,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    // Browsers let a form of another site send text without a preflight request, but not this content type.
    let is_json =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        });
    if !is_json {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send application/json.\n").into_response();
    }
    let session = session(shared, circle, audience(shared, socket, headers), Transport::Http);
    let answer = match Utf8Bytes::try_from(body) {
        Ok(text) => respond(handler(shared, session), text, BatchYields::default()).await.text,
        Err(_) => Some(error_text(circles_api::Error::Parse)),
    };
    match answer {
        Some(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn audience(shared: &Shared, socket: &Socket, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    shared.settings.audience.of(host, socket.local)
}

fn session(shared: &Shared, circle: PublicKey, audience: String, transport: Transport) -> Arc<Session> {
    Arc::new(Session::new(circle, audience, transport, shared.settings.session_ttl))
}

fn handler(shared: &Shared, session: Arc<Session>) -> Handler {
    let Settings { limits, require_login, .. } = &shared.settings;
    Handler::new(shared.methods.clone(), session, *limits, *require_login)
}

fn unknown_circle() -> Response {
    (StatusCode::NOT_FOUND, "No such circle here.\n").into_response()
}

async fn health() -> Response {
    let (version, document) = (env!("CARGO_PKG_VERSION"), circles_api::document_sha256());
    let body =
        format!("{{\"status\":\"ok\",\"version\":\"{version}\",\"document_sha256\":\"{document}\"}}\n");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Answers whether a play would run now.
async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let problem = match shared.store.workers().await {
        _ if shared.shutdown.is_cancelled() => "shutting down",
        _ if File::open("/dev/null").is_err_and(|error| is_out_of_files(&error)) => "out of file descriptors",
        Ok(0) => "no worker takes tasks",
        Ok(workers) => {
            let body = format!("{{\"status\":\"ready\",\"workers\":{workers}}}\n");
            return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
        }
        Err(error) => {
            tracing::debug!(%error, "not ready");
            "the store is not available"
        }
    };
    let body = format!("{{\"status\":\"{problem}\"}}\n");
    let head = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::SERVICE_UNAVAILABLE, head, body).into_response()
}

async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], circles_api::DOCUMENT).into_response()
}

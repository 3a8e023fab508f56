//! A worker's HTTP status: health, readiness and metrics.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use circles_store::Store as _;
use circles_store_redis::RedisStore;
use circles_worker::Metrics;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use prometheus_client::{encoding::text::encode, metrics::gauge::Gauge, registry::Registry};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

/// Maximum number of connections: few clients watch a worker.
const CONNECTIONS: usize = 64;
/// Time limit for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit of a connection; clients may connect again.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// The listener, bound and not yet serving.
pub(crate) struct Status {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<RedisStore>,
    metrics: Metrics,
    registry: Registry,
    held: Gauge,
    redis_up: Gauge,
}

impl Status {
    /// Binds the address. An error names the flag.
    pub(crate) async fn bind(
        address: SocketAddr,
        store: &Arc<RedisStore>,
        metrics: &Metrics,
        concurrency: u8,
    ) -> Result<Self, String> {
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            Ok((listener.local_addr()?, listener))
        };
        let (address, listener) =
            bound.await.map_err(|error: std::io::Error| format!("--listen {address}: {error}"))?;
        let shared = Shared::new(store.clone(), metrics, concurrency);
        Ok(Self { listener, address, shared: Arc::new(shared) })
    }

    /// The address that it listens on.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self) {
        let router = Router::new()
            .route("/health", get(health))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self.shared);
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // A slot comes before accept: further connections wait in the kernel's queue, or are refused there.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(answer(stream, router.clone(), slot))),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

impl Shared {
    fn new(store: Arc<RedisStore>, metrics: &Metrics, concurrency: u8) -> Self {
        let mut registry = Registry::with_prefix("circles_worker");
        metrics.register(&mut registry);
        let (held, slots, redis_up) = (Gauge::default(), Gauge::<i64>::default(), Gauge::default());
        slots.set(concurrency.into());
        registry.register("held", "Tasks that this worker has claimed and not settled", held.clone());
        registry.register("slots", "Tasks that it may have at a time", slots);
        registry.register("redis_up", "Whether Redis answered just now", redis_up.clone());
        Self { store, metrics: metrics.clone(), registry, held, redis_up }
    }
}

async fn answer(stream: TcpStream, router: Router, slot: OwnedSemaphorePermit) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A client that is cut off connects again.
    let _ = timeout(CONNECTION_TIMEOUT, connection).await;
    drop(slot);
}

async fn health() -> Response {
    json(StatusCode::OK, concat!("{\"status\":\"ok\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}\n"))
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if shared.store.is_closed() {
        return json(StatusCode::SERVICE_UNAVAILABLE, "{\"status\":\"shutting down\"}\n");
    }
    match shared.store.workers().await {
        Ok(_) if shared.metrics.script_threads() == 0 => {
            json(StatusCode::SERVICE_UNAVAILABLE, "{\"status\":\"no thread runs scripts\"}\n")
        }
        Ok(_) => json(StatusCode::OK, "{\"status\":\"ready\"}\n"),
        Err(error) => {
            tracing::debug!(%error, "not ready");
            json(StatusCode::SERVICE_UNAVAILABLE, "{\"status\":\"Redis is not available\"}\n")
        }
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    shared.held.set(i64::try_from(shared.store.held_tasks()).unwrap_or(i64::MAX));
    shared.redis_up.set(i64::from(shared.store.workers().await.is_ok()));
    let mut text = String::new();
    match encode(&mut text, &shared.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn json(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

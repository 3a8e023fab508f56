use std::{any::Any, sync::Arc};

use circles_store::Store;
use circles_store_embedded::EmbeddedConfig;
use circles_store_redis::{RedisConfig, RedisStore};
use circles_testing::{Redis, Watched, embedded};
use circles_worker::Host;

/// The kind of store that joins the server and the workers of a [`WorldOn`](crate::WorldOn).
#[async_trait::async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The workers' store.
    type Store: Store;

    /// Opens it. `trial` enables the fast path, if the store has one.
    async fn begin(queue_limit: usize, trial: Option<Arc<Host>>) -> Stores<Self::Store>;
}

/// The stores of the server and of the workers.
pub struct Stores<S> {
    /// The server's.
    pub server: Arc<dyn Store>,
    /// The workers', which reports events.
    pub workers: Arc<Watched<S>>,
    /// A value to keep alive as long as the stores.
    pub keeps: Box<dyn Any + Send + Sync>,
}

/// One embedded store in this process.
#[derive(Debug)]
pub struct EmbeddedBackend;

/// Two stores joined by a Redis, as on two machines.
#[derive(Debug)]
pub struct RedisBackend;

#[async_trait::async_trait]
impl Backend for EmbeddedBackend {
    type Store = circles_testing::Embedded;

    async fn begin(queue_limit: usize, trial: Option<Arc<Host>>) -> Stores<circles_testing::Embedded> {
        let mut store = embedded(EmbeddedConfig { queue_limit, ..EmbeddedConfig::default() });
        if let Some(host) = trial {
            store = store.with_inline_runner(host);
        }
        let store = Arc::new(Watched::new(store));
        Stores { server: store.clone(), workers: store, keeps: Box::new(()) }
    }
}

#[async_trait::async_trait]
impl Backend for RedisBackend {
    type Store = RedisStore;

    async fn begin(queue_limit: usize, _: Option<Arc<Host>>) -> Stores<RedisStore> {
        let redis = Redis::start();
        let url = redis.url();
        let connect = || async {
            let config = RedisConfig { queue_limit, ..RedisConfig::default() };
            RedisStore::connect(&url, config).await.expect("a Redis that was just started")
        };
        let (server, workers) = (connect().await, connect().await);
        Stores { server: Arc::new(server), workers: Arc::new(Watched::new(workers)), keeps: Box::new(redis) }
    }
}

use std::{any::Any, sync::Arc};

use circles_store::Store;
use circles_store_embedded::EmbeddedConfig;
use circles_store_redis::{RedisConfig, RedisStore};
use circles_testing::{Redis, Watched, embedded};
use circles_worker::Host;

/// What lies between the server and the workers of a [`WorldOn`](crate::WorldOn).
#[async_trait::async_trait]
pub trait Between: Send + Sync + 'static {
    /// What the workers have of it.
    type Store: Store;

    /// Begins it; `trial` tries short scripts where they arrive, if that can be.
    async fn begin(queue_limit: usize, trial: Option<Arc<Host>>) -> Ends<Self::Store>;
}

/// Both ends of what lies between.
pub struct Ends<S> {
    /// The server's.
    pub server: Arc<dyn Store>,
    /// The workers', which tells what happens.
    pub workers: Arc<Watched<S>>,
    /// What goes when nobody needs it any more.
    pub keeps: Box<dyn Any + Send + Sync>,
}

/// Nothing: one store, in this process.
#[derive(Debug)]
pub struct Embedded;

/// A Redis, which joins two stores as it joins two machines.
#[derive(Debug)]
pub struct OnRedis;

#[async_trait::async_trait]
impl Between for Embedded {
    type Store = circles_testing::Embedded;

    async fn begin(queue_limit: usize, trial: Option<Arc<Host>>) -> Ends<circles_testing::Embedded> {
        let mut store = embedded(EmbeddedConfig { queue_limit, ..EmbeddedConfig::default() });
        if let Some(host) = trial {
            store = store.with_trial(host);
        }
        let store = Arc::new(Watched::new(store));
        Ends { server: store.clone(), workers: store, keeps: Box::new(()) }
    }
}

#[async_trait::async_trait]
impl Between for OnRedis {
    type Store = RedisStore;

    async fn begin(queue_limit: usize, _: Option<Arc<Host>>) -> Ends<RedisStore> {
        let redis = Redis::start();
        let url = redis.url();
        let connect = || async {
            let config = RedisConfig { queue_limit, ..RedisConfig::default() };
            RedisStore::connect(&url, config).await.expect("a Redis that was just started")
        };
        let (server, workers) = (connect().await, connect().await);
        Ends { server: Arc::new(server), workers: Arc::new(Watched::new(workers)), keeps: Box::new(redis) }
    }
}

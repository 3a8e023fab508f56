use std::{
    any::Any, collections::BTreeMap, marker::PhantomData, net::SocketAddr, num::NonZeroUsize, path::PathBuf,
    sync::Arc, time::Duration,
};

use circles_auth::{Access, PublicKey, SecretKey};
use circles_client::Client;
use circles_server::{Server, Settings};
use circles_store::Store;
use circles_store_embedded::EmbeddedConfig;
use circles_worker::{CircleSettings, Host, Workers};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Backend, EVENT_TIMEOUT, EmbeddedBackend, Raw, Watched, backend::Stores, soon};

/// The key of the person of this name.
pub fn secret_key(name: &str) -> SecretKey {
    let bytes: Vec<u8> = name.bytes().chain(std::iter::repeat(1)).take(32).collect();
    circles_api::hex::encode(&bytes).parse().expect("a number below the order of the curve")
}

/// A world whose server and workers share an embedded store.
pub type World = WorldOn<EmbeddedBackend>;

/// A server on a port of its own and its workers, in this process, joined by a store.
pub struct WorldOn<B: Backend> {
    /// The address for circles without a port of their own.
    pub address: SocketAddr,
    /// The circles that it serves, in order.
    pub circles: Vec<PublicKey>,
    /// The URL of each circle.
    urls: Vec<String>,
    /// The store of its workers, which reports events.
    pub store: Arc<Watched<B::Store>>,
    /// The store of its server.
    server_store: Arc<dyn Store>,
    /// The directory of the circles' libraries and files.
    directory: TempDir,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
    /// `None` once it is stopped or dropped.
    workers: Option<Workers>,
    /// Dropped last.
    _keeps: Box<dyn Any + Send + Sync>,
}

/// Ends all script threads, which would keep the store alive and disturb later tests. The other owner of the store is
/// a task of the test's runtime, and ends with the runtime.
impl<B: Backend> Drop for WorldOn<B> {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.server.abort();
        let ended = self.workers.take().is_none_or(|workers| workers.stop(EVENT_TIMEOUT));
        assert!(ended || std::thread::panicking(), "script threads are left");
    }
}

/// The settings of a [`WorldOn`].
pub struct Builder<B> {
    settings: Settings,
    address: SocketAddr,
    workers: NonZeroUsize,
    queue_limit: usize,
    trial: bool,
    limits: circles_worker::Limits,
    backend: PhantomData<B>,
}

impl<B: Backend> WorldOn<B> {
    /// The default: one circle, `alice`'s, open to everybody, and two workers.
    pub fn builder() -> Builder<B> {
        Builder {
            settings: Settings::new([secret_key("alice").public_key().into()]),
            address: ([127, 0, 0, 1], 0).into(),
            workers: NonZeroUsize::MIN.saturating_add(1),
            queue_limit: EmbeddedConfig::default().queue_limit,
            trial: false,
            limits: circles_worker::Limits::default(),
            backend: PhantomData,
        }
    }

    /// The URL of a path on the server.
    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// The URL of a circle, by its index.
    pub fn circle_url(&self, circle: usize) -> String {
        self.urls[circle].clone()
    }

    /// A raw connection to the first circle.
    pub async fn raw(&self) -> Raw {
        Raw::connect(&self.circle_url(0)).await
    }

    /// A raw connection to a circle, logged in as this person.
    pub async fn raw_of(&self, name: &str, circle: usize) -> Raw {
        let mut raw = Raw::connect(&self.circle_url(circle)).await;
        raw.log_in(&secret_key(name)).await;
        raw
    }

    /// A client that is logged in to the first circle as this person.
    pub async fn client(&self, name: &str) -> Client {
        let builder = Client::builder(self.circle_url(0)).key(secret_key(name));
        soon(builder.connect()).await.expect("a session")
    }

    /// Writes a script to a circle's library.
    pub fn library_script(&self, circle: usize, name: &str, source: &str) {
        let path = self.library(circle).join(format!("{name}.rhai"));
        std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder");
        std::fs::write(path, source).expect("a script");
    }

    /// Creates an empty file in a circle, for example one that a script waits for.
    pub fn create_file(&self, circle: usize, name: &str) {
        let files = self.directory.path().join(self.circles[circle].to_string()).join("files");
        std::fs::create_dir_all(&files).expect("a folder");
        std::fs::write(files.join(name), "").expect("a file");
    }

    /// The directory of a circle's library.
    pub fn library(&self, circle: usize) -> PathBuf {
        self.directory.path().join(self.circles[circle].to_string()).join("scripts")
    }

    /// Closes the server's store.
    pub async fn close_store(&self) {
        self.server_store.close().await;
    }

    /// Shuts down as the program does, and waits until that is done.
    pub async fn stop(mut self, grace: Duration) {
        self.shutdown.cancel();
        self.server_store.close().await;
        self.store.close().await;
        if let Some(workers) = self.workers.take() {
            soon(workers.shutdown(grace)).await;
        }
        soon(&mut self.server).await.expect("the server does not panic");
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().expect("less than an age")
}

impl<B: Backend> Builder<B> {
    /// Serves these people's circles instead.
    pub fn circles(mut self, names: &[&str]) -> Self {
        self.settings.circles = names.iter().map(|name| secret_key(name).public_key().into()).collect();
        self
    }

    /// Sets the access lists of a circle, by its index.
    pub fn access(mut self, circle: usize, access: Access) -> Self {
        self.settings.circles[circle].access = access;
        self
    }

    /// Gives a circle, by its index, a port of its own.
    pub fn own_port(mut self, circle: usize) -> Self {
        self.settings.circles[circle].port = Some(0);
        self
    }

    /// Listens on this address.
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Requires a session.
    pub fn auth(mut self) -> Self {
        self.settings.require_login = true;
        self
    }

    /// Sets the number of scripts that run at a time.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = NonZeroUsize::new(workers).expect("at least one");
        self
    }

    /// Changes settings.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Sets the number of tasks that may be queued.
    pub const fn queue_limit(mut self, tasks: usize) -> Self {
        self.queue_limit = tasks;
        self
    }

    /// Changes the limits of plays.
    pub fn limits(mut self, change: impl FnOnce(&mut circles_worker::Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Enables the fast path, as the program does.
    pub fn trial(mut self) -> Self {
        self.trial = true;
        self
    }

    /// Starts the world.
    pub async fn start(self) -> WorldOn<B> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let settings = self.settings.circles.iter().map(|circle| {
            let folder = directory.path().join(circle.key.to_string());
            let settings = CircleSettings {
                library: Some(folder.join("scripts")),
                files: Some(folder.join("files")),
                secrets: BTreeMap::from([("key".to_owned(), "hush".to_owned())]),
                limits: circles_worker::Limits {
                    play_timeout_ms: circle.play_timeout.map_or(self.limits.play_timeout_ms, millis),
                    ..self.limits
                },
                access: circle.access.clone(),
                ..CircleSettings::default()
            };
            (circle.key.circle_id(), settings)
        });
        let host = Arc::new(Host::with_circles(self.limits, settings.collect()));
        let Stores { server: server_store, workers: store, keeps } =
            B::begin(self.queue_limit, self.trial.then(|| host.clone())).await;
        let server =
            Server::bind(self.address, self.settings, server_store.clone()).await.expect("a free port");
        let address = server.address();
        let (circles, urls) = server.addresses().into_iter().unzip();
        let workers = Workers::start(store.clone(), host, self.workers).expect("memory is counted");
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(server.serve(shutdown.clone(), EVENT_TIMEOUT));
        WorldOn {
            address,
            circles,
            urls,
            store,
            server_store,
            directory,
            shutdown,
            server,
            workers: Some(workers),
            _keeps: keeps,
        }
    }
}

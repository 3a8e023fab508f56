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

use crate::{Between, Embedded, NEVER, Raw, Watched, between::Ends, soon};

/// The key of somebody who has a name in a test.
pub fn secret_key(name: &str) -> SecretKey {
    let bytes: Vec<u8> = name.bytes().chain(std::iter::repeat(1)).take(32).collect();
    circles_api::hex::encode(&bytes).parse().expect("a number below the order of the curve")
}

/// A world whose server and workers share a store of this process.
pub type World = WorldOn<Embedded>;

/// A server and its workers, in this process, on a port of its own, with something between them.
pub struct WorldOn<B: Between> {
    /// Where it listens for the circles without a port of their own.
    pub address: SocketAddr,
    /// The circles it serves, in order.
    pub circles: Vec<PublicKey>,
    /// Where each of them is reached.
    urls: Vec<String>,
    /// The store of its workers, which tells what happens.
    pub store: Arc<Watched<B::Store>>,
    /// The store of its server.
    between: Arc<dyn Store>,
    /// Where its circles have their libraries and files.
    directory: TempDir,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
    /// There until it is stopped or dropped.
    workers: Option<Workers>,
    /// Goes last.
    _keeps: Box<dyn Any + Send + Sync>,
}

/// Nothing is left of it: threads of scripts would keep the store and its threads, and be seen by later tests. What
/// holds the store besides is a task of the test's runtime and goes with that.
impl<B: Between> Drop for WorldOn<B> {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.server.abort();
        let ended = self.workers.take().is_none_or(|workers| workers.end(NEVER));
        assert!(ended || std::thread::panicking(), "threads of scripts are left");
    }
}

/// What a [`WorldOn`] is like.
pub struct Builder<B> {
    settings: Settings,
    address: SocketAddr,
    workers: NonZeroUsize,
    queue_limit: usize,
    trial: bool,
    limits: circles_worker::Limits,
    between: PhantomData<B>,
}

impl<B: Between> WorldOn<B> {
    /// One circle, `alice`'s, open to everybody, two workers.
    pub fn builder() -> Builder<B> {
        Builder {
            settings: Settings::of([secret_key("alice").public_key().into()]),
            address: ([127, 0, 0, 1], 0).into(),
            workers: NonZeroUsize::MIN.saturating_add(1),
            queue_limit: EmbeddedConfig::default().queue_limit,
            trial: false,
            limits: circles_worker::Limits::default(),
            between: PhantomData,
        }
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// The URL of a circle that it serves.
    pub fn circle_url(&self, circle: usize) -> String {
        self.urls[circle].clone()
    }

    /// A connection without manners to the first circle.
    pub async fn raw(&self) -> Raw {
        Raw::connect(&self.circle_url(0)).await
    }

    /// A connection without manners to a circle, of somebody who logged in there.
    pub async fn raw_of(&self, name: &str, circle: usize) -> Raw {
        let mut raw = Raw::connect(&self.circle_url(circle)).await;
        raw.log_in(&secret_key(name)).await;
        raw
    }

    /// A client of somebody, logged in to the first circle.
    pub async fn client(&self, name: &str) -> Client {
        let builder = Client::builder(self.circle_url(0)).key(secret_key(name));
        soon(builder.connect()).await.expect("a session")
    }

    /// Puts a script into a circle's library.
    pub fn library_script(&self, circle: usize, name: &str, source: &str) {
        let path = self.library(circle).join(format!("{name}.rhai"));
        std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder");
        std::fs::write(path, source).expect("a script");
    }

    /// Puts an empty file where a circle's scripts see it, such as one that waits for it.
    pub fn put(&self, circle: usize, name: &str) {
        let files = self.directory.path().join(self.circles[circle].to_string()).join("files");
        std::fs::create_dir_all(&files).expect("a folder");
        std::fs::write(files.join(name), "").expect("a file");
    }

    /// The directory of a circle's library.
    pub fn library(&self, circle: usize) -> PathBuf {
        self.directory.path().join(self.circles[circle].to_string()).join("scripts")
    }

    /// Takes the store away from the server.
    pub async fn close_store(&self) {
        self.between.close().await;
    }

    /// Drains as the binary does, and waits for it.
    pub async fn stop(mut self, grace: Duration) {
        self.shutdown.cancel();
        self.between.close().await;
        self.store.close().await;
        if let Some(workers) = self.workers.take() {
            soon(workers.shutdown(grace)).await;
        }
        soon(&mut self.server).await.expect("the server ends well");
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().expect("less than an age")
}

impl<B: Between> Builder<B> {
    /// Serves these people's circles instead.
    pub fn circles(mut self, names: &[&str]) -> Self {
        self.settings.circles = names.iter().map(|name| secret_key(name).public_key().into()).collect();
        self
    }

    /// Lets only some into one of the circles, by its place.
    pub fn access(mut self, circle: usize, access: Access) -> Self {
        self.settings.circles[circle].access = access;
        self
    }

    /// Gives one of the circles, by its place, a listener of its own.
    pub fn own_port(mut self, circle: usize) -> Self {
        self.settings.circles[circle].port = Some(0);
        self
    }

    /// Listens where another world did.
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Demands a session.
    pub fn auth(mut self) -> Self {
        self.settings.auth = true;
        self
    }

    /// This many scripts at a time.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = NonZeroUsize::new(workers).expect("at least one");
        self
    }

    /// Changes settings.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Lets so many tasks wait.
    pub const fn queue_limit(mut self, tasks: usize) -> Self {
        self.queue_limit = tasks;
        self
    }

    /// Changes what a play may use.
    pub fn limits(mut self, change: impl FnOnce(&mut circles_worker::Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Lets short scripts run where they arrive, as the binary does.
    pub fn trial(mut self) -> Self {
        self.trial = true;
        self
    }

    /// Starts it.
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
        let Ends { server: between, workers: store, keeps } =
            B::begin(self.queue_limit, self.trial.then(|| host.clone())).await;
        let server = Server::bind(self.address, self.settings, between.clone()).await.expect("a free port");
        let address = server.address();
        let (circles, urls) = server.addresses().into_iter().unzip();
        let workers = Workers::start(store.clone(), host, self.workers).expect("memory is counted");
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(server.serve(shutdown.clone(), NEVER));
        WorldOn {
            address,
            circles,
            urls,
            store,
            between,
            directory,
            shutdown,
            server,
            workers: Some(workers),
            _keeps: keeps,
        }
    }
}

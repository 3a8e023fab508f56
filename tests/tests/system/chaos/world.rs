//! The system under test: Redis in some topology, servers, workers, and proxies between them.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use circles_auth::SecretKey;
use circles_testing::{Cluster, Proxy, Redis, Sentinels, loopback};
use circles_tests::{program, secret_key};
use tempfile::TempDir;
use tokio::process::Command;

use super::processes::{Process, ResourceUsage};

/// Log messages that only a bug causes.
const BUGS: [&str; 4] =
    ["panicked", "unexpected data in Redis", "unexpected message in Redis", "cannot read an outcome"];

pub(super) const SERVERS: usize = 2;
pub(super) const WORKERS: usize = 3;
/// Number of circles, in the same shard or in different ones.
pub(super) const CIRCLES: usize = 4;
/// The workers' lease.
pub(super) const LEASE: &str = "2s";

/// The Redis that the processes share.
pub(super) enum Backing {
    /// One Redis, and for each process a proxy to it: first the servers', then the workers'.
    Single {
        redis: Redis,
        proxies: Vec<Proxy>,
    },
    Sentinels(Sentinels),
    Cluster(Cluster),
}

/// The topology of a [`Backing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Single,
    Sentinels,
    Cluster,
}

pub(super) struct Server {
    process: Process,
    address: SocketAddr,
    /// The proxy between the server and its clients.
    pub proxy: Proxy,
}

pub(super) struct World {
    pub backing: Backing,
    pub servers: Vec<Server>,
    pub workers: Vec<Process>,
    /// Dropped after the processes that write there.
    directory: TempDir,
}

impl World {
    pub(super) async fn start(shape: Shape, seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let backing = Backing::start(shape, seed).await;
        let (host, mut servers, mut workers) = (loopback(), Vec::new(), Vec::new());
        for number in 0..SERVERS {
            // Other processes take no ports of this address.
            let free = TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr());
            let address = free.expect("a port");
            let proxy = Proxy::for_tcp(address).await;
            let command = || server_of(directory.path(), &backing.url(number), address, &proxy);
            let process = started(command, &log_of(directory.path(), number)).await;
            servers.push(Server { process, address, proxy });
        }
        for number in SERVERS..SERVERS + WORKERS {
            workers.push(worker(directory.path(), &backing.url(number), number).await);
        }
        Self { directory, backing, servers, workers }
    }

    /// The URL of a circle at a server.
    pub(super) fn url(&self, server: usize, circle: usize) -> String {
        format!("ws://{}/{}", self.servers[server].proxy.address(), circle_key(circle).public_key())
    }

    /// The folder of a circle's files.
    pub(super) fn files(&self, circle: usize) -> PathBuf {
        self.directory.path().join("data").join(circle_key(circle).public_key().to_string()).join("files")
    }

    /// Kills a server and starts it again at its address.
    pub(super) async fn restart_server(&mut self, number: usize) {
        let Self { directory, backing, servers, .. } = self;
        let server = &mut servers[number];
        server.process.kill().await;
        let command = || server_of(directory.path(), &backing.url(number), server.address, &server.proxy);
        server.process = started(command, &log_of(directory.path(), number)).await;
    }

    /// Starts a worker in place of one that has ended.
    pub(super) async fn replace_worker(&mut self, number: usize) {
        let url = self.backing.url(SERVERS + number);
        self.workers[number] = worker(self.directory.path(), &url, SERVERS + number).await;
    }

    /// The largest resource usage of the servers and workers.
    pub(super) fn usage(&self) -> ResourceUsage {
        let processes = self.servers.iter().map(|server| &server.process).chain(&self.workers);
        processes.filter_map(Process::usage).fold(ResourceUsage::default(), ResourceUsage::max)
    }

    /// Lines in the logs of all processes that show a bug.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for number in 0..SERVERS + WORKERS {
            let log = std::fs::read_to_string(log_of(self.directory.path(), number)).expect("a log");
            let is_bad = |line: &&str| BUGS.iter().any(|words| line.contains(words));
            complaints.extend(log.lines().filter(is_bad).map(str::to_owned));
        }
        complaints
    }
}

impl Drop for World {
    /// Keeps the logs if the test fails.
    #[allow(clippy::print_stderr, reason = "the path of the logs helps to find the cause")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("chaos: logs of servers and workers are in {}", self.directory.path().display());
            self.directory.disable_cleanup(true);
        }
    }
}

impl Backing {
    async fn start(shape: Shape, seed: u64) -> Self {
        match shape {
            Shape::Single => {
                let redis = Redis::builder().durable().start();
                let mut proxies = Vec::new();
                for number in 0..SERVERS + WORKERS {
                    proxies.push(Proxy::for_redis(redis.address(), seed ^ number as u64).await);
                }
                Self::Single { redis, proxies }
            }
            Shape::Sentinels => Self::Sentinels(tokio::task::block_in_place(Sentinels::start)),
            Shape::Cluster => Self::Cluster(tokio::task::block_in_place(Cluster::start)),
        }
    }

    /// The URL for the process of this number.
    fn url(&self, process: usize) -> String {
        match self {
            Self::Single { proxies, .. } => format!("redis://{}", proxies[process].address()),
            Self::Sentinels(sentinels) => sentinels.url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }
}

/// The key of a circle's owner.
pub(super) fn circle_key(number: usize) -> SecretKey {
    secret_key(&format!("circle {number}"))
}

fn log_of(directory: &Path, process: usize) -> PathBuf {
    directory.join(format!("{process}.log"))
}

/// The log filter of processes: the one of this test's environment, or else warnings.
fn log_level() -> String {
    std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned())
}

fn server_of(directory: &Path, redis: &str, address: SocketAddr, proxy: &Proxy) -> Command {
    let mut command = program("circles-server");
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    command
        .args(["--host", &host, "--port", &port, "--redis-url", redis, "--task-timeout", "60s"])
        .args(["--public-url", &format!("ws://{}", proxy.address()), "--data-dir"])
        .arg(directory.join("data"))
        .env("RUST_LOG", log_level());
    for number in 0..CIRCLES {
        command.args(["-k", &circle_key(number).public_key().to_string()]);
    }
    command
}

async fn started(command: impl FnMut() -> Command, log: &PathBuf) -> Process {
    let (mut process, _) = Process::start(command, log).await;
    for _ in 1..CIRCLES {
        process.line().await;
    }
    process
}

async fn worker(directory: &Path, redis: &str, number: usize) -> Process {
    let command = || {
        let mut command = program("circles-worker");
        command
            .args([
                "--redis-url",
                redis,
                "--lease",
                LEASE,
                "--concurrency",
                "16",
                "--grace",
                "2s",
                "--data-dir",
            ])
            .arg(directory.join("data"))
            .env("RUST_LOG", log_level());
        command
    };
    let (process, line) = Process::start(command, &log_of(directory, number)).await;
    assert!(line.contains("ready"), "{line}");
    process
}

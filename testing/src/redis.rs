mod certificates;
mod cluster;
mod connection;
mod sentinels;

use std::{
    cell::RefCell,
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    rc::Rc,
    sync::atomic::{AtomicU8, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use certificates::Certificates;
pub use cluster::Cluster;
pub use connection::{RedisConnection, RedisReply};
pub use sentinels::Sentinels;

/// Databases of each server, so that each store of a test has its own.
const DATABASES: u32 = 256;
/// Longer than any change of a Redis takes that a test waits for.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// A Redis server for one test, on a free port and in a temporary directory. It ends when the value is dropped.
pub struct Redis {
    /// `None` while it is down.
    process: Option<Child>,
    address: SocketAddr,
    tls: Option<SocketAddr>,
    arguments: Vec<String>,
    password: Option<String>,
    used: AtomicU32,
    directory: TempDir,
}

/// The settings of a [`Redis`].
#[derive(Default)]
pub struct RedisBuilder {
    at: Option<Ipv4Addr>,
    settings: Vec<String>,
    password: Option<String>,
    durable: bool,
    tls: bool,
    sentinel: Option<String>,
}

impl RedisBuilder {
    /// Keeps its data over a restart.
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Requires this password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.set(&["--requirepass", password])
    }

    /// Also listens on a port for TLS, with [`Certificates`] in its directory, and asks clients for their certificates.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Adds command-line settings.
    pub fn set(mut self, settings: &[&str]) -> Self {
        self.settings.extend(settings.iter().map(|&setting| setting.to_owned()));
        self
    }

    /// Listens at this address, on a free port.
    fn at(mut self, address: Ipv4Addr) -> Self {
        self.at = Some(address);
        self
    }

    /// Runs as a sentinel with this configuration file.
    fn sentinel(mut self, configuration: String) -> Self {
        self.sentinel = Some(configuration);
        self
    }

    /// Starts the server, and returns when it accepts connections.
    pub fn start(self) -> Redis {
        let host = self.at.unwrap_or_else(loopback);
        loop {
            // Another process may take the port in between; the server then ends at once.
            let mut redis = self.configure(host);
            if redis.run() {
                return redis;
            }
        }
    }

    fn configure(&self, host: Ipv4Addr) -> Redis {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let address = free_port(host);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut arguments = Vec::new();
        if let Some(configuration) = &self.sentinel {
            let file = directory.path().join("sentinel.conf");
            std::fs::write(&file, configuration).expect("a file");
            arguments.extend([file.display().to_string(), "--sentinel".to_owned()]);
        } else {
            let keeps = if self.durable { "yes" } else { "no" };
            arguments.extend(words(&format!("--databases {DATABASES} --appendonly {keeps} --save")));
            arguments.push(String::new());
        }
        arguments.extend(words(&format!("--bind {} --port {}", address.ip(), address.port())));
        let tls = self.tls.then(|| free_port(host));
        if let Some(tls) = tls {
            Certificates::make(directory.path(), host);
            arguments.extend(words(&format!(
                "--tls-port {} --tls-cert-file server.pem --tls-key-file server.key --tls-ca-cert-file ca.pem",
                tls.port()
            )));
        }
        arguments.extend_from_slice(&self.settings);
        let password = self.password.clone();
        Redis { process: None, address, tls, arguments, password, used: AtomicU32::new(0), directory }
    }
}

impl Redis {
    /// Starts a server with default settings.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A builder for other settings.
    pub fn builder() -> RedisBuilder {
        RedisBuilder::default()
    }

    /// Starts the process. Returns whether it accepts connections.
    fn run(&mut self) -> bool {
        let mut process = Command::new("redis-server")
            .args(&self.arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server: `apt-get install redis-server` brings it");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while lines.read_line(&mut line).expect("lines of text") > 0 {
            if line.contains("Ready to accept connections") || line.contains("+monitor master") {
                // A full pipe would block the server.
                std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
                self.process = Some(process);
                return true;
            }
            line.clear();
        }
        process.wait().expect("it has ended");
        false
    }

    /// The URL of an empty database.
    pub fn url(&self) -> String {
        let database = self.used.fetch_add(1, Ordering::Relaxed);
        assert!(database < DATABASES, "a Redis has {DATABASES} databases");
        let password = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{password}{}/{database}", self.address)
    }

    /// The address that it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that it listens on for TLS, if it does.
    pub const fn tls_address(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A file in its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it has not been waited for");
        process.wait().expect("it has ended");
    }

    /// Starts it again at its address, with its durable data.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs");
        assert!(self.run(), "its port was taken");
    }

    /// Suspends its process: connections stay open and get no answers.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Resumes its process.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_child(self.process.as_ref().expect("it runs"));
        kill_process(id, signal).expect("it runs");
    }

    /// Opens a connection and authenticates it.
    fn connection(&self, password: Option<&str>) -> Result<RedisConnection, String> {
        let mut connection = RedisConnection::open(self.address)?;
        if let Some(password) = password {
            connection.ask(&["AUTH", password])?;
        }
        Ok(connection)
    }

    /// Sends a command; the error is the server's text.
    pub fn try_ask(&self, words: &[&str]) -> Result<RedisReply, String> {
        self.connection(self.password.as_deref())?.ask(words)
    }

    /// Sends a command with another password.
    pub fn try_ask_as(&self, password: &str, words: &[&str]) -> Result<RedisReply, String> {
        self.connection(Some(password))?.ask(words)
    }

    /// Sends a command that must succeed.
    pub fn ask(&self, words: &[&str]) -> RedisReply {
        self.try_ask(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// A field of the server's `INFO`.
    pub fn info(&self, name: &str) -> String {
        let info = self.ask(&["INFO", "everything"]).text();
        field(&info, name).unwrap_or_else(|| panic!("no {name} in {info}"))
    }

    /// Whether a field of `INFO` has this value; `false` if the server cuts the connection, as it does when it becomes
    /// a replica.
    pub fn info_is(&self, name: &str, value: &str) -> bool {
        let info = self.try_ask(&["INFO", "everything"]);
        info.is_ok_and(|info| field(&info.text(), name).is_some_and(|found| found == value))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // The test may have ended it.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn field(info: &str, name: &str) -> Option<String> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::to_owned)
}

/// Polls until a condition holds that no event announces.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let last = Instant::now() + CHANGE_TIMEOUT;
    while !holds() {
        assert!(Instant::now() < last, "{what}: not within {CHANGE_TIMEOUT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn free_port(host: Ipv4Addr) -> SocketAddr {
    TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr()).expect("a port")
}

/// A loopback address that no other test is likely to use. A port there that is closed for a moment stays free, since
/// outgoing connections use the first loopback address.
pub fn loopback() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 16 | (high & 0x6f), low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The Redis of the test on this thread. It ends with the thread.
pub fn redis_of_this_test() -> Rc<Redis> {
    thread_local! {
        static REDIS: RefCell<Option<Rc<Redis>>> = const { RefCell::new(None) };
    }
    REDIS.with_borrow_mut(|redis| redis.get_or_insert_with(|| Rc::new(Redis::start())).clone())
}

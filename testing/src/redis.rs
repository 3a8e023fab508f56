use std::{
    cell::RefCell,
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    process::{Child, Command, Stdio},
    rc::Rc,
    sync::atomic::{AtomicU8, AtomicU32, Ordering},
};

use tempfile::TempDir;

/// How many databases each has: each store of a test has one of its own.
const DATABASES: u32 = 1_024;

/// A Redis of a test's own, at an address of loopback and in a directory of its own. It ends with its value.
pub struct Redis {
    process: Child,
    address: SocketAddrV4,
    used: AtomicU32,
    directory: TempDir,
}

impl Redis {
    /// Starts one, and returns when it takes connections.
    pub fn start() -> Self {
        loop {
            // Somebody may take the port in between: then it ends at once.
            let address = free_address();
            let directory = tempfile::tempdir().expect("a temporary directory");
            if let Some(process) = run(address, &directory) {
                return Self { process, address, used: AtomicU32::new(0), directory };
            }
        }
    }

    /// Ends it without warning. What it held is lost.
    pub fn kill(&mut self) {
        self.process.kill().expect("it has not been waited for");
        self.process.wait().expect("it can be waited for");
    }

    /// Starts it again, empty, where it was before.
    pub fn start_again(&mut self) {
        self.process = run(self.address, &self.directory).expect("its address, which nobody else uses");
    }

    /// An empty database.
    pub fn url(&self) -> String {
        let database = self.used.fetch_add(1, Ordering::Relaxed);
        assert!(database < DATABASES, "a Redis has {DATABASES} databases");
        format!("redis://{}/{database}", self.address)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have been ended by its test.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a Redis, and returns when it takes connections; `None` if somebody has its address.
fn run(address: SocketAddrV4, directory: &TempDir) -> Option<Child> {
    let mut process = Command::new("redis-server")
        .args(["--bind", &address.ip().to_string(), "--save", "", "--appendonly", "no"])
        .args(["--port", &address.port().to_string(), "--databases", &DATABASES.to_string()])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server: `apt-get install redis-server` brings it");
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut line = String::new();
    while lines.read_line(&mut line).expect("lines of text") > 0 {
        if line.contains("Ready to accept connections") {
            // What it says later must have somewhere to go.
            std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
            return Some(process);
        }
        line.clear();
    }
    process.wait().expect("it has ended");
    None
}

/// A free port of an address that hardly anybody else uses, so that it is still free when it is wanted again.
fn free_address() -> SocketAddrV4 {
    static NUMBER: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 64 | high & 63, low, NUMBER.fetch_add(1, Ordering::Relaxed));
    let listener = TcpListener::bind((host, 0)).expect("a port");
    SocketAddrV4::new(host, listener.local_addr().expect("an address").port())
}

/// The Redis of the test that runs on this thread; it ends with the thread.
pub fn redis_of_this_test() -> Rc<Redis> {
    thread_local! {
        static REDIS: RefCell<Option<Rc<Redis>>> = const { RefCell::new(None) };
    }
    REDIS.with_borrow_mut(|redis| redis.get_or_insert_with(|| Rc::new(Redis::start())).clone())
}

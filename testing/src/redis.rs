use std::{
    cell::RefCell,
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

/// How many databases each has: each store of a test has one of its own.
const DATABASES: u32 = 1_024;

/// A Redis of a test's own, on a free port of loopback and in a directory of its own. It ends with its value.
pub struct Redis {
    process: Child,
    port: u16,
    used: AtomicU32,
    _directory: TempDir,
}

impl Redis {
    /// Starts one, and returns when it takes connections.
    pub fn start() -> Self {
        loop {
            // Somebody may take the port in between: then it ends at once.
            let port = free_port();
            if let Some(redis) = Self::start_at(port) {
                return redis;
            }
        }
    }

    fn start_at(port: u16) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--databases", &DATABASES.to_string()])
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
                return Some(Self { process, port, used: AtomicU32::new(0), _directory: directory });
            }
            line.clear();
        }
        process.wait().expect("it has ended");
        None
    }

    /// An empty database.
    pub fn url(&self) -> String {
        let database = self.used.fetch_add(1, Ordering::Relaxed);
        assert!(database < DATABASES, "a Redis has {DATABASES} databases");
        format!("redis://127.0.0.1:{}/{database}", self.port)
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

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The Redis of the test that runs on this thread; it ends with the thread.
pub fn redis_of_this_test() -> Rc<Redis> {
    thread_local! {
        static REDIS: RefCell<Option<Rc<Redis>>> = const { RefCell::new(None) };
    }
    REDIS.with_borrow_mut(|redis| redis.get_or_insert_with(|| Rc::new(Redis::start())).clone())
}

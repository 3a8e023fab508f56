//! Kills a server again and again while clients work. Answers that clients got stay true.
//!
//! `cargo xtask crashes --kills 200` runs the long version. SIGKILL ends a process, not the machine: written data
//! survives without fsync. So this test checks the order of the steps; the power failure tests of the store check that
//! writes wait for the disk.

mod audit;
mod ledger;
mod load;
mod request;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Instant, SystemTime},
};

use circles_client::Client;
use circles_testing::SeededRng;
use circles_tests::{Program, soon, unused_address};
use tempfile::TempDir;
use tokio::{process::Command, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    audit::{Audit, Findings},
    ledger::Ledger,
};
use crate::programs::{server_at, started};

/// Number of clients.
const CLIENTS: usize = 8;
/// Default number of kills.
const KILLS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stay_true_over_server_crashes() {
    let kills = number("CIRCLES_TEST_KILLS").map_or(KILLS, |kills| usize::try_from(kills).expect("a few"));
    let seed = seed();
    report(format_args!("{kills} kills, seed {seed}"));
    let begun = Instant::now();
    let mut run = Run::begin(seed).await;
    for kill in 1..=kills {
        run.round().await;
        if kill % 20 == 0 {
            let answers = run.ledger.answers();
            report(format_args!("{kill} kills, {answers} answers, {:.0} s", begun.elapsed().as_secs_f64()));
        }
    }
    let ledger = run.ledger.clone();
    let findings = run.end().await;
    let books = ledger.books();
    let plays: usize = books.plays.values().map(Vec::len).sum();
    report(format_args!(
        "{kills} kills in {:.0} s: {} answers to {plays} plays, {} tasks and {} snapshots; {findings}",
        begun.elapsed().as_secs_f64(),
        ledger.answers(),
        books.tasks.len(),
        books.snapshots,
    ));
}

#[tokio::test]
async fn server_killed_during_first_start_starts_again() {
    let kills = number("CIRCLES_TEST_KILLS").map_or(KILLS, |kills| usize::try_from(kills).expect("a few"));
    let seed = seed();
    report(format_args!("{kills} first starts, seed {seed}"));
    let mut rng = SeededRng::new(seed, 0);
    let host = unused_address(60).ip().to_string();
    for _ in 0..kills {
        let directory = tempfile::tempdir().expect("a directory");
        let command = || {
            let mut command = server_at(directory.path(), 0);
            command.args(["--host", &host]);
            command
        };
        let starting = Program::start(&mut command());
        rng.pause(40_000).await;
        check_log(&starting.kill().await);

        let (server, url) = started(&mut command()).await;
        let client = owner(directory.path(), &url).await;
        let write = tokio::spawn(async move { client.play("db::set(`first`, 1)").await.is_ok() });
        rng.pause(15_000).await;
        check_log(&server.kill().await);
        let written = soon(write).await.expect("it does not panic");

        let (_server, again) = started(&mut command()).await;
        assert_eq!(circle_of(&again), circle_of(&url), "the key is kept");
        let client = owner(directory.path(), &again).await;
        let there: bool =
            soon(client.play("db::has(`first`)")).await.expect("an answer").value().expect("bool");
        assert!(there || !written, "the first write was acknowledged");
    }
}

/// A server that is killed and started again, its clients, and its audit.
struct Run {
    server: Program,
    url: String,
    rng: SeededRng,
    ledger: Arc<Ledger>,
    audit: Audit,
    clients: JoinSet<()>,
    stop: CancellationToken,
    /// Duration of a start.
    start_micros: usize,
    /// Dropped after the server, which writes there.
    directory: TempDir,
}

impl Run {
    async fn begin(seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let begun = Instant::now();
        let (server, url) = started(&mut command(directory.path(), 0)).await;
        let start_micros = usize::try_from(begun.elapsed().as_micros()).expect("not for ever");
        let ledger = Arc::new(Ledger::default());
        let owner = owner(directory.path(), &url).await;
        let files = directory.path().join("data").join(circle_of(&url)).join("files");
        let audit = Audit::new(ledger.clone(), owner, &url, files, seed).await;
        let (mut clients, stop) = (JoinSet::new(), CancellationToken::new());
        for number in 0..CLIENTS {
            let client = load::client(&url, load::key_of(&number.to_string())).await;
            clients.spawn(load::run_client(number, seed, client, ledger.clone(), stop.clone()));
        }
        let rng = SeededRng::new(seed, u64::MAX);
        Self { directory, server, url, rng, ledger, audit, clients, stop, start_micros }
    }

    /// Lets clients work for a while, kills the server, starts it again, and mostly audits it.
    async fn round(&mut self) {
        match self.rng.below(10) {
            // A second kill so early that the server may not serve yet, or not have resumed its tasks.
            0..2 => {
                self.kill().await;
                self.server = Program::start(&mut command(self.directory.path(), port_of(&self.url)));
                let max_micros = self.start_micros * 3 / 2;
                self.rng.pause(max_micros).await;
            }
            2..5 => self.rng.pause(120_000).await,
            _ => {
                let answers = 1 + self.rng.below(200);
                let ledger = self.ledger.clone();
                self.meanwhile(ledger.more(answers)).await;
            }
        }
        self.kill().await;
        let port = port_of(&self.url);
        self.server = started(&mut command(self.directory.path(), port)).await.0;
        if self.rng.below(4) > 0 {
            self.check().await;
        }
    }

    /// Kills the server.
    async fn kill(&mut self) {
        // The epoch changes before the kill: a request's epoch is at most the number of kills before its answer.
        self.ledger.epoch.fetch_add(1, Ordering::SeqCst);
        let log = self.server.killed().await;
        check_log(&log);
    }

    async fn check(&mut self) {
        let Self { audit, clients, .. } = self;
        while_clients_work(clients, audit.after_restart()).await;
    }

    async fn meanwhile<T>(&mut self, what: impl Future<Output = T>) -> T {
        while_clients_work(&mut self.clients, what).await
    }

    /// Stops the clients, and audits everything.
    async fn end(mut self) -> Findings {
        self.stop.cancel();
        while let Some(ended) = soon(self.clients.join_next()).await {
            ended.expect("no client panics");
        }
        self.audit.at_the_end().await
    }
}

/// Awaits a future while clients work, and fails if a client ends.
async fn while_clients_work<T>(clients: &mut JoinSet<()>, what: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        Some(ended) = clients.join_next() => panic!("a client ended: {ended:?}"),
        done = soon(what) => done,
    }
}

fn command(directory: &Path, port: u16) -> Command {
    let mut command = server_at(directory, port);
    let host = unused_address(61).ip().to_string();
    // Sleeping scripts occupy workers; crashes must not make a task pass its deadline.
    command.args(["--host", &host, "--workers", "6", "--task-timeout", "2m"]);
    command
}

/// A client of the owner of the server's own circle.
async fn owner(directory: &Path, url: &str) -> Client {
    let path: PathBuf = directory.join("data/circle.key");
    let text = std::fs::read_to_string(path).expect("a key");
    let key = text.trim().parse().expect("a key");
    load::client(url, key).await
}

fn circle_of(url: &str) -> &str {
    url.rsplit('/').next().expect("a circle")
}

fn port_of(url: &str) -> u16 {
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next());
    port.and_then(|port| port.parse().ok()).expect("a port")
}

fn check_log(log: &str) {
    for word in ["panicked", "ERROR", "error:"] {
        assert!(!log.contains(word), "{log}");
    }
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}: expected a number, found {text}")))
}

/// The seed that the environment sets, or else a random one.
pub(crate) fn seed() -> u64 {
    number("CIRCLES_TEST_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        u64::from(now.subsec_nanos())
    })
}

#[allow(
    clippy::print_stdout,
    reason = "a long run reports its progress; the test harness hides the output of others"
)]
fn report(what: std::fmt::Arguments<'_>) {
    println!("crashes: {what}");
}

//! A server that is killed, again and again, while clients work: what they were told stays true.
//!
//! `cargo xtask crashes --kills 200` runs the long version. SIGKILL ends a process, not the machine: what the
//! system has accepted stays. So this proves the order of the steps, not that the disk was waited for: that is for
//! `what_was_acknowledged_outlives_a_power_failure` in the store.

mod audit;
mod ledger;
mod load;
mod order;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Instant, SystemTime},
};

use circles_client::Client;
use circles_testing::Dice;
use circles_tests::{Program, address_of_its_own, soon};
use tempfile::TempDir;
use tokio::{process::Command, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    audit::{Audit, Findings},
    ledger::Ledger,
};
use crate::programs::{server_at, started};

/// Clients that work at a time.
const CLIENTS: usize = 8;
/// Kills where nobody asked for more.
const KILLS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_were_told_outlives_every_crash() {
    let kills = number("CIRCLES_TEST_KILLS").map_or(KILLS, |kills| usize::try_from(kills).expect("a few"));
    let seed = seed();
    say(format_args!("{kills} kills, seed {seed}"));
    let begun = Instant::now();
    let mut run = Run::begin(seed).await;
    for kill in 1..=kills {
        run.round().await;
        if kill % 20 == 0 {
            let answers = run.ledger.answers();
            say(format_args!("{kill} kills, {answers} answers, {:.0} s", begun.elapsed().as_secs_f64()));
        }
    }
    let ledger = run.ledger.clone();
    let findings = run.end().await;
    let books = ledger.books();
    let plays: usize = books.plays.values().map(Vec::len).sum();
    say(format_args!(
        "{kills} kills in {:.0} s: {} answers to {plays} plays, {} tasks and {} looks; {findings}",
        begun.elapsed().as_secs_f64(),
        ledger.answers(),
        books.tasks.len(),
        books.looks,
    ));
}

#[tokio::test]
async fn a_server_that_is_killed_while_it_makes_its_files_starts_again() {
    let kills = number("CIRCLES_TEST_KILLS").map_or(KILLS, |kills| usize::try_from(kills).expect("a few"));
    let seed = seed();
    say(format_args!("{kills} births, seed {seed}"));
    let mut dice = Dice::new(seed, 0);
    let host = address_of_its_own(60).ip().to_string();
    for _ in 0..kills {
        let directory = tempfile::tempdir().expect("a directory");
        let command = || {
            let mut command = server_at(directory.path(), 0);
            command.args(["--host", &host]);
            command
        };
        let unborn = Program::start(&mut command());
        dice.pause(40_000).await;
        check_log(&unborn.kill().await);

        let (server, url) = started(&mut command()).await;
        let client = owner(directory.path(), &url).await;
        let write = tokio::spawn(async move { client.play("db::set(`first`, 1)").await.is_ok() });
        dice.pause(15_000).await;
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

/// A server that is killed and started again, its clients, and who audits it.
struct Run {
    server: Program,
    url: String,
    dice: Dice,
    ledger: Arc<Ledger>,
    audit: Audit,
    clients: JoinSet<()>,
    stop: CancellationToken,
    /// How long a start takes, in microseconds.
    start: usize,
    /// Goes behind the server that writes there.
    directory: TempDir,
}

impl Run {
    async fn begin(seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let begun = Instant::now();
        let (server, url) = started(&mut command(directory.path(), 0)).await;
        let start = usize::try_from(begun.elapsed().as_micros()).expect("not for ever");
        let ledger = Arc::new(Ledger::default());
        let owner = owner(directory.path(), &url).await;
        let files = directory.path().join("data").join(circle_of(&url)).join("files");
        let audit = Audit::new(ledger.clone(), owner, &url, files, seed).await;
        let (mut clients, stop) = (JoinSet::new(), CancellationToken::new());
        for number in 0..CLIENTS {
            let client = load::client(&url, load::key_of(&number.to_string())).await;
            clients.spawn(load::live(number, seed, client, ledger.clone(), stop.clone()));
        }
        let dice = Dice::new(seed, u64::MAX);
        Self { directory, server, url, dice, ledger, audit, clients, stop, start }
    }

    /// Lets clients work for a while, kills the server, starts it again, and mostly looks what is left.
    async fn round(&mut self) {
        match self.dice.below(10) {
            // So early that it may not serve yet, or not have taken up what the last one left.
            0..2 => {
                self.kill().await;
                self.server = Program::start(&mut command(self.directory.path(), port_of(&self.url)));
                let most = self.start * 3 / 2;
                self.dice.pause(most).await;
            }
            2..5 => self.dice.pause(120_000).await,
            _ => {
                let answers = 1 + self.dice.below(200);
                let ledger = self.ledger.clone();
                self.meanwhile(ledger.more(answers)).await;
            }
        }
        self.kill().await;
        let port = port_of(&self.url);
        self.server = started(&mut command(self.directory.path(), port)).await.0;
        if self.dice.below(4) > 0 {
            self.check().await;
        }
    }

    /// Ends the server as a crash does.
    async fn kill(&mut self) {
        // No more is sent to a server than it was killed before: the epoch changes while it dies.
        self.ledger.epoch.fetch_add(1, Ordering::SeqCst);
        let log = self.server.killed().await;
        check_log(&log);
    }

    async fn check(&mut self) {
        let Self { audit, clients, .. } = self;
        beside(clients, audit.after_restart()).await;
    }

    async fn meanwhile<T>(&mut self, what: impl Future<Output = T>) -> T {
        beside(&mut self.clients, what).await
    }

    /// Lets clients end what they are at, and looks at everything.
    async fn end(mut self) -> Findings {
        self.stop.cancel();
        while let Some(ended) = soon(self.clients.join_next()).await {
            ended.expect("no client panics");
        }
        self.audit.at_the_end().await
    }
}

/// Awaits what must come while clients work; a client that panics is the end of it.
async fn beside<T>(clients: &mut JoinSet<()>, what: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        Some(ended) = clients.join_next() => panic!("a client ended: {ended:?}"),
        done = soon(what) => done,
    }
}

fn command(directory: &Path, port: u16) -> Command {
    let mut command = server_at(directory, port);
    let host = address_of_its_own(61).ip().to_string();
    // Scripts that wait hold a worker; a task must not run out of time because of crashes.
    command.args(["--host", &host, "--workers", "6", "--task-timeout", "2m"]);
    command
}

/// The owner of the circle that a server made for itself.
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

pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Another one each time, unless it is given.
pub fn seed() -> u64 {
    number("CIRCLES_TEST_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        u64::from(now.subsec_nanos())
    })
}

#[allow(
    clippy::print_stdout,
    reason = "a long run speaks to the person who started it; others are not shown it"
)]
fn say(what: std::fmt::Arguments<'_>) {
    println!("crashes: {what}");
}

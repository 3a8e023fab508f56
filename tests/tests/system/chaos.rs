//! Injects faults into servers, workers, Redis and networks while clients work. Answers that clients got stay true,
//! and everything recovers by itself.
//!
//! `cargo xtask chaos --minutes 10` runs the long version. `--seed` repeats its choice of faults, and `--only` selects
//! kinds of fault, to find the one that leaks. A failover after a kill may lose the last writes of a Redis, so
//! failovers are planned here; the store's `failovers` tests kill the primary.

mod audit;
mod faults;
mod load;
mod processes;
mod request;
mod world;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use circles_client::Client;
use circles_testing::SeededRng;
use futures_util::future::join_all;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    faults::Fault,
    load::Ledger,
    processes::ResourceUsage,
    world::{CIRCLES, SERVERS, Shape, World},
};

/// Time limit of recovery: it takes a second or two, and the rest is for an overloaded machine.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(180);
/// Limits of each server and worker; only a leak at each fault reaches them.
const MAX_USAGE: ResourceUsage = ResourceUsage { threads: 200, megabytes: 1_000, files: 300 };
/// Minimum number of answers for each minute of a long run: 12,000 in half an hour.
const ANSWERS_PER_MINUTE: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stay_true_under_faults_with_one_redis() {
    run(Shape::Single, length(6, 40, 500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stay_true_under_faults_with_sentinels() {
    run(Shape::Sentinels, length(2, 10, 200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stay_true_under_faults_with_cluster() {
    run(Shape::Cluster, length(2, 10, 200)).await;
}

/// The length of a run, which goes on until it has reached both time and answers: `tenths` tenths of the minutes that
/// the environment sets, or else these seconds and answers.
fn length(tenths: u64, seconds: u64, answers: usize) -> (Duration, usize) {
    match crate::crashes::number("CIRCLES_TEST_MINUTES") {
        Some(minutes) => {
            let answers = usize::try_from(minutes * ANSWERS_PER_MINUTE * tenths / 10).expect("a few");
            (Duration::from_secs(minutes * 6 * tenths), answers)
        }
        None => (Duration::from_secs(seconds), answers),
    }
}

/// The faults for a Redis topology, restricted to those that the environment selects.
fn kinds(shape: Shape) -> Vec<Fault> {
    let Ok(only) = std::env::var("CIRCLES_TEST_FAULTS") else { return Fault::of(shape).to_vec() };
    let named = |name: &str| {
        let mut all = [Shape::Single, Shape::Sentinels, Shape::Cluster].into_iter().flat_map(Fault::of);
        all.find(|fault| format!("{fault:?}") == name).unwrap_or_else(|| panic!("unknown fault {name}"))
    };
    let only: Vec<Fault> = only.split(',').map(|name| *named(name)).collect();
    Fault::of(shape).iter().copied().filter(|fault| only.contains(fault)).collect()
}

async fn run(shape: Shape, (time, answers): (Duration, usize)) {
    let kinds = kinds(shape);
    if kinds.is_empty() {
        report(format_args!("{shape:?}: no fault selected"));
        return;
    }
    let seed = crate::crashes::seed();
    report(format_args!("{shape:?} for {time:?}, seed {seed}"));
    let mut run = Run::begin(shape, seed).await;
    let (mut faults, mut rng) = (Vec::new(), SeededRng::new(seed, 0));
    while run.begun.elapsed() < time || run.ledger.answers() < answers {
        if faults.is_empty() {
            // All faults in turn, shuffled for each turn.
            faults.clone_from(&kinds);
            shuffle(&mut faults, &mut rng);
        }
        let Some(fault) = faults.pop() else { break };
        run.inject(fault, &mut rng).await;
        timeout(RECOVERY_TIMEOUT, run.ledger.more(20)).await.expect("clients get answers");
        rng.pause(300_000).await;
    }
    run.end().await;
}

/// A world with faults, and its clients.
struct Run {
    world: World,
    ledger: Arc<Ledger>,
    clients: JoinSet<()>,
    stop: CancellationToken,
    begun: Instant,
    injected: BTreeMap<Fault, usize>,
    usage: ResourceUsage,
}

impl Run {
    async fn begin(shape: Shape, seed: u64) -> Self {
        let world = World::start(shape, seed).await;
        let (ledger, stop) = (Arc::default(), CancellationToken::new());
        let clients = load::begin(&world, seed, &ledger, &stop).await;
        let (begun, injected, usage) = (Instant::now(), BTreeMap::new(), ResourceUsage::default());
        Self { world, ledger, clients, stop, begun, injected, usage }
    }

    /// Injects a fault, and checks that everything recovers.
    async fn inject(&mut self, fault: Fault, rng: &mut SeededRng) {
        let at = self.begun.elapsed();
        fault.inject(&mut self.world, rng).await;
        let took = self.begun.elapsed() - at;
        if let Some(ended) = self.clients.try_join_next() {
            panic!("a client ended during {fault:?}: {ended:?}");
        }
        let injected = Instant::now();
        wait_for_recovery(&self.world, fault).await;
        report(format_args!(
            "{:>4} s {fault:?} for {took:.1?}, recovered after {:.1?}; {} answers, {} that Redis is unavailable",
            at.as_secs(),
            injected.elapsed(),
            self.ledger.answers(),
            self.ledger.unavailable.load(Ordering::SeqCst),
        ));
        *self.injected.entry(fault).or_default() += 1;
        self.usage = self.usage.max(self.world.usage());
        assert_eq!(self.usage.max(MAX_USAGE), MAX_USAGE, "a server or a worker leaks: {:?}", self.injected);
    }

    /// Stops the clients, and audits the result.
    async fn end(self) {
        self.stop.cancel();
        let ended = timeout(2 * RECOVERY_TIMEOUT, self.clients.join_all());
        ended.await.expect("clients that end, and do not panic");
        let Self { world, ledger, begun, injected, usage, .. } = self;
        let findings = audit::audit(&world, &ledger).await;
        assert_eq!(world.complaints(), Vec::<String>::new());
        report(format_args!(
            "{} faults in {:?}: {injected:?}",
            injected.values().sum::<usize>(),
            begun.elapsed()
        ));
        report(format_args!(
            "{} answers, {} that Redis is unavailable, the latest {:?} past its deadline; {findings}; \
             maximum per process: {usage:?}",
            ledger.answers(),
            ledger.unavailable.load(Ordering::SeqCst),
            ledger.latest.lock().expect("not poisoned"),
        ));
    }
}

/// Waits until plays of every circle succeed through every server.
async fn wait_for_recovery(world: &World, after: Fault) {
    let urls = (0..SERVERS).flat_map(|server| (0..CIRCLES).map(move |circle| world.url(server, circle)));
    join_all(urls.map(|url| async move {
        let last = Instant::now() + RECOVERY_TIMEOUT;
        while let Err(error) = probe(&url).await {
            assert!(Instant::now() < last, "{after:?}: {url}: {error:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }))
    .await;
}

async fn probe(url: &str) -> Result<(), circles_client::Error> {
    let client = Client::builder(url).timeout(Duration::from_secs(20)).connect().await?;
    client.play("db::get(`total`)").await?;
    Ok(())
}

fn shuffle<T>(items: &mut [T], rng: &mut SeededRng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last + 1));
    }
}

#[allow(
    clippy::print_stdout,
    reason = "a long run reports its progress; the test harness hides the output of others"
)]
fn report(what: std::fmt::Arguments<'_>) {
    println!("chaos: {what}");
}

//! Servers, workers and a Redis that fail in every way, again and again, while clients work: what clients were told
//! stays true, and everything goes on by itself.
//!
//! `cargo xtask chaos --minutes 10` runs the long version; `--seed` repeats its choice of faults, and `--only` leaves
//! all but some out: a kind of fault that leaves something behind shows soonest alone. A Redis that dies without
//! warning where another takes its place may lose its last writes, so that here it changes as planned; the store's
//! `failovers` kill it.

mod audit;
mod faults;
mod load;
mod order;
mod processes;
mod world;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use circles_client::Client;
use circles_testing::Dice;
use futures_util::future::join_all;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    faults::Fault,
    load::Ledger,
    processes::Takes,
    world::{CIRCLES, SERVERS, Shape, World},
};

/// How long it takes at most until all goes on by itself: a second or two, and the rest is for a machine that has more
/// to do than it can.
const GOES_ON: Duration = Duration::from_secs(180);
/// What no server and no worker comes near, unless each fault leaves something behind.
const MOST: Takes = Takes { threads: 200, megabytes: 1_000, files: 300 };
/// How many answers there are to be at least, for each minute of a long run: 12,000 in half an hour.
const ANSWERS: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_are_told_is_true_whatever_fails_around_one_redis() {
    run(Shape::Single, length(6, 40, 500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_are_told_is_true_whatever_fails_around_sentinels() {
    run(Shape::Sentinels, length(2, 10, 200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_are_told_is_true_whatever_fails_around_a_cluster() {
    run(Shape::Cluster, length(2, 10, 200)).await;
}

/// So many tenths of the minutes that were asked for, and of the answers in them; or these seconds and answers. It
/// goes on until it has both.
fn length(tenths: u64, seconds: u64, answers: usize) -> (Duration, usize) {
    match crate::crashes::number("CIRCLES_TEST_MINUTES") {
        Some(minutes) => {
            let answers = usize::try_from(minutes * ANSWERS * tenths / 10).expect("a few");
            (Duration::from_secs(minutes * 6 * tenths), answers)
        }
        None => (Duration::from_secs(seconds), answers),
    }
}

/// What can go wrong with a Redis in some shape, as far as it was asked for.
fn kinds(shape: Shape) -> Vec<Fault> {
    let Ok(only) = std::env::var("CIRCLES_TEST_FAULTS") else { return Fault::of(shape).to_vec() };
    let named = |name: &str| {
        let mut all = [Shape::Single, Shape::Sentinels, Shape::Cluster].into_iter().flat_map(Fault::of);
        all.find(|fault| format!("{fault:?}") == name).unwrap_or_else(|| panic!("{name} is no kind of fault"))
    };
    let only: Vec<Fault> = only.split(',').map(|name| *named(name)).collect();
    Fault::of(shape).iter().copied().filter(|fault| only.contains(fault)).collect()
}

async fn run(shape: Shape, (time, answers): (Duration, usize)) {
    let kinds = kinds(shape);
    if kinds.is_empty() {
        say(format_args!("{shape:?}: none of the faults that were asked for"));
        return;
    }
    let seed = crate::crashes::seed();
    say(format_args!("{shape:?} for {time:?}, seed {seed}"));
    let mut run = Run::begin(shape, seed).await;
    let (mut faults, mut dice) = (Vec::new(), Dice::new(seed, 0));
    while run.begun.elapsed() < time || run.ledger.answers() < answers {
        if faults.is_empty() {
            // Each of them in turn, in an order of its own each time.
            faults.clone_from(&kinds);
            shuffle(&mut faults, &mut dice);
        }
        let Some(fault) = faults.pop() else { break };
        run.strike(fault, &mut dice).await;
        timeout(GOES_ON, run.ledger.more(20)).await.expect("clients that are answered");
        dice.pause(300_000).await;
    }
    run.end().await;
}

/// Clients in a world in which things go wrong.
struct Run {
    world: World,
    ledger: Arc<Ledger>,
    clients: JoinSet<()>,
    stop: CancellationToken,
    begun: Instant,
    struck: BTreeMap<Fault, usize>,
    takes: Takes,
}

impl Run {
    async fn begin(shape: Shape, seed: u64) -> Self {
        let world = World::start(shape, seed).await;
        let (ledger, stop) = (Arc::default(), CancellationToken::new());
        let clients = load::begin(&world, seed, &ledger, &stop).await;
        let (begun, struck, takes) = (Instant::now(), BTreeMap::new(), Takes::default());
        Self { world, ledger, clients, stop, begun, struck, takes }
    }

    /// Has something go wrong, and sees that all goes on.
    async fn strike(&mut self, fault: Fault, dice: &mut Dice) {
        let at = self.begun.elapsed();
        fault.strike(&mut self.world, dice).await;
        let took = self.begun.elapsed() - at;
        if let Some(ended) = self.clients.try_join_next() {
            panic!("a client ended beside {fault:?}: {ended:?}");
        }
        let mended = Instant::now();
        goes_on(&self.world, fault).await;
        say(format_args!(
            "{:>4} s {fault:?} for {took:.1?}, goes on after {:.1?}; {} answers, {} that Redis was away",
            at.as_secs(),
            mended.elapsed(),
            self.ledger.answers(),
            self.ledger.unavailable.load(Ordering::SeqCst),
        ));
        *self.struck.entry(fault).or_default() += 1;
        self.takes = self.takes.max(self.world.takes());
        assert_eq!(self.takes.max(MOST), MOST, "a server or a worker grows: {:?}", self.struck);
    }

    /// Lets clients end, and looks at everything.
    async fn end(self) {
        self.stop.cancel();
        let ended = timeout(2 * GOES_ON, self.clients.join_all());
        ended.await.expect("clients that end, and do not panic");
        let Self { world, ledger, begun, struck, takes, .. } = self;
        let findings = audit::audit(&world, &ledger).await;
        assert_eq!(world.complaints(), Vec::<String>::new());
        say(format_args!("{} faults in {:?}: {struck:?}", struck.values().sum::<usize>(), begun.elapsed()));
        say(format_args!(
            "{} answers, {} that Redis was away, the latest {:?} past its deadline; {findings}; \
             no server or worker took more than {takes:?}",
            ledger.answers(),
            ledger.unavailable.load(Ordering::SeqCst),
            ledger.latest.lock().expect("nobody panics with it"),
        ));
    }
}

/// Nobody has to help: plays of every circle succeed by way of every server.
async fn goes_on(world: &World, after: Fault) {
    let urls = (0..SERVERS).flat_map(|server| (0..CIRCLES).map(move |circle| world.url(server, circle)));
    join_all(urls.map(|url| async move {
        let last = Instant::now() + GOES_ON;
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

fn shuffle<T>(items: &mut [T], dice: &mut Dice) {
    for last in (1..items.len()).rev() {
        items.swap(last, dice.below(last + 1));
    }
}

#[allow(
    clippy::print_stdout,
    reason = "a long run speaks to the person who started it; others are not shown it"
)]
fn say(what: std::fmt::Arguments<'_>) {
    println!("chaos: {what}");
}

//! Servers, workers and a Redis that fail in every way, again and again, while clients work: what clients were told
//! stays true, and everything goes on by itself.
//!
//! `cargo xtask chaos --minutes 10` runs the long version; `--seed` repeats its choice of faults. A Redis that dies
//! without warning where another takes its place may lose its last writes, so that here it changes as planned; the
//! store's `failovers` kill it.

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
use circles_tests::NEVER;
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::{
    faults::Fault,
    load::Ledger,
    world::{CIRCLES, SERVERS, Shape, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_are_told_is_true_whatever_fails_around_one_redis() {
    run(Shape::Single, time(6, 40), 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_are_told_is_true_whatever_fails_around_sentinels() {
    run(Shape::Sentinels, time(2, 10), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_are_told_is_true_whatever_fails_around_a_cluster() {
    run(Shape::Cluster, time(2, 10), 200).await;
}

/// So many tenths of the minutes that were asked for, or these seconds.
fn time(tenths: u64, seconds: u64) -> Duration {
    let minutes = crate::crashes::number("CIRCLES_TEST_MINUTES");
    Duration::from_secs(minutes.map_or(seconds, |minutes| minutes * 6 * tenths))
}

async fn run(shape: Shape, time: Duration, answers: usize) {
    let seed = crate::crashes::seed();
    say(format_args!("{shape:?} for {time:?}, seed {seed}"));
    let mut world = World::start(shape, seed).await;
    let (ledger, stop) = (Arc::new(Ledger::default()), CancellationToken::new());
    let mut clients = load::begin(&world, seed, &ledger, &stop).await;
    let mut dice = Dice::new(seed, 0);
    let mut struck: BTreeMap<Fault, usize> = BTreeMap::new();
    let begun = Instant::now();
    let mut faults = Vec::new();
    while begun.elapsed() < time || ledger.answers() < answers {
        if faults.is_empty() {
            // Each of them in turn, in an order of its own each time.
            faults = Fault::of(shape).to_vec();
            shuffle(&mut faults, &mut dice);
        }
        let Some(fault) = faults.pop() else { break };
        let at = begun.elapsed();
        fault.strike(&mut world, &mut dice).await;
        if let Some(ended) = clients.try_join_next() {
            panic!("a client ended beside {fault:?}: {ended:?}");
        }
        let mended = Instant::now();
        goes_on(&world, fault).await;
        say(format_args!(
            "{:>4} s {fault:?}, goes on after {:?}; {} answers",
            at.as_secs(),
            mended.elapsed(),
            ledger.answers()
        ));
        *struck.entry(fault).or_default() += 1;
        ledger_more(&ledger, 20).await;
        dice.pause(300_000).await;
    }
    stop.cancel();
    while let Some(ended) = timeout(2 * NEVER, clients.join_next()).await.expect("clients that end") {
        ended.expect("no client panics");
    }
    let findings = audit::audit(&world, &ledger).await;
    assert_eq!(world.complaints(), Vec::<String>::new());
    say(format_args!(
        "{shape:?}: {} faults in {:?}: {struck:?}; {} answers, {} that Redis was away, \
         the latest {:?} past its deadline",
        struck.values().sum::<usize>(),
        begun.elapsed(),
        ledger.answers(),
        ledger.unavailable.load(Ordering::SeqCst),
        ledger.latest.lock().expect("nobody panics with it"),
    ));
    say(format_args!("{shape:?}: {findings}"));
}

async fn ledger_more(ledger: &Ledger, answers: usize) {
    timeout(NEVER, ledger.more(answers)).await.expect("clients that are answered");
}

/// Nobody has to help: plays of every circle succeed by way of every server.
async fn goes_on(world: &World, after: Fault) {
    let urls = (0..SERVERS).flat_map(|server| (0..CIRCLES).map(move |circle| world.url(server, circle)));
    join_all(urls.map(|url| async move {
        let last = Instant::now() + Duration::from_secs(30);
        while let Err(error) = probe(&url).await {
            assert!(Instant::now() < last, "{after:?}: {url}: {error:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }))
    .await;
}

async fn probe(url: &str) -> Result<(), circles_client::Error> {
    let client = Client::builder(url).timeout(Duration::from_secs(5)).connect().await?;
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

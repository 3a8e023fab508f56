//! Failovers of the Redis that a store uses.
//!
//! Replication is asynchronous, so a primary that dies may lose its last writes. Acknowledged tasks must therefore
//! survive planned failovers only; all other promises always hold.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use circles_store::{Claim, State, Store, Task, TaskId, Transaction};
use circles_store_redis::{RedisConfig, RedisStore};
use circles_testing::{Cluster, Sentinels};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    conformance::{circle, soon, task},
    connections::config,
    links::{serves, until},
    tasks::submitted,
    transactions::settlement,
};

/// The number of circles.
const CIRCLES: u8 = 8;
/// The number of concurrent callers.
const CALLERS: u8 = 4;

/// Callers and workers that run until the end of a test.
struct Load {
    server: Arc<RedisStore>,
    worker: Arc<RedisStore>,
    /// Acknowledged tasks, with their circles.
    accepted: Arc<Mutex<Vec<(u8, TaskId)>>>,
    refused: Arc<AtomicUsize>,
    /// Cancelled to stop the callers.
    enough: CancellationToken,
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl Load {
    async fn start(url: &str) -> Self {
        // A short lease, since a lost step leaves a task held until its lease expires.
        let config = || RedisConfig { lease: Duration::from_secs(3), ..config() };
        let connect = || async move { Arc::new(RedisStore::connect(url, config()).await.unwrap()) };
        let (server, worker) = (connect().await, connect().await);
        let mut load = Self {
            server,
            worker,
            accepted: Arc::default(),
            refused: Arc::default(),
            enough: CancellationToken::new(),
            stop: CancellationToken::new(),
            running: JoinSet::new(),
        };
        for caller in 0..CALLERS {
            load.running.spawn(submit(
                caller,
                load.server.clone(),
                load.accepted.clone(),
                load.refused.clone(),
                load.enough.clone(),
            ));
            load.running.spawn(work(load.worker.clone(), load.stop.clone()));
        }
        load
    }

    /// Waits until this many more tasks were accepted.
    async fn more(&self, tasks: usize) {
        let goal = self.accepted.lock().unwrap().len() + tasks;
        until("tasks that are accepted", async || {
            (self.accepted.lock().unwrap().len() >= goal).then_some(())
        })
        .await;
    }

    /// Stops the load and compares the tasks in Redis with the acknowledged ones. Returns how many were accepted, and
    /// how many of these are unknown.
    async fn end(mut self) -> (usize, usize) {
        self.enough.cancel();
        let accepted = { self.accepted.lock().unwrap().clone() };
        let mut unknown = 0;
        for (number, id) in accepted.iter().copied() {
            let found = until("a store that answers", async || {
                self.server.task(&circle(number), id, Duration::from_secs(20)).await.ok()
            });
            match found.await.map(|task| task.state) {
                None => unknown += 1,
                Some(state) => {
                    assert_eq!(state, State::Succeeded);
                    assert_eq!(effects(&self.server, number, id), 1, "{id}");
                }
            }
        }
        self.stop.cancel();
        while let Some(ended) = soon(self.running.join_next()).await {
            ended.unwrap();
        }
        serves(&self.server, &self.worker).await;
        (accepted.len(), unknown)
    }
}

async fn submit(
    caller: u8,
    server: Arc<RedisStore>,
    accepted: Arc<Mutex<Vec<(u8, TaskId)>>>,
    refused: Arc<AtomicUsize>,
    enough: CancellationToken,
) {
    let mut number = caller;
    while !enough.is_cancelled() {
        number = (number + 1) % CIRCLES;
        let begun = Instant::now();
        match server.submit(Task { circle: circle(number), ..submitted("count") }).await {
            Ok(ticket) => accepted.lock().unwrap().push((number, ticket.task())),
            Err(_) => drop(refused.fetch_add(1, Ordering::Relaxed)),
        }
        assert!(begun.elapsed() < Duration::from_secs(4), "a caller waited {:?}", begun.elapsed());
        sleep(Duration::from_millis(5)).await;
    }
}

async fn work(worker: Arc<RedisStore>, stop: CancellationToken) {
    while let Some(Ok(claim)) = stop.run_until_cancelled(worker.claim()).await {
        if let Ok(transaction) = mark(&claim) {
            // The check at the end finds the result.
            let _ = claim.settle(settlement(transaction)).await;
        }
    }
}

/// Counts a run of the task in its document.
fn mark(claim: &Claim) -> Result<Transaction, circles_store::Error> {
    let mut transaction = Transaction::new(claim.snapshot()?);
    let key = claim.task().id.to_string();
    let before: u32 = transaction.get(&key)?.map_or(0, |times| times.parse().unwrap());
    transaction.put(&key, Some((before + 1).to_string().into()));
    Ok(transaction)
}

fn effects(store: &RedisStore, number: u8, id: TaskId) -> u32 {
    let (claim, _ticket) = store.begin_nested(Task { circle: circle(number), ..task("look") }).unwrap();
    let found = claim.snapshot().unwrap().get(&id.to_string()).unwrap();
    found.map_or(0, |times| times.parse().unwrap())
}

#[allow(clippy::print_stdout, reason = "how much a crash of a primary took is worth a line")]
fn report(what: &str, (accepted, unknown): (usize, usize)) {
    println!("{what}: {accepted} tasks were accepted, {unknown} went with the primary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planned_sentinel_failover_loses_nothing() {
    let mut sentinels = Sentinels::start();
    let load = Load::start(&sentinels.url()).await;
    for _ in 0..2 {
        load.more(100).await;
        tokio::task::block_in_place(|| sentinels.fail_over());
        load.more(100).await;
    }
    assert_eq!(load.end().await.1, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_replace_dead_primary() {
    let mut sentinels = Sentinels::start();
    let load = Load::start(&sentinels.url()).await;
    load.more(100).await;
    tokio::task::block_in_place(|| {
        let before = sentinels.primary().address();
        sentinels.primary().kill();
        sentinels.await_other(before);
    });
    load.more(100).await;
    report("sentinels", load.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_replace_frozen_primary() {
    let mut sentinels = Sentinels::start();
    let load = Load::start(&sentinels.url()).await;
    load.more(100).await;
    let before = sentinels.primary().address();
    tokio::task::block_in_place(|| {
        sentinels.primary().suspend();
        sentinels.await_other(before);
    });
    load.more(100).await;
    // The old primary comes back and is demoted.
    sentinels.resume(before);
    load.more(100).await;
    report("sentinels, frozen", load.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planned_cluster_failover_loses_nothing() {
    let cluster = Cluster::start();
    let load = Load::start(&cluster.url()).await;
    for shard in 0..4 {
        load.more(50).await;
        tokio::task::block_in_place(|| cluster.fail_over(cluster.owner(&format!("circles:{{{shard}}}"))));
    }
    load.more(100).await;
    assert_eq!(load.end().await.1, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_replaces_dead_primary() {
    let mut cluster = Cluster::start();
    let load = Load::start(&cluster.url()).await;
    load.more(100).await;
    tokio::task::block_in_place(|| {
        let primary = cluster.owner("circles:{1}");
        cluster.kill(primary);
        cluster.await_order();
    });
    load.more(100).await;
    report("cluster", load.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_cluster_slots_loses_nothing() {
    let cluster = Cluster::start();
    let load = Load::start(&cluster.url()).await;
    for shard in 0..4 {
        load.more(50).await;
        tokio::task::block_in_place(|| {
            // While half of the slot has moved, it serves no client.
            cluster.move_slot(&format!("circles:{{{shard}}}"), || {
                std::thread::sleep(Duration::from_millis(500))
            });
        });
    }
    load.more(100).await;
    assert_eq!(load.end().await.1, 0);
}

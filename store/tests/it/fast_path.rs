//! The fast path: short plays that workers run before they are queued. Each store stands for a process.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use circles_store::{Claim, Error, InlineRunner, Outcome, Settled, Settlement, Source, Store, Task, Ticket};
use circles_store_redis::{RedisConfig, RedisStore};
use futures_util::FutureExt as _;

use crate::{
    conformance::{circle, keyed, script, settle, soon, success, task},
    links::until,
    processes::SharedRedis,
    tasks::submitted,
};

/// Runs the script `short` inline.
#[derive(Default)]
struct ShortScripts {
    count: AtomicUsize,
}

impl InlineRunner for ShortScripts {
    fn try_inline(&self, task: &Task) -> Option<Outcome> {
        self.count.fetch_add(1, Ordering::SeqCst);
        matches!(&task.source, Source::Script(script) if &**script == "short").then(|| success("inline"))
    }
}

/// Returns a server with a long fast-path timeout, so that slow machines pass, and a worker on the fast path.
async fn pair(shared: &SharedRedis) -> (Arc<RedisStore>, Arc<RedisStore>, Arc<ShortScripts>) {
    let patient = RedisConfig { fast_path_timeout: Duration::from_secs(100), ..RedisConfig::default() };
    pair_with(shared, patient).await
}

async fn pair_with(
    shared: &SharedRedis,
    config: RedisConfig,
) -> (Arc<RedisStore>, Arc<RedisStore>, Arc<ShortScripts>) {
    let (server, worker) = (shared.connect(config).await, another(shared).await);
    let trial = Arc::new(ShortScripts::default());
    worker.enable_fast_path(trial.clone());
    knows(&server, 1).await;
    (server, worker, trial)
}

async fn another(shared: &SharedRedis) -> Arc<RedisStore> {
    shared.connect(RedisConfig::default()).await
}

/// Waits until a server knows this many workers on the fast path.
async fn knows(server: &RedisStore, triers: usize) {
    until("workers on the fast path", async || (server.fast_path_workers() == triers).then_some(())).await;
}

/// Returns the keys of tasks and documents in the first database of this test's Redis.
fn holds() -> String {
    format!("{:?}", circles_testing::redis_of_this_test().ask(&["KEYS", "circles:{*"]))
}

/// Plays in a spawned task, since `submit` on the fast path returns only after the play.
fn play(server: &Arc<RedisStore>, task: Task) -> impl Future<Output = Outcome> {
    let server = server.clone();
    let playing = tokio::spawn(async move { server.submit(task).await.unwrap().await });
    async { soon(playing).await.unwrap() }
}

/// Returns a claim that a worker waits for.
fn claims(worker: &Arc<RedisStore>) -> impl Future<Output = Claim> {
    let worker = worker.clone();
    let mut waiting = Box::pin(async move { worker.claim().await.unwrap() });
    // From now on the worker waits.
    assert!((&mut waiting).now_or_never().is_none());
    soon(waiting)
}

#[tokio::test(flavor = "multi_thread")]
async fn fast_path_play_leaves_nothing_in_redis() {
    let shared = SharedRedis::new();
    let (server, _worker, trial) = pair(&shared).await;
    let before = holds();
    for _ in 0..3 {
        assert_eq!(play(&server, task("short")).await, success("inline"));
    }
    assert_eq!(trial.count.load(Ordering::SeqCst), 3);
    assert_eq!(holds(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_fast_path_plays_keep_their_outcomes() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let runner = {
        let worker = worker.clone();
        tokio::spawn(async move {
            while let Ok(claim) = worker.claim().await {
                let outcome = success(script(&claim));
                settle(claim, outcome).await;
            }
        })
    };
    let plays = (0..500).map(|number| {
        let play =
            play(&server, task(&if number % 2 == 0 { "short".to_owned() } else { number.to_string() }));
        async move { (number, play.await) }
    });
    for (number, outcome) in futures_util::future::join_all(plays).await {
        let expected = if number % 2 == 0 { "inline".to_owned() } else { number.to_string() };
        assert_eq!(outcome, success(&expected));
    }
    worker.close().await;
    soon(runner).await.unwrap();
}

/// Tasks that are remembered or can be queried while they run go through the queue.
#[tokio::test(flavor = "multi_thread")]
async fn remembered_tasks_skip_the_fast_path() {
    let shared = SharedRedis::new();
    let (server, worker, trial) = pair(&shared).await;
    for kept in [keyed("short", "k"), submitted("short")] {
        let ticket = server.submit(kept).await.unwrap();
        settle(soon(worker.claim()).await.unwrap(), success("queued")).await;
        assert_eq!(soon(ticket).await, success("queued"));
    }
    assert_eq!(trial.count.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn fast_path_read_only_play_leaves_nothing_in_redis() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let before = holds();
    let claim = claims(&worker);
    let outcome = play(&server, task("long"));
    let claim = claim.await;
    let snapshot = claim.snapshot().unwrap();
    let read = tokio::task::spawn_blocking(move || snapshot.get("k").unwrap());
    assert_eq!(soon(read).await.unwrap(), None);
    assert_eq!(worker.held_tasks(), 0);
    assert!(claim.accepts(&success("read").into()));
    settle(claim, success("read")).await;
    assert_eq!(outcome.await, success("read"));
    assert_eq!(holds(), before);
}

/// The attack: so many fast-path plays that queued tasks never run.
#[tokio::test(flavor = "multi_thread")]
async fn fast_path_leaves_threads_to_the_queue() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let threads = [claims(&worker), claims(&worker)];
    let outcomes = [play(&server, task("one")), play(&server, task("other"))];
    let held = futures_util::future::join_all(threads).await;
    assert_eq!(worker.held_tasks(), 1, "one is on the fast path, the other comes from the queue");
    for claim in held {
        let outcome = success(script(&claim));
        settle(claim, outcome).await;
    }
    assert_eq!(futures_util::future::join_all(outcomes).await, [success("one"), success("other")]);
}

fn writes(output: &str) -> Settlement {
    let writes = [("k".into(), Some("1".into()))].into_iter().collect();
    Settlement { writes, ..success(output).into() }
}

/// The play runs on the fast path and again from the queue; its write must be applied once.
#[tokio::test(flavor = "multi_thread")]
async fn fast_path_write_is_queued_and_applied_once() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let claim = claims(&worker);
    let outcome = play(&server, task("long"));
    let claim = claim.await;
    assert!(!claim.accepts(&writes("tried")));
    assert!(matches!(claim.settle(writes("tried")).await, Ok(Settled::Recorded)));
    let claim = soon(worker.claim()).await.unwrap();
    assert!(claim.accepts(&writes("queued")));
    assert!(matches!(claim.settle(writes("queued")).await, Ok(Settled::Recorded)));
    assert_eq!(outcome.await, success("queued"));
    assert_eq!(soon(server.provenance(&circle(1), 0, 10)).await.unwrap().records.len(), 1);
}

/// A fast-path play at the time of a close was accepted: its outcome arrives, or it is queued.
#[tokio::test(flavor = "multi_thread")]
async fn close_lets_fast_path_plays_finish() {
    for is_released in [false, true] {
        let shared = SharedRedis::new();
        let (server, worker, _) = pair(&shared).await;
        let claim = claims(&worker);
        let outcome = play(&server, task("long"));
        let mut claim = claim.await;
        server.close().await;
        assert_eq!(server.submit(task("late")).await.err(), Some(Error::Closed));
        if is_released {
            drop(claim);
            claim = soon(worker.claim()).await.unwrap();
        }
        assert_eq!(worker.held_tasks(), usize::from(is_released));
        settle(claim, success("done")).await;
        assert_eq!(outcome.await, success("done"));
    }
}

/// The attack: a fast-path play has a side effect, and is then run again.
#[tokio::test(flavor = "multi_thread")]
async fn fast_path_allows_no_side_effect() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let claim = claims(&worker);
    let outcome = play(&server, task("long"));
    let claim = claim.await;
    assert_eq!(claim.mark_side_effects(), Err(Error::MustRetry));
    // The worker settles such a play as a conflict.
    settle(claim, Outcome::failed(circles_store::Failure::Conflict)).await;
    let claim = soon(worker.claim()).await.unwrap();
    let claim = soon(tokio::task::spawn_blocking(move || (claim.mark_side_effects(), claim))).await.unwrap();
    assert_eq!(claim.0, Ok(()));
    settle(claim.1, success("sent")).await;
    assert_eq!(outcome.await, success("sent"));
}

/// A late reply of the worker must not count: the play runs once from the queue.
#[tokio::test(flavor = "multi_thread")]
async fn fast_path_play_of_silent_worker_is_queued() {
    let shared = SharedRedis::new();
    let (server, silent, _) = pair_with(&shared, RedisConfig::default()).await;
    let other = another(&shared).await;
    let tried = claims(&silent);
    let outcome = play(&server, task("long"));
    let tried = tried.await;
    let queued = soon(other.claim()).await.unwrap();
    assert_eq!(queued.task().id, tried.task().id);
    settle(tried, success("late")).await;
    settle(queued, success("queued")).await;
    assert_eq!(outcome.await, success("queued"));
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_fast_path_play_is_queued() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let tried = claims(&worker);
    let outcome = play(&server, task("long"));
    let tried = tried.await;
    assert!(tried.deadline() < std::time::Instant::now() + Duration::from_millis(100));
    settle(tried, Outcome::timed_out()).await;
    settle(soon(worker.claim()).await.unwrap(), success("queued")).await;
    assert_eq!(outcome.await, success("queued"));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_outcome_goes_through_the_queue() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let large = "x".repeat(1 << 20);
    let tried = claims(&worker);
    let outcome = play(&server, task("long"));
    settle(tried.await, success(&large)).await;
    settle(soon(worker.claim()).await.unwrap(), success(&large)).await;
    assert_eq!(outcome.await, success(&large));
}

#[tokio::test(flavor = "multi_thread")]
async fn fast_path_respects_pools_and_chosen_circles() {
    let shared = SharedRedis::new();
    let pools = HashMap::from([(circle(2), "big".to_owned())]);
    let config = |pool: &str, only: &[u8]| RedisConfig {
        pools: pools.clone(),
        pool: pool.to_owned(),
        only_circles: only.iter().map(|number| circle(*number)).collect(),
        ..RedisConfig::default()
    };
    let patient = RedisConfig { fast_path_timeout: Duration::from_secs(100), ..config("", &[]) };
    let server = shared.connect(patient).await;
    let (of_pool, of_third) = (Arc::new(ShortScripts::default()), Arc::new(ShortScripts::default()));
    let big = shared.connect(config("big", &[])).await;
    big.enable_fast_path(of_pool.clone());
    let third = shared.connect(config("", &[3])).await;
    third.enable_fast_path(of_third.clone());
    knows(&server, 2).await;
    let of_circle = |number| Task { circle: circle(number), ..task("short") };
    assert_eq!(play(&server, of_circle(2)).await, success("inline"));
    assert_eq!(play(&server, of_circle(3)).await, success("inline"));
    let tried = || (of_pool.count.load(Ordering::SeqCst), of_third.count.load(Ordering::SeqCst));
    assert_eq!(tried(), (1, 1));
    let outcome = play(&server, of_circle(1));
    let others = another(&shared).await;
    settle(soon(others.claim()).await.unwrap(), success("queued")).await;
    assert_eq!(outcome.await, success("queued"));
    assert_eq!(tried(), (1, 1));
}

/// Processes that share a Redis but not a database share its channels.
#[tokio::test(flavor = "multi_thread")]
async fn fast_path_stays_within_its_database() {
    let (here, there) = (SharedRedis::new(), SharedRedis::new());
    let (server, _worker, tried_here) = pair(&here).await;
    let (other, _other_worker, tried_there) = pair(&there).await;
    for _ in 0..10 {
        assert_eq!(play(&server, task("short")).await, success("inline"));
    }
    assert_eq!((server.fast_path_workers(), other.fast_path_workers()), (1, 1));
    let tried = |trial: &ShortScripts| trial.count.load(Ordering::SeqCst);
    assert_eq!((tried(&tried_here), tried(&tried_there)), (10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn fast_path_prefers_own_process() {
    let shared = SharedRedis::new();
    let (server, trial) = (another(&shared).await, Arc::new(ShortScripts::default()));
    server.enable_fast_path(trial.clone());
    let ticket: Ticket = server.submit(task("short")).await.unwrap();
    assert_eq!(soon(ticket).await, success("inline"));
    assert_eq!(trial.count.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_worker_leaves_the_fast_path() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let tried = claims(&worker);
    let outcome = play(&server, task("long"));
    let tried = tried.await;
    worker.close().await;
    knows(&server, 0).await;
    drop(tried);
    let other = another(&shared).await;
    settle(soon(other.claim()).await.unwrap(), success("queued")).await;
    assert_eq!(outcome.await, success("queued"));
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnect_leaves_no_fast_path_play() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let tried = claims(&worker);
    let playing = tokio::spawn({
        let server = server.clone();
        async move { server.submit(task("long")).await.map(drop) }
    });
    let tried = tried.await;
    playing.abort();
    assert!(playing.await.unwrap_err().is_cancelled());
    settle(tried, success("unheard")).await;
    assert_eq!(play(&server, task("short")).await, success("inline"));
}

/// Redis belongs to servers and workers; messages from it are validated all the same.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_fast_path_messages_are_ignored() {
    let shared = SharedRedis::new();
    let (server, worker, _) = pair(&shared).await;
    let redis = circles_testing::redis_of_this_test();
    for id in [server.id(), worker.id()] {
        for channel in [
            format!("circles:trials:{}", server.database()),
            format!("circles:trials:plays:{id}"),
            format!("circles:trials:outcomes:{id}"),
        ] {
            for junk in ["", "x", "\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}", "[1,2]"] {
                redis.ask(&["PUBLISH", &channel, junk]);
            }
        }
    }
    assert_eq!(play(&server, task("short")).await, success("inline"));
}

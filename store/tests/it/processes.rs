//! Promises between processes that share a Redis; each store stands for a process.

use std::{collections::HashMap, sync::Arc, time::Duration};

use circles_store::{
    Caller, CircleId, Error, Kind, LogLevel, LogLine, Outcome, Settled, Settlement, State, Store, Task,
    TaskId, Transaction, WatchEvent,
};
use circles_store_redis::{RedisConfig, RedisStore};
use circles_testing::{Mode, Proxy};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    conformance::{circle, keyed, script, settle, soon, success, task},
    links::until,
    tasks::submitted,
    transactions::settlement,
};

/// Short enough for tests to wait for, long enough not to expire on a busy machine.
const LEASE: Duration = Duration::from_secs(2);

/// A database that several stores share.
pub(crate) struct SharedRedis {
    url: String,
}

impl SharedRedis {
    pub(crate) fn new() -> Self {
        Self { url: circles_testing::redis_of_this_test().url() }
    }

    pub(crate) async fn connect(&self, config: RedisConfig) -> Arc<RedisStore> {
        let config = RedisConfig { lease: LEASE, shards: 4, ..config };
        Arc::new(RedisStore::connect(&self.url, config).await.unwrap())
    }

    async fn store(&self) -> Arc<dyn Store> {
        self.store_with(RedisConfig::default()).await
    }

    async fn store_with(&self, config: RedisConfig) -> Arc<dyn Store> {
        self.connect(config).await
    }

    /// Connects a store that may die.
    async fn mortal(&self) -> MortalStore {
        MortalStore { store: Some(self.store().await) }
    }
}

/// A process that may die.
struct MortalStore {
    store: Option<Arc<dyn Store>>,
}

impl MortalStore {
    fn store(&self) -> &Arc<dyn Store> {
        self.store.as_ref().unwrap()
    }

    /// Ends the process without releasing its tasks.
    fn die(&mut self) {
        let store = self.store.take().unwrap();
        assert_eq!(Arc::strong_count(&store), 1, "it dies with its last handle");
    }
}

fn line(text: &str) -> LogLine {
    LogLine { level: LogLevel::Info, text: text.to_owned() }
}

fn one() -> RedisConfig {
    RedisConfig::default()
}

#[tokio::test(flavor = "multi_thread")]
async fn task_runs_in_another_process_and_is_answered() {
    let shared = SharedRedis::new();
    let (server, worker) = (shared.store().await, shared.store().await);
    let ticket = server.submit(task("a")).await.unwrap();
    let claim = soon(worker.claim()).await.unwrap();
    assert_eq!(claim.task().id, ticket.task());
    settle(claim, success("done")).await;
    assert_eq!(soon(ticket).await, success("done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_call_is_answered_by_any_server() {
    let shared = SharedRedis::new();
    let (first, second, worker) = (shared.store().await, shared.store().await, shared.store().await);
    let ticket = first.submit(keyed("a", "k")).await.unwrap();
    let again = second.submit(keyed("a", "k")).await.unwrap();
    assert_eq!(again.task(), ticket.task());
    settle(soon(worker.claim()).await.unwrap(), success("once")).await;
    assert_eq!(soon(ticket).await, success("once"));
    assert_eq!(soon(again).await, success("once"));
    assert_eq!(soon(second.submit(keyed("a", "k"))).await.unwrap().await, success("once"));
    assert!(matches!(first.submit(keyed("b", "k")).await, Err(Error::KeyReused(_))));
}

/// The outcome and the released task race; in both orders the worker holds nothing afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_settle_leaves_no_held_task() {
    let shared = SharedRedis::new();
    let store = RedisStore::connect(&shared.url, one()).await.unwrap();
    for _ in 0..20 {
        let _ticket = store.submit(task("a")).await.unwrap();
        let claim = soon(store.claim()).await.unwrap();
        assert!(claim.settle(success("")).now_or_never().is_none());
        until("a claim that is released", async || (store.held_tasks() == 0).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnect_and_cancel_reach_remote_worker() {
    let shared = SharedRedis::new();
    let (server, worker) = (shared.store().await, shared.store().await);
    let ticket = server.submit(task("a")).await.unwrap();
    let claim = soon(worker.claim()).await.unwrap();
    drop(ticket);
    soon(claim.interrupt().cancelled()).await;
    settle(claim, Outcome::cancelled()).await;

    let ticket = server.submit(submitted("b")).await.unwrap();
    let claim = soon(worker.claim()).await.unwrap();
    assert!(server.cancel(&circle(1), ticket.task()).await.unwrap());
    soon(claim.interrupt().cancelled()).await;
    settle(claim, Outcome::cancelled()).await;
    assert_eq!(soon(ticket).await, Outcome::cancelled());
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_watch_delivers_every_line_before_the_end() {
    let shared = SharedRedis::new();
    let (server, late, worker) = (shared.store().await, shared.store().await, shared.store().await);
    let ticket = server.submit(task("a")).await.unwrap();
    // One watches before the task runs, one starts later.
    let mut watch = server.watch(&circle(1), ticket.task()).await.unwrap().unwrap();
    let claim = soon(worker.claim()).await.unwrap();
    claim.log(&line("first"));
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Logged(line("first"))));
    let mut other = late.watch(&circle(1), ticket.task()).await.unwrap().unwrap();
    assert_eq!(soon(other.next()).await, Some(WatchEvent::Logged(line("first"))));
    for number in 0..300 {
        claim.log(&line(&number.to_string()));
    }
    // A cancelled outcome does not carry the lines.
    settle(claim, Outcome::cancelled()).await;
    for watch in [&mut watch, &mut other] {
        for number in 0..300 {
            assert_eq!(soon(watch.next()).await, Some(WatchEvent::Logged(line(&number.to_string()))));
        }
        let Some(WatchEvent::Ended(view)) = soon(watch.next()).await else { panic!("no end") };
        assert_eq!(view.state, State::Cancelled);
    }
    assert_eq!(soon(ticket).await, Outcome::cancelled());
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_reports_restart_on_another_worker() {
    let shared = SharedRedis::new();
    let (server, mut dying) = (shared.store().await, shared.mortal().await);
    let ticket = server.submit(task("a")).await.unwrap();
    let claim = soon(dying.store().claim()).await.unwrap();
    let mut watch = server.watch(&circle(1), ticket.task()).await.unwrap().unwrap();
    claim.log(&line("half"));
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Logged(line("half"))));
    dying.die();
    drop(claim);
    let worker = shared.store().await;
    let claim = soon(worker.claim()).await.unwrap();
    claim.log(&line("whole"));
    settle(claim, success("")).await;
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Restarted));
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Logged(line("whole"))));
    assert!(matches!(soon(watch.next()).await, Some(WatchEvent::Ended(_))));
    assert_eq!(soon(ticket).await, success(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn lease_expires_when_worker_dies() {
    let shared = SharedRedis::new();
    let (server, mut dying) = (shared.store().await, shared.mortal().await);
    let ticket = server.submit(task("a")).await.unwrap();
    let first = soon(dying.store().claim()).await.unwrap();
    dying.die();
    let worker = shared.store().await;
    let claim = soon(worker.claim()).await.unwrap();
    assert_eq!(claim.task().id, first.task().id);
    settle(claim, success("by another")).await;
    assert_eq!(soon(ticket).await, success("by another"));
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn reclaimed_task_interrupts_its_stale_run() {
    let redis = circles_testing::redis_of_this_test();
    let shared = SharedRedis::new();
    let server = shared.store().await;
    // A long lease, so that the worker does not renew it during the test.
    let config = RedisConfig { lease: Duration::from_secs(300), shards: 4, ..RedisConfig::default() };
    let worker = RedisStore::connect(&shared.url, config).await.unwrap();
    let ticket = server.submit(task("a")).await.unwrap();
    let lost = soon(worker.claim()).await.unwrap();
    // Its lease ends, and another process reaps its task.
    let again = until("a claim of the reaped task", async || {
        expire_lease(&redis, worker.id());
        timeout(Duration::from_millis(100), worker.claim()).await.ok()
    });
    let again = again.await.unwrap();
    assert_eq!(again.task().id, lost.task().id);
    assert!(lost.interrupt().is_cancelled());
    assert!(!again.interrupt().is_cancelled());
    drop(lost);
    settle(again, success("again")).await;
    assert_eq!(soon(ticket).await, success("again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn marked_task_of_dead_worker_is_lost_or_retried() {
    let shared = SharedRedis::new();
    let (server, mut dying) = (shared.store().await, shared.mortal().await);
    let lost = server.submit(task("lost")).await.unwrap();
    let first = soon(dying.store().claim()).await.unwrap();
    let again = Task { kind: Kind::Submitted { retries: 1 }, ..task("again") };
    let again = server.submit(again).await.unwrap();
    let second = soon(dying.store().claim()).await.unwrap();
    first.mark_side_effects().unwrap();
    second.mark_side_effects().unwrap();
    dying.die();
    assert_eq!(soon(lost).await, Outcome::Lost);
    let mut other = shared.mortal().await;
    let third = soon(other.store().claim()).await.unwrap();
    assert_eq!(third.task().id, again.task());
    // That was its only retry.
    third.mark_side_effects().unwrap();
    other.die();
    assert_eq!(soon(again).await, Outcome::Lost);
    drop((first, second, third));
}

#[tokio::test(flavor = "multi_thread")]
async fn task_is_lost_after_two_worker_deaths() {
    let shared = SharedRedis::new();
    let server = shared.store().await;
    for (task, has_key) in
        [(task("plain"), false), (submitted("submitted"), false), (keyed("keyed", "k"), true)]
    {
        let again = Task { id: TaskId::now_v7(), ..task.clone() };
        let ticket = server.submit(task).await.unwrap();
        for _ in 0..2 {
            let mut dying = shared.mortal().await;
            let claim = soon(dying.store().claim()).await.unwrap();
            assert_eq!(claim.task().id, ticket.task());
            dying.die();
            drop(claim);
        }
        assert_eq!(soon(ticket).await, Outcome::Lost);
        let worker = shared.store().await;
        assert!(worker.claim().now_or_never().is_none());
        if has_key {
            assert_eq!(soon(server.submit(again).await.unwrap()).await, Outcome::Lost);
        }
        soon(worker.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn released_task_does_not_count_worker_death() {
    let shared = SharedRedis::new();
    let server = shared.store().await;
    let ticket = server.submit(task("a")).await.unwrap();
    // An orderly shutdown counts as no death.
    for _ in 0..3 {
        let worker = shared.connect(one()).await;
        drop(soon(worker.claim()).await.unwrap());
        soon(worker.shutdown()).await;
    }
    // A worker that slept past its lease is forgiven when it wakes.
    let redis = circles_testing::redis_of_this_test();
    for _ in 0..3 {
        let config = RedisConfig { lease: Duration::from_secs(300), shards: 4, ..RedisConfig::default() };
        let sleeper = RedisStore::connect(&shared.url, config).await.unwrap();
        let claim = soon(sleeper.claim()).await.unwrap();
        let key = format!("circles:{{{}}}:holds:{}", shard_of(&redis), sleeper.id());
        until("the task is taken from it", async || {
            expire_lease(&redis, sleeper.id());
            (redis.ask(&["EXISTS", &key]).number() == 0).then_some(())
        })
        .await;
        settle(claim, success("too late")).await;
        soon(sleeper.shutdown()).await;
    }
    let worker = shared.store().await;
    settle(soon(worker.claim()).await.unwrap(), success("at last")).await;
    assert_eq!(soon(ticket).await, success("at last"));
}

/// Ends a worker's lease, and the turn of the reaper. A claim or renewal under way may set the lease again: callers
/// repeat this until they see its effect.
fn expire_lease(redis: &circles_testing::Redis, worker: &str) {
    for shard in 0..4 {
        redis.ask(&["ZADD", &format!("circles:{{{shard}}}:leases"), "XX", "0", worker]);
    }
    redis.ask(&["DEL", "circles:reaper"]);
}

/// Returns the shard of the tests' circle.
fn shard_of(redis: &circles_testing::Redis) -> usize {
    let lives = |shard: &usize| redis.ask(&["EXISTS", &format!("circles:{{{shard}}}:live")]).number() == 1;
    (0..4).find(lives).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_of_another_format_is_refused() {
    let shared = SharedRedis::new();
    let redis = circles_testing::redis_of_this_test();
    let config = || RedisConfig { shards: 4, ..RedisConfig::default() };
    drop(RedisStore::connect(&shared.url, config()).await.unwrap());
    // Earlier versions stored no format. Their documents are kept, but their tasks have to end first.
    redis.ask(&["DEL", "circles:format"]);
    redis.ask(&["HSET", "circles:{2}:live", "t", "1 - 0 - c {}"]);
    let Err(Error::Unavailable(why)) = RedisStore::connect(&shared.url, config()).await.map(drop) else {
        panic!("no error")
    };
    assert!(why.contains("earlier version"), "{why}");
    redis.ask(&["DEL", "circles:{2}:live"]);
    drop(RedisStore::connect(&shared.url, config()).await.unwrap());
    redis.ask(&["SET", "circles:format", "9"]);
    let Err(Error::Unavailable(why)) = RedisStore::connect(&shared.url, config()).await.map(drop) else {
        panic!("no error")
    };
    assert!(why.contains("format 9"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settlement_after_lease_changes_nothing() {
    let shared = SharedRedis::new();
    let server = shared.store().await;
    let address = shared.url.trim_start_matches("redis://").split('/').next().unwrap().parse().unwrap();
    let proxy = Proxy::for_tcp(address).await;
    let url = shared.url.replace(&address.to_string(), &proxy.address().to_string());
    let config = RedisConfig { lease: LEASE, shards: 4, ..one() };
    let zombie: Arc<dyn Store> = Arc::new(RedisStore::connect(&url, config).await.unwrap());
    let ticket = server.submit(submitted("a")).await.unwrap();
    let id = ticket.task();
    let claim = soon(zombie.claim()).await.unwrap();
    proxy.set(Mode::Hold);
    let worker = shared.store().await;
    let second = soon(worker.claim()).await.unwrap();
    assert_eq!(second.task().id, claim.task().id);
    // The worker does not know that its lease has ended, and settles.
    let settling = tokio::spawn(claim.settle(settlement_of("zombie")));
    proxy.set(Mode::Pass);
    assert!(matches!(soon(settling).await.unwrap(), Ok(Settled::Recorded)));
    assert_eq!(server.task(&circle(1), id, Duration::ZERO).await.unwrap().unwrap().state, State::Running);
    assert_eq!(value(&server, "who").await, None);
    assert!(matches!(second.settle(settlement_of("heir")).await, Ok(Settled::Recorded)));
    assert_eq!(soon(ticket).await, success(""));
    assert_eq!(value(&server, "who").await.as_deref(), Some("\"heir\""));
    assert_eq!(server.provenance(&circle(1), 0, 10).await.unwrap().records.len(), 1);
}

/// Returns the settlement of a play that writes its name without reading.
fn settlement_of(who: &str) -> Settlement {
    let writes = [("who".into(), Some(format!("\"{who}\"").into()))].into_iter().collect();
    Settlement { writes, ..success("").into() }
}

async fn value(store: &Arc<dyn Store>, key: &str) -> Option<String> {
    let asking = Task::new(circle(1), Caller::Anonymous, task("").source, serde_json::json!(null), LEASE);
    let (claim, ticket) = store.begin_nested(asking).unwrap();
    let found = claim.snapshot().unwrap().get(key).unwrap();
    settle(claim, success("")).await;
    assert_eq!(soon(ticket).await, success(""));
    found.map(|found| found.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_counter_across_workers_loses_no_increment() {
    let shared = SharedRedis::new();
    let server = shared.store().await;
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let store = shared.store().await;
        for _ in 0..4 {
            let store = store.clone();
            workers.spawn(async move {
                while let Ok(mut claim) = store.claim().await {
                    loop {
                        let mut transaction = Transaction::new(claim.snapshot().unwrap());
                        let count = transaction.get("n").unwrap().map_or(0, |n| n.parse::<u32>().unwrap());
                        transaction.put("n", Some((count + 1).to_string().into()));
                        match claim.settle(settlement(transaction)).await.unwrap() {
                            Settled::Recorded => break,
                            Settled::Conflict(again) => claim = again,
                        }
                    }
                }
            });
        }
    }
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        let server = server.clone();
        callers.spawn(async move {
            for _ in 0..15 {
                assert_eq!(soon(server.submit(task("n"))).await.unwrap().await, success(""));
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    workers.abort_all();
    assert_eq!(value(&server, "n").await.as_deref(), Some("240"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_and_chosen_circles_claim_only_their_tasks() {
    let shared = SharedRedis::new();
    let pools = HashMap::from([(circle(2), "big".to_owned())]);
    let server = shared.store_with(RedisConfig { pools, ..one() }).await;
    let big = shared.store_with(RedisConfig { pool: "big".to_owned(), ..one() }).await;
    let only = shared.store_with(RedisConfig { only_circles: vec![circle(3)], ..one() }).await;
    let mut waiting_big = Box::pin(big.claim());
    let mut waiting_only = Box::pin(only.claim());
    assert!(waiting_big.as_mut().now_or_never().is_none() && waiting_only.as_mut().now_or_never().is_none());
    let task_of = |number: u8| Task { circle: circle(number), ..task(&number.to_string()) };
    let mut tickets = Vec::new();
    for number in 1..=3 {
        tickets.push(server.submit(task_of(number)).await.unwrap());
    }
    let claim = soon(waiting_big).await.unwrap();
    assert_eq!(script(&claim), "2");
    settle(claim, success("big")).await;
    let claim = soon(waiting_only).await.unwrap();
    assert_eq!(script(&claim), "3");
    settle(claim, success("only")).await;
    // Again, while both are waiting.
    let (waiting_big, waiting_only) = (big.claim(), only.claim());
    tickets.push(server.submit(task_of(3)).await.unwrap());
    tickets.push(server.submit(task_of(2)).await.unwrap());
    settle(soon(waiting_only).await.unwrap(), success("only")).await;
    settle(soon(waiting_big).await.unwrap(), success("big")).await;
    let any = shared.store().await;
    let claim = soon(any.claim()).await.unwrap();
    assert_eq!(script(&claim), "1");
    settle(claim, success("any")).await;
    let mut outcomes = Vec::new();
    for ticket in tickets {
        outcomes.push(soon(ticket).await);
    }
    assert_eq!(outcomes, ["any", "big", "only", "only", "big"].map(success));
}

#[tokio::test(flavor = "multi_thread")]
async fn prefetched_tasks_are_released_on_close() {
    let shared = SharedRedis::new();
    let server = shared.store().await;
    let ahead = RedisConfig { claim_ahead: Duration::from_secs(3600), running_limit: 8, ..one() };
    let worker = shared.store_with(ahead).await;
    let mut tickets = Vec::new();
    for number in 0..8_u8 {
        tickets.push(server.submit(Task { circle: circle(number % 4), ..task("a") }).await.unwrap());
    }
    let claim = soon(worker.claim()).await.unwrap();
    let id = claim.task().id;
    worker.close().await;
    settle(claim, success("")).await;
    let heir = shared.store().await;
    for _ in 0..7 {
        let claim = soon(heir.claim()).await.unwrap();
        assert_ne!(claim.task().id, id);
        settle(claim, success("")).await;
    }
    for ticket in tickets {
        assert_eq!(soon(ticket).await, success(""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_is_counted_until_it_is_gone() {
    let shared = SharedRedis::new();
    let config = RedisConfig { lease: LEASE, shards: 4, ..one() };
    let server = RedisStore::connect(&shared.url, config).await.unwrap();
    assert_eq!(server.workers().await.unwrap(), 0);
    let mut other = shared.mortal().await;
    assert!(other.store().claim().now_or_never().is_none());
    let all = |count: usize| {
        let server = &server;
        soon(async move {
            while server.workers().await.unwrap() != count {
                tokio::task::yield_now().await;
            }
        })
    };
    all(1).await;
    other.die();
    all(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_on_one_redis_agree_on_shards() {
    let shared = SharedRedis::new();
    let few = RedisStore::connect(&shared.url, RedisConfig { shards: 4, ..one() }).await.unwrap();
    let many = RedisStore::connect(&shared.url, RedisConfig { shards: 64, ..one() }).await.unwrap();
    let (server, worker): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(few), Arc::new(many));
    for number in 0..20 {
        let id: CircleId = circle(number);
        let ticket = server.submit(Task { circle: id, ..task("a") }).await.unwrap();
        settle(soon(worker.claim()).await.unwrap(), success("")).await;
        assert_eq!(soon(ticket).await, success(""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_worker_keeps_its_connection() {
    let shared = SharedRedis::new();
    let redis = circles_testing::redis_of_this_test();
    let worker = shared.store().await;
    let claiming = tokio::spawn(async move { worker.claim().await.map(drop) });
    let waiting = || {
        let clients = redis.ask(&["CLIENT", "LIST"]).text();
        let waits = clients.lines().find(|client| client.contains("cmd=bzpopmin"))?;
        waits.split(' ').next().map(str::to_owned)
    };
    let calls = || {
        let stats = redis.ask(&["INFO", "commandstats"]).text();
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_bzpopmin:calls="));
        calls.and_then(|rest| rest.split(',').next()?.parse::<u32>().ok()).unwrap_or(0)
    };
    let first = until("a worker that waits", async || waiting()).await;
    // Each of these waits returned nothing.
    let begun = calls();
    until("three more waits", async || (calls() >= begun + 3).then_some(())).await;
    let still = until("a worker that still waits", async || waiting()).await;
    assert_eq!(first, still);
    claiming.abort();
}

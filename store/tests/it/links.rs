//! Failures of the network or of Redis under a store.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use circles_api::provenance::Verifier;
use circles_store::{
    Claim, Error, Failure, Kind, Outcome, Settled, Settlement, State, Store, Task, TaskFilter, TaskId,
    Ticket, Transaction,
};
use circles_store_redis::RedisStore;
use circles_testing::{Mode, Proxy, Redis, RequestFault};
use tokio::time::{sleep, timeout};

use crate::{
    conformance::{circle, keyed, settle, soon, success, task},
    connections::connect,
    tasks::submitted,
    transactions::settlement,
};

/// Longer than the timeout of a command.
const COMMAND_BOUND: Duration = Duration::from_secs(4);
/// Longer than any reply takes without a fault, even on a busy machine.
const REPLY_BOUND: Duration = Duration::from_secs(1);

/// A server and a worker, each with its own network connection to one Redis.
struct World {
    redis: Redis,
    to_server: Proxy,
    to_worker: Proxy,
    server: RedisStore,
    worker: RedisStore,
}

impl World {
    async fn start() -> Self {
        let redis = Redis::builder().durable().start();
        let to_server = Proxy::for_redis(redis.address(), 1).await;
        let to_worker = Proxy::for_redis(redis.address(), 2).await;
        let server = connect(&format!("redis://{}", to_server.address())).await;
        let worker = connect(&format!("redis://{}", to_worker.address())).await;
        let world = Self { redis, to_server, to_worker, server, worker };
        // Loads the scripts into Redis, so that each later step is one request.
        world.serves().await;
        world
    }

    /// Submits a counting task and claims it.
    async fn running(&self) -> (Ticket, Claim) {
        let ticket = soon(self.server.submit(submitted("count"))).await.unwrap();
        let claim = soon(self.worker.claim()).await.unwrap();
        assert_eq!(claim.task().id, ticket.task());
        (ticket, claim)
    }

    /// Checks that plays succeed again without outside help.
    async fn serves(&self) {
        serves(&self.server, &self.worker).await;
    }

    /// Checks that the only task ran once, by its count, its state and its record.
    async fn counted_once(&self, task: TaskId) {
        assert_eq!(count(&self.server), 1);
        assert_eq!(tasks(&self.server).await, [(task, State::Succeeded)]);
        let records = soon(self.server.provenance(&circle(1), 0, 10)).await.unwrap().records;
        let mut chain = Verifier::new(circle(1));
        records.iter().for_each(|record| chain.push(record).unwrap());
        assert_eq!(records.iter().map(|record| record.task_id.0).collect::<Vec<_>>(), [task]);
    }
}

/// Tries until the attempt returns a value.
pub(crate) async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let last = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(Instant::now() < last, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Checks that a play of one store runs on the other.
pub(crate) async fn serves(server: &RedisStore, worker: &RedisStore) {
    let ticket = until("a store that accepts", async || server.submit(task("again")).await.ok()).await;
    let id = ticket.task();
    // Earlier tasks may still be queued.
    loop {
        let claim = soon(worker.claim()).await.unwrap();
        let is_it = claim.task().id == id;
        settle(claim, success("again")).await;
        if is_it {
            break;
        }
    }
    assert_eq!(soon(ticket).await, success("again"));
}

/// Returns the count that [`counting`] wrote.
pub(crate) fn count(store: &RedisStore) -> u32 {
    let (claim, _ticket) = store.begin_nested(task("look")).unwrap();
    number(&mut Transaction::new(claim.snapshot().unwrap()))
}

fn number(transaction: &mut Transaction) -> u32 {
    transaction.get("n").unwrap().map_or(0, |n| n.parse().unwrap())
}

/// Returns the transaction of a play that increments the count.
pub(crate) fn counting(claim: &Claim) -> Transaction {
    let mut transaction = Transaction::new(claim.snapshot().unwrap());
    let next = number(&mut transaction) + 1;
    transaction.put("n", Some(next.to_string().into()));
    transaction
}

async fn settle_counting(claim: Claim) {
    let settlement = settlement(counting(&claim));
    assert!(matches!(soon(claim.settle(settlement)).await, Ok(Settled::Recorded)));
}

async fn tasks(store: &RedisStore) -> Vec<(TaskId, State)> {
    let filter = TaskFilter { caller: None, state: None, before: None, limit: 100 };
    let page = soon(store.tasks(&circle(1), filter)).await.unwrap();
    page.tasks.into_iter().map(|task| (task.id, task.state)).collect()
}

/// Returns why a store refuses a task, and checks that it does so in time.
async fn refusal(store: &RedisStore, bound: Duration) -> String {
    match timeout(bound, store.submit(task("refused"))).await {
        Ok(Err(Error::Unavailable(cause))) => cause.to_string(),
        Ok(Ok(_)) => panic!("it was accepted"),
        Ok(Err(other)) => panic!("{other:?}"),
        Err(_) => panic!("not refused within {bound:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_reply_does_not_submit_twice() {
    let world = World::start().await;
    let task = keyed("count", "k");
    world.to_server.count(task.id.to_string());
    let sprung = world.to_server.inject(RequestFault::CutAfter, task.id.to_string());
    let lost = soon(world.server.submit(task.clone())).await;
    assert!(matches!(lost, Err(Error::Unavailable(_))), "the server cannot know whether it was accepted");
    soon(sprung).await.unwrap();
    // Repeating the call finds the accepted task.
    let again = Task { id: submitted("").id, ..task.clone() };
    let ticket = until("a store that answers", async || world.server.submit(again.clone()).await.ok()).await;
    assert_eq!(ticket.task(), task.id);
    assert_eq!(world.to_server.counted(), 1);
    settle_counting(soon(world.worker.claim()).await.unwrap()).await;
    assert_eq!(soon(ticket).await, success(""));
    assert_eq!(tasks(&world.server).await, [(task.id, State::Succeeded)]);
    assert_eq!(count(&world.server), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settlement_applies_once_despite_lost_messages() {
    for trap in [RequestFault::CutBefore, RequestFault::CutAfter, RequestFault::Twice] {
        let world = World::start().await;
        let (ticket, claim) = world.running().await;
        let id = ticket.task();
        let counted = settlement(counting(&claim));
        let sprung = world.to_worker.inject(trap, id.to_string());
        assert!(matches!(soon(claim.settle(counted)).await, Ok(Settled::Recorded)), "{trap:?}");
        soon(sprung).await.unwrap();
        assert_eq!(soon(ticket).await, success(""), "{trap:?}");
        world.serves().await;
        world.counted_once(id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicated_submit_is_accepted_once() {
    let world = World::start().await;
    let task = submitted("count");
    let sprung = world.to_server.inject(RequestFault::Twice, task.id.to_string());
    let ticket = soon(world.server.submit(task)).await.unwrap();
    soon(sprung).await.unwrap();
    settle_counting(soon(world.worker.claim()).await.unwrap()).await;
    let id = ticket.task();
    assert_eq!(soon(ticket).await, success(""));
    world.serves().await;
    world.counted_once(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_redis_fails_fast_and_recovers() {
    let mut world = World::start().await;
    let (ticket, claim) = world.running().await;
    let id = ticket.task();
    let counted = settlement(counting(&claim));
    world.redis.kill();
    for _ in 0..10 {
        let cause = refusal(&world.server, REPLY_BOUND).await;
        assert!(cause.contains(&world.to_server.address().to_string()), "{cause}");
        for store in [&world.server, &world.worker] {
            assert!(matches!(timeout(REPLY_BOUND, store.workers()).await, Ok(Err(Error::Unavailable(_)))));
        }
    }
    let settled = tokio::spawn(claim.settle(counted));
    world.redis.restart();
    // The waiting caller receives the outcome that was settled meanwhile.
    assert!(matches!(soon(settled).await.unwrap(), Ok(Settled::Recorded)));
    assert_eq!(soon(ticket).await, success(""));
    world.serves().await;
    world.counted_once(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_restart_loses_nothing() {
    let mut world = World::start().await;
    let tickets: Vec<_> =
        futures_util::future::join_all((0..20).map(|_| world.server.submit(submitted("count"))))
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
    for round in 0..4 {
        for _ in 0..5 {
            settle_counting(soon(world.worker.claim()).await.unwrap()).await;
        }
        if round < 3 {
            world.redis.kill();
            world.redis.restart();
            until("a worker that is back", async || world.worker.workers().await.ok()).await;
        }
    }
    for ticket in tickets {
        assert_eq!(soon(ticket).await, success(""));
    }
    world.serves().await;
    assert_eq!(count(&world.server), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_connection_is_detected_and_fails_fast() {
    for mode in [Mode::Hold, Mode::Discard] {
        let world = World::start().await;
        world.serves().await;
        world.to_server.set(mode);
        let cause = refusal(&world.server, COMMAND_BOUND).await;
        assert!(cause.contains("no answer in time"), "{cause}");
        // From now on callers fail without waiting.
        sleep(Duration::from_millis(300)).await;
        for _ in 0..5 {
            refusal(&world.server, REPLY_BOUND / 4).await;
        }
        world.to_server.set(Mode::Pass);
        world.serves().await;
        assert_eq!(tasks(&world.server).await, [], "what was not accepted is not there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_dead_connection_is_detected() {
    let world = World::start().await;
    world.to_server.set(Mode::Discard);
    sleep(COMMAND_BOUND + REPLY_BOUND).await;
    refusal(&world.server, REPLY_BOUND / 4).await;
    world.to_server.set(Mode::Pass);
    world.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadline_bounds_wait_on_slow_redis() {
    let world = World::start().await;
    let late = Task { timeout: Duration::from_secs(2), ..task("late") };
    let ticket = soon(world.server.submit(late)).await.unwrap();
    let claim = soon(world.worker.claim()).await.unwrap();
    // A round trip takes almost as long as the timeout of a command, and ending a running task takes two.
    world.to_server.set(Mode::Delay(Duration::from_millis(1_400)));
    assert_eq!(soon(ticket).await, Outcome::failed(Failure::Unavailable));
    world.to_server.set(Mode::Pass);
    settle(claim, success("late")).await;
    world.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missed_answer_is_fetched() {
    let world = World::start().await;
    // The pub/sub connection is gone when the answer is published.
    let (ticket, claim) = world.running().await;
    let counted = settlement(counting(&claim));
    world.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert!(matches!(soon(claim.settle(counted)).await, Ok(Settled::Recorded)));
    let begun = Instant::now();
    assert_eq!(soon(ticket).await, success(""));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deaf_pubsub_is_detected_and_answers_arrive() {
    let world = World::start().await;
    // Ids of connections, which Redis never reuses.
    let listening = || {
        let list = world.redis.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]).text();
        list.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let before = listening();
    world.to_server.set(Mode::DropPublished);
    for _ in 0..3 {
        let (ticket, claim) = world.running().await;
        settle_counting(claim).await;
        let begun = Instant::now();
        assert_eq!(soon(ticket).await, success(""));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    until("a new connection", async || (listening().intersection(&before).count() < 2).then_some(())).await;
    world.to_server.set(Mode::Pass);
    until("an answer that is heard", async || {
        let (ticket, claim) = world.running().await;
        settle_counting(claim).await;
        let begun = Instant::now();
        assert_eq!(soon(ticket).await, success(""));
        (begun.elapsed() < Duration::from_millis(500)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_redis_is_reported_and_loses_nothing() {
    let world = World::start().await;
    let play = soon(world.server.submit(task("count"))).await.unwrap();
    let claim = soon(world.worker.claim()).await.unwrap();
    let counted = settlement(counting(&claim));
    let kept = soon(world.server.submit(keyed("count", "k"))).await.unwrap();
    let kept_claim = soon(world.worker.claim()).await.unwrap();
    let kept_counted = settlement(counting(&kept_claim));
    let waits = soon(world.server.submit(submitted("waits"))).await.unwrap();
    world.redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    match timeout(REPLY_BOUND, world.server.submit(task("refused"))).await.unwrap() {
        Err(Error::StorageFull(cause)) => assert!(cause.contains("it is full"), "{cause}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was accepted"),
    }
    // Its writes do not fit, and its caller gets an error.
    assert!(matches!(soon(claim.settle(counted)).await, Ok(Settled::Recorded)));
    assert_eq!(soon(play).await, Outcome::failed(Failure::Unavailable));
    // A remembered play waits for room: if it failed now, every repetition of the call would get that failure.
    world.to_worker.count(kept.task().to_string());
    let settled = tokio::spawn(kept_claim.settle(kept_counted));
    until("a settlement that comes again", async || (world.to_worker.counted() > 1).then_some(())).await;
    world.redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(matches!(soon(settled).await.unwrap(), Ok(Settled::Recorded)));
    assert_eq!(soon(kept).await, success(""));
    assert_eq!(soon(soon(world.server.submit(keyed("count", "k"))).await.unwrap()).await, success(""));
    assert_eq!(count(&world.server), 1);
    settle_counting(soon(world.worker.claim()).await.unwrap()).await;
    assert_eq!(soon(waits).await, success(""));
    world.serves().await;
    assert_eq!(count(&world.server), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn side_effect_with_missed_redis_is_lost_or_retried() {
    let world = World::start().await;
    let missed = || Settlement { side_effects: true, ..Outcome::failed(Failure::Unavailable).into() };
    let ticket = soon(world.server.submit(keyed("a", "k"))).await.unwrap();
    let claim = soon(world.worker.claim()).await.unwrap();
    claim.mark_side_effects().unwrap();
    assert!(matches!(soon(claim.settle(missed())).await, Ok(Settled::Recorded)));
    // Not `Unavailable`: every repetition of the call would get that answer.
    assert_eq!(soon(ticket).await, Outcome::Lost);
    let again = Task { kind: Kind::Submitted { retries: 1 }, ..submitted("count") };
    let ticket = soon(world.server.submit(again)).await.unwrap();
    let claim = soon(world.worker.claim()).await.unwrap();
    claim.mark_side_effects().unwrap();
    assert!(matches!(soon(claim.settle(missed())).await, Ok(Settled::Recorded)));
    settle_counting(soon(world.worker.claim()).await.unwrap()).await;
    assert_eq!(soon(ticket).await, success(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_is_reported_and_promoted_primary_serves() {
    let world = World::start().await;
    let (ticket, claim) = world.running().await;
    let counted = settlement(counting(&claim));
    let other = Redis::start();
    let (ip, port) = (other.address().ip().to_string(), other.address().port().to_string());
    // It cannot sync with its primary, so it keeps its data.
    world.redis.ask(&["CONFIG", "SET", "masterauth", "none"]);
    other.suspend();
    world.redis.ask(&["REPLICAOF", &ip, &port]);
    let settled = tokio::spawn(claim.settle(counted));
    let cause = refusal(&world.server, REPLY_BOUND).await;
    assert!(cause.contains("it is a replica"), "{cause}");
    // Also while new connections fail.
    sleep(Duration::from_millis(500)).await;
    let cause = refusal(&world.server, REPLY_BOUND).await;
    assert!(cause.contains("it is a replica"), "{cause}");
    world.redis.ask(&["REPLICAOF", "NO", "ONE"]);
    assert!(matches!(soon(settled).await.unwrap(), Ok(Settled::Recorded)));
    assert_eq!(soon(ticket).await, success(""));
    world.serves().await;
    assert_eq!(count(&world.server), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_password_is_reported_and_never_shown() {
    let redis = Redis::builder().password("the-first-one").start();
    let store = connect(&format!("redis://:the-first-one@{}", redis.address())).await;
    redis.ask(&["ACL", "SETUSER", "default", "resetpass", ">another", ">for-the-test"]);
    // Open connections stay authenticated until they break.
    let ask = |words: &[&str]| redis.try_ask_as("for-the-test", words).unwrap();
    ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let cause = until("a connection that broke", async || {
        let Err(Error::Unavailable(cause)) = store.workers().await else { return None };
        cause.contains("does not know this user").then_some(cause)
    })
    .await;
    assert!(!cause.contains("the-first-one"), "{cause}");
    ask(&["ACL", "SETUSER", "default", ">the-first-one"]);
    serves(&store, &store).await;
}

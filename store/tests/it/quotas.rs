//! Quotas: how much is remembered for callers, and that no task is forgotten early to make room.

use std::{sync::Arc, time::Duration};

use circles_store::{
    Caller, Error, Failure, Kind, Outcome, Quota, Quotas, ScriptErrorKind, State, Store, Success, Task,
    TaskFilter,
};
use circles_store_embedded::EmbeddedConfig;
use circles_store_redis::{RedisConfig, RedisStore};
use futures_util::FutureExt as _;
use uuid::Uuid;

use crate::{
    conformance::{circle, keyed, settle, soon, success, task},
    embedded,
    links::until,
    tasks::submitted,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns a store of each kind.
async fn stores(quota: Quota, remember_for: Duration) -> [Arc<dyn Store>; 2] {
    let quotas = Quotas { others: quota, ..Quotas::default() };
    let config = RedisConfig { quotas: quotas.clone(), remember_for, shards: 4, ..RedisConfig::default() };
    let redis = RedisStore::connect(&circles_testing::redis_of_this_test().url(), config).await.unwrap();
    let config = EmbeddedConfig { quotas, remember_for, ..EmbeddedConfig::default() };
    [Arc::new(redis), Arc::new(embedded(config))]
}

fn of(caller: u8, script: &str, key: &str) -> Task {
    Task { caller: Caller::Peer(circle(caller)), ..keyed(script, key) }
}

fn guest(caller: u8, key: &str) -> Task {
    Task { guest: true, ..of(caller, "a", key) }
}

/// Runs a task with this outcome.
async fn play(store: &Arc<dyn Store>, task: Task, outcome: &Outcome) -> Result<Uuid, Error> {
    let ticket = store.submit(task).await?;
    let id = ticket.task();
    settle(soon(store.claim()).await.unwrap(), outcome.clone()).await;
    assert_eq!(soon(ticket).await, *outcome);
    Ok(id)
}

async fn listed(store: &Arc<dyn Store>) -> usize {
    let all = TaskFilter { caller: None, state: None, before: None, limit: 100 };
    store.tasks(&circle(1), all).await.unwrap().tasks.len()
}

fn refusals() -> [Outcome; 4] {
    let compile = Failure::Script {
        kind: ScriptErrorKind::Compile,
        message: "no".to_owned(),
        line: None,
        column: None,
        thrown: None,
    };
    [Failure::Forbidden, Failure::NoScript, compile, Failure::Internal(Uuid::now_v7())].map(Outcome::failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_play_leaves_nothing_and_frees_its_key() {
    let redis = circles_testing::redis_of_this_test();
    for store in stores(Quota::default(), DAY).await {
        let before = redis.ask(&["DBSIZE"]).number();
        for (number, refusal) in refusals().iter().enumerate() {
            let key = number.to_string();
            let id = play(&store, of(7, "a", &key), refusal).await.unwrap();
            assert_eq!(store.task(&circle(1), id, Duration::ZERO).await, Ok(None), "{refusal:?}");
            // The key is free for the same call and for another one.
            play(&store, of(7, "a", &key), refusal).await.unwrap();
            play(&store, of(7, "b", &key), refusal).await.unwrap();
        }
        assert_eq!(listed(&store).await, 0);
        assert!(store.provenance(&circle(1), 0, 10).await.unwrap().records.is_empty());
        // Only counters and the worker's keys remain, however many plays were refused.
        let after = redis.ask(&["DBSIZE"]).number();
        for number in 0..100 {
            play(&store, of(7, "a", &number.to_string()), &refusals()[0]).await.unwrap();
        }
        let at_last = redis.ask(&["DBSIZE"]).number();
        assert!(at_last <= after + 2, "{before} keys, {after} after some and {at_last} after more");
        // A later play with the key is remembered.
        let id = play(&store, of(7, "a", "0"), &success("once")).await.unwrap();
        assert_eq!(soon(store.submit(of(7, "a", "0")).await.unwrap()).await, success("once"));
        assert!(store.task(&circle(1), id, Duration::ZERO).await.unwrap().is_some());
        soon(store.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_call_of_refused_play_is_answered() {
    for store in stores(Quota::default(), DAY).await {
        let first = store.submit(keyed("a", "k")).await.unwrap();
        let second = store.submit(keyed("a", "k")).await.unwrap();
        assert_eq!(first.task(), second.task());
        settle(soon(store.claim()).await.unwrap(), refusals()[0].clone()).await;
        assert_eq!(soon(first).await, refusals()[0]);
        // If the second call arrived after the refusal, it runs again.
        let again = async {
            settle(soon(store.claim()).await.unwrap(), refusals()[0].clone()).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            outcome = soon(second) => assert_eq!(outcome, refusals()[0]),
            () = again => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_submission_leaves_no_record_or_key() {
    for store in stores(Quota::default(), DAY).await {
        let task = Task { kind: Kind::Submitted { retries: 0 }, ..of(7, "a", "k") };
        let id = play(&store, task.clone(), &refusals()[0]).await.unwrap();
        let seen = store.task(&circle(1), id, Duration::ZERO).await.unwrap().unwrap();
        assert_eq!((seen.state, seen.outcome), (State::Failed, Some(refusals()[0].clone())));
        assert!(store.provenance(&circle(1), 0, 10).await.unwrap().records.is_empty());
        let again = play(&store, Task { id: Uuid::now_v7(), ..task }, &success("")).await.unwrap();
        assert_ne!(again, id);
        assert_eq!(store.provenance(&circle(1), 0, 10).await.unwrap().records.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_share_refuses_new_keys_and_answers_known_ones() {
    for store in stores(Quota { caller_tasks: 3, ..Quota::default() }, DAY).await {
        for key in ["1", "2", "3"] {
            play(&store, of(7, "a", key), &success(key)).await.unwrap();
        }
        for task in [of(7, "a", "4"), Task { caller: Caller::Peer(circle(7)), ..submitted("a") }] {
            let Err(Error::ShareFull(wait)) = store.submit(task).await.map(drop) else {
                panic!("no refusal")
            };
            assert!(wait > Duration::ZERO && wait <= DAY, "{wait:?}");
        }
        // Another caller has a share of its own, and plays that are not remembered need none.
        for key in ["1", "2", "3"] {
            play(&store, of(8, "a", key), &success("other")).await.unwrap();
        }
        play(&store, Task { caller: Caller::Peer(circle(7)), ..task("a") }, &success("")).await.unwrap();
        for key in ["1", "2", "3"] {
            assert_eq!(soon(store.submit(of(7, "a", key)).await.unwrap()).await, success(key));
        }
        assert!(store.claim().now_or_never().is_none());
        assert_eq!(listed(&store).await, 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_tasks_count_in_their_share() {
    for store in stores(Quota { caller_tasks: 2, ..Quota::default() }, DAY).await {
        let _first = store.submit(of(7, "a", "1")).await.unwrap();
        let _second = store.submit(of(7, "a", "2")).await.unwrap();
        assert!(matches!(store.submit(of(7, "a", "3")).await.err(), Some(Error::ShareFull(_))));
        // A refused task frees its part of the share.
        settle(soon(store.claim()).await.unwrap(), refusals()[0].clone()).await;
        soon(_first).await;
        assert!(store.submit(of(7, "a", "3")).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_share_one_quota() {
    let quota = Quota { guest_tasks: 3, ..Quota::default() };
    for store in stores(quota, DAY).await {
        // A guest may come with any number of keys.
        for caller in 10..13 {
            play(&store, guest(caller, "k"), &success("")).await.unwrap();
        }
        assert!(matches!(store.submit(guest(13, "k")).await.err(), Some(Error::GuestsFull(_))));
        play(&store, of(7, "a", "k"), &success("named")).await.unwrap();
        assert_eq!(soon(store.submit(guest(10, "k")).await.unwrap()).await, success(""));
        assert_eq!(soon(store.submit(of(7, "a", "k")).await.unwrap()).await, success("named"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn share_has_room_again_after_expiry() {
    let quota = Quota { caller_tasks: 2, ..Quota::default() };
    for store in stores(quota, Duration::from_millis(500)).await {
        play(&store, of(7, "a", "1"), &success("")).await.unwrap();
        play(&store, of(7, "a", "2"), &success("")).await.unwrap();
        let store = &store;
        let ticket = until("room", async || store.submit(of(7, "b", "1")).await.ok()).await;
        settle(soon(store.claim()).await.unwrap(), success("new")).await;
        assert_eq!(soon(ticket).await, success("new"));
        assert!(listed(store).await <= 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn key_outlives_outcome_that_exceeds_quota() {
    let large = |text: &str| {
        let output = format!("{text}{}", "x".repeat(2_000));
        Outcome::Succeeded(Success { value: serde_json::Value::Null, output, ..as_success(text) })
    };
    for store in stores(Quota { caller_bytes: 2_000, ..Quota::default() }, DAY).await {
        // All three are accepted before any of them has ended.
        let mut tickets = Vec::new();
        for key in ["1", "2", "3"] {
            tickets.push(store.submit(of(7, "a", key)).await.unwrap());
        }
        let ids: Vec<_> = tickets.iter().map(|ticket| ticket.task()).collect();
        for (key, ticket) in ["1", "2", "3"].iter().zip(tickets) {
            settle(soon(store.claim()).await.unwrap(), large(key)).await;
            assert_eq!(soon(ticket).await, large(key));
        }
        assert!(matches!(store.submit(of(7, "a", "4")).await.err(), Some(Error::ShareFull(_))));
        assert_eq!(soon(store.submit(of(7, "a", "1")).await.unwrap()).await, large("1"));
        let again = store.submit(of(7, "a", "3")).await.unwrap();
        assert_eq!(again.task(), ids[2]);
        assert_eq!(soon(again).await, Outcome::failed(Failure::Dropped));
        assert!(store.claim().now_or_never().is_none());
        for wait in [Duration::ZERO, Duration::from_secs(20)] {
            let seen = soon(store.task(&circle(1), ids[2], wait)).await.unwrap().unwrap();
            assert_eq!((seen.state, seen.outcome), (State::Succeeded, None));
        }
        assert!(soon(store.watch(&circle(1), ids[2])).await.unwrap().is_some());
    }
}

fn as_success(output: &str) -> Success {
    let Outcome::Succeeded(success) = success(output) else { panic!("no success") };
    success
}

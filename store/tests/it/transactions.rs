//! Transactions of plays, on every store.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use circles_store::{
    Caller, Claim, Failure, KeyRange, Outcome, Settled, Settlement, Source, Store, Task, Ticket, Transaction,
};
use proptest::prelude::*;
use serde_json::json;
use tokio::task::JoinSet;

use crate::conformance::{circle, soon, success};

/// A play whose steps a test takes itself.
pub(crate) struct Play {
    pub ticket: Ticket,
    pub claim: Claim,
    pub transaction: Transaction,
}

pub(crate) async fn play(store: &Arc<dyn Store>) -> Play {
    let task = Task::new(
        circle(1),
        Caller::Anonymous,
        Source::script("a play"),
        json!(null),
        Duration::from_secs(600),
    );
    let (claim, ticket) = store.begin_nested(task).unwrap();
    let transaction = Transaction::new(claim.snapshot().unwrap());
    Play { ticket, claim, transaction }
}

/// Returns the settlement of a play that succeeded.
pub(crate) fn settlement(transaction: Transaction) -> Settlement {
    let (reads, writes) = transaction.into_parts();
    Settlement { reads, writes, ..success("").into() }
}

impl Play {
    fn get(&mut self, key: &str) -> Option<String> {
        self.transaction.get(key).unwrap().map(|value| value.to_string())
    }

    fn set(&mut self, key: &str, value: &str) {
        self.transaction.put(key, Some(value.into()));
    }

    /// Settles the play. Returns false after a conflict.
    pub(crate) async fn settle(self) -> bool {
        match self.claim.settle(settlement(self.transaction)).await.unwrap() {
            Settled::Recorded => {
                assert_eq!(soon(self.ticket).await, success(""));
                true
            }
            Settled::Conflict(claim) => {
                drop(self.ticket);
                drop(claim);
                false
            }
        }
    }
}

async fn value(store: &Arc<dyn Store>, key: &str) -> Option<String> {
    play(store).await.get(key)
}

pub(crate) async fn writes_are_visible_once_play_succeeds(store: Arc<dyn Store>) {
    let mut first = play(&store).await;
    first.set("a", "1");
    assert_eq!(first.get("a").as_deref(), Some("1"), "it sees its own");
    assert_eq!(value(&store, "a").await, None, "other plays do not");
    assert!(first.settle().await);
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
    let mut second = play(&store).await;
    second.transaction.put("a", None);
    assert!(second.settle().await);
    assert_eq!(value(&store, "a").await, None);
}

pub(crate) async fn failed_play_leaves_no_writes(store: Arc<dyn Store>) {
    let failures = [
        Outcome::cancelled(),
        Outcome::timed_out(),
        Outcome::failed(Failure::Limit { limit: "operations".into() }),
    ];
    for outcome in failures {
        let mut failed = play(&store).await;
        failed.set("a", "1");
        let settlement = Settlement { outcome: outcome.clone(), ..settlement(failed.transaction) };
        assert!(matches!(failed.claim.settle(settlement).await, Ok(Settled::Recorded)));
        assert_eq!(soon(failed.ticket).await, outcome);
        assert_eq!(value(&store, "a").await, None);
    }
}

pub(crate) async fn play_reads_one_snapshot(store: Arc<dyn Store>) {
    let mut reader = play(&store).await;
    assert_eq!(reader.get("a"), None);
    let mut writer = play(&store).await;
    writer.set("a", "1");
    writer.set("b", "1");
    assert!(writer.settle().await);
    assert_eq!(reader.get("a"), None);
    assert_eq!(reader.get("b"), None);
    let range = KeyRange::of_prefix("", None);
    assert_eq!(reader.transaction.scan(&range, 10).unwrap(), []);
    assert!(reader.settle().await, "a read-only play has no conflict");
}

pub(crate) async fn write_skew_is_a_conflict(store: Arc<dyn Store>) {
    // Write skew: each write is valid alone, but no serial order of the two plays leaves both.
    let (mut one, mut two) = (play(&store).await, play(&store).await);
    for play in [&mut one, &mut two] {
        play.get("on call/ana");
        play.get("on call/bo");
    }
    one.set("on call/ana", "false");
    two.set("on call/bo", "false");
    assert!(one.settle().await);
    assert!(!two.settle().await);
    assert_eq!(value(&store, "on call/bo").await, None);
}

pub(crate) async fn insert_into_scanned_range_is_a_conflict(store: Arc<dyn Store>) {
    let (mut one, mut two) = (play(&store).await, play(&store).await);
    let range = KeyRange::of_prefix("seat/", None);
    assert!(one.transaction.scan(&range, 10).unwrap().is_empty());
    one.set("count", "0");
    two.set("seat/7", "1");
    assert!(two.settle().await);
    assert!(!one.settle().await);
}

pub(crate) async fn write_outside_reads_is_no_conflict(store: Arc<dyn Store>) {
    let mut first = play(&store).await;
    for key in ["seat/1", "seat/2", "seat/3"] {
        first.set(key, "0");
    }
    assert!(first.settle().await);
    let (mut one, mut two) = (play(&store).await, play(&store).await);
    let range = KeyRange::of_prefix("seat/", None);
    assert_eq!(one.transaction.scan(&range, 2).unwrap().len(), 2);
    one.set("count", "2");
    two.set("seat/3", "1");
    two.set("teas/1", "1");
    assert!(two.settle().await);
    assert!(one.settle().await);
}

pub(crate) async fn conflict_gives_newer_snapshot(store: Arc<dyn Store>) {
    let (mut one, mut two) = (play(&store).await, play(&store).await);
    one.get("n");
    one.set("n", "1");
    two.set("n", "7");
    assert!(two.settle().await);
    let Ok(Settled::Conflict(claim)) = one.claim.settle(settlement(one.transaction)).await else {
        panic!("settled despite the conflict");
    };
    let mut transaction = Transaction::new(claim.snapshot().unwrap());
    assert_eq!(transaction.get("n").unwrap().as_deref(), Some("7"));
    transaction.put("n", Some("8".into()));
    assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
    assert_eq!(soon(one.ticket).await, success(""));
    assert_eq!(value(&store, "n").await.as_deref(), Some("8"));
}

pub(crate) async fn conflict_after_side_effect_ends_play(store: Arc<dyn Store>) {
    let (mut one, mut two) = (play(&store).await, play(&store).await);
    one.get("n");
    one.set("n", "1");
    two.set("n", "7");
    assert!(two.settle().await);
    one.claim.mark_side_effects().unwrap();
    let settlement = Settlement { side_effects: true, ..settlement(one.transaction) };
    assert!(matches!(one.claim.settle(settlement).await, Ok(Settled::Recorded)));
    assert_eq!(soon(one.ticket).await, Outcome::failed(Failure::Conflict));
    assert_eq!(value(&store, "n").await.as_deref(), Some("7"));
}

pub(crate) async fn play_fails_after_five_conflict_retries(store: Arc<dyn Store>) {
    let one = play(&store).await;
    let (mut claim, mut transaction) = (one.claim, one.transaction);
    let mut runs = 0;
    loop {
        runs += 1;
        transaction.get("n").unwrap();
        transaction.put("n", Some("0".into()));
        let mut other = play(&store).await;
        other.set("n", "1");
        assert!(other.settle().await);
        match claim.settle(settlement(transaction)).await.unwrap() {
            Settled::Recorded => break,
            Settled::Conflict(again) => {
                transaction = Transaction::new(again.snapshot().unwrap());
                claim = again;
            }
        }
    }
    assert_eq!(runs, 6, "once, and five times again");
    assert_eq!(soon(one.ticket).await, Outcome::failed(Failure::Conflict));
    assert_eq!(value(&store, "n").await.as_deref(), Some("1"));
}

pub(crate) async fn concurrent_counter_loses_no_increment(store: Arc<dyn Store>) {
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        workers.spawn(async move {
            for _ in 0..50 {
                let one = play(&store).await;
                let (mut claim, mut transaction) = (one.claim, one.transaction);
                loop {
                    let count = transaction.get("n").unwrap().map_or(0, |n| n.parse::<u32>().unwrap());
                    tokio::task::yield_now().await;
                    transaction.put("n", Some((count + 1).to_string().into()));
                    match claim.settle(settlement(transaction)).await.unwrap() {
                        Settled::Recorded => break,
                        Settled::Conflict(again) => {
                            transaction = Transaction::new(again.snapshot().unwrap());
                            claim = again;
                        }
                    }
                }
                assert_eq!(soon(one.ticket).await, success(""), "a retried play goes before other writers");
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
    assert_eq!(value(&store, "n").await.as_deref(), Some("400"));
}

/// A step of one of several concurrent plays.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Get(usize, u8),
    Put(usize, u8, Option<u8>),
    Scan(usize, u8, u8, usize),
    Settle(usize),
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq)]
enum Saw {
    One(Option<String>),
    Many(Vec<(String, String)>),
}

const AT_ONCE: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let (play, key) = (0..AT_ONCE, 0..6_u8);
    prop_oneof![
        3 => (play.clone(), key.clone()).prop_map(|(play, key)| Step::Get(play, key)),
        3 => (play.clone(), key.clone(), proptest::option::of(0..100_u8))
            .prop_map(|(play, key, value)| Step::Put(play, key, value)),
        2 => (play.clone(), key.clone(), key, 0..5_usize)
            .prop_map(|(play, from, to, limit)| Step::Scan(play, from, to, limit)),
        2 => play.prop_map(Step::Settle),
    ]
}

fn key(number: u8) -> String {
    format!("k{number}")
}

fn range(from: u8, to: u8) -> KeyRange {
    KeyRange {
        start: std::ops::Bound::Included(key(from).into()),
        end: std::ops::Bound::Excluded(key(to).into()),
    }
}

type Model = BTreeMap<String, String>;

/// Takes a step on the model, as without concurrency.
fn alone(model: &mut Model, step: &Step) -> Option<Saw> {
    match step {
        Step::Get(_, number) => Some(Saw::One(model.get(&key(*number)).cloned())),
        Step::Scan(_, from, to, limit) => {
            let found = model.iter().filter(|(name, _)| **name >= key(*from) && **name < key(*to));
            Some(Saw::Many(found.take(*limit).map(|(key, value)| (key.clone(), value.clone())).collect()))
        }
        Step::Put(_, number, Some(value)) => {
            model.insert(key(*number), value.to_string());
            None
        }
        Step::Put(_, number, None) => {
            model.remove(&key(*number));
            None
        }
        Step::Settle(_) => None,
    }
}

struct Running {
    play: Play,
    steps: Vec<(Step, Option<Saw>)>,
    began: Model,
    writes: bool,
}

/// Concurrent plays read and leave the same as in some serial order.
pub(crate) async fn plays_side_by_side(store: Arc<dyn Store>, steps: Vec<Step>) {
    let mut model = Model::new();
    let mut running: Vec<Option<Running>> = (0..AT_ONCE).map(|_| None).collect();
    let ends = (0..AT_ONCE).map(Step::Settle);
    for step in steps.into_iter().chain(ends) {
        let (Step::Get(which, _) | Step::Put(which, _, _) | Step::Scan(which, _, _, _) | Step::Settle(which)) =
            step;
        if running[which].is_none() {
            let mut play = play(&store).await;
            // Fixes the snapshot, whatever the play reads first.
            assert_eq!(play.transaction.get("first").unwrap(), None);
            running[which] = Some(Running { play, steps: Vec::new(), began: model.clone(), writes: false });
        }
        let current = running[which].as_mut().unwrap();
        let transaction = &mut current.play.transaction;
        let saw = match &step {
            Step::Get(_, number) => {
                Some(Saw::One(transaction.get(&key(*number)).unwrap().map(|value| value.to_string())))
            }
            Step::Scan(_, from, to, limit) => {
                let found = transaction.scan(&range(*from, *to), *limit).unwrap();
                Some(Saw::Many(found.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()))
            }
            Step::Put(_, number, value) => {
                transaction.put(&key(*number), value.map(|value| value.to_string().into()));
                current.writes = true;
                None
            }
            Step::Settle(_) => {
                let ended = running[which].take().unwrap();
                // A read-only play takes effect at its snapshot, a writing one at its commit.
                let mut before = if ended.writes { model.clone() } else { ended.began };
                let steps = ended.steps;
                if ended.play.settle().await {
                    for (step, saw) in &steps {
                        assert_eq!(alone(&mut before, step), *saw, "{step:?} of {steps:?}");
                    }
                    if ended.writes {
                        model = before;
                    }
                }
                continue;
            }
        };
        current.steps.push((step, saw));
    }
    let mut last = play(&store).await;
    let all = last.transaction.scan(&KeyRange::of_prefix("", None), 1_000).unwrap();
    let all: Model = all.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    assert_eq!(all, model);
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..60)
}

/// The list of promises. It is instantiated for each store.
macro_rules! transactions {
    ($store:ident, $make:expr) => {
        mod $store {
            use super::*;
            use $crate::conformance::WIDE;

            $crate::conformance::cases_in! { $crate::transactions; $make;
                writes_are_visible_once_play_succeeds: WIDE,
                failed_play_leaves_no_writes: WIDE,
                play_reads_one_snapshot: WIDE,
                write_skew_is_a_conflict: WIDE,
                insert_into_scanned_range_is_a_conflict: WIDE,
                write_outside_reads_is_no_conflict: WIDE,
                conflict_gives_newer_snapshot: WIDE,
                conflict_after_side_effect_ends_play: WIDE,
                play_fails_after_five_conflict_retries: WIDE,
                concurrent_counter_loses_no_increment: WIDE,
            }

            proptest::proptest! {
                #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, ..Default::default() })]

                #[test]
                fn concurrent_plays_are_serializable(steps in $crate::transactions::steps()) {
                    let mut runtime = tokio::runtime::Builder::new_multi_thread();
                    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
                    runtime.block_on(async { $crate::transactions::plays_side_by_side($make(WIDE), steps).await });
                }
            }
        }
    };
}
pub(crate) use transactions;

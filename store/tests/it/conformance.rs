//! What every store promises (SPEC §5), as far as plays need it.

use std::{sync::Arc, time::Duration};

use circles_api::CircleId;
use circles_store::{Caller, Claim, Error, Outcome, Settled, Source, Stats, Store, Success, Task, Ticket};
use circles_store_embedded::EmbeddedConfig;
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

/// Nothing here takes longer than this unless a wake-up was lost.
const LOST: Duration = Duration::from_secs(20);

/// How many tasks the store under test may queue.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub queue: usize,
    pub circle_queue: usize,
}

pub const WIDE: Bounds = Bounds { queue: 10_000, circle_queue: 10_000 };

pub fn circle(number: u8) -> CircleId {
    let mut bytes = [number; 33];
    bytes[0] = 2;
    CircleId::from_bytes(bytes).unwrap()
}

fn task_in(circle: CircleId, script: &str) -> Task {
    Task::new(circle, Caller::Anonymous, Source::script(script), json!(null), Duration::from_secs(600))
}

pub fn task(script: &str) -> Task {
    task_in(circle(1), script)
}

pub fn keyed(script: &str, key: &str) -> Task {
    Task { idempotency_key: Some(key.into()), ..task(script) }
}

/// What a claimed task runs.
pub fn script(claim: &Claim) -> &str {
    match &claim.task().source {
        Source::Script(script) => script,
        other => panic!("{other:?}"),
    }
}

/// Settles what touched nothing, and so cannot be overtaken.
pub async fn settle(claim: Claim, outcome: Outcome) {
    assert!(matches!(claim.settle(outcome).await, Ok(Settled::Recorded)));
}

pub fn success(output: &str) -> Outcome {
    Outcome::Succeeded(Success {
        output: output.to_owned(),
        value: json!(output),
        logs: Vec::new(),
        stats: Stats::default(),
    })
}

pub async fn soon<F: Future>(what: F) -> F::Output {
    timeout(LOST, what).await.expect("a wake-up was lost")
}

/// A worker that answers every script with its own text, until the store closes.
async fn echo(store: Arc<dyn Store>) {
    while let Ok(claim) = store.claim().await {
        let outcome = success(script(&claim));
        settle(claim, outcome).await;
    }
}

pub async fn an_outcome_reaches_its_submitter(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(claim.task().id, ticket.task());
    settle(claim, success("done")).await;
    assert_eq!(soon(ticket).await, success("done"));
}

pub async fn a_waiting_worker_is_woken_by_a_task(store: Arc<dyn Store>) {
    let worker = tokio::spawn(echo(store.clone()));
    tokio::task::yield_now().await;
    let ticket = store.submit(task("a")).await.unwrap();
    assert_eq!(soon(ticket).await, success("a"));
    store.close().await;
    soon(worker).await.unwrap();
}

pub async fn many_tasks_and_workers_lose_and_double_nothing(store: Arc<dyn Store>) {
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        workers.spawn(echo(store.clone()));
    }
    let mut callers = JoinSet::new();
    for number in 0..2_000_u32 {
        let store = store.clone();
        callers.spawn(async move {
            let script = number.to_string();
            let ticket = store.submit(task_in(circle((number % 7) as u8), &script)).await.unwrap();
            assert_eq!(soon(ticket).await, success(&script));
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    store.close().await;
    while let Some(done) = soon(workers.join_next()).await {
        done.unwrap();
    }
}

pub async fn a_claim_that_is_dropped_gives_its_task_back_first_in_line(store: Arc<dyn Store>) {
    let first = store.submit(task("first")).await.unwrap();
    let _second = store.submit(task("second")).await.unwrap();
    drop(soon(store.claim()).await.unwrap());
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(claim.task().id, first.task());
    settle(claim, success("x")).await;
    assert_eq!(soon(first).await, success("x"));
}

pub async fn a_claim_that_reached_outside_and_is_dropped_is_lost(store: Arc<dyn Store>) {
    for task in [task("a"), keyed("a", "k")] {
        let ticket = store.submit(task).await.unwrap();
        let claim = soon(store.claim()).await.unwrap();
        claim.mark_side_effects().unwrap();
        drop(claim);
        assert_eq!(soon(ticket).await, Outcome::Lost);
        assert!(store.claim().now_or_never().is_none());
    }
}

pub async fn a_waiting_claim_that_is_dropped_passes_its_wake_up_on(store: Arc<dyn Store>) {
    let mut impatient = Box::pin(store.claim());
    assert!(impatient.as_mut().now_or_never().is_none());
    let ticket = store.submit(task("a")).await.unwrap();
    drop(impatient);
    settle(soon(store.claim()).await.unwrap(), success("b")).await;
    assert_eq!(soon(ticket).await, success("b"));
}

pub async fn circles_take_turns(store: Arc<dyn Store>) {
    let (greedy, modest) = (circle(1), circle(2));
    let mut tickets: Vec<Ticket> = Vec::new();
    for _ in 0..50 {
        tickets.push(store.submit(task_in(greedy, "greedy")).await.unwrap());
    }
    tickets.push(store.submit(task_in(modest, "modest")).await.unwrap());
    let mut before = 0;
    loop {
        let claim = soon(store.claim()).await.unwrap();
        let circle = claim.task().circle;
        settle(claim, success("")).await;
        if circle == modest {
            break;
        }
        before += 1;
    }
    assert!(before <= 1, "{before} tasks of one circle went before the only one of another");
}

pub async fn a_circle_that_keeps_what_it_was_given_leaves_room_for_another(store: Arc<dyn Store>) {
    let (greedy, modest) = (circle(1), circle(2));
    let mut tickets: Vec<Ticket> = Vec::new();
    for _ in 0..100 {
        tickets.push(store.submit(task_in(greedy, "greedy")).await.unwrap());
    }
    let mut held = Vec::new();
    // Half of the room, and the next one only when one of these ends.
    for _ in 0..EmbeddedConfig::default().running_limit / 2 {
        held.push(soon(store.claim()).await.unwrap());
    }
    assert!(store.claim().now_or_never().is_none());
    let (waiting, ()) = tokio::join!(soon(store.claim()), async {
        tickets.push(store.submit(task_in(modest, "modest")).await.unwrap());
    });
    let modest_claim = waiting.unwrap();
    assert_eq!(modest_claim.task().circle, modest);
    settle(modest_claim, success("")).await;
    let (next, ()) = tokio::join!(soon(store.claim()), async {
        settle(held.pop().unwrap(), success("")).await;
    });
    assert_eq!(next.unwrap().task().circle, greedy);
}

pub async fn a_full_queue_refuses_at_once_and_opens_again(store: Arc<dyn Store>) {
    let mut tickets = Vec::new();
    for number in 0..4 {
        tickets.push(store.submit(task_in(circle(number), "a")).await.unwrap());
    }
    assert_eq!(store.submit(task_in(circle(9), "b")).await.err(), Some(Error::QueueFull));
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    assert!(store.submit(task_in(circle(9), "c")).await.is_ok());
}

pub async fn a_circle_cannot_fill_the_queue(store: Arc<dyn Store>) {
    let _first = store.submit(task("a")).await.unwrap();
    let _second = store.submit(task("b")).await.unwrap();
    assert_eq!(store.submit(task("c")).await.err(), Some(Error::QueueFull));
    assert!(store.submit(task_in(circle(2), "d")).await.is_ok());
}

pub async fn a_caller_that_goes_away_makes_room(store: Arc<dyn Store>) {
    for _ in 0..1_000 {
        drop(store.submit(task("a")).await.unwrap());
    }
    let ticket = store.submit(task("last")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(claim.task().id, ticket.task());
    drop(claim);
}

pub async fn a_caller_that_goes_away_interrupts_its_running_task(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert!(!claim.interrupt().is_cancelled());
    drop(ticket);
    soon(claim.interrupt().cancelled()).await;
    settle(claim, Outcome::cancelled()).await;
}

pub async fn a_task_nobody_wants_is_not_given_back(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    drop(ticket);
    drop(claim);
    assert!(store.claim().now_or_never().is_none());
}

pub async fn a_queued_task_is_cancelled_once(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    assert_eq!(store.cancel(&circle(1), ticket.task()).await, Ok(true));
    assert_eq!(store.cancel(&circle(1), ticket.task()).await, Ok(false));
    assert_eq!(soon(ticket).await, Outcome::cancelled());
    assert!(store.claim().now_or_never().is_none());
}

pub async fn a_running_task_is_cancelled_once_and_ends_as_its_worker_says(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(store.cancel(&circle(1), ticket.task()).await, Ok(true));
    assert_eq!(store.cancel(&circle(1), ticket.task()).await, Ok(false));
    soon(claim.interrupt().cancelled()).await;
    settle(claim, Outcome::cancelled()).await;
    assert_eq!(soon(ticket).await, Outcome::cancelled());
}

pub async fn cancelling_what_ended_or_never_was_changes_nothing(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let id = ticket.task();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    assert_eq!(store.cancel(&circle(1), id).await, Ok(false));
    assert_eq!(soon(ticket).await, success(""));
    assert_eq!(store.cancel(&circle(1), task("never submitted").id).await, Ok(false));
}

pub async fn a_deadline_passes_in_the_queue_without_a_worker(store: Arc<dyn Store>) {
    let late = Task { timeout: Duration::from_millis(30), ..task("a") };
    let ticket = store.submit(late).await.unwrap();
    assert_eq!(soon(ticket).await, Outcome::timed_out());
    assert!(store.claim().now_or_never().is_none());
}

pub async fn a_worker_that_keeps_a_task_past_its_deadline_is_answered_for(store: Arc<dyn Store>) {
    let late = Task { timeout: Duration::from_millis(300), ..task("a") };
    let ticket = store.submit(late).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(soon(ticket).await, Outcome::timed_out());
    soon(claim.interrupt().cancelled()).await;
    // Too late: the task has its final state.
    settle(claim, success("late")).await;
}

pub async fn a_repeated_call_is_answered_and_not_run(store: Arc<dyn Store>) {
    let first = store.submit(keyed("a", "k")).await.unwrap();
    let again_while_queued = store.submit(keyed("a", "k")).await.unwrap();
    assert_eq!(again_while_queued.task(), first.task());
    let claim = soon(store.claim()).await.unwrap();
    let again_while_running = store.submit(keyed("a", "k")).await.unwrap();
    settle(claim, success("once")).await;
    let again_after = store.submit(keyed("a", "k")).await.unwrap();
    for ticket in [first, again_while_queued, again_while_running, again_after] {
        assert_eq!(soon(ticket).await, success("once"));
    }
    assert!(store.claim().now_or_never().is_none());
}

pub async fn a_key_is_its_callers_and_its_circles_own(store: Arc<dyn Store>) {
    let first = store.submit(keyed("a", "k")).await.unwrap();
    let elsewhere = store.submit(Task { circle: circle(2), ..keyed("a", "k") }).await.unwrap();
    let else_who = store.submit(Task { caller: Caller::Peer(circle(3)), ..keyed("a", "k") }).await.unwrap();
    assert_ne!(first.task(), elsewhere.task());
    assert_ne!(first.task(), else_who.task());
}

pub async fn a_key_used_for_another_call_is_a_conflict(store: Arc<dyn Store>) {
    let first = store.submit(keyed("a", "k")).await.unwrap();
    assert_eq!(store.submit(keyed("b", "k")).await.err(), Some(Error::KeyReused(first.task())));
    let other_args = Task { args: json!(1), ..keyed("a", "k") };
    assert_eq!(store.submit(other_args).await.err(), Some(Error::KeyReused(first.task())));
}

pub async fn a_keyed_task_goes_on_when_its_caller_goes_away(store: Arc<dyn Store>) {
    drop(store.submit(keyed("a", "k")).await.unwrap());
    let claim = soon(store.claim()).await.unwrap();
    assert!(!claim.interrupt().is_cancelled());
    settle(claim, success("kept")).await;
    assert_eq!(soon(store.submit(keyed("a", "k")).await.unwrap()).await, success("kept"));
}

pub async fn an_abandoned_keyed_task_that_is_late_is_not_run(store: Arc<dyn Store>) {
    let late = Task { timeout: Duration::from_millis(1), ..keyed("a", "k") };
    drop(store.submit(late).await.unwrap());
    tokio::time::sleep(Duration::from_millis(5)).await; // Its deadline, which nobody awaits.
    assert!(store.claim().now_or_never().is_none());
    assert_eq!(soon(store.submit(keyed("a", "k")).await.unwrap()).await, Outcome::timed_out());
}

pub async fn closing_ends_what_is_queued_and_lets_run_what_runs(store: Arc<dyn Store>) {
    let running = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    let queued = store.submit(task("b")).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { while store.claim().await.is_ok() {} }
    });
    store.close().await;
    let _ = soon(queued).await;
    soon(waiting).await.unwrap();
    assert_eq!(store.submit(task("c")).await.err(), Some(Error::Closed));
    assert_eq!(store.claim().await.err(), Some(Error::Closed));
    settle(claim, success("finished")).await;
    assert_eq!(soon(running).await, success("finished"));
}

/// Names every promise once; a store that is handed in keeps them all.
macro_rules! suite {
    ($store:ident, $make:expr) => {
        mod $store {
            use super::*;
            $crate::conformance::cases_in! { $crate::conformance; $make;
                an_outcome_reaches_its_submitter: WIDE,
                a_waiting_worker_is_woken_by_a_task: WIDE,
                many_tasks_and_workers_lose_and_double_nothing: WIDE,
                a_claim_that_is_dropped_gives_its_task_back_first_in_line: WIDE,
                a_claim_that_reached_outside_and_is_dropped_is_lost: WIDE,
                a_waiting_claim_that_is_dropped_passes_its_wake_up_on: WIDE,
                circles_take_turns: WIDE,
                a_circle_that_keeps_what_it_was_given_leaves_room_for_another: WIDE,
                a_full_queue_refuses_at_once_and_opens_again: FOUR,
                a_circle_cannot_fill_the_queue: TWO_A_CIRCLE,
                a_caller_that_goes_away_makes_room: FOUR,
                a_caller_that_goes_away_interrupts_its_running_task: WIDE,
                a_task_nobody_wants_is_not_given_back: WIDE,
                a_queued_task_is_cancelled_once: WIDE,
                a_running_task_is_cancelled_once_and_ends_as_its_worker_says: WIDE,
                cancelling_what_ended_or_never_was_changes_nothing: WIDE,
                a_deadline_passes_in_the_queue_without_a_worker: WIDE,
                a_worker_that_keeps_a_task_past_its_deadline_is_answered_for: WIDE,
                a_repeated_call_is_answered_and_not_run: WIDE,
                a_key_is_its_callers_and_its_circles_own: WIDE,
                a_key_used_for_another_call_is_a_conflict: WIDE,
                a_keyed_task_goes_on_when_its_caller_goes_away: WIDE,
                an_abandoned_keyed_task_that_is_late_is_not_run: WIDE,
                closing_ends_what_is_queued_and_lets_run_what_runs: WIDE,
            }
        }
    };
}

macro_rules! cases_in {
    ($of:path; $make:expr; $($case:ident: $bounds:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                use $of as of;
                of::$case($make($crate::conformance::$bounds)).await;
            }
        )*
    };
}

pub const FOUR: Bounds = Bounds { queue: 4, ..WIDE };
pub const TWO_A_CIRCLE: Bounds = Bounds { circle_queue: 2, ..WIDE };
pub(crate) use {cases_in, suite};

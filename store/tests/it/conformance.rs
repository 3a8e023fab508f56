//! Promises of every store about plays.

use std::{sync::Arc, time::Duration};

use circles_api::CircleId;
use circles_store::{Caller, Claim, Error, Outcome, Settled, Source, Stats, Store, Success, Task, Ticket};
use circles_store_embedded::EmbeddedConfig;
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

/// No step takes longer than this unless a wake-up was lost.
const WAKEUP_TIMEOUT: Duration = Duration::from_secs(20);

/// The queue limits of the store under test.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub queue: usize,
    pub circle_queue: usize,
}

pub(crate) const WIDE: Bounds = Bounds { queue: 10_000, circle_queue: 10_000 };

pub(crate) fn circle(number: u8) -> CircleId {
    let mut bytes = [number; 33];
    bytes[0] = 2;
    CircleId::from_bytes(bytes).unwrap()
}

fn task_in(circle: CircleId, script: &str) -> Task {
    Task::new(circle, Caller::Anonymous, Source::script(script), json!(null), Duration::from_secs(600))
}

pub(crate) fn task(script: &str) -> Task {
    task_in(circle(1), script)
}

pub(crate) fn keyed(script: &str, key: &str) -> Task {
    Task { idempotency_key: Some(key.into()), ..task(script) }
}

/// Returns the script of a claimed task.
pub(crate) fn script(claim: &Claim) -> &str {
    match &claim.task().source {
        Source::Script(script) => script,
        other => panic!("{other:?}"),
    }
}

/// Settles a play that touched nothing, and so has no conflict.
pub(crate) async fn settle(claim: Claim, outcome: Outcome) {
    assert!(matches!(claim.settle(outcome).await, Ok(Settled::Recorded)));
}

pub(crate) fn success(output: &str) -> Outcome {
    Outcome::Succeeded(Success {
        output: output.to_owned(),
        value: json!(output),
        logs: Vec::new(),
        stats: Stats::default(),
    })
}

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(WAKEUP_TIMEOUT, what).await.expect("a wake-up was lost")
}

/// A worker that answers every script with its own text, until the store closes.
async fn echo(store: Arc<dyn Store>) {
    while let Ok(claim) = store.claim().await {
        let outcome = success(script(&claim));
        settle(claim, outcome).await;
    }
}

pub(crate) async fn outcome_reaches_submitter(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(claim.task().id, ticket.task());
    settle(claim, success("done")).await;
    assert_eq!(soon(ticket).await, success("done"));
}

pub(crate) async fn submit_wakes_waiting_worker(store: Arc<dyn Store>) {
    let worker = tokio::spawn(echo(store.clone()));
    tokio::task::yield_now().await;
    let ticket = store.submit(task("a")).await.unwrap();
    assert_eq!(soon(ticket).await, success("a"));
    store.close().await;
    soon(worker).await.unwrap();
}

pub(crate) async fn many_workers_run_each_task_once(store: Arc<dyn Store>) {
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

pub(crate) async fn dropped_claim_requeues_task_at_front(store: Arc<dyn Store>) {
    let first = store.submit(task("first")).await.unwrap();
    let _second = store.submit(task("second")).await.unwrap();
    drop(soon(store.claim()).await.unwrap());
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(claim.task().id, first.task());
    settle(claim, success("x")).await;
    assert_eq!(soon(first).await, success("x"));
}

pub(crate) async fn dropped_claim_after_side_effect_loses_task(store: Arc<dyn Store>) {
    for task in [task("a"), keyed("a", "k")] {
        let ticket = store.submit(task).await.unwrap();
        let claim = soon(store.claim()).await.unwrap();
        claim.mark_side_effects().unwrap();
        drop(claim);
        assert_eq!(soon(ticket).await, Outcome::Lost);
        assert!(store.claim().now_or_never().is_none());
    }
}

pub(crate) async fn dropped_waiting_claim_passes_wakeup_on(store: Arc<dyn Store>) {
    let mut impatient = Box::pin(store.claim());
    assert!(impatient.as_mut().now_or_never().is_none());
    let ticket = store.submit(task("a")).await.unwrap();
    drop(impatient);
    settle(soon(store.claim()).await.unwrap(), success("b")).await;
    assert_eq!(soon(ticket).await, success("b"));
}

pub(crate) async fn circles_take_turns(store: Arc<dyn Store>) {
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

pub(crate) async fn busy_circle_leaves_running_slots_for_others(store: Arc<dyn Store>) {
    let (greedy, modest) = (circle(1), circle(2));
    let mut tickets: Vec<Ticket> = Vec::new();
    for _ in 0..100 {
        tickets.push(store.submit(task_in(greedy, "greedy")).await.unwrap());
    }
    let mut held = Vec::new();
    // Half of the running limit; the next one is claimed when one of these ends.
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

pub(crate) async fn full_queue_refuses_until_task_ends(store: Arc<dyn Store>) {
    let mut tickets = Vec::new();
    for number in 0..4 {
        tickets.push(store.submit(task_in(circle(number), "a")).await.unwrap());
    }
    assert_eq!(store.submit(task_in(circle(9), "b")).await.err(), Some(Error::QueueFull));
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    assert!(store.submit(task_in(circle(9), "c")).await.is_ok());
}

pub(crate) async fn circle_queue_limit_leaves_room_for_others(store: Arc<dyn Store>) {
    let _first = store.submit(task("a")).await.unwrap();
    let _second = store.submit(task("b")).await.unwrap();
    assert_eq!(store.submit(task("c")).await.err(), Some(Error::QueueFull));
    assert!(store.submit(task_in(circle(2), "d")).await.is_ok());
}

pub(crate) async fn dropped_tickets_free_queue_capacity(store: Arc<dyn Store>) {
    for _ in 0..1_000 {
        drop(store.submit(task("a")).await.unwrap());
    }
    let ticket = store.submit(task("last")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(claim.task().id, ticket.task());
    drop(claim);
}

pub(crate) async fn dropped_ticket_interrupts_running_task(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert!(!claim.interrupt().is_cancelled());
    drop(ticket);
    soon(claim.interrupt().cancelled()).await;
    settle(claim, Outcome::cancelled()).await;
}

pub(crate) async fn cancelled_task_is_not_requeued(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    drop(ticket);
    drop(claim);
    assert!(store.claim().now_or_never().is_none());
}

pub(crate) async fn queued_task_is_cancelled_once(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    assert_eq!(store.cancel(&circle(1), ticket.task()).await, Ok(true));
    assert_eq!(store.cancel(&circle(1), ticket.task()).await, Ok(false));
    assert_eq!(soon(ticket).await, Outcome::cancelled());
    assert!(store.claim().now_or_never().is_none());
}

pub(crate) async fn running_task_is_cancelled_once_by_its_worker(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(store.cancel(&circle(1), ticket.task()).await, Ok(true));
    assert_eq!(store.cancel(&circle(1), ticket.task()).await, Ok(false));
    soon(claim.interrupt().cancelled()).await;
    settle(claim, Outcome::cancelled()).await;
    assert_eq!(soon(ticket).await, Outcome::cancelled());
}

pub(crate) async fn cancel_of_ended_or_unknown_task_does_nothing(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let id = ticket.task();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    assert_eq!(store.cancel(&circle(1), id).await, Ok(false));
    assert_eq!(soon(ticket).await, success(""));
    assert_eq!(store.cancel(&circle(1), task("never submitted").id).await, Ok(false));
}

pub(crate) async fn deadline_ends_queued_task_without_worker(store: Arc<dyn Store>) {
    let late = Task { timeout: Duration::from_millis(30), ..task("a") };
    let ticket = store.submit(late).await.unwrap();
    assert_eq!(soon(ticket).await, Outcome::timed_out());
    assert!(store.claim().now_or_never().is_none());
}

pub(crate) async fn deadline_ends_task_of_stuck_worker(store: Arc<dyn Store>) {
    let late = Task { timeout: Duration::from_millis(300), ..task("a") };
    let ticket = store.submit(late).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(soon(ticket).await, Outcome::timed_out());
    soon(claim.interrupt().cancelled()).await;
    // The task already has its final state.
    settle(claim, success("late")).await;
}

pub(crate) async fn repeated_idempotent_call_runs_once(store: Arc<dyn Store>) {
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

pub(crate) async fn idempotency_key_is_scoped_to_caller_and_circle(store: Arc<dyn Store>) {
    let first = store.submit(keyed("a", "k")).await.unwrap();
    let elsewhere = store.submit(Task { circle: circle(2), ..keyed("a", "k") }).await.unwrap();
    let else_who = store.submit(Task { caller: Caller::Peer(circle(3)), ..keyed("a", "k") }).await.unwrap();
    assert_ne!(first.task(), elsewhere.task());
    assert_ne!(first.task(), else_who.task());
}

pub(crate) async fn idempotency_key_of_another_call_is_refused(store: Arc<dyn Store>) {
    let first = store.submit(keyed("a", "k")).await.unwrap();
    assert_eq!(store.submit(keyed("b", "k")).await.err(), Some(Error::KeyReused(first.task())));
    let other_args = Task { args: json!(1), ..keyed("a", "k") };
    assert_eq!(store.submit(other_args).await.err(), Some(Error::KeyReused(first.task())));
}

pub(crate) async fn dropped_ticket_does_not_cancel_keyed_task(store: Arc<dyn Store>) {
    drop(store.submit(keyed("a", "k")).await.unwrap());
    let claim = soon(store.claim()).await.unwrap();
    assert!(!claim.interrupt().is_cancelled());
    settle(claim, success("kept")).await;
    assert_eq!(soon(store.submit(keyed("a", "k")).await.unwrap()).await, success("kept"));
}

pub(crate) async fn overdue_keyed_task_without_ticket_is_not_run(store: Arc<dyn Store>) {
    let late = Task { timeout: Duration::from_millis(1), ..keyed("a", "k") };
    drop(store.submit(late).await.unwrap());
    tokio::time::sleep(Duration::from_millis(5)).await; // Past its deadline, which no ticket enforces.
    assert!(store.claim().now_or_never().is_none());
    assert_eq!(soon(store.submit(keyed("a", "k")).await.unwrap()).await, Outcome::timed_out());
}

pub(crate) async fn close_ends_queued_and_keeps_running_tasks(store: Arc<dyn Store>) {
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

/// The list of promises. It is instantiated for each store.
macro_rules! suite {
    ($store:ident, $make:expr) => {
        mod $store {
            use super::*;
            $crate::conformance::cases_in! { $crate::conformance; $make;
                outcome_reaches_submitter: WIDE,
                submit_wakes_waiting_worker: WIDE,
                many_workers_run_each_task_once: WIDE,
                dropped_claim_requeues_task_at_front: WIDE,
                dropped_claim_after_side_effect_loses_task: WIDE,
                dropped_waiting_claim_passes_wakeup_on: WIDE,
                circles_take_turns: WIDE,
                busy_circle_leaves_running_slots_for_others: WIDE,
                full_queue_refuses_until_task_ends: FOUR,
                circle_queue_limit_leaves_room_for_others: TWO_A_CIRCLE,
                dropped_tickets_free_queue_capacity: FOUR,
                dropped_ticket_interrupts_running_task: WIDE,
                cancelled_task_is_not_requeued: WIDE,
                queued_task_is_cancelled_once: WIDE,
                running_task_is_cancelled_once_by_its_worker: WIDE,
                cancel_of_ended_or_unknown_task_does_nothing: WIDE,
                deadline_ends_queued_task_without_worker: WIDE,
                deadline_ends_task_of_stuck_worker: WIDE,
                repeated_idempotent_call_runs_once: WIDE,
                idempotency_key_is_scoped_to_caller_and_circle: WIDE,
                idempotency_key_of_another_call_is_refused: WIDE,
                dropped_ticket_does_not_cancel_keyed_task: WIDE,
                overdue_keyed_task_without_ticket_is_not_run: WIDE,
                close_ends_queued_and_keeps_running_tasks: WIDE,
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

pub(crate) const FOUR: Bounds = Bounds { queue: 4, ..WIDE };
pub(crate) const TWO_A_CIRCLE: Bounds = Bounds { circle_queue: 2, ..WIDE };
pub(crate) use {cases_in, suite};

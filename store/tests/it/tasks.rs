//! Remembered tasks, their lists, watches and records, on every store.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use circles_api::provenance::{Head, Verifier};
use circles_store::{
    Caller, Kind, LogLevel, LogLine, Outcome, Settled, Settlement, Source, State, Store, Task, TaskFilter,
    TaskId, TaskView, Transaction, WatchEvent,
};
use futures_util::{FutureExt as _, StreamExt as _, future::select};
use serde_json::Value;
use tokio::time::timeout;

use crate::conformance::{circle, keyed, settle, soon, success, task};

pub(crate) fn submitted(script: &str) -> Task {
    Task { kind: Kind::Submitted { retries: 0 }, ..task(script) }
}

async fn state(store: &Arc<dyn Store>, id: TaskId) -> Option<State> {
    store.task(&circle(1), id, Duration::ZERO).await.unwrap().map(|task| task.state)
}

fn filter(limit: usize) -> TaskFilter {
    TaskFilter { caller: None, state: None, before: None, limit }
}

pub(crate) async fn submitted_task_runs_without_ticket(store: Arc<dyn Store>) {
    let ticket = store.submit(submitted("a")).await.unwrap();
    let id = ticket.task();
    drop(ticket);
    assert_eq!(state(&store, id).await, Some(State::Queued));
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(state(&store, id).await, Some(State::Running));
    settle(claim, success("done")).await;
    let ended = store.task(&circle(1), id, Duration::from_secs(20)).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Some(success("done")));
    assert!(ended.started_at >= Some(ended.accepted_at) && ended.ended_at >= ended.started_at);
    assert_eq!(store.task(&circle(2), id, Duration::ZERO).await, Ok(None), "it is not another circle's");
}

pub(crate) async fn repeated_submit_returns_once_task_is_durable(store: Arc<dyn Store>) {
    let call = || Task { idempotency_key: Some("k".into()), ..submitted("a") };
    let (first, other) = soon(select(store.submit(call()), store.submit(call()))).await.factor_first();
    // Both wait for the same write.
    let other = other.now_or_never().expect("the task was durable before the first call returned");
    assert_eq!(first.unwrap().task(), other.unwrap().task());
}

pub(crate) async fn submit_that_joins_play_returns_once_play_is_durable(store: Arc<dyn Store>) {
    let play = store.submit(keyed("a", "k")).await.unwrap();
    let call = Task { idempotency_key: Some("k".into()), ..submitted("a") };
    let mut submission = Box::pin(store.submit(call));
    let claim = soon(store.claim()).await.unwrap();
    assert!(submission.as_mut().now_or_never().is_none());
    settle(claim, success("done")).await;
    let id = play.task();
    assert_eq!(soon(play).await, success("done"));
    let ticket = soon(submission).await.unwrap();
    assert_eq!((ticket.task(), soon(ticket).await), (id, success("done")));
}

pub(crate) async fn task_query_waits_for_end(store: Arc<dyn Store>) {
    let id = store.submit(submitted("a")).await.unwrap().task();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.task(&circle(1), id, Duration::from_secs(600)).await }
    });
    let claim = soon(store.claim()).await.unwrap();
    settle(claim, success("done")).await;
    let seen = soon(waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(seen.outcome, Some(success("done")));
}

pub(crate) async fn task_query_returns_state_after_short_wait(store: Arc<dyn Store>) {
    let id = store.submit(submitted("a")).await.unwrap().task();
    let seen = soon(store.task(&circle(1), id, Duration::from_millis(5))).await.unwrap().unwrap();
    assert_eq!(seen.state, State::Queued);
}

pub(crate) async fn plain_play_is_listed_until_it_ends(store: Arc<dyn Store>) {
    let ticket = store.submit(task("a")).await.unwrap();
    let id = ticket.task();
    assert_eq!(state(&store, id).await, Some(State::Queued));
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    assert_eq!(soon(ticket).await, success(""));
    assert_eq!(state(&store, id).await, None);
}

pub(crate) async fn cancelled_submission_is_remembered(store: Arc<dyn Store>) {
    let id = store.submit(submitted("a")).await.unwrap().task();
    assert_eq!(store.cancel(&circle(1), id).await, Ok(true));
    let ended = soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap().unwrap();
    assert_eq!(ended.state, State::Cancelled);
    assert_eq!(store.cancel(&circle(1), id).await, Ok(false));
}

/// The state, start and end of a task; times in milliseconds.
type Times = (State, Option<u128>, Option<u128>);

fn times(view: &TaskView) -> Times {
    let millis = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let (began, ended) = (view.started_at.map(millis), view.ended_at.map(millis));
    let accepted = millis(view.accepted_at);
    assert!(began.is_none_or(|began| began >= accepted), "{view:?}");
    assert!(ended.is_none_or(|ended| ended >= began.unwrap_or(accepted)), "{view:?}");
    assert_eq!(ended.is_some(), view.state.is_final(), "{view:?}");
    (view.state, began, ended)
}

/// Returns the state and times of a task, and checks that its list entry agrees.
async fn seen(store: &Arc<dyn Store>, id: TaskId) -> Times {
    let view = store.task(&circle(1), id, Duration::ZERO).await.unwrap().unwrap();
    let page = store.tasks(&circle(1), filter(100)).await.unwrap();
    let listed = page.tasks.iter().find(|task| task.id == id).unwrap();
    assert_eq!(times(listed), times(&view));
    times(&view)
}

pub(crate) async fn all_queries_agree_on_states_and_times(store: Arc<dyn Store>) {
    // Cancelled in the queue: it never started, and has ended once the cancellation returns.
    let id = store.submit(submitted("a")).await.unwrap().task();
    assert_eq!(seen(&store, id).await, (State::Queued, None, None));
    assert_eq!(store.cancel(&circle(1), id).await, Ok(true));
    let (state, began, _) = seen(&store, id).await;
    assert_eq!((state, began), (State::Cancelled, None));

    // Awaited and watched from the queue on, released once, cancelled while it runs.
    for play in [submitted("b"), task("b")] {
        let is_kept = play.is_remembered();
        let ticket = store.submit(play).await.unwrap();
        let id = ticket.task();
        let mut watch = store.watch(&circle(1), id).await.unwrap().unwrap();
        let waiter = store.clone();
        let circle = circle(1);
        let mut waiting = Box::pin(async move { waiter.task(&circle, id, Duration::from_secs(600)).await });
        // Long enough for the query to find the task queued.
        assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err());
        let claim = soon(store.claim()).await.unwrap();
        let (state, first, ended) = seen(&store, id).await;
        assert_eq!((state, first.is_some(), ended), (State::Running, true, None));
        drop(claim);
        let is_queued = || async {
            store.task(&circle, id, Duration::ZERO).await.unwrap().unwrap().state == State::Queued
        };
        soon(async { while !is_queued().await {} }).await;
        assert_eq!(seen(&store, id).await, (State::Queued, None, None));
        let claim = soon(store.claim()).await.unwrap();
        let (_, second, _) = seen(&store, id).await;
        assert!(second >= first);
        assert_eq!(store.cancel(&circle, id).await, Ok(true));
        assert_eq!(seen(&store, id).await, (State::Running, second, None));
        soon(claim.interrupt().cancelled()).await;
        settle(claim, Outcome::cancelled()).await;
        let awaited = times(&soon(waiting).await.unwrap().unwrap());
        assert_eq!((awaited.0, awaited.1), (State::Cancelled, second));
        let watched = loop {
            match soon(watch.next()).await.unwrap() {
                WatchEvent::Ended(view) => break times(&view),
                WatchEvent::Logged(_) | WatchEvent::Restarted => {}
            }
        };
        assert_eq!(watched, awaited);
        if is_kept {
            assert_eq!(seen(&store, id).await, awaited);
        }
        drop(ticket);
    }

    // Overdue in the queue.
    let late = Task { timeout: Duration::from_millis(30), ..submitted("c") };
    let id = store.submit(late).await.unwrap().task();
    let awaited = soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap().unwrap();
    let (state, began, _) = times(&awaited);
    assert_eq!((state, began), (State::TimedOut, None));
    assert_eq!(seen(&store, id).await, times(&awaited));
}

pub(crate) async fn unobserved_task_times_out(store: Arc<dyn Store>) {
    let late = Task { timeout: Duration::from_millis(1), ..submitted("a") };
    let id = store.submit(late).await.unwrap().task();
    let seen = soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap().unwrap();
    assert_eq!(seen.state, State::TimedOut);
}

pub(crate) async fn pages_list_each_matching_task_once(store: Arc<dyn Store>) {
    let ana = Caller::Peer(circle(7));
    let mut all = Vec::new();
    for number in 0..7 {
        let caller = if number % 2 == 0 { ana.clone() } else { Caller::Anonymous };
        let task = Task { caller, ..submitted("a") };
        all.push(store.submit(task).await.unwrap().task());
    }
    // Three have ended, one runs, the others are queued.
    for _ in 0..3 {
        settle(soon(store.claim()).await.unwrap(), success("")).await;
    }
    for id in &all[..3] {
        soon(store.task(&circle(1), *id, Duration::from_secs(20))).await.unwrap();
    }
    let running = soon(store.claim()).await.unwrap();
    all.reverse();

    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store.tasks(&circle(1), TaskFilter { before, ..filter(2) }).await.unwrap();
        assert!(page.tasks.len() <= 2 && page.tasks.iter().all(|task| task.outcome.is_none()));
        seen.extend(page.tasks.iter().map(|task| task.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);

    let of = |caller, state| {
        let store = store.clone();
        async move {
            let page = store.tasks(&circle(1), TaskFilter { caller, state, ..filter(100) }).await.unwrap();
            page.tasks.into_iter().map(|task| task.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(of(Some(ana), None).await, [all[0], all[2], all[4], all[6]]);
    assert_eq!(of(None, Some(State::Succeeded)).await, all[4..]);
    assert_eq!(of(None, Some(State::Running)).await, all[3..4]);
    assert_eq!(of(None, Some(State::Queued)).await, all[..3]);
    assert!(store.tasks(&circle(2), filter(100)).await.unwrap().tasks.is_empty());
    drop(running);
}

pub(crate) async fn watch_delivers_every_line_and_the_end(store: Arc<dyn Store>) {
    let line = |text: &str| LogLine { level: LogLevel::Info, text: text.to_owned() };
    let ticket = store.submit(task("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    claim.log(&line("before"));
    let mut watch = store.watch(&circle(1), ticket.task()).await.unwrap().unwrap();
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Logged(line("before"))));
    claim.log(&line("after"));
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Logged(line("after"))));
    // Released and claimed again, it restarts.
    drop(claim);
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Restarted));
    claim.log(&line("again"));
    settle(claim, success("")).await;
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Logged(line("again"))));
    let Some(WatchEvent::Ended(view)) = soon(watch.next()).await else { panic!("no end") };
    assert_eq!(view.outcome, Some(success("")));
    assert_eq!(soon(watch.next()).await, None);
    assert!(store.watch(&circle(1), ticket.task()).await.unwrap().is_none());
}

pub(crate) async fn watch_of_ended_task_delivers_its_end(store: Arc<dyn Store>) {
    let id = store.submit(submitted("a")).await.unwrap().task();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap();
    let mut watch = store.watch(&circle(1), id).await.unwrap().unwrap();
    assert!(matches!(soon(watch.next()).await, Some(WatchEvent::Ended(_))));
    assert_eq!(soon(watch.next()).await, None);
}

pub(crate) async fn nested_play_record_names_calling_play_and_origin(store: Arc<dyn Store>) {
    let outer = task("outer");
    let into = |from: &Task, to| from.call_into(to, Source::script("inner"), Value::Null, from.timeout);
    let (same, other) = (into(&outer, circle(1)), into(&outer, circle(2)));
    assert_eq!(same.caller, outer.caller, "in its own circle a play has no more rights than its caller");
    assert_eq!(other.caller, Caller::Peer(circle(1)));
    let deep = into(&other, circle(1));
    assert_eq!((deep.depth(), &deep.caller, deep.origin()), (2, &Caller::Peer(circle(2)), &outer.caller));
    for play in [&outer, &same, &other, &deep] {
        let (claim, ticket) = store.begin_nested(play.clone()).unwrap();
        claim.mark_side_effects().unwrap();
        let reached = Settlement { side_effects: true, ..Outcome::Cancelled(Vec::new()).into() };
        assert!(matches!(claim.settle(reached).await, Ok(Settled::Recorded)));
        soon(ticket).await;
    }
    for (of, plays) in [(circle(1), vec![&outer, &same, &deep]), (circle(2), vec![&other])] {
        let page = store.provenance(&of, 0, 100).await.unwrap();
        let mut chain = Verifier::new(of);
        assert_eq!(page.records.len(), plays.len());
        for (record, play) in page.records.iter().zip(plays) {
            chain.push(record).unwrap();
            assert_eq!(TaskId::from(record.task_id.clone()), play.id);
            assert_eq!(record.caller.as_str(), play.caller.to_string());
            let via = record.via.as_ref().map(|via| {
                (via.circle.to_string(), TaskId::from(via.task_id.clone()), via.origin.to_string())
            });
            let expected = play.via.as_ref().map(|via| {
                let last = via.plays.last().unwrap();
                (last.circle.to_string(), last.task, via.origin.to_string())
            });
            assert_eq!(via, expected);
        }
    }
}

pub(crate) async fn writes_side_effects_and_submissions_leave_records(store: Arc<dyn Store>) {
    // A play with writes.
    let (claim, ticket) = store.begin_nested(task("wrote")).unwrap();
    let mut transaction = Transaction::new(claim.snapshot().unwrap());
    transaction.put("a", Some("1".into()));
    let (reads, writes) = transaction.into_parts();
    let script_sha256 = Some([7; 32]);
    let wrote = Settlement { reads, writes, script_sha256, ..success("").into() };
    assert!(matches!(claim.settle(wrote).await, Ok(Settled::Recorded)));
    let mut expected = vec![ticket.task()];
    soon(ticket).await;
    // A play with side effects that failed.
    let (claim, ticket) = store.begin_nested(task("side effect")).unwrap();
    claim.mark_side_effects().unwrap();
    let reached = Settlement { side_effects: true, ..Outcome::cancelled().into() };
    assert!(matches!(claim.settle(reached).await, Ok(Settled::Recorded)));
    expected.push(ticket.task());
    soon(ticket).await;
    // A submitted task that never ran.
    let id = store.submit(submitted("a")).await.unwrap().task();
    store.cancel(&circle(1), id).await.unwrap();
    soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap();
    expected.push(id);
    // Two plays without records.
    let ticket = store.submit(keyed("a", "k")).await.unwrap();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    soon(ticket).await;
    let (claim, ticket) = store.begin_nested(task("read")).unwrap();
    let mut transaction = Transaction::new(claim.snapshot().unwrap());
    transaction.get("a").unwrap();
    let (reads, writes) = transaction.into_parts();
    assert!(claim.settle(Settlement { reads, writes, ..success("").into() }).await.is_ok());
    soon(ticket).await;

    let page = store.provenance(&circle(1), 0, 100).await.unwrap();
    let tasks: Vec<TaskId> = page.records.iter().map(|record| record.task_id.clone().into()).collect();
    assert_eq!(tasks, expected);
    let mut chain = Verifier::new(circle(1));
    for record in &page.records {
        chain.push(record).unwrap();
    }
    assert_eq!(chain.head(), Head::from(&page.head));
    let rest = store.provenance(&circle(1), 1, 1).await.unwrap();
    assert_eq!(rest.records, page.records[1..2]);
    assert!(store.provenance(&circle(2), 0, 100).await.unwrap().records.is_empty());
}

/// The list of promises. It is instantiated for each store.
macro_rules! tasks {
    ($store:ident, $make:expr) => {
        mod $store {
            use super::*;
            $crate::conformance::cases_in! { $crate::tasks; $make;
                submitted_task_runs_without_ticket: WIDE,
                submit_that_joins_play_returns_once_play_is_durable: WIDE,
                task_query_waits_for_end: WIDE,
                task_query_returns_state_after_short_wait: WIDE,
                plain_play_is_listed_until_it_ends: WIDE,
                cancelled_submission_is_remembered: WIDE,
                all_queries_agree_on_states_and_times: WIDE,
                unobserved_task_times_out: WIDE,
                pages_list_each_matching_task_once: WIDE,
                watch_delivers_every_line_and_the_end: WIDE,
                watch_of_ended_task_delivers_its_end: WIDE,
                writes_side_effects_and_submissions_leave_records: WIDE,
                nested_play_record_names_calling_play_and_origin: WIDE,
            }
        }
    };
}
pub(crate) use tasks;

//! The threads that run scripts, with a real store.

#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a missing value is a failure.

use std::{alloc::System, num::NonZeroUsize, sync::Arc, time::Duration};

use circles_api::types::RecordPage;
use circles_store::{
    Caller, CircleId, Claim, Error, Outcome, Source, Store as _, Task, TaskFilter, TaskId, TaskPage,
    TaskView, Ticket, Watch,
};
use circles_store_embedded::EmbeddedConfig;
use circles_testing::{Embedded, Watched, embedded};
use circles_worker::{CountingAllocator, Host, Limits, Metrics, Slots, Workers};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
/// No step takes as long, unless it hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

type Store = Watched<Embedded>;

fn store() -> Arc<Store> {
    Arc::new(Watched::new(embedded(EmbeddedConfig::default())))
}

fn task(script: &str) -> Task {
    let (circle, timeout) = (CIRCLE.parse().unwrap(), Duration::from_secs(300));
    Task::new(circle, Caller::Anonymous, Source::script(script), Value::Null, timeout)
}

async fn play(store: &Store, script: &str) -> Ticket {
    store.submit(task(script)).await.unwrap()
}

/// Waits until workers have claimed so many tasks.
async fn claimed(store: &Store, tasks: u32) {
    for _ in 0..tasks {
        store.began().await;
    }
}

fn workers(store: &Arc<Store>, slots: usize) -> Workers {
    Workers::start(store.clone(), Arc::new(Host::new(Limits::default())), NonZeroUsize::new(slots).unwrap())
        .unwrap()
}

async fn value(ticket: Ticket) -> Value {
    match timeout(TIMEOUT, ticket).await.expect("an outcome") {
        Outcome::Succeeded(success) => success.value,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_scripts_do_not_block_others() {
    let store = store();
    let workers = workers(&store, 1);
    let mut asleep = Vec::new();
    for _ in 0..20 {
        asleep.push(play(&store, "sleep(300)").await);
    }
    claimed(&store, 20).await;
    assert_eq!(value(play(&store, "40 + 2").await).await, json!(42));
    workers.shutdown(Duration::ZERO).await;
    for ticket in asleep {
        assert_eq!(timeout(TIMEOUT, ticket).await.unwrap(), Outcome::cancelled());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_scripts_do_not_block_others() {
    let store = store();
    let workers = workers(&store, 1);
    let (first, second) = (play(&store, "loop {}").await, play(&store, "loop {}").await);
    claimed(&store, 2).await;
    assert_eq!(value(play(&store, "40 + 2").await).await, json!(42));
    for ticket in [first, second] {
        assert!(store.cancel(&CIRCLE.parse().unwrap(), ticket.task()).await.unwrap());
        assert_eq!(timeout(TIMEOUT, ticket).await.unwrap(), Outcome::cancelled());
    }
    workers.shutdown(TIMEOUT).await;
}

/// There are more scripts than threads may be: free slots are taken when threads end.
#[tokio::test(flavor = "multi_thread")]
async fn slow_scripts_beyond_thread_limit_all_end() {
    let store = store();
    let workers = workers(&store, 2);
    let mut tickets = Vec::new();
    for number in 0..300 {
        tickets.push(play(&store, &format!("sleep(0.02); {number}")).await);
    }
    for (number, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(value(ticket).await, json!(number));
    }
    assert_eq!(value(play(&store, "1").await).await, json!(1));
    workers.shutdown(TIMEOUT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_drains_running_scripts_and_claims_no_more() {
    let store = store();
    let workers = workers(&store, 1);
    let running = play(&store, "sleep(0.3); 7").await;
    claimed(&store, 1).await;
    timeout(TIMEOUT, workers.shutdown(TIMEOUT)).await.expect("a shutdown");
    assert_eq!(value(running).await, json!(7));
    let late = play(&store, "8").await;
    assert_eq!(store.inner.queued(), 1);
    store.close().await;
    assert_eq!(late.await, Outcome::cancelled());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_interrupts_scripts_after_grace() {
    let store = store();
    let workers = workers(&store, 2);
    let tickets = [play(&store, "loop {}").await, play(&store, "try { sleep(300) } catch {} loop {}").await];
    claimed(&store, 2).await;
    timeout(TIMEOUT, workers.shutdown(Duration::from_millis(10))).await.expect("a shutdown");
    for ticket in tickets {
        assert_eq!(timeout(TIMEOUT, ticket).await.unwrap(), Outcome::cancelled());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thread_survives_failed_and_panicked_tasks() {
    let store = store();
    let workers = workers(&store, 1);
    store.panic_at_next();
    let _lost = play(&store, "1").await;
    claimed(&store, 1).await;
    for script in ["let a = []; loop { a.push(1); }", "fn f() { f() } f()", "throw 1", "let"] {
        assert!(
            matches!(timeout(TIMEOUT, play(&store, script).await).await.unwrap(), Outcome::Failed(..)),
            "{script}"
        );
    }
    assert_eq!(value(play(&store, "40 + 2").await).await, json!(42));
    workers.shutdown(TIMEOUT).await;
}

/// Workers with so many slots, and their metrics.
fn workers_with_metrics(store: &Arc<Store>, slots: usize) -> (Workers, Metrics) {
    let metrics = Metrics::default();
    let open = NonZeroUsize::new(slots).unwrap();
    let slots = Slots { open, max: Slots::MAX, metrics: metrics.clone() };
    (Workers::start(store.clone(), Arc::new(Host::new(Limits::default())), slots).unwrap(), metrics)
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_threads_are_replaced_and_counted() {
    let store = store();
    store.panic_at_claims(5);
    let (workers, metrics) = workers_with_metrics(&store, 2);
    for number in 0..20 {
        assert_eq!(value(play(&store, &format!("{number}")).await).await, json!(number));
    }
    // In the end both slots have a thread again.
    let replaced = async {
        while metrics.script_threads() != 2 || metrics.script_thread_deaths() != 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, replaced).await.expect("two threads after five deaths");
    workers.shutdown(TIMEOUT).await;
    assert_eq!(metrics.script_threads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn deadline_ends_play_when_every_thread_dies() {
    let store = store();
    store.panic_at_claims(u64::MAX);
    let (workers, metrics) = workers_with_metrics(&store, 1);
    let task = Task { timeout: Duration::from_millis(300), ..task("1") };
    let ticket = store.submit(task).await.unwrap();
    assert_eq!(timeout(TIMEOUT, ticket).await.expect("an outcome"), Outcome::timed_out());
    // At most ten deaths a second and slot: threads that die at once keep no core busy.
    assert!((1..300).contains(&metrics.script_thread_deaths()), "{}", metrics.script_thread_deaths());
    workers.shutdown(TIMEOUT).await;
}

/// A store that hands out given claims, and does nothing else.
struct GivenClaims(Mutex<mpsc::Receiver<Claim>>);

#[async_trait::async_trait]
impl circles_store::Store for GivenClaims {
    async fn claim(&self) -> Result<Claim, Error> {
        self.0.lock().await.recv().await.ok_or(Error::Closed)
    }

    async fn submit(&self, _: Task) -> Result<Ticket, Error> {
        Err(Error::Closed)
    }

    fn begin_nested(&self, _: Task) -> Result<(Claim, Ticket), Error> {
        Err(Error::Closed)
    }

    async fn cancel(&self, _: &CircleId, _: TaskId) -> Result<bool, Error> {
        Err(Error::Closed)
    }

    async fn task(&self, _: &CircleId, _: TaskId, _: Duration) -> Result<Option<TaskView>, Error> {
        Err(Error::Closed)
    }

    async fn tasks(&self, _: &CircleId, _: TaskFilter) -> Result<TaskPage, Error> {
        Err(Error::Closed)
    }

    async fn watch(&self, _: &CircleId, _: TaskId) -> Result<Option<Watch>, Error> {
        Err(Error::Closed)
    }

    async fn provenance(&self, _: &CircleId, _: u64, _: usize) -> Result<RecordPage, Error> {
        Err(Error::Closed)
    }

    async fn workers(&self) -> Result<usize, Error> {
        Err(Error::Closed)
    }

    async fn close(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_interrupts_both_runs_of_a_reclaimed_task() {
    let store = Watched::new(embedded(EmbeddedConfig::default()));
    let (claims, given) = mpsc::channel(1);
    let given: Arc<dyn circles_store::Store> = Arc::new(GivenClaims(Mutex::new(given)));
    let host = Arc::new(Host::new(Limits::default()));
    let workers = Workers::start(given, host, NonZeroUsize::new(2).unwrap()).unwrap();
    let task = task("sleep(300)");
    let (first, first_ticket) = store.begin_nested(task.clone()).unwrap();
    let (second, second_ticket) = store.begin_nested(task).unwrap();
    let lost = first.interrupt().clone();
    assert!(claims.send(first).await.is_ok(), "workers that take it");
    assert!(claims.send(second).await.is_ok(), "workers that take it");
    // Both are running, since no other worker could have taken them.
    claims.reserve().await.expect("workers that have taken both");
    lost.cancel();
    assert_eq!(timeout(TIMEOUT, first_ticket).await.unwrap(), Outcome::cancelled());
    workers.shutdown(Duration::from_millis(10)).await;
    assert_eq!(timeout(TIMEOUT, second_ticket).await.expect("an end"), Outcome::cancelled());
}

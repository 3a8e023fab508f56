//! The threads that run scripts, beside a real store.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

use std::{
    alloc::System,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use circles_store::{
    Caller, Claim, EmbeddedConfig, EmbeddedStore, Error, Outcome, Settle, Store, Task, TaskId, Ticket,
};
use circles_worker::{CountingAllocator, Host, Limits, Workers};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: CountingAllocator<System> = CountingAllocator::new(System);

const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
/// Nothing here takes as long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store that tells how many tasks were claimed, and whose next settlement panics if that is wanted.
struct Watched {
    inner: EmbeddedStore,
    claimed: Semaphore,
    panics: AtomicBool,
}

impl Watched {
    fn new() -> Arc<Self> {
        let inner = EmbeddedStore::new(EmbeddedConfig::default());
        Arc::new(Self { inner, claimed: Semaphore::new(0), panics: AtomicBool::new(false) })
    }

    async fn claimed(&self, tasks: u32) {
        timeout(PATIENCE, self.claimed.acquire_many(tasks)).await.expect("claims").unwrap().forget();
    }

    async fn play(&self, script: &str) -> Ticket {
        let (circle, timeout) = (CIRCLE.parse().unwrap(), Duration::from_secs(300));
        self.submit(Task::new(circle, Caller::Anonymous, script, Value::Null, timeout)).await.unwrap()
    }
}

struct PanickingSettle;

#[async_trait::async_trait]
impl Settle for PanickingSettle {
    async fn settle(self: Box<Self>, _: Outcome) -> Result<(), Error> {
        panic!("as a test wishes")
    }

    fn give_back(self: Box<Self>) {}
}

#[async_trait::async_trait]
impl Store for Watched {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        self.inner.submit(task).await
    }

    async fn claim(&self) -> Result<Claim, Error> {
        let claim = self.inner.claim().await?;
        self.claimed.add_permits(1);
        if self.panics.swap(false, Ordering::SeqCst) {
            let (task, deadline) = (claim.task().clone(), claim.deadline());
            return Ok(Claim::new(task, deadline, CancellationToken::new(), Box::new(PanickingSettle)));
        }
        Ok(claim)
    }

    async fn cancel(&self, task: TaskId) -> Result<bool, Error> {
        self.inner.cancel(task).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

fn workers(store: &Arc<Watched>, slots: usize) -> Workers {
    Workers::start(store.clone(), Arc::new(Host::new(Limits::default())), NonZeroUsize::new(slots).unwrap())
}

async fn value(ticket: Ticket) -> Value {
    match timeout(PATIENCE, ticket).await.expect("an outcome") {
        Outcome::Succeeded(success) => success.value,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_wait_hold_nobody_up() {
    let store = Watched::new();
    let workers = workers(&store, 1);
    let mut asleep = Vec::new();
    for _ in 0..20 {
        asleep.push(store.play("sleep(300)").await);
    }
    store.claimed(20).await;
    assert_eq!(value(store.play("40 + 2").await).await, json!(42));
    workers.shutdown(Duration::ZERO).await;
    for ticket in asleep {
        assert_eq!(timeout(PATIENCE, ticket).await.unwrap(), Outcome::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_run_long_hold_nobody_up() {
    let store = Watched::new();
    let workers = workers(&store, 1);
    let (first, second) = (store.play("loop {}").await, store.play("loop {}").await);
    store.claimed(2).await;
    assert_eq!(value(store.play("40 + 2").await).await, json!(42));
    for ticket in [first, second] {
        assert!(store.cancel(ticket.task()).await.unwrap());
        assert_eq!(timeout(PATIENCE, ticket).await.unwrap(), Outcome::Cancelled);
    }
    workers.shutdown(PATIENCE).await;
}

/// More of them than there may be threads: slots that no thread could take are taken when threads end.
#[tokio::test(flavor = "multi_thread")]
async fn more_slow_scripts_than_threads_all_end() {
    let store = Watched::new();
    let workers = workers(&store, 2);
    let mut tickets = Vec::new();
    for number in 0..300 {
        tickets.push(store.play(&format!("sleep(0.02); {number}")).await);
    }
    for (number, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(value(ticket).await, json!(number));
    }
    assert_eq!(value(store.play("1").await).await, json!(1));
    workers.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_scripts_end_and_takes_no_more() {
    let store = Watched::new();
    let workers = workers(&store, 1);
    let running = store.play("sleep(0.3); 7").await;
    store.claimed(1).await;
    timeout(PATIENCE, workers.shutdown(PATIENCE)).await.expect("a shutdown");
    assert_eq!(value(running).await, json!(7));
    let late = store.play("8").await;
    assert_eq!(store.inner.queued(), 1);
    store.close().await;
    assert_eq!(late.await, Outcome::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_interrupts_what_goes_on_after_its_grace() {
    let store = Watched::new();
    let workers = workers(&store, 2);
    let tickets = [store.play("loop {}").await, store.play("try { sleep(300) } catch {} loop {}").await];
    store.claimed(2).await;
    timeout(PATIENCE, workers.shutdown(Duration::from_millis(10))).await.expect("a shutdown");
    for ticket in tickets {
        assert_eq!(timeout(PATIENCE, ticket).await.unwrap(), Outcome::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_outlives_whatever_goes_wrong_with_one_task() {
    let store = Watched::new();
    let workers = workers(&store, 1);
    store.panics.store(true, Ordering::SeqCst);
    let _lost = store.play("1").await;
    store.claimed(1).await;
    for script in ["let a = []; loop { a.push(1); }", "fn f() { f() } f()", "throw 1", "let"] {
        assert!(
            matches!(timeout(PATIENCE, store.play(script).await).await.unwrap(), Outcome::Failed(_)),
            "{script}"
        );
    }
    assert_eq!(value(store.play("40 + 2").await).await, json!(42));
    workers.shutdown(PATIENCE).await;
}

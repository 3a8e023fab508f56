use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use circles_api::types::RecordPage;
use circles_store::{
    CircleId, Claim, Error, Lease, LogLine, Outcome, Settled, Settlement, Snapshot, Store, Task, TaskFilter,
    TaskId, TaskPage, TaskView, Ticket, Watch,
};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    time::timeout,
};

/// Longer than any event takes that a test waits for.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

/// A store that reports the begin and the end of each task, so that tests wait for events.
pub struct Watched<S> {
    /// The store underneath.
    pub inner: S,
    began: mpsc::UnboundedSender<Arc<Task>>,
    ended: mpsc::UnboundedSender<(TaskId, Outcome)>,
    events: Events,
    panics: AtomicBool,
    panics_at_claims: AtomicU64,
}

struct Events {
    began: AsyncMutex<mpsc::UnboundedReceiver<Arc<Task>>>,
    ended: AsyncMutex<mpsc::UnboundedReceiver<(TaskId, Outcome)>>,
}

impl<S: Store> Watched<S> {
    /// Watches `inner`.
    pub fn new(inner: S) -> Self {
        let (began, began_events) = mpsc::unbounded_channel();
        let (ended, ended_events) = mpsc::unbounded_channel();
        let events = Events { began: AsyncMutex::new(began_events), ended: AsyncMutex::new(ended_events) };
        Self {
            inner,
            began,
            ended,
            events,
            panics: AtomicBool::new(false),
            panics_at_claims: AtomicU64::new(0),
        }
    }

    /// The next task that a worker claimed.
    pub async fn began(&self) -> Arc<Task> {
        let next = async { self.events.began.lock().await.recv().await };
        timeout(EVENT_TIMEOUT, next).await.expect("a task that begins").expect("we hold a sender")
    }

    /// The next outcome that a worker settled.
    pub async fn ended(&self) -> (TaskId, Outcome) {
        let next = async { self.events.ended.lock().await.recv().await };
        timeout(EVENT_TIMEOUT, next).await.expect("a task that ends").expect("we hold a sender")
    }

    /// Makes the settlement of the next claimed task panic.
    pub fn panic_at_next(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    /// Makes the next `claims` claims panic.
    pub fn panic_at_claims(&self, claims: u64) {
        self.panics_at_claims.store(claims, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl<S: Store> Store for Watched<S> {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        self.inner.submit(task).await
    }

    fn begin_nested(&self, task: Task) -> Result<(Claim, Ticket), Error> {
        self.inner.begin_nested(task)
    }

    async fn claim(&self) -> Result<Claim, Error> {
        let left = self
            .panics_at_claims
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "a panic that a test asked for");
        let claim = self.inner.claim().await?;
        let (task, deadline, interrupt) = (claim.task().clone(), claim.deadline(), claim.interrupt().clone());
        // The test may have dropped its receiver.
        let _ = self.began.send(task.clone());
        let panics = self.panics.swap(false, Ordering::SeqCst);
        let lease = WatchedLease { claim: Mutex::new(Some(claim)), ended: self.ended.clone(), panics };
        Ok(Claim::new(task, deadline, interrupt, Box::new(lease)))
    }

    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error> {
        self.inner.cancel(circle, task).await
    }

    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error> {
        self.inner.task(circle, task, wait).await
    }

    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        self.inner.tasks(circle, filter).await
    }

    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error> {
        self.inner.watch(circle, task).await
    }

    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error> {
        self.inner.provenance(circle, after, limit).await
    }

    async fn workers(&self) -> Result<usize, Error> {
        self.inner.workers().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

struct WatchedLease {
    /// A mutex, since a claim is not `Sync` and a lease must be.
    claim: Mutex<Option<Claim>>,
    ended: mpsc::UnboundedSender<(TaskId, Outcome)>,
    panics: bool,
}

impl WatchedLease {
    fn claim<T>(&self, body: impl FnOnce(&Claim) -> T) -> T {
        body(self.claim.lock().expect("nothing panics under it").as_ref().expect("it is not settled yet"))
    }
}

#[async_trait::async_trait]
impl Lease for WatchedLease {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        self.claim(Claim::snapshot)
    }

    fn mark_side_effects(&self) -> Result<(), Error> {
        self.claim(Claim::mark_side_effects)
    }

    fn log(&self, line: &LogLine) {
        self.claim(|claim| claim.log(line));
    }

    async fn settle(self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error> {
        assert!(!self.panics, "a panic that a test asked for");
        let claim = self.claim.lock().expect("nothing panics under it").take();
        let Some(claim) = claim else { return Ok(None) };
        let (id, outcome) = (claim.task().id, settlement.outcome.clone());
        match claim.settle(settlement).await? {
            Settled::Recorded => {
                let _ = self.ended.send((id, outcome));
                Ok(None)
            }
            Settled::Conflict(claim) => {
                *self.claim.lock().expect("nothing panics under it") = Some(claim);
                Ok(Some(self))
            }
        }
    }

    fn release(self: Box<Self>) {
        drop(self.claim.lock().expect("nothing panics under it").take());
    }
}

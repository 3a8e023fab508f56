use std::sync::{Arc, Mutex};

use circles_store::{Claim, Error, Outcome, Settle, Store, Task, TaskId, Ticket};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

/// A store that tells when a task begins and how it ends, so that no test has to guess.
pub struct Watched<S> {
    inner: S,
    began: mpsc::UnboundedSender<Arc<Task>>,
    ended: mpsc::UnboundedSender<(TaskId, Outcome)>,
    events: Events,
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
        Self { inner, began, ended, events }
    }

    /// The next task that a worker took.
    pub async fn began(&self) -> Arc<Task> {
        crate::soon(async { self.events.began.lock().await.recv().await }).await.expect("we hold a sender")
    }

    /// The next outcome that a worker settled.
    pub async fn ended(&self) -> (TaskId, Outcome) {
        crate::soon(async { self.events.ended.lock().await.recv().await }).await.expect("we hold a sender")
    }
}

#[async_trait::async_trait]
impl<S: Store> Store for Watched<S> {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        self.inner.submit(task).await
    }

    async fn claim(&self) -> Result<Claim, Error> {
        let claim = self.inner.claim().await?;
        let (task, deadline, interrupt) = (claim.task().clone(), claim.deadline(), claim.interrupt().clone());
        let _ = self.began.send(task.clone());
        let settle = Settled { claim: Mutex::new(Some(claim)), ended: self.ended.clone() };
        Ok(Claim::new(task, deadline, interrupt, Box::new(settle)))
    }

    async fn cancel(&self, task: TaskId) -> Result<bool, Error> {
        self.inner.cancel(task).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

struct Settled {
    /// In a lock only because a claim is not `Sync` and an end of one has to be.
    claim: Mutex<Option<Claim>>,
    ended: mpsc::UnboundedSender<(TaskId, Outcome)>,
}

#[async_trait::async_trait]
impl Settle for Settled {
    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<(), Error> {
        let claim = self.claim.lock().expect("nothing panics under it").take();
        let Some(claim) = claim else { return Ok(()) };
        let id = claim.task().id;
        claim.settle(outcome.clone()).await?;
        let _ = self.ended.send((id, outcome));
        Ok(())
    }

    fn give_back(self: Box<Self>) {
        drop(self.claim.lock().expect("nothing panics under it").take());
    }
}

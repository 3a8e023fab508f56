//! The calls of this process that wait for a task to end, and the outcomes on their way to them.
//!
//! A waiter is registered before its task is submitted, so that no outcome can come too early. Redis publishes outcomes
//! and keeps each until it is acknowledged: [`Waiters::catch_up`] fetches those whose message was lost.

mod acknowledgements;
mod listing;
mod lookup;
mod submit;
mod waiter;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use circles_api::CircleId;
use circles_store::{Error, Failure, Outcome, Task, TaskId, sync::lock};
use fred::types::Value;
use tokio::sync::{Semaphore, oneshot};

use self::{
    acknowledgements::Acknowledgements,
    submit::{Submission, SubmitReply, Submitter},
    waiter::Waiter,
};
use crate::{
    batcher::Batcher,
    node::Node,
    scripts::{ANSWERS, CANCEL},
    task_meta::{TaskEnd, state_name, to_json},
};

/// How long a waiter waits before it asks Redis whether it missed its outcome.
pub(crate) const CATCH_UP_INTERVAL: Duration = Duration::from_secs(1);
/// The most tasks that one script looks up outcomes for.
const ANSWER_TASKS: usize = 1_000;

/// Owns the waiting calls of this process, and the road on which their tasks are submitted.
pub(crate) struct Waiters {
    node: Arc<Node>,
    waiting: Mutex<HashMap<TaskId, WaitedTask>>,
    acknowledgements: Arc<Acknowledgements>,
    submitter: Arc<Submitter>,
    submissions: Batcher<Submission, SubmitReply>,
    /// Permits of listings.
    listings: Semaphore,
}

/// A task that calls of this process wait for.
struct WaitedTask {
    shard: u16,
    circle: CircleId,
    since: Instant,
    /// Set if the task goes on without a waiter.
    recorded: bool,
    /// Set once Redis has had the task. If it has neither the task nor an outcome later, it lost the task.
    confirmed: bool,
    senders: Vec<oneshot::Sender<TaskEnd>>,
}

/// The tasks that a cancellation ends.
enum CancelScope {
    /// A queued task at once, a running one through its worker.
    Any,
    /// A queued task only.
    Queued,
    /// Any task at once, whatever its worker does later.
    Now,
}

impl Waiters {
    pub(crate) fn new(node: &Arc<Node>) -> Self {
        let acknowledgements = Arc::<Acknowledgements>::default();
        let submitter = Arc::new(Submitter::new(node.clone(), acknowledgements.clone()));
        let submissions = Batcher::new(&node.runtime, node.shards, {
            let submitter = submitter.clone();
            move |shard, batch| {
                let submitter = submitter.clone();
                async move { submitter.submit_batch(shard, batch).await }
            }
        });
        let listings = Semaphore::new(listing::CONCURRENT_LISTINGS);
        Self {
            node: node.clone(),
            waiting: Mutex::default(),
            acknowledgements,
            submitter,
            submissions,
            listings,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, WaitedTask>> {
        lock(&self.waiting)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The tasks that calls wait for.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        self.lock().keys().copied().collect()
    }

    /// Waits for the end of task `id` on behalf of a call of `task` that arrived at `arrived`.
    fn waiter(self: &Arc<Self>, task: &Task, id: TaskId, arrived: Instant) -> Waiter {
        Waiter {
            receiver: self.register(id, &task.circle, task.is_remembered()),
            waiters: self.clone(),
            id,
            circle: task.circle,
            recorded: task.is_remembered(),
            deadline: arrived + task.timeout,
        }
    }

    /// Registers a waiter for the end of a task.
    fn register(&self, id: TaskId, circle: &CircleId, recorded: bool) -> oneshot::Receiver<TaskEnd> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        let task = waiting.entry(id).or_insert_with(|| WaitedTask {
            shard: self.node.shard_of(circle),
            circle: *circle,
            since: Instant::now(),
            recorded,
            confirmed: false,
            senders: Vec::new(),
        });
        task.senders.retain(|sender| !sender.is_closed());
        task.senders.push(sender);
        receiver
    }

    /// Notes that Redis has the task.
    fn confirm(&self, id: TaskId) {
        if let Some(task) = self.lock().get_mut(&id) {
            task.confirmed = true;
        }
    }

    /// Removes waiters of the task that have gone.
    fn remove_closed(&self, id: TaskId) {
        let mut waiting = self.lock();
        if let Some(task) = waiting.get_mut(&id) {
            task.senders.retain(|sender| !sender.is_closed());
            if task.senders.is_empty() {
                waiting.remove(&id);
            }
        }
    }

    fn take(&self, id: &str) -> Option<WaitedTask> {
        let id = id.parse().ok()?;
        self.lock().remove(&id)
    }

    /// Handles outcomes that Redis published.
    pub(crate) fn on_answers(&self, message: &Value) {
        let bytes = message.as_bytes().unwrap_or_default();
        let Ok((shard, answers)) = rmp_serde::from_slice::<(String, Vec<String>)>(bytes) else {
            tracing::error!("unexpected message in Redis: cannot decode outcomes");
            return;
        };
        let Some(shard) = self.node.parse_shard_key(&shard) else { return };
        for pair in answers.chunks_exact(2) {
            if let [id, end] = pair {
                self.deliver(shard, id, end);
            }
        }
    }

    /// Delivers an outcome to its waiters, and lets Redis delete it.
    fn deliver(&self, shard: u16, id: &str, end: &str) {
        self.acknowledgements.add(shard, id);
        let Some(task) = self.take(id) else { return };
        match TaskEnd::parse(end) {
            Ok(end) => task.send(&end),
            Err(error) => tracing::error!(%error, task = id, "cannot read an outcome"),
        }
    }

    /// Ends the wait for a task that Redis lost, as after a FLUSHALL or a failover: it has neither the task nor its
    /// outcome.
    fn fail_lost(&self, id: &str) {
        if let Some(task) = self.take(id) {
            tracing::warn!(task = id, "Redis lost a task");
            task.send(&TaskEnd::now(Outcome::failed(Failure::Unavailable)));
        }
    }

    /// Fetches outcomes whose message may have been lost. `confirmed` tasks were in Redis, `others` may not have been.
    async fn fetch_answers(
        &self,
        shard: u16,
        confirmed: Vec<TaskId>,
        others: Vec<TaskId>,
    ) -> Result<(), Error> {
        for (were_there, ids) in [(true, confirmed), (false, others)] {
            for chunk in ids.chunks(ANSWER_TASKS) {
                let mut args = vec![Value::from(self.node.id.clone())];
                args.extend(chunk.iter().map(|id| Value::from(id.to_string())));
                let found: Vec<String> = self.node.run(&ANSWERS, shard, args).await?;
                for pair in found.chunks_exact(2) {
                    match pair {
                        [id, end] if end.is_empty() && were_there => self.fail_lost(id),
                        [_, end] if end.is_empty() => {}
                        [id, end] => self.deliver(shard, id, end),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Fetches the outcomes of tasks that have been waited for at least this long, and sends acknowledgements.
    pub(crate) async fn catch_up(&self, waited: Duration) {
        let mut overdue: HashMap<u16, (Vec<TaskId>, Vec<TaskId>)> = HashMap::new();
        for (id, task) in &*self.lock() {
            if task.since.elapsed() >= waited {
                let (confirmed, others) = overdue.entry(task.shard).or_default();
                if task.confirmed { confirmed } else { others }.push(*id);
            }
        }
        let acknowledging = self.acknowledgements.shards();
        for (shard, (confirmed, others)) in overdue {
            if let Err(error) = self.fetch_answers(shard, confirmed, others).await {
                tracing::debug!(%error, "cannot fetch outcomes");
                return;
            }
        }
        for shard in acknowledging {
            if let Err(error) = self.submitter.submit_batch(shard, Vec::new()).await {
                tracing::debug!(%error, "cannot acknowledge outcomes");
                return;
            }
        }
    }

    /// Cancels a task: a queued one at once, a running one through its worker. Returns whether this call did it.
    pub(crate) async fn cancel(&self, circle: &CircleId, id: TaskId) -> Result<bool, Error> {
        let reply = self.end(circle, id, &Outcome::cancelled(), CancelScope::Any).await?;
        Ok(matches!(&*reply, "ended" | "told"))
    }

    /// Ends a task without its worker's outcome. Returns the reply of `cancel.lua`.
    async fn end(
        &self,
        circle: &CircleId,
        id: TaskId,
        outcome: &Outcome,
        scope: CancelScope,
    ) -> Result<String, Error> {
        let scope = match scope {
            CancelScope::Any => "",
            CancelScope::Queued => "queued",
            CancelScope::Now => "now",
        };
        let (state, outcome) = (state_name(outcome.state()), to_json(outcome)?);
        let args = [id.to_string(), circle.to_string(), state, outcome, scope.to_owned()];
        self.node.run(&CANCEL, self.node.shard_of(circle), args.map(Value::from).into()).await
    }

    /// Cancels those of the tasks that are queued plays without an idempotency key: no later call can ask for them.
    pub(crate) async fn cancel_queued(&self, ids: Vec<TaskId>) {
        for id in ids {
            let unrecorded = self.lock().get(&id).filter(|task| !task.recorded).map(|task| task.circle);
            if let Some(circle) = unrecorded
                && let Err(error) = self.end(&circle, id, &Outcome::cancelled(), CancelScope::Queued).await
            {
                tracing::debug!(%error, task = %id, "cannot cancel a queued play");
            }
        }
    }
}

impl WaitedTask {
    fn send(self, end: &TaskEnd) {
        for sender in self.senders {
            // The caller may have gone.
            let _ = sender.send(end.clone());
        }
    }
}

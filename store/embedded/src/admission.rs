//! Admission: capacity, then the idempotency lookup, then a durable write for submitted tasks.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use circles_store::{Error, Failure, Kind, Outcome, Task, Ticket};
use tokio::sync::oneshot;

use crate::{
    db::{CallerUsage, Change, TaskChange},
    live_task::LiveTask,
    on_durable::OnDurable,
    store_core::{CallKey, StoreCore, TaskTable, call_key},
    ticket,
};

/// The most expired tasks that are removed before a call is refused because a share is full. Other changes of the
/// circle wait meanwhile.
const SWEEP_BATCH: usize = 500;
/// The time after which a refused caller may try again if it is not known when the oldest task expires.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The shortest time after which a refused caller may try again.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The task of an earlier call with the same idempotency key.
enum PriorCall {
    InProgress(Arc<LiveTask>),
    Ended(Ticket),
}

impl StoreCore {
    /// Queues a play of which nothing is stored.
    pub(crate) fn submit_transient(self: &Arc<Self>, task: Task) -> Result<Ticket, Error> {
        let live = Arc::new(LiveTask::new(task));
        {
            let mut tasks = self.tasks();
            self.check_queue(&tasks, &live)?;
            tasks.live.insert(&live);
            tasks.queue.push_back(live.clone());
        }
        self.work.notify_one();
        Ok(ticket::for_task(self, live))
    }

    /// Accepts a task that is remembered after its end, or joins the earlier call with its idempotency key.
    pub(crate) async fn submit_remembered(self: &Arc<Self>, task: Task) -> Result<Ticket, Error> {
        let circle = self.files.circle(&task.circle);
        let is_submission = matches!(task.kind, Kind::Submitted { .. });
        let live = {
            // One call at a time looks its key up, so that two calls with the same key become one.
            let _turn = match &task.idempotency_key {
                Some(_) => Some(circle.key_lookup.lock().await),
                None => None,
            };
            let prior = match call_key(&task) {
                Some(key) => self.prior_call(&task, &key).await?,
                None => None,
            };
            match prior {
                Some(PriorCall::Ended(ticket)) => return Ok(ticket),
                Some(PriorCall::InProgress(live)) => live,
                None => self.accept(task).await?,
            }
        };
        // A repeated call promises as much as the first one.
        live.wait_durable().await?;
        let ticket = ticket::for_task(self, live.clone());
        if is_submission && !matches!(live.task().kind, Kind::Submitted { .. }) {
            // A submission that joins a play is durable only once the play has ended.
            return Ok(Ticket::ready(ticket.task(), ticket.await));
        }
        Ok(ticket)
    }

    /// Adds a new task that is remembered, and queues it; a submitted task once it is durable.
    async fn accept(self: &Arc<Self>, task: Task) -> Result<Arc<LiveTask>, Error> {
        let usage = self.usage(&task).await?;
        let live = Arc::new(LiveTask::new(task));
        {
            let mut tasks = self.tasks();
            self.check_queue(&tasks, &live)?;
            self.check_quota(&tasks, live.task(), &usage)?;
            tasks.insert(&live);
        }
        if matches!(live.task().kind, Kind::Submitted { .. }) {
            self.enqueue_when_durable(TaskChange::Accepted(live.task().clone()), live.clone());
        } else {
            self.enqueue(live.clone());
        }
        Ok(live)
    }

    /// Refuses a task for which the queue has no capacity.
    fn check_queue(&self, tasks: &TaskTable, live: &LiveTask) -> Result<(), Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let config = &self.config;
        let is_full = tasks.queue.len() >= config.queue_limit
            || tasks.queue.len_of(&live.task().circle) >= config.circle_queue_limit
            || self.exceeds_memory(tasks, live);
        if is_full { Err(Error::QueueFull) } else { Ok(()) }
    }

    /// Returns whether the queued tasks, or those of the task's circle, would hold too much memory with this one. The
    /// first task is accepted at any size.
    fn exceeds_memory(&self, tasks: &TaskTable, live: &LiveTask) -> bool {
        let (total, of_circle) = tasks.queue.bytes(&live.task().circle);
        let (bytes, limit) = (live.bytes(), self.config.queue_bytes);
        let exceeds = |held: usize, limit: usize| held > 0 && held + bytes > limit;
        exceeds(total, limit) || exceeds(of_circle, limit / 4)
    }

    /// Returns how much is remembered for a caller. If its share is full, expired tasks are removed first.
    async fn usage(self: &Arc<Self>, task: &Task) -> Result<CallerUsage, Error> {
        let query = || {
            let caller = task.caller.to_string();
            self.files.query(&task.circle, move |db| db.file().usage(&caller))
        };
        let usage = query().await?.unwrap_or_default();
        if self.check_quota(&self.tasks(), task, &usage).is_ok() {
            return Ok(usage);
        }
        let (sender, swept) = oneshot::channel();
        let change = Change { sweeps: SWEEP_BATCH, ..Change::default() };
        self.store_change(&task.circle, change, OnDurable::new(|result| drop(sender.send(result))));
        swept.await.unwrap_or(Err(Error::Closed))?;
        Ok(query().await?.unwrap_or_default())
    }

    /// Refuses a task if the share of its caller, or of guests, is full.
    fn check_quota(&self, tasks: &TaskTable, task: &Task, usage: &CallerUsage) -> Result<(), Error> {
        let quota = self.files.retention(&task.circle).quota;
        let retry_after = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let oldest = usage.oldest_expiry_ms.map(Duration::from_millis);
            oldest.map_or(DEFAULT_RETRY_AFTER, |oldest| oldest.saturating_sub(now)).max(MIN_RETRY_AFTER)
        };
        let own = usage.own.tasks + tasks.live.to_remember(&task.circle, Some(&task.caller));
        if own >= quota.caller_tasks || usage.own.bytes >= quota.caller_bytes {
            return Err(Error::ShareFull(retry_after()));
        }
        let guests = usage.guests.tasks + tasks.live.to_remember(&task.circle, None);
        if task.guest && (guests >= quota.guest_tasks || usage.guests.bytes >= quota.guest_bytes) {
            return Err(Error::GuestsFull(retry_after()));
        }
        Ok(())
    }

    /// Looks up the earlier call with this key.
    async fn prior_call(self: &Arc<Self>, task: &Task, key: &CallKey) -> Result<Option<PriorCall>, Error> {
        let check = |is_same: bool, id| if is_same { Ok(()) } else { Err(Error::KeyReused(id)) };
        let in_progress = self.tasks().by_key.get(key).cloned();
        if let Some(live) = in_progress {
            check(live.task().is_same_call(task), live.task().id)?;
            return Ok(Some(PriorCall::InProgress(live)));
        }
        let (caller, name) = (task.caller.to_string(), key.2.clone());
        let found = self.files.query(&task.circle, move |db| db.file().task_of_key(&caller, &name)).await?;
        let Some((row, outcome)) = found.flatten() else { return Ok(None) };
        let dropped = || row.state.is_final().then_some(Outcome::failed(Failure::Dropped));
        // A play that was marked and never ended may have had side effects, so the call is not run again. One that
        // was not marked is.
        let Some(outcome) = outcome.or_else(dropped).or(row.marked.then_some(Outcome::Lost)) else {
            return Ok(None);
        };
        check(row.call == task.call_hash(), row.id)?;
        Ok(Some(PriorCall::Ended(Ticket::ready(row.id, outcome))))
    }
}

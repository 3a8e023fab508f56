use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use circles_api::CircleId;
use tokio::sync::OwnedMutexGuard;

use super::{
    Shared,
    circle::{Open, RIGHT_OF_WAY, View},
    done::Done,
    entry::{Entry, cancel, fault},
    file::TaskChange,
};
use circles_store::{Claim, Error, Failure, Kind, Lease, LogLine, Outcome, Settlement, Snapshot};

/// How often a play is run again whose reads were overtaken (SPEC §5).
const RUNS_AGAIN: u32 = 5;

/// Hands an entry that a worker has begun with to it.
pub(super) fn claim(shared: &Arc<Shared>, entry: Arc<Entry>, share: Option<Share>) -> Claim {
    let held = Held {
        shared: shared.clone(),
        entry: entry.clone(),
        view: Mutex::new(None),
        marked: Mutex::new(false),
        overtaken: 0,
        right_of_way: None,
        _share: share,
    };
    // A worker that stops interrupts the play, and does not say that nobody wants it.
    Claim::new(entry.task().clone(), entry.deadline(), entry.interrupt().child_token(), Box::new(held))
}

/// The embedded store's end of a claim.
struct Held {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    view: Mutex<Option<Arc<View>>>,
    marked: Mutex<bool>,
    overtaken: u32,
    right_of_way: Option<OwnedMutexGuard<()>>,
    /// Not there for what goes beside the queue.
    _share: Option<Share>,
}

/// A circle's share of what may be under way, for as long as a claim from the queue is held.
pub(super) struct Share {
    shared: Arc<Shared>,
    circle: CircleId,
}

impl Share {
    pub(super) fn new(shared: &Arc<Shared>, circle: CircleId) -> Self {
        Self { shared: shared.clone(), circle }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let waits = {
            let mut state = self.shared.lock();
            state.queue.release(&self.circle);
            !state.queue.is_empty()
        };
        // What waits may have waited for this.
        if waits {
            self.shared.work.notify_one();
        }
    }
}

#[async_trait::async_trait]
impl Lease for Held {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = &*view {
            return Ok(view.clone());
        }
        let circle = self.shared.files.circle(&self.entry.task().circle);
        let opened = self.shared.files.open(&circle);
        let opened = opened.inspect_err(|error| self.shared.files.note(&self.entry.task().circle, error));
        let fresh = Arc::new(opened?.snapshot());
        Ok(view.insert(fresh).clone())
    }

    fn mark_side_effects(&self) -> Result<(), Error> {
        let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        // What is not kept is not run again anyway.
        if !*marked && self.entry.task().is_recorded() {
            self.shared.mark(&self.entry)?;
        }
        *marked = true;
        Ok(())
    }

    fn log(&self, line: &LogLine) {
        self.entry.log(line);
    }

    async fn settle(mut self: Box<Self>, settlement: Settlement) -> Result<Option<Box<dyn Lease>>, Error> {
        let view = self.view.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(view) = &view
            && !settlement.writes.is_empty()
        {
            if self.right_of_way.is_none() {
                view.open().give_way().await;
            }
            view.open().room().await;
        }
        let side_effects = settlement.side_effects;
        let lost = matches!(settlement.outcome, Outcome::Failed(Failure::Conflict, _));
        let hash = settlement.script_sha256;
        if !lost && !self.shared.settle(&self.entry, view.as_deref(), settlement) {
            return Ok(None);
        }
        // Overtaken.
        let open = view.as_ref().map(|view| view.open().clone());
        drop(view);
        self.overtaken += 1;
        if side_effects || self.overtaken > RUNS_AGAIN {
            let conflict = Settlement {
                side_effects,
                script_sha256: hash,
                ..Outcome::failed(Failure::Conflict).into()
            };
            self.shared.settle(&self.entry, None, conflict);
            return Ok(None);
        }
        self.entry.live().restart();
        if self.right_of_way.is_none()
            && let Some(open) = open
        {
            self.right_of_way = self.right_of_way(&open).await;
        }
        if self.entry.is_unwanted() {
            self.shared.settle(&self.entry, None, Outcome::cancelled().into());
            return Ok(None);
        }
        Ok(Some(self))
    }

    /// As whenever it is dropped.
    fn release(self: Box<Self>) {}
}

/// Whoever let go of it before the task's end was decided, a worker that unwinds or one whose settling was
/// dropped half way, gives the task back.
impl Drop for Held {
    fn drop(&mut self) {
        if let Some(begun) = self.entry.take_begun() {
            self.shared.files.run_or_do(move || begun.end());
        }
        if self.entry.is_running() {
            let marked = *self.marked.get_mut().unwrap_or_else(PoisonError::into_inner);
            self.shared.give_back(&self.entry, marked);
        }
    }
}

impl Held {
    /// The right of way of its circle, if it can be had before nobody wants the play any more.
    async fn right_of_way(&self, open: &Open) -> Option<OwnedMutexGuard<()>> {
        // Bounded by those who are before it: each has it for one run, and ends by its deadline. But whoever
        // called this play may be one of them, and waits for it.
        let mut until = self.entry.deadline();
        if self.entry.task().depth() > 0 {
            until = until.min(Instant::now() + RIGHT_OF_WAY);
        }
        tokio::select! {
            guard = open.right_of_way() => Some(guard),
            () = self.entry.interrupt().cancelled() => None,
            () = tokio::time::sleep_until(until.into()) => None,
        }
    }
}

impl Shared {
    /// Makes sure that a task which is kept is not run again after a crash. Blocks.
    fn mark(self: &Arc<Self>, entry: &Entry) -> Result<(), Error> {
        let task = entry.task();
        let (done, marked) = std::sync::mpsc::channel();
        let change = if matches!(task.kind, Kind::Submitted { .. }) {
            TaskChange::Marked(task.id)
        } else {
            // A play with a key has no record until it ends, or gets this far.
            TaskChange::MarkedPlay(task.clone())
        };
        let change = super::file::Change { task: Some(change), ..Default::default() };
        self.store_change(&task.circle, change, Done::new(move |result| drop(done.send(result))));
        let left = entry.deadline().saturating_duration_since(Instant::now());
        marked.recv_timeout(left).unwrap_or_else(|_| Err(Error::File("the disk took too long".into())))
    }

    /// Ends a task of which nothing else is known, if it has not ended; true if this call was the one.
    pub(super) fn conclude(self: &Arc<Self>, entry: &Arc<Entry>, outcome: Outcome) -> bool {
        let Some(was) = entry.decide() else { return false };
        self.leave_queue(entry, was);
        self.record(entry, None, outcome.into());
        true
    }

    /// Ends a task as its worker says; true if it was overtaken and goes on.
    pub(super) fn settle(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        view: Option<&View>,
        settlement: Settlement,
    ) -> bool {
        let Some(was) = entry.decide() else { return false };
        self.leave_queue(entry, was);
        let overtaken = self.record(entry, view, settlement);
        if overtaken {
            entry.goes_on();
        }
        overtaken
    }

    /// Takes back a task that its worker let go of. Once this process closes, what is kept is left to the next.
    fn give_back(self: &Arc<Self>, entry: &Arc<Entry>, marked: bool) {
        if entry.is_unwanted() {
            let cancelled = Settlement { side_effects: marked, ..Outcome::cancelled().into() };
            self.settle(entry, None, cancelled);
        } else if self.is_closed() && !marked {
            self.leave(entry);
        } else if marked && !entry.may_retry() {
            self.lose(entry, true);
        } else if entry.requeue() && !self.is_closed() {
            entry.live().restart();
            if marked {
                self.retry_or_lose(entry.clone());
                return;
            }
            self.lock().queue.push_front(entry.clone());
            self.work.notify_one();
            // It may have been closed, or cancelled, between the question and the queue.
            if entry.is_unwanted() {
                cancel(self, entry);
            } else if self.is_closed() {
                self.leave(entry);
            }
        }
    }

    /// Takes note that a submitted task begins, so that it is known if the process dies with it.
    pub(super) async fn begins(self: &Arc<Self>, entry: &Arc<Entry>) {
        let (task, circle) = (entry.task().id, self.files.circle(&entry.task().circle));
        let (begun, noted) = tokio::sync::oneshot::channel();
        let _ = self.files.run(move || {
            // Who asked may have gone, and with it the task.
            if let Err(Ok(begun)) = begun.send(circle.running().begin(task)) {
                begun.end();
            }
        });
        match noted.await {
            Ok(Ok(begun)) => entry.set_begun(begun),
            Ok(Err(error)) => tracing::warn!(%task, %error, "it is not noted that a task runs"),
            // The store is shut.
            Err(_) => {}
        }
    }

    /// Has a task run again in which the process died, if it may be.
    pub(super) fn run_after_death(self: &Arc<Self>, entry: Arc<Entry>, run: u64, marked: bool) {
        if !marked || entry.take_retry() {
            let change = TaskChange::Died { id: entry.task().id, run, retried: marked };
            self.enqueue_after(change, entry);
        } else {
            self.lose(&entry, true);
        }
    }

    /// Does what is to be done with a task that this process will not run any more, as it closes. A submitted task is
    /// taken up by the next process. A play with an idempotency key leaves nothing, so that the same call runs then.
    /// Any other play is cancelled.
    pub(super) fn leave(self: &Arc<Self>, entry: &Arc<Entry>) {
        let task = entry.task();
        if matches!(task.kind, Kind::Submitted { .. }) {
            entry.requeue();
        } else if task.idempotency_key.is_none() {
            self.conclude(entry, Outcome::cancelled());
        } else if let Some(was) = entry.decide() {
            self.leave_queue(entry, was);
            self.finish(entry, Outcome::failed(Failure::Unavailable));
        }
    }

    /// Has a task run again that may have had outside effects, if it may be.
    pub(super) fn retry_or_lose(self: &Arc<Self>, entry: Arc<Entry>) {
        if entry.take_retry() {
            self.enqueue_after(TaskChange::Retried(entry.task().id), entry);
        } else {
            self.lose(&entry, true);
        }
    }

    pub(super) fn lose(self: &Arc<Self>, entry: &Arc<Entry>, side_effects: bool) {
        let lost = Settlement { side_effects, ..Outcome::Lost.into() };
        self.settle(entry, None, lost);
    }
}

/// What a caller is told whose circle's file failed.
pub(super) fn failed(error: Error) -> Outcome {
    match error {
        Error::StorageFull(cause) | Error::Unavailable(cause) => {
            tracing::warn!(%cause, "a circle's file cannot be used now");
            Outcome::failed(Failure::Unavailable)
        }
        other => Outcome::failed(fault(other)),
    }
}

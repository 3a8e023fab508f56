//! The ways of a task back to the queue, and what becomes of it when it may not go back.

use std::sync::Arc;

use circles_store::{Failure, Kind, Outcome, Settlement};
use tokio::sync::oneshot;

use crate::{
    db::{Change, TaskChange},
    failures::outcome_of,
    live_task::LiveTask,
    on_durable::OnDurable,
    running_file::RunNumber,
    store_core::StoreCore,
};

impl StoreCore {
    /// Closes the store: workers get no further task.
    pub(crate) fn close(self: &Arc<Self>) {
        for live in self.close_queue() {
            self.leave_to_next_process(&live);
        }
    }

    /// Queues a task.
    pub(crate) fn enqueue(self: &Arc<Self>, live: Arc<LiveTask>) {
        let mut tasks = self.tasks();
        if self.is_closed() {
            drop(tasks);
            return self.leave_to_next_process(&live);
        }
        if live.is_queued() {
            tasks.queue.push_back(live);
        }
        drop(tasks);
        self.work.notify_one();
    }

    /// Queues a task once a change is durable.
    pub(crate) fn enqueue_when_durable(self: &Arc<Self>, change: TaskChange, live: Arc<LiveTask>) {
        let (sender, stored) = oneshot::channel();
        live.set_durability(stored);
        let core = self.clone();
        let circle = live.task().circle;
        let on_durable = OnDurable::new(move |result| {
            match &result {
                Ok(()) => core.enqueue(live),
                Err(error) => {
                    core.files.note_error(&circle, error);
                    if live.begin_settling().is_some() {
                        core.finish(&live, outcome_of(error.clone()));
                    }
                }
            }
            // The task continues even if its submitter has gone.
            let _ = sender.send(result);
        });
        self.store_change(&circle, Change { task: Some(change), ..Change::default() }, on_durable);
    }

    /// Takes a task back from a worker that did not settle it.
    pub(crate) fn take_back(self: &Arc<Self>, live: &Arc<LiveTask>, has_mark: bool) {
        if live.is_cancelled() {
            let cancelled = Settlement { side_effects: has_mark, ..Outcome::cancelled().into() };
            self.settle(live, None, cancelled);
        } else if self.is_closed() && !has_mark {
            self.leave_to_next_process(live);
        } else if has_mark && !live.may_retry() {
            self.lose(live, true);
        } else if live.requeue() && !self.is_closed() {
            live.log().restart();
            if has_mark {
                self.retry_or_lose(live.clone());
                return;
            }
            self.tasks().queue.push_front(live.clone());
            self.work.notify_one();
            // The store may have closed, or the task been cancelled, since the checks above.
            if live.is_cancelled() {
                self.cancel(live);
            } else if self.is_closed() {
                self.leave_to_next_process(live);
            }
        }
    }

    /// Ends the part of this process in a task that it will not run, since it closes. The next process runs a submitted
    /// task. A play with an idempotency key leaves nothing behind, so that the same call runs there. Other plays are
    /// cancelled.
    pub(crate) fn leave_to_next_process(self: &Arc<Self>, live: &Arc<LiveTask>) {
        let task = live.task();
        if matches!(task.kind, Kind::Submitted { .. }) {
            live.requeue();
        } else if task.idempotency_key.is_none() {
            self.conclude(live, Outcome::cancelled());
        } else if let Some(prior) = live.begin_settling() {
            self.leave_queue(live, prior);
            self.finish(live, Outcome::failed(Failure::Unavailable));
        }
    }

    /// Runs a task again that may have had side effects, if it has a retry left; otherwise it is lost.
    pub(crate) fn retry_or_lose(self: &Arc<Self>, live: Arc<LiveTask>) {
        if live.take_retry() {
            self.enqueue_when_durable(TaskChange::Retried(live.task().id), live);
        } else {
            self.lose(&live, true);
        }
    }

    /// Runs a task again during which the process died, unless it may have had side effects and has no retry left.
    pub(crate) fn rerun_after_crash(self: &Arc<Self>, live: Arc<LiveTask>, run: RunNumber, has_mark: bool) {
        if !has_mark || live.take_retry() {
            let change = TaskChange::Crashed { id: live.task().id, run, uses_retry: has_mark };
            self.enqueue_when_durable(change, live);
        } else {
            self.lose(&live, true);
        }
    }

    /// Adds a submitted task that starts to the circle's file of running tasks, where the next process finds it if
    /// this one dies.
    pub(crate) async fn note_running(self: &Arc<Self>, live: &Arc<LiveTask>) {
        let (task, circle) = (live.task().id, self.files.circle(&live.task().circle));
        let (sender, noted) = oneshot::channel();
        let _ = self.files.run(move || {
            // If the claim was dropped meanwhile, the task does not start.
            if let Err(Ok(marker)) = sender.send(circle.running_file().add(task)) {
                marker.remove();
            }
        });
        match noted.await {
            Ok(Ok(marker)) => live.set_run_marker(marker),
            Ok(Err(error)) => tracing::warn!(%task, %error, "cannot note that a task is running"),
            // The store is shut down.
            Err(_) => {}
        }
    }
}

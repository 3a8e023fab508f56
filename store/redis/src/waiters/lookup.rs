//! Looks up tasks, waits for their end, and watches them.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_api::CircleId;
use circles_store::{Error, Failure, Outcome, TaskId, TaskView, Watch, WatchEvent};
use fred::types::Value;
use futures_util::{StreamExt as _, future::ready, stream};
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout_at},
};

use super::{Waiters, waiter::REDIS_SETTLE_GRACE};
use crate::{
    held_tasks::LogReader,
    scripts::LOOK,
    task_meta::{TaskEnd, TaskStatus, task_view},
};

/// The messages that a lookup asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    Nothing,
    /// The outcome, once the task ends.
    Outcome,
    /// The outcome, and the lines that the task logs.
    OutcomeAndLog,
}

/// Removes the registration of a waiter when it is dropped.
struct Registration {
    waiters: Arc<Waiters>,
    id: TaskId,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.waiters.remove_closed(self.id);
    }
}

impl Waiters {
    /// Returns a task under way or remembered. Waits up to `wait` for its end.
    pub(crate) async fn task(
        self: &Arc<Self>,
        circle: &CircleId,
        id: TaskId,
        wait: Duration,
    ) -> Result<Option<TaskView>, Error> {
        if wait.is_zero() {
            return Ok(self.look_up(circle, id, Interest::Nothing).await?.map(|(_, view)| view));
        }
        let until = Instant::now() + wait;
        let receiver = self.register(id, circle, true);
        let registration = Registration { waiters: self.clone(), id };
        let Some((left, view)) = self.look_up(circle, id, Interest::Outcome).await? else { return Ok(None) };
        if view.state.is_final() {
            return Ok(Some(view));
        }
        self.confirm(id);
        let mut receiver = pin!(receiver);
        // A task that is queued at its deadline ends when it is looked up; a running one, when its worker settles it.
        let deadline = Instant::now() + left;
        if let Ok(Ok(end)) = timeout_at(until.min(deadline).into(), &mut receiver).await {
            return self.ended_task(circle, view, end).await.map(Some);
        }
        let Some((_, view)) = self.look_up(circle, id, Interest::Nothing).await? else { return Ok(None) };
        if view.state.is_final() || until <= deadline {
            return Ok(Some(view));
        }
        if let Ok(Ok(end)) = timeout_at(until.into(), receiver).await {
            return self.ended_task(circle, view, end).await.map(Some);
        }
        drop(registration);
        Ok(self.look_up(circle, id, Interest::Nothing).await?.map(|(_, view)| view))
    }

    /// Returns a task at its end. A task that seemed lost may have ended and be remembered.
    async fn ended_task(&self, circle: &CircleId, view: TaskView, end: TaskEnd) -> Result<TaskView, Error> {
        if end.outcome == Outcome::failed(Failure::Unavailable)
            && let Some((_, remembered)) = self.look_up(circle, view.id, Interest::Nothing).await?
        {
            return Ok(remembered);
        }
        Ok(end.apply_to(view))
    }

    /// Watches a task: the lines of its present run and of those that follow, then its end. `log` must have been
    /// opened before.
    pub(crate) async fn watch(
        self: &Arc<Self>,
        circle: &CircleId,
        id: TaskId,
        mut log: LogReader,
    ) -> Result<Option<Watch>, Error> {
        let mut receiver = self.register(id, circle, true);
        let registration = Registration { waiters: self.clone(), id };
        let found = self.look_up(circle, id, Interest::OutcomeAndLog).await?;
        let Some((left, view)) = found else { return Ok(None) };
        if view.state.is_final() {
            return Ok(Some(stream::once(ready(WatchEvent::Ended(Box::new(view)))).boxed()));
        }
        self.confirm(id);
        let until = Instant::now() + left + REDIS_SETTLE_GRACE;
        let (events, watch) = mpsc::channel(1);
        // The watcher may go at any time, which closes the channel.
        self.node.runtime.spawn(async move {
            let _registration = registration;
            let ended = loop {
                tokio::select! {
                    biased;
                    event = log.next() => if events.send(event).await.is_err() { return },
                    ended = &mut receiver => break ended.ok(),
                    () = sleep_until(until.into()) => break None,
                    () = events.closed() => return,
                }
            };
            let end = ended.unwrap_or_else(|| TaskEnd::now(Outcome::timed_out()));
            for event in last_lines(&mut log, &end.outcome) {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            let _ = events.send(WatchEvent::Ended(Box::new(end.apply_to(view)))).await;
        });
        let next = |mut watch: mpsc::Receiver<_>| async { watch.recv().await.map(|event| (event, watch)) };
        Ok(Some(stream::unfold(watch, next).boxed()))
    }

    /// Asks the worker of a watched task for its lines again, since some did not arrive.
    pub(crate) fn request_log(self: &Arc<Self>, id: TaskId) {
        let Some(circle) = self.lock().get(&id).map(|task| task.circle) else { return };
        let waiters = self.clone();
        self.node.runtime.spawn(async move {
            if let Err(error) = waiters.look_up(&circle, id, Interest::OutcomeAndLog).await {
                tracing::debug!(%error, task = %id, "cannot request missing log lines");
            }
        });
    }

    /// Returns a task, and the time until its deadline.
    pub(super) async fn look_up(
        &self,
        circle: &CircleId,
        id: TaskId,
        interest: Interest,
    ) -> Result<Option<(Duration, TaskView)>, Error> {
        let server = if interest == Interest::Nothing { "" } else { &self.node.id };
        let watch = if interest == Interest::OutcomeAndLog { "watch" } else { "" };
        let args = [&id.to_string(), &circle.to_string(), server, watch].map(Value::from);
        let found: Vec<String> = self.node.run(&LOOK, self.node.shard_of(circle), args.into()).await?;
        let Ok([meta, state, started, ended, outcome, left]) = <[String; 6]>::try_from(found) else {
            return Ok(None);
        };
        let left = Duration::from_millis(left.parse().unwrap_or_default());
        Ok(Some((left, task_view(id, &meta, &TaskStatus { state, started, ended, outcome })?)))
    }
}

/// The lines that a watcher has not seen yet at the task's end: those that have arrived, then the rest of its
/// outcome's.
fn last_lines(log: &mut LogReader, outcome: &Outcome) -> Vec<WatchEvent> {
    let mut events: Vec<_> = std::iter::from_fn(|| log.try_next()).collect();
    events.extend(outcome.logs().iter().skip(log.lines_read()).cloned().map(WatchEvent::Logged));
    events
}

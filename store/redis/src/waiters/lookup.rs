//! Looks up tasks, waits for their end, and watches them.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_api::CircleId;
use circles_store::{
    Caller, Error, Failure, Outcome, TaskFilter, TaskId, TaskPage, TaskView, Watch, WatchEvent,
};
use fred::types::Value;
use futures_util::{StreamExt as _, future::ready, stream};
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout, timeout_at},
};

use super::{Waiters, waiter::REDIS_SETTLE_GRACE};
use crate::{
    held_tasks::LogReader,
    node::lua_count,
    scripts::{LIST, LOOK},
    task_meta::{TaskEnd, TaskStatus, state_name, task_view, unexpected},
};

/// The most tasks that one page of a listing looks at.
const LOOKS_PER_PAGE: usize = 1_000;
/// The most tasks that one script looks at: it keeps Redis from other commands for less than half a millisecond.
const LOOKS_PER_SCRIPT: usize = 100;
/// Listings of one process that Redis serves at a time. More of them would delay the plays of all circles.
pub(super) const CONCURRENT_LISTINGS: usize = 4;
/// How long a listing may wait for its turn.
const LISTING_WAIT: Duration = Duration::from_secs(3);

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

    /// Returns a page of a circle's tasks, those under way and those remembered.
    ///
    /// It looks at tasks in small steps, between which Redis serves others.
    pub(crate) async fn list(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        let turn = timeout(LISTING_WAIT, self.listings.acquire()).await;
        let _turn = turn.map_err(|_| Error::Unavailable("too many listings wait for Redis".into()))?;
        let mut page = TaskPage { tasks: Vec::new(), next: filter.before };
        for _ in 0..LOOKS_PER_PAGE / LOOKS_PER_SCRIPT {
            let left = filter.limit.saturating_sub(page.tasks.len());
            let part = self.list_part(circle, &filter, page.next, left).await?;
            page.tasks.extend(part.tasks);
            page.next = part.next;
            if page.next.is_none() || page.tasks.len() >= filter.limit {
                break;
            }
        }
        Ok(page)
    }

    /// Returns up to `limit` tasks of a listing, those older than `before`, of the next few that match its caller.
    async fn list_part(
        &self,
        circle: &CircleId,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, Error> {
        let caller = match &filter.caller {
            None => "*".to_owned(),
            Some(Caller::Anonymous) => "-".to_owned(),
            Some(Caller::Peer(key)) => key.to_string(),
        };
        let args = vec![
            circle.to_string().into(),
            before.map(|before| before.to_string()).unwrap_or_default().into(),
            lua_count(limit).into(),
            caller.into(),
            filter.state.map_or_else(|| "*".to_owned(), state_name).into(),
            lua_count(LOOKS_PER_SCRIPT).into(),
        ];
        type Row = (String, String, String, String, String);
        let found: Vec<Value> = self.node.run(&LIST, self.node.shard_of(circle), args).await?;
        let mut found = found.into_iter();
        let parse_id = |id: &str| id.parse().map_err(|_| unexpected("a task id"));
        let next = found.next().and_then(|next| next.as_string()).filter(|next| !next.is_empty());
        let mut tasks = Vec::new();
        for row in found {
            let (id, meta, state, started, ended): Row = row.convert().map_err(|_| unexpected("a task"))?;
            let status = TaskStatus { state, started, ended, outcome: String::new() };
            tasks.push(task_view(parse_id(&id)?, &meta, &status)?);
        }
        Ok(TaskPage { next: next.map(|next| parse_id(&next)).transpose()?, tasks })
    }
}

/// The lines that a watcher has not seen yet at the task's end: those that have arrived, then the rest of its
/// outcome's.
fn last_lines(log: &mut LogReader, outcome: &Outcome) -> Vec<WatchEvent> {
    let mut events: Vec<_> = std::iter::from_fn(|| log.try_next()).collect();
    events.extend(outcome.logs().iter().skip(log.lines_read()).cloned().map(WatchEvent::Logged));
    events
}

//! The events of a play for a watcher.

use std::{future::ready, time::SystemTime};

use circles_api::{Error, Fault, types::PlayEvent};
use circles_store::{Kind, Outcome, Source, Task, TaskId, TaskView, Watch, WatchEvent};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::{CallOptions, Dispatch, Principal, answer};

/// The play to watch.
#[derive(Clone, Debug)]
pub(crate) enum WatchTarget {
    /// A new play, which the end of the stream cancels.
    Play(Source, CallOptions),
    /// A task under way, or a remembered one.
    Task(TaskId),
}

/// The events of a play; the last one is its end.
pub(crate) type PlayEvents = BoxStream<'static, Result<PlayEvent, Error>>;

impl Dispatch {
    /// Watches a play. Dropping the stream cancels a play that this call started.
    pub(crate) async fn watch(&self, principal: Principal, target: WatchTarget) -> Result<PlayEvents, Error> {
        let (id, events, aborted) = match target {
            WatchTarget::Task(id) => {
                self.view(&principal, id).await?;
                let watch = self.store.watch(&principal.circle, id).await.map_err(answer::store_error)?;
                // The task goes on, and can be watched through another server.
                (id, with_logs(watch.ok_or(Fault::TaskNotFound)?), answer::unavailable())
            }
            WatchTarget::Play(source, options) => {
                let task = self.new_task(principal, source, options, Kind::Play)?;
                let ticket = self.store.submit(task.clone()).await.map_err(answer::store_error)?;
                let id = ticket.task();
                let events = match self.store.watch(&task.circle, id).await.map_err(answer::store_error)? {
                    // The stream owns the ticket, since dropping that cancels the play.
                    Some(watch) => watch.map(move |event| (event, &ticket).0).boxed(),
                    // The play has ended already.
                    None => stream::iter(past_events(&task, ticket.await)).boxed(),
                };
                (id, events, answer::aborted(&task))
            }
        };
        let accepted = PlayEvent::Accepted { task_id: id.into() };
        let events = stream::once(ready(Ok(accepted))).chain(events.map(play_event));
        let abort = self.abort.clone();
        let is_aborted = async move { abort.cancelled().await };
        // Watchers stop reading at the play's end, so only those of a play under way reach the last item.
        Ok(events.take_until(is_aborted).chain(stream::once(ready(Err(aborted)))).boxed())
    }
}

/// Adds the log lines in the outcome of a task that ended before the watch began.
fn with_logs(events: Watch) -> Watch {
    let mut is_first = true;
    let with_lines = move |event| {
        let lines = match &event {
            WatchEvent::Ended(view) if is_first => {
                view.outcome.as_ref().map(|outcome| outcome.logs().to_vec()).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        is_first = false;
        stream::iter(lines.into_iter().map(WatchEvent::Logged).chain([event]))
    };
    events.flat_map(with_lines).boxed()
}

fn play_event(event: WatchEvent) -> Result<PlayEvent, Error> {
    Ok(match event {
        WatchEvent::Logged(line) => PlayEvent::Logged { line: answer::log_line(line) },
        WatchEvent::Restarted => PlayEvent::Restarted,
        WatchEvent::Ended(view) => PlayEvent::Ended { task: answer::task(*view)? },
    })
}

/// Returns the events of a play that ended before it could be watched.
fn past_events(task: &Task, outcome: Outcome) -> Vec<WatchEvent> {
    let logs = outcome.logs().to_vec();
    let view = TaskView {
        id: task.id,
        caller: task.caller.clone(),
        script_name: task.script_name().map(Into::into),
        state: outcome.state(),
        accepted_at: task.accepted_at,
        timeout: task.timeout,
        started_at: Some(task.accepted_at),
        ended_at: Some(SystemTime::now()),
        outcome: Some(outcome),
    };
    let logs = logs.into_iter().map(WatchEvent::Logged);
    logs.chain([WatchEvent::Ended(Box::new(view))]).collect()
}

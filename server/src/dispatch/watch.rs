//! A play as it is seen by somebody who watches it.

use std::{future::ready, time::SystemTime};

use circles_api::{Error, Fault, types::PlayEvent};
use circles_store::{Kind, Outcome, Source, Task, TaskView, Watch, WatchEvent};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::{Asker, Dispatch, Wishes, answer, drained, refused, unavailable};

/// What is watched.
#[derive(Clone, Debug)]
pub enum What {
    /// A play that begins with it, and ends with it if it has not ended before.
    Play(Source, Wishes),
    /// A task under way, or one that is remembered.
    Task(circles_store::TaskId),
}

/// What happens to a play, ending with its end.
pub type PlayEvents = BoxStream<'static, Result<PlayEvent, Error>>;

impl Dispatch {
    /// Begins to watch. Dropping what this returns ends a play that began with it.
    pub async fn watch(&self, asker: Asker, what: What) -> Result<PlayEvents, Error> {
        let (id, events, drained) = match what {
            What::Task(id) => {
                self.view(&asker, id).await?;
                let watch = self.store.watch(&asker.circle, id).await.map_err(refused)?;
                // The task goes on, and can be watched elsewhere.
                (id, logged(watch.ok_or(Fault::TaskNotFound)?), unavailable())
            }
            What::Play(source, wishes) => {
                let task = self.task(asker, source, wishes, Kind::Play)?;
                let ticket = self.store.submit(task.clone()).await.map_err(refused)?;
                let id = ticket.task();
                let events = match self.store.watch(&task.circle, id).await.map_err(refused)? {
                    // The ticket lives as long as the stream: without it the play is cancelled.
                    Some(watch) => watch.map(move |event| (event, &ticket).0).boxed(),
                    // It is over already.
                    None => stream::iter(past(&task, ticket.await)).boxed(),
                };
                (id, events, drained(&task))
            }
        };
        let accepted = PlayEvent::Accepted { task_id: id.into() };
        let events = stream::once(ready(Ok(accepted))).chain(events.map(event));
        let over = self.over.clone();
        let is_over = async move { over.cancelled().await };
        // Behind its end nobody reads on, so the last item is only seen by those whose play has not ended.
        Ok(events.take_until(is_over).chain(stream::once(ready(Err(drained)))).boxed())
    }
}

/// Of a task that had ended before, only the end comes: the lines that it carries are shown before it.
fn logged(events: Watch) -> Watch {
    let mut begun = false;
    let with_lines = move |event| {
        let lines = match &event {
            WatchEvent::Ended(view) if !begun => {
                view.outcome.as_ref().map(|outcome| outcome.logs().to_vec()).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        begun = true;
        stream::iter(lines.into_iter().map(WatchEvent::Logged).chain([event]))
    };
    events.flat_map(with_lines).boxed()
}

fn event(event: WatchEvent) -> Result<PlayEvent, Error> {
    Ok(match event {
        WatchEvent::Logged(line) => PlayEvent::Logged { line: answer::log_line(line) },
        WatchEvent::Restarted => PlayEvent::Restarted,
        WatchEvent::Ended(view) => PlayEvent::Ended { task: answer::task(*view)? },
    })
}

/// What would have been seen of a play that ended before anybody could watch it.
fn past(task: &Task, outcome: Outcome) -> Vec<WatchEvent> {
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

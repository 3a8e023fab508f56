use std::sync::Arc;

use circles_store::{Watch, WatchEvent};
use futures_util::{StreamExt as _, stream};

use crate::{live_task::LiveTask, log_stream::LogPosition};

struct Watcher {
    task: Arc<LiveTask>,
    position: LogPosition,
    has_ended: bool,
}

impl Watcher {
    fn next_event(&mut self) -> Option<WatchEvent> {
        // The state is read before the lines: a task that has ended logs no further line.
        let view = self.task.view();
        self.task.log().next_event(&mut self.position).or_else(|| {
            view.outcome.is_some().then(|| {
                self.has_ended = true;
                WatchEvent::Ended(Box::new(view))
            })
        })
    }
}

/// Returns the log lines of a task, past and future, and its end.
pub(crate) fn watch(task: Arc<LiveTask>) -> Watch {
    let watcher = Watcher { task, position: LogPosition::default(), has_ended: false };
    let events = stream::unfold(watcher, |mut watcher| async move {
        if watcher.has_ended {
            return None;
        }
        let task = watcher.task.clone();
        loop {
            let mut changed = std::pin::pin!(task.log().changed());
            changed.as_mut().enable();
            if let Some(event) = watcher.next_event() {
                return Some((event, watcher));
            }
            changed.await;
        }
    });
    events.boxed()
}

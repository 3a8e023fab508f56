//! What a play logs, as it logs it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt as _, stream};
use tokio::sync::Notify;

use super::entry::Entry;
use circles_store::{LogLine, Watch, WatchEvent};

/// The lines of a play under way; as many as its limits allow.
#[derive(Default)]
pub(super) struct Live {
    lines: Mutex<Lines>,
    news: Notify,
}

#[derive(Default)]
struct Lines {
    /// How often the script was begun anew.
    run: u32,
    lines: Vec<LogLine>,
}

impl Live {
    pub(super) fn log(&self, line: &LogLine) {
        self.lines().lines.push(line.clone());
        self.news.notify_waiters();
    }

    /// The script is run again from its beginning.
    pub(super) fn restart(&self) {
        {
            let mut lines = self.lines();
            lines.run += 1;
            lines.lines.clear();
        }
        self.news.notify_waiters();
    }

    /// What the script has logged, if it was run again since it was.
    pub(super) fn all(&self) -> Vec<LogLine> {
        self.lines().lines.clone()
    }

    pub(super) fn wake(&self) {
        self.news.notify_waiters();
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where somebody who watches is.
struct Place {
    entry: Arc<Entry>,
    run: u32,
    line: usize,
    ended: bool,
}

impl Place {
    /// What comes next, if it is there.
    fn step(&mut self) -> Option<WatchEvent> {
        // The end is looked for first: no line comes after it.
        let view = self.entry.view();
        {
            let lines = self.entry.live().lines();
            if lines.run != self.run {
                self.run = lines.run;
                self.line = 0;
                return Some(WatchEvent::Restarted);
            }
            if let Some(line) = lines.lines.get(self.line) {
                self.line += 1;
                return Some(WatchEvent::Logged(line.clone()));
            }
        }
        view.outcome.is_some().then(|| {
            self.ended = true;
            WatchEvent::Ended(Box::new(view))
        })
    }
}

/// All that an entry logged and logs, and its end.
pub(super) fn watch(entry: Arc<Entry>) -> Watch {
    let place = Place { entry, run: 0, line: 0, ended: false };
    let events = stream::unfold(place, |mut place| async move {
        if place.ended {
            return None;
        }
        let entry = place.entry.clone();
        loop {
            let mut news = std::pin::pin!(entry.live().news.notified());
            news.as_mut().enable();
            if let Some(event) = place.step() {
                return Some((event, place));
            }
            news.await;
        }
    });
    events.boxed()
}

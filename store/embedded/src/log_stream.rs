use std::sync::{Mutex, MutexGuard};

use circles_store::{LogLine, WatchEvent, sync::lock};
use tokio::sync::{Notify, futures::Notified};

/// The log lines of a task in progress. The limits of the play bound their number and size.
#[derive(Default)]
pub(crate) struct LogStream {
    lines: Mutex<Lines>,
    news: Notify,
}

#[derive(Default)]
struct Lines {
    /// How often the script was restarted.
    run: u32,
    lines: Vec<LogLine>,
}

/// A watcher's position in the stream.
#[derive(Default)]
pub(crate) struct LogPosition {
    run: u32,
    line: usize,
}

impl LogStream {
    pub(crate) fn push(&self, line: &LogLine) {
        self.lines().lines.push(line.clone());
        self.news.notify_waiters();
    }

    /// Drops the lines of a run, since the script is run again from its beginning.
    pub(crate) fn restart(&self) {
        {
            let mut lines = self.lines();
            lines.run += 1;
            lines.lines.clear();
        }
        self.news.notify_waiters();
    }

    /// Returns the lines of the current run.
    pub(crate) fn lines_so_far(&self) -> Vec<LogLine> {
        self.lines().lines.clone()
    }

    /// Wakes the watchers when the task has ended.
    pub(crate) fn wake(&self) {
        self.news.notify_waiters();
    }

    /// Waits for a line, a restart or the end.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Returns the next event of a watcher, if there is one, and moves the watcher past it.
    pub(crate) fn next_event(&self, position: &mut LogPosition) -> Option<WatchEvent> {
        let lines = self.lines();
        if lines.run != position.run {
            *position = LogPosition { run: lines.run, line: 0 };
            return Some(WatchEvent::Restarted);
        }
        let line = lines.lines.get(position.line)?;
        position.line += 1;
        Some(WatchEvent::Logged(line.clone()))
    }

    /// No code under this lock can panic, so the data of a poisoned lock is sound.
    fn lines(&self) -> MutexGuard<'_, Lines> {
        lock(&self.lines)
    }
}

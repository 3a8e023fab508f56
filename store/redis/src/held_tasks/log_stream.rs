//! The lines that a task logs, for its watchers in this process and for forwarding to others.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
};

use circles_store::{LogLine, WatchEvent, sync::lock};
use tokio::sync::Notify;

/// The most lines in one message to another process.
const CHUNK_LINES: usize = 100;

/// Identifies a run of a task: the epoch of its claim, and how often its script was restarted since.
pub(super) type RunId = (u64, u32);

/// The log of a task's present run.
#[derive(Default)]
pub(super) struct LogStream {
    written: Mutex<RunLog>,
    changed: Notify,
}

#[derive(Default)]
struct RunLog {
    run: RunId,
    lines: Vec<LogLine>,
}

/// Lines of a run, and the number of the first of them.
pub(crate) type LogChunk = (RunId, usize, Vec<LogLine>);

impl LogStream {
    /// Adds a line to the present run.
    pub(super) fn log(&self, line: &LogLine) {
        self.change(|written| written.lines.push(line.clone()));
    }

    /// Begins the first run of the claim with this epoch.
    pub(super) fn begin(&self, epoch: u64) {
        self.change(|written| *written = RunLog { run: (epoch, 0), lines: Vec::new() });
    }

    /// Begins another run of the same claim.
    pub(super) fn restart(&self) {
        self.change(|written| {
            written.run.1 += 1;
            written.lines.clear();
        });
    }

    /// Adds lines from another process. Returns false if lines before them are missing.
    pub(super) fn receive(&self, (run, first, lines): LogChunk) -> bool {
        let mut is_complete = true;
        self.change(|written| {
            if run > written.run {
                *written = RunLog { run, lines: Vec::new() };
            }
            if run == written.run {
                is_complete = first <= written.lines.len();
                // A message may arrive twice.
                let present = written.lines.len().saturating_sub(first);
                if is_complete {
                    written.lines.extend(lines.into_iter().skip(present));
                }
            }
        });
        is_complete
    }

    /// The present run and the count of its lines.
    pub(super) fn position(&self) -> (RunId, usize) {
        let written = self.written();
        (written.run, written.lines.len())
    }

    fn change(&self, change: impl FnOnce(&mut RunLog)) {
        change(&mut self.written());
        self.changed.notify_waiters();
    }

    fn written(&self) -> MutexGuard<'_, RunLog> {
        lock(&self.written)
    }
}

/// Reads a log stream from its first line on.
pub(crate) struct LogReader {
    stream: Arc<LogStream>,
    run: RunId,
    line: usize,
}

impl LogReader {
    pub(super) const fn new(stream: Arc<LogStream>) -> Self {
        Self { stream, run: (0, 0), line: 0 }
    }

    /// Waits for the next line or restart.
    ///
    /// # Cancel safety
    ///
    /// No event is lost if this is dropped.
    pub(crate) async fn next(&mut self) -> WatchEvent {
        let stream = self.stream.clone();
        loop {
            let mut changed = pin!(stream.changed.notified());
            changed.as_mut().enable();
            if let Some(event) = self.try_next() {
                return event;
            }
            changed.await;
        }
    }

    /// Returns the next line or restart, if there is one already.
    pub(crate) fn try_next(&mut self) -> Option<WatchEvent> {
        let written = self.stream.written();
        if written.run != self.run {
            let had_begun = self.run != (0, 0);
            (self.run, self.line) = (written.run, 0);
            if had_begun {
                return Some(WatchEvent::Restarted);
            }
        }
        let next = written.lines.get(self.line).cloned();
        self.line += usize::from(next.is_some());
        next.map(WatchEvent::Logged)
    }

    /// How many lines of the present run were read.
    pub(crate) const fn lines_read(&self) -> usize {
        self.line
    }

    /// Waits for the next lines, to be sent to another process. The chunk is empty if a run has begun without a line.
    pub(super) async fn next_chunk(&mut self) -> LogChunk {
        let stream = self.stream.clone();
        loop {
            let mut changed = pin!(stream.changed.notified());
            changed.as_mut().enable();
            {
                let written = stream.written();
                let is_new = written.run != self.run;
                if is_new {
                    (self.run, self.line) = (written.run, 0);
                }
                let lines: Vec<_> = written.lines.iter().skip(self.line).take(CHUNK_LINES).cloned().collect();
                if is_new || !lines.is_empty() {
                    let chunk = (self.run, self.line, lines);
                    self.line += chunk.2.len();
                    return chunk;
                }
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use circles_store::LogLevel;

    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { level: LogLevel::Info, text: text.to_owned() }
    }

    fn seen(reader: &mut LogReader) -> Vec<String> {
        let events = std::iter::from_fn(|| reader.try_next());
        let text = |event| match event {
            WatchEvent::Logged(line) => line.text,
            other => format!("{other:?}"),
        };
        events.map(text).collect()
    }

    #[test]
    fn late_repeated_or_old_log_chunks_change_nothing() {
        let lines = Arc::new(LogStream::default());
        let mut reader = LogReader::new(lines.clone());
        assert!(lines.receive(((3, 0), 0, vec![line("a"), line("b")])));
        assert!(lines.receive(((3, 0), 1, vec![line("b"), line("c")])));
        assert!(lines.receive(((3, 0), 0, vec![line("a")])));
        assert_eq!(seen(&mut reader), ["a", "b", "c"]);
        assert!(!lines.receive(((3, 0), 4, vec![line("e")])));
        assert!(lines.receive(((3, 0), 3, vec![line("d"), line("e")])));
        assert_eq!(seen(&mut reader), ["d", "e"]);
        assert!(!lines.receive(((3, 1), 1, vec![line("y")])));
        assert!(lines.receive(((3, 1), 0, vec![line("x")])));
        assert!(lines.receive(((3, 0), 5, vec![line("f")])));
        assert_eq!(seen(&mut reader), ["Restarted", "x"]);
        assert_eq!(lines.position(), ((3, 1), 1));
    }

    #[tokio::test]
    async fn forwarded_log_is_complete_and_in_order() {
        let (here, there) = (Arc::new(LogStream::default()), LogStream::default());
        here.begin(7);
        for number in 0..250 {
            here.log(&line(&number.to_string()));
        }
        let mut reader = LogReader::new(here.clone());
        while there.position() != here.position() {
            assert!(there.receive(reader.next_chunk().await));
        }
        here.restart();
        assert!(there.receive(reader.next_chunk().await));
        assert_eq!(there.position(), ((7, 1), 0));
        here.log(&line("again"));
        assert!(there.receive(reader.next_chunk().await));
        assert_eq!(there.position(), ((7, 1), 1));
    }
}

//! What plays log, for those who watch them: here, or through the process that asked to see it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use circles_store::{LogLine, WatchEvent};

/// Lines that are shown at once, at most.
const TOGETHER: usize = 100;

/// Which run of a script: the epoch of its claim, and how often it was begun anew since.
pub type Run = (u64, u32);

/// What a play logs.
#[derive(Default)]
pub struct Lines {
    written: Mutex<Written>,
    news: Notify,
}

#[derive(Default)]
struct Written {
    run: Run,
    lines: Vec<LogLine>,
}

/// Some lines of a run, from the one of this number on.
pub type Part = (Run, usize, Vec<LogLine>);

impl Lines {
    /// A line of the present run.
    pub fn log(&self, line: &LogLine) {
        self.change(|written| written.lines.push(line.clone()));
    }

    /// The script begins, with the claim of this epoch.
    pub fn begin(&self, epoch: u64) {
        self.change(|written| *written = Written { run: (epoch, 0), lines: Vec::new() });
    }

    /// The script begins anew; what it logged does not count.
    pub fn restart(&self) {
        self.change(|written| {
            written.run.1 += 1;
            written.lines.clear();
        });
    }

    /// Takes up what another process tells. False if something before it is missing.
    pub fn add(&self, (run, first, lines): Part) -> bool {
        let mut is_whole = true;
        self.change(|written| {
            if run > written.run {
                *written = Written { run, lines: Vec::new() };
            }
            if run == written.run {
                is_whole = first <= written.lines.len();
                // It may be told twice.
                let known = written.lines.len().saturating_sub(first);
                if is_whole {
                    written.lines.extend(lines.into_iter().skip(known));
                }
            }
        });
        is_whole
    }

    /// How far it has come.
    pub fn position(&self) -> (Run, usize) {
        let written = self.written();
        (written.run, written.lines.len())
    }

    fn change(&self, change: impl FnOnce(&mut Written)) {
        change(&mut self.written());
        self.news.notify_waiters();
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who reads what a play logs, from its first line on.
pub struct Reader {
    lines: std::sync::Arc<Lines>,
    run: Run,
    line: usize,
}

impl Reader {
    pub const fn new(lines: std::sync::Arc<Lines>) -> Self {
        Self { lines, run: (0, 0), line: 0 }
    }

    /// What comes next. Nothing is lost if it is dropped.
    pub async fn next(&mut self) -> WatchEvent {
        let lines = self.lines.clone();
        loop {
            let mut news = std::pin::pin!(lines.news.notified());
            news.as_mut().enable();
            if let Some(event) = self.step() {
                return event;
            }
            news.await;
        }
    }

    /// What has come already.
    pub fn step(&mut self) -> Option<WatchEvent> {
        let written = self.lines.written();
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
    pub const fn read(&self) -> usize {
        self.line
    }

    /// The lines that come next, to be told to another process; none if a run has begun and logged nothing yet.
    pub async fn part(&mut self) -> Part {
        let lines = self.lines.clone();
        loop {
            let mut news = std::pin::pin!(lines.news.notified());
            news.as_mut().enable();
            {
                let written = lines.written();
                let is_new = written.run != self.run;
                if is_new {
                    (self.run, self.line) = (written.run, 0);
                }
                let some: Vec<_> = written.lines.iter().skip(self.line).take(TOGETHER).cloned().collect();
                if is_new || !some.is_empty() {
                    let part = (self.run, self.line, some);
                    self.line += part.2.len();
                    return part;
                }
            }
            news.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use circles_store::LogLevel;

    fn line(text: &str) -> LogLine {
        LogLine { level: LogLevel::Info, text: text.to_owned() }
    }

    fn seen(reader: &mut Reader) -> Vec<String> {
        let events = std::iter::from_fn(|| reader.step());
        let text = |event| match event {
            WatchEvent::Logged(line) => line.text,
            other => format!("{other:?}"),
        };
        events.map(text).collect()
    }

    #[test]
    fn what_is_told_late_twice_or_of_an_earlier_run_changes_nothing() {
        let lines = Arc::new(Lines::default());
        let mut reader = Reader::new(lines.clone());
        assert!(lines.add(((3, 0), 0, vec![line("a"), line("b")])));
        assert!(lines.add(((3, 0), 1, vec![line("b"), line("c")])));
        assert!(lines.add(((3, 0), 0, vec![line("a")])));
        assert_eq!(seen(&mut reader), ["a", "b", "c"]);
        assert!(!lines.add(((3, 0), 4, vec![line("e")])));
        assert!(lines.add(((3, 0), 3, vec![line("d"), line("e")])));
        assert_eq!(seen(&mut reader), ["d", "e"]);
        assert!(!lines.add(((3, 1), 1, vec![line("y")])));
        assert!(lines.add(((3, 1), 0, vec![line("x")])));
        assert!(lines.add(((3, 0), 5, vec![line("f")])));
        assert_eq!(seen(&mut reader), ["Restarted", "x"]);
        assert_eq!(lines.position(), ((3, 1), 1));
    }

    #[tokio::test]
    async fn what_is_told_to_another_process_is_all_of_it_in_order() {
        let (here, there) = (Arc::new(Lines::default()), Lines::default());
        here.begin(7);
        for number in 0..250 {
            here.log(&line(&number.to_string()));
        }
        let mut reader = Reader::new(here.clone());
        while there.position() != here.position() {
            assert!(there.add(reader.part().await));
        }
        here.restart();
        assert!(there.add(reader.part().await));
        assert_eq!(there.position(), ((7, 1), 0));
        here.log(&line("again"));
        assert!(there.add(reader.part().await));
        assert_eq!(there.position(), ((7, 1), 1));
    }
}

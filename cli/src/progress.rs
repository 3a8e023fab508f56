//! What a person sees while nothing comes yet.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

use crate::trouble::Trouble;

/// Nobody needs to be told of a wait as short as this.
const FIRST: Duration = Duration::from_millis(400);
const STEP: Duration = Duration::from_millis(100);
const WHEEL: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Awaits `work`. On a terminal, a line says what for and how long already; it goes when the work is done or
/// dropped, and nothing of it gets into pipes and files.
pub async fn waiting<W: IntoFuture>(what: &str, work: W) -> W::Output {
    waiting_since(Instant::now(), what, work).await
}

/// As [`waiting`], where it goes on since a moment that has passed.
pub async fn waiting_since<W: IntoFuture>(begun: Instant, what: &str, work: W) -> W::Output {
    let mut work = std::pin::pin!(work.into_future());
    let dumb = circles_daemon::variable("TERM").is_none_or(|terminal| terminal == "dumb");
    if dumb || !stderr().is_terminal() {
        return work.await;
    }
    let mut ticks = tokio::time::interval_at((Instant::now() + FIRST).into(), STEP);
    let mut line = Line { shown: false };
    for wheel in WHEEL.iter().cycle() {
        tokio::select! {
            biased;
            output = &mut work => return output,
            _ = ticks.tick() => line.show(&sentence(*wheel, what, begun.elapsed())),
        }
    }
    // A wheel never ends.
    work.await
}

/// Awaits `work`, unless Ctrl-C comes first.
pub async fn interruptible<T>(work: impl Future<Output = T>) -> Result<T, Trouble> {
    tokio::select! {
        output = work => Ok(output),
        _ = tokio::signal::ctrl_c() => Err(Trouble::Interrupted),
    }
}

fn sentence(wheel: char, what: &str, elapsed: Duration) -> String {
    match elapsed.as_secs() {
        seconds @ 0..60 => format!("{wheel} {what} {seconds} s"),
        seconds => format!("{wheel} {what} {} min {} s", seconds / 60, seconds % 60),
    }
}

/// A line on standard error that is written over, and erased in the end.
struct Line {
    shown: bool,
}

impl Line {
    fn show(&mut self, text: &str) {
        self.shown = true;
        // That nobody sees it is no reason to stop.
        let _ = write!(stderr(), "\r{text}\x1b[K");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_and_minutes() {
        assert_eq!(sentence('-', "playing", Duration::from_millis(2_900)), "- playing 2 s");
        assert_eq!(sentence('-', "playing", Duration::from_secs(61)), "- playing 1 min 1 s");
    }
}

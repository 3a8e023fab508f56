//! The status line during long waits, and Ctrl-C.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

use crate::error::CliError;

/// Shorter waits show no status line.
const SHOW_AFTER: Duration = Duration::from_millis(400);
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Awaits `work`. On a terminal, a status line shows `what` and the elapsed time until the work ends or is dropped.
pub(crate) async fn with_progress<W: IntoFuture>(what: &str, work: W) -> W::Output {
    with_progress_since(Instant::now(), what, work).await
}

/// Awaits `work` as [`with_progress`] does, with the elapsed time counted from `start`.
pub(crate) async fn with_progress_since<W: IntoFuture>(start: Instant, what: &str, work: W) -> W::Output {
    let mut work = std::pin::pin!(work.into_future());
    let is_dumb = circles_daemon::variable("TERM").is_none_or(|terminal| terminal == "dumb");
    if is_dumb || !stderr().is_terminal() {
        return work.await;
    }
    let mut ticks = tokio::time::interval_at((Instant::now() + SHOW_AFTER).into(), REDRAW_INTERVAL);
    let mut line = StatusLine { shown: false };
    for spinner in SPINNER.iter().cycle() {
        tokio::select! {
            biased;
            output = &mut work => return output,
            _ = ticks.tick() => line.show(&status(*spinner, what, start.elapsed())),
        }
    }
    // Unreachable: the spinner cycles for ever.
    work.await
}

/// Awaits `work`, unless Ctrl-C comes first.
pub(crate) async fn interruptible<T>(work: impl Future<Output = T>) -> Result<T, CliError> {
    tokio::select! {
        output = work => Ok(output),
        _ = tokio::signal::ctrl_c() => Err(CliError::Interrupted),
    }
}

fn status(spinner: char, what: &str, elapsed: Duration) -> String {
    match elapsed.as_secs() {
        seconds @ 0..60 => format!("{spinner} {what} {seconds} s"),
        seconds => format!("{spinner} {what} {} min {} s", seconds / 60, seconds % 60),
    }
}

/// A line on standard error that is overwritten, and erased when dropped.
struct StatusLine {
    shown: bool,
}

impl StatusLine {
    fn show(&mut self, text: &str) {
        self.shown = true;
        // The work continues even if standard error is closed.
        let _ = write!(stderr(), "\r{text}\x1b[K");
    }
}

impl Drop for StatusLine {
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
    fn status_shows_seconds_and_minutes() {
        assert_eq!(status('-', "playing", Duration::from_millis(2_900)), "- playing 2 s");
        assert_eq!(status('-', "playing", Duration::from_secs(61)), "- playing 1 min 1 s");
    }
}

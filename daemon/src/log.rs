use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::IsTerminal as _,
    panic::{self, PanicHookInfo},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use clap::ValueEnum;
use tokio::time::sleep;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Returns the log filter that `RUST_LOG` sets, or else `default`.
///
/// # Errors
///
/// If `RUST_LOG` cannot be parsed. The error names the expected form.
pub fn log_filter(default: &str) -> Result<EnvFilter, String> {
    let named = crate::variable(EnvFilter::DEFAULT_ENV).map(|value| value.to_string_lossy().into_owned());
    filter(named.as_deref().unwrap_or(default))
        .map_err(|problem| format!("{}: {problem}", EnvFilter::DEFAULT_ENV))
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|error| {
        format!("expected levels, or targets with levels, such as info,circles_server=debug, found {text:?}: {error}")
    })
}

/// Lines that may wait for a slow or missing reader of standard error. More are dropped and counted.
const QUEUED_LINES: usize = 4096;
/// Pause between reports of the number of dropped lines.
const DROP_REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// Time limit for writing the remaining lines when the program ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Keeps the thread that writes the log until the program ends.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Sends logs to standard error from a thread of its own, so that a log call never blocks, fails or ends the program,
/// even if standard error is closed or not read. Call it once.
pub(crate) fn log_to_stderr(format: LogFormat) -> Result<ErrorCounter, String> {
    let filter = log_filter("info")?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let dropped = writer.error_counter();
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    let is_colored = std::io::stderr().is_terminal() && crate::variable("NO_COLOR").is_none();
    // By default the subscriber reports a failed write on standard error, which panics when that is closed.
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(is_colored)
        .log_internal_errors(false);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
    panic::set_hook(Box::new(log_panic));
    Ok(dropped)
}

/// Logs a panic. The default hook prints to standard error and may block there.
///
/// The message of a panic may quote a circle's data, so only the place is logged.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current().name().unwrap_or_default().to_owned();
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => tracing::error!(thread, place, %backtrace, "a thread panicked"),
        _ => tracing::error!(thread, place, "a thread panicked"),
    }
}

/// Logs the number of dropped lines at intervals, if it grew. Never returns.
pub(crate) async fn report_dropped_lines(counter: ErrorCounter) {
    let mut reported = 0;
    loop {
        sleep(DROP_REPORT_INTERVAL).await;
        let dropped = counter.dropped_lines();
        if dropped > reported {
            tracing::warn!(
                lines = dropped - reported,
                "log lines were dropped: standard error was not read in time"
            );
            reported = dropped;
        }
    }
}

/// Writes the remaining log lines, if standard error is read. Call it at the end.
pub(crate) fn flush() {
    let writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(writer) = writer {
        // Dropping the guard waits for the reader, and prints a failure to standard output, which can block too.
        bounded(FLUSH_TIMEOUT, move || drop(writer));
    }
}

/// Runs work that may block for ever on a thread of its own, and waits for it no longer than `limit`.
pub(crate) fn bounded(limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel::<()>();
    let started = thread::Builder::new().name("output".into()).spawn(move || {
        work();
        drop(done);
    });
    // Without a thread nothing is written, and the program goes on.
    if started.is_ok() {
        let _ = is_done.recv_timeout(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_log_filters_are_refused() {
        for text in ["info", "warn,circles_server=debug", "off", "circles_server[task]=trace"] {
            assert!(filter(text).is_ok(), "{text}");
        }
        for text in ["circles=verbose", "a=b=c", "circles[", "=="] {
            assert!(filter(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }
}

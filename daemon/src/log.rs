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

/// How to write logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// What to log, as `RUST_LOG` says, or `default` where it is not set.
///
/// # Errors
///
/// Where nothing can be made of `RUST_LOG`; the sentence says what is expected.
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

/// How many lines may wait for a reader of standard error that is slow or gone; more are dropped, and counted.
const WAITING_LINES: usize = 4096;
/// How often the log tells how many lines were dropped.
const REPORT: Duration = Duration::from_secs(10);
/// How long the last lines may take to be written when the program ends.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Keeps the thread that writes the log until the program ends.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Sends logs to standard error, from a thread of its own: no line that is logged can block, fail or end the program,
/// whatever becomes of standard error. To be called once.
pub fn log_to_stderr(format: LogFormat) -> Result<ErrorCounter, String> {
    let filter = log_filter("info")?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let dropped = writer.error_counter();
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    let is_colored = std::io::stderr().is_terminal() && crate::variable("NO_COLOR").is_none();
    // By default a line that cannot be written is reported on standard error, which panics where nobody reads it.
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

/// Tells of a panic as the log tells of everything else; the default prints to standard error, and may block there.
/// The message of a panic may quote data of a circle, so only the place is told.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current().name().unwrap_or_default().to_owned();
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => tracing::error!(thread, place, %backtrace, "a thread panicked"),
        _ => tracing::error!(thread, place, "a thread panicked"),
    }
}

/// Tells now and then how many lines were dropped, if any; without end.
pub async fn report_dropped_lines(counter: ErrorCounter) {
    let mut reported = 0;
    loop {
        sleep(REPORT).await;
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

/// Writes what is left of the log, if somebody reads it. To be called at the end.
pub fn flush() {
    let writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(writer) = writer {
        // It waits for the reader, and says on standard output if that was in vain, which can block as well.
        bounded(LAST_LINES, move || drop(writer));
    }
}

/// Does on a thread of its own what may block for ever, and waits for it no longer than `limit`.
pub fn bounded(limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel::<()>();
    let started = thread::Builder::new().name("output".into()).spawn(move || {
        work();
        drop(done);
    });
    // Without a thread nothing is written, which is no reason to end.
    if started.is_ok() {
        let _ = is_done.recv_timeout(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_filters_that_cannot_be_parsed_are_errors() {
        for text in ["info", "warn,circles_server=debug", "off", "circles_server[task]=trace"] {
            assert!(filter(text).is_ok(), "{text}");
        }
        for text in ["circles=verbose", "a=b=c", "circles[", "=="] {
            assert!(filter(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }
}

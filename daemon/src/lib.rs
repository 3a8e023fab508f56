//! What the programs share: how flags are read, what is logged and, of those that run until they are told to end,
//! locks and signals.
//!
//! **Invariant.** No write to standard output or standard error blocks, fails or ends a program.

mod bytes;
mod duration;
mod files;
mod flags;
mod lock;
mod log;
mod signals;

use std::{
    fmt,
    future::Future,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

pub use bytes::bytes;
pub use duration::{duration, grace};
pub use files::raise_file_limit;
pub use flags::{parse, path, variable};
pub use lock::{Holder, Lock, LockError, Sharing};
pub use log::{LogFormat, log_filter};
pub use signals::Signals;
use tokio::runtime::Builder;

/// Stack of the runtime's threads: a short script may run on one, with a call depth that fits.
const STACK: usize = 8 << 20;
/// How long the last sentence may take to be written.
const OUTPUT: Duration = Duration::from_secs(1);

/// Runs a program to its end on a runtime of its own, and sends its logs to standard error. An error is a sentence that
/// answers the person who typed the command, and ends it with exit code 2.
pub fn run<E: fmt::Display>(logs: LogFormat, program: impl Future<Output = Result<(), E>>) -> ExitCode {
    // Files made here hold circles' data. This covers those for which the libraries beneath set no mode.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let ended = run_to_the_end(logs, program);
    log::flush();
    let Err(sentence) = ended else { return ExitCode::SUCCESS };
    // Not a log line, and nobody may be reading.
    log::bounded(OUTPUT, move || drop(writeln!(io::stderr(), "error: {sentence}")));
    ExitCode::from(2)
}

fn run_to_the_end<E: fmt::Display>(
    logs: LogFormat,
    program: impl Future<Output = Result<(), E>>,
) -> Result<(), String> {
    let dropped = log::log_to_stderr(logs)?;
    let runtime = Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.spawn(log::report_dropped_lines(dropped));
    runtime.block_on(program).map_err(|error| error.to_string())
}

/// Prints lines to standard output for programs that wait for them. Nobody may be reading; this program goes on all the
/// same, and does not wait.
pub fn announce(lines: String) {
    log::bounded(Duration::ZERO, move || {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush());
    });
}

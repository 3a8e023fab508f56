//! Parts that the programs share: flags, logs, locks, signals.
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

/// Stack size of the runtime's threads: the fast path runs short scripts on them, with a call depth that fits.
const STACK_BYTES: usize = 8 << 20;
/// Time limit for writing the last error message.
const LAST_ERROR_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs a program to its end on a new runtime, with logs on standard error. An error is printed for the user, and the
/// exit code is then 2.
pub fn run<E: fmt::Display>(logs: LogFormat, program: impl Future<Output = Result<(), E>>) -> ExitCode {
    // Files that this process creates hold circles' data. The mask covers those that libraries create without a mode.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let ended = run_to_the_end(logs, program);
    log::flush();
    let Err(sentence) = ended else { return ExitCode::SUCCESS };
    // This is no log line. The reader of standard error may have gone.
    log::bounded(LAST_ERROR_TIMEOUT, move || drop(writeln!(io::stderr(), "error: {sentence}")));
    ExitCode::from(2)
}

fn run_to_the_end<E: fmt::Display>(
    logs: LogFormat,
    program: impl Future<Output = Result<(), E>>,
) -> Result<(), String> {
    let dropped = log::log_to_stderr(logs)?;
    let runtime = Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build();
    let runtime = runtime.map_err(|error| format!("cannot start the async runtime: {error}"))?;
    runtime.spawn(log::report_dropped_lines(dropped));
    runtime.block_on(program).map_err(|error| error.to_string())
}

/// Prints lines to standard output for programs that wait for them. Does not wait for a reader, and does not fail
/// without one.
pub fn announce(lines: String) {
    log::bounded(Duration::ZERO, move || {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush());
    });
}

//! What the programs share: how flags are read, what is logged and, of those that run until they are told to end,
//! locks and signals.
//!
//! **Invariant.** A password that stands in a URL is in no error, no log and no help text.

mod bytes;
mod duration;
mod files;
mod flags;
mod lock;
mod log;
mod redis_url;
mod signals;

use std::{fmt, future::Future, io::Write as _, process::ExitCode};

pub use bytes::bytes;
pub use duration::{duration, grace};
pub use files::raise_file_limit;
pub use flags::{parse, path, variable};
pub use lock::{Holder, Lock, LockError, Sharing};
pub use log::{LogFormat, log_filter};
pub use redis_url::RedisUrl;
pub use signals::Signals;

/// Stack of the runtime's threads: a short script may run on one, with a call depth that fits.
const STACK: usize = 8 << 20;

/// Runs a program to its end on a runtime of its own, and sends its logs to standard error. An error is a sentence that
/// answers the person who typed the command, and ends it with exit code 2.
pub fn run<E: fmt::Display>(logs: LogFormat, program: impl Future<Output = Result<(), E>>) -> ExitCode {
    // Whatever is made here holds circles' data. This covers what the libraries beneath do not set a mode for.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
    let sentence = match (log::log_to_stderr(logs), runtime) {
        (Ok(()), Ok(runtime)) => match runtime.block_on(program) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => error.to_string(),
        },
        (Err(sentence), _) => sentence,
        (_, Err(error)) => format!("no runtime: {error}"),
    };
    // Not a log line, and nobody may be reading.
    let _ = writeln!(std::io::stderr(), "error: {sentence}");
    ExitCode::from(2)
}

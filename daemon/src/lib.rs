//! What the programs share that run until they are told to end: signals, logs, how flags are read.
//!
//! **Invariant.** A password that stands in a URL is in no error, no log and no help text.

mod bytes;
mod duration;
mod files;
mod log;
mod redis_url;
mod signals;

use std::{fmt, future::Future, io::Write as _, process::ExitCode};

pub use bytes::bytes;
pub use duration::{duration, grace};
pub use files::raise_file_limit;
pub use log::{LogFormat, log_to_stderr};
pub use redis_url::RedisUrl;
pub use signals::Signals;

/// Stack of the runtime's threads: a short script may run on one, with a call depth that fits.
const STACK: usize = 8 << 20;

/// Runs a program to its end on a runtime of its own. An error is a sentence that answers the person who typed the
/// command, and ends it with exit code 2.
pub fn run<E: fmt::Display>(program: impl Future<Output = Result<(), E>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
    let sentence = match runtime {
        Ok(runtime) => match runtime.block_on(program) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => error.to_string(),
        },
        Err(error) => format!("no runtime: {error}"),
    };
    // Not a log line, and nobody may be reading.
    let _ = writeln!(std::io::stderr(), "error: {sentence}");
    ExitCode::from(2)
}

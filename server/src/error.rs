//! Errors that several modules answer or recognise.

use std::{fmt::Display, io, time::Duration};

use circles_api::{
    Error,
    types::{RetryData, RetryDataRetryAfterMs},
};
use rustix::io::Errno;
use uuid::Uuid;

/// Logs the cause under a new id and returns an error that carries only the id.
pub(crate) fn internal(cause: impl Display) -> Error {
    let id = Uuid::now_v7();
    tracing::error!(%id, %cause, "internal error");
    Error::internal(Some(id))
}

/// Returns the data of an error after which the caller may retry. A wait above the document's maximum becomes the
/// maximum.
pub(crate) fn retry_after(wait: Duration) -> RetryData {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    RetryData { retry_after_ms: millis.try_into().unwrap_or(RetryDataRetryAfterMs::MAX), logs: None }
}

/// Returns whether this process, or the whole system, can open no more files.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

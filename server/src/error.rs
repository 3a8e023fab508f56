//! What more than one place answers: faults of ours, and when to try again.

use std::{fmt::Display, time::Duration};

use circles_api::{
    Error,
    types::{RetryData, RetryDataRetryAfterMs},
};
use uuid::Uuid;

/// Logs the cause under a fresh id and makes the error that carries the id.
pub fn internal(cause: impl Display) -> Error {
    let id = Uuid::now_v7();
    tracing::error!(%id, %cause, "internal error");
    Error::internal(Some(id))
}

/// The data of an error that time heals. Waits longer than the document has room for become the longest.
pub fn retry_after(wait: Duration) -> RetryData {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    RetryData { retry_after_ms: millis.try_into().unwrap_or(RetryDataRetryAfterMs::MAX), logs: None }
}

//! Errors as callers see them.

use circles_store::{Error, Failure, Outcome};

/// Logs an internal error under a fresh id, which is all that a caller sees of it.
pub(crate) fn internal(cause: impl std::fmt::Display) -> Failure {
    let id = uuid::Uuid::now_v7();
    tracing::error!(%id, %cause, "internal error");
    Failure::Internal(id)
}

/// Returns the outcome of a task whose circle's file failed.
pub(crate) fn outcome_of(error: Error) -> Outcome {
    match error {
        Error::StorageFull(cause) | Error::Unavailable(cause) => {
            tracing::warn!(%cause, "a circle's file cannot be used at the moment");
            Outcome::failed(Failure::Unavailable)
        }
        other => Outcome::failed(internal(other)),
    }
}

use std::time::Duration;

use circles_auth::{InvalidAudience, Mismatch};
use jsonrpsee::core::client;

/// Why a call returned no result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL is invalid or names no circle.
    #[error("invalid URL {url}: {cause}")]
    Url {
        /// The URL as given.
        url: String,
        /// The fault.
        cause: InvalidUrl,
    },
    /// The server is out of reach, or has no such circle.
    #[error("cannot connect to {url}: {cause}")]
    Connect {
        /// The URL of the attempt.
        url: String,
        /// The failure, as the transport reports it.
        cause: String,
    },
    /// The server's challenge is for another circle, server or key, as that of a relay in the middle would be. The
    /// client signed nothing.
    #[error("{0}; if this is the intended server, start it with --public-url")]
    Untrusted(Mismatch),
    /// The server broke the protocol during the login.
    #[error("login failed: {0}")]
    Protocol(String),
    /// The server refused the login.
    #[error("login refused: {0}")]
    Refused(circles_api::Error),
    /// No answer came in time. The call may have run.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke during the call. The call may have run; with an idempotency key, the client would have
    /// repeated it.
    #[error("connection lost; the call may have run")]
    ConnectionLost,
    /// Events arrived faster than the caller read them. The stream has ended, and a play that it started is cancelled.
    #[error("events arrived faster than they were read")]
    Lagged,
    /// The server answered with an error.
    #[error(transparent)]
    Call(circles_api::Error),
    /// `openrpc.json` does not allow the argument. The client sent nothing.
    #[error("invalid {param}: {cause}")]
    Argument {
        /// The param's name.
        param: &'static str,
        /// The fault.
        cause: String,
    },
    /// The result does not fit the type that the caller asked for.
    #[error("cannot decode the result: {0}")]
    Decode(String),
}

/// Why a URL is invalid.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InvalidUrl {
    /// It is not a WebSocket URL.
    #[error(transparent)]
    Audience(#[from] InvalidAudience),
    /// Its path names no circle.
    #[error("the path must be a circle's public key, / or /ws/")]
    Path,
    /// Its path and the builder name different circles.
    #[error("the path names a different circle than the one requested")]
    OtherCircle,
}

impl Error {
    /// Translates jsonrpsee's errors. No other code does.
    pub(crate) fn from_rpc(error: client::Error) -> Self {
        match error {
            client::Error::Call(object) => Self::Call(circles_api::Error::from_object(&object)),
            client::Error::ParseError(error) => Self::Decode(error.to_string()),
            client::Error::RestartNeeded(_)
            | client::Error::Transport(_)
            | client::Error::ServiceDisconnect
            | client::Error::RequestTimeout
            // jsonrpsee returns this while a broken connection's reason is still unknown.
            | client::Error::Custom(_) => Self::ConnectionLost,
            // Only subscriptions and batches cause the others.
            other => Self::Protocol(other.to_string()),
        }
    }

    /// The error object that the server sent, if it sent one.
    pub const fn call(&self) -> Option<&circles_api::Error> {
        match self {
            Self::Call(error) | Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_connection_without_reason_is_connection_lost() {
        let error = client::Error::Custom("Error reason could not be found.".to_owned());
        assert!(matches!(Error::from_rpc(error), Error::ConnectionLost));
    }
}

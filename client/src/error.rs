use std::time::Duration;

use circles_auth::{InvalidAudience, Mismatch};
use jsonrpsee::core::client;

/// Why a call brought no result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL names no circle.
    #[error("{url}: {cause}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        cause: InvalidUrl,
    },
    /// The server is out of reach, or has no such circle.
    #[error("cannot connect to {url}: {cause}")]
    Connect {
        /// What was dialled.
        url: String,
        /// What came back.
        cause: String,
    },
    /// The server asked to sign something that was not meant, as a relay in the middle would; nothing was
    /// signed.
    #[error("{0}; if this is the server you meant, it has to be started with --public-url")]
    Untrusted(Mismatch),
    /// The server did not speak the protocol while logging in.
    #[error("the login failed: {0}")]
    Protocol(String),
    /// The server refused the login.
    #[error("the login was refused: {0}")]
    Refused(circles_api::Error),
    /// No answer came in time. The call may have run.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke while the call was under way. The call may have run; with an idempotency key it
    /// would have been repeated.
    #[error("the connection was lost; the call may have run")]
    ConnectionLost,
    /// More events came than were read; the stream is cut off, and a play that began with it is cancelled.
    #[error("the events were read too slowly")]
    Lagged,
    /// The server answered with an error.
    #[error(transparent)]
    Call(circles_api::Error),
    /// What was to be sent is not what `openrpc.json` allows; nothing was sent.
    #[error("{param}: {cause}")]
    Argument {
        /// The param.
        param: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// The result is not of the type that was asked for.
    #[error("the result is of another type: {0}")]
    Decode(String),
}

/// What is wrong with a URL.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InvalidUrl {
    /// It is no WebSocket URL.
    #[error(transparent)]
    Audience(#[from] InvalidAudience),
    /// Its path names no circle.
    #[error("the path must be a circle's public key, / or /ws/")]
    Path,
    /// Its path names another circle than the builder.
    #[error("the path names another circle than the one asked for")]
    OtherCircle,
}

impl Error {
    /// What jsonrpsee's error is to a caller: here, and nowhere else.
    pub(crate) fn of_call(error: client::Error) -> Self {
        match error {
            client::Error::Call(object) => Self::Call(circles_api::Error::from_object(&object)),
            client::Error::ParseError(error) => Self::Decode(error.to_string()),
            client::Error::RestartNeeded(_)
            | client::Error::Transport(_)
            | client::Error::ServiceDisconnect
            | client::Error::RequestTimeout
            // What a call is told that finds the connection gone before the reason has been noted.
            | client::Error::Custom(_) => Self::ConnectionLost,
            // Of our own calls' making, in subscriptions and batches only.
            other => Self::Protocol(other.to_string()),
        }
    }

    /// The server's error, if that is what it is.
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
    fn a_connection_that_is_gone_for_no_known_reason_is_lost_too() {
        let error = client::Error::Custom("Error reason could not be found.".to_owned());
        assert!(matches!(Error::of_call(error), Error::ConnectionLost));
    }
}

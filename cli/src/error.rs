use circles_client::{CallError, Error, Fault, types::Task};

/// Why a command failed, by what a shell script would do about it.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The script failed or was stopped.
    Script {
        /// The server's answer.
        error: Box<CallError>,
        /// The script, for the place of the error.
        source: ScriptSource,
    },
    /// The server refused a call for another reason.
    Call(CallError),
    /// The requested item does not exist or is invalid.
    Failed(String),
    /// The command line, a file or the environment is wrong.
    Usage(String),
    /// The connection or the login failed.
    Connection(String),
    /// A failure with this exit code, which the command has shown already.
    Reported(u8),
    /// Ctrl-C.
    Interrupted,
    /// The reader of standard output has gone.
    BrokenPipe,
}

/// A script, as errors show it.
#[derive(Debug)]
pub(crate) struct ScriptSource {
    /// A file, or a name in the circle's library. Places in the script begin with it.
    pub name: String,
    /// The script's text, if known, to show the line of an error.
    pub text: Option<String>,
}

impl ScriptSource {
    /// Stands in place of a name for scripts that have none.
    const UNNAMED: &str = "script";

    /// A script given as text.
    pub(crate) fn from_text(text: &str) -> Self {
        Self { name: Self::UNNAMED.to_owned(), text: Some(text.to_owned()) }
    }

    /// The script of a task: the library script of this name, or an unnamed script that the caller sent.
    pub(crate) fn from_task(name: Option<&str>) -> Self {
        Self { name: name.unwrap_or(Self::UNNAMED).to_owned(), text: None }
    }
}

impl CliError {
    /// Returns the exit code: 1 for a failed script or data, 2 for wrong usage, 3 for a failed connection or login; 130
    /// and 141 are what shells use for Ctrl-C and a closed pipe.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Script { .. } | Self::Call(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Connection(_) => 3,
            Self::Reported(code) => *code,
            Self::Interrupted => 130,
            Self::BrokenPipe => 141,
        }
    }

    /// Converts an error of connecting.
    pub(crate) fn from_connect(error: Error) -> Self {
        match error {
            Error::Url { url, cause } => Self::Usage(format!("--url {url:?}: {cause}")),
            Error::Connect { ref cause, .. } if cause.contains("refused") => {
                Self::Connection(format!("{error}; is the server running? --url names another one"))
            }
            other => Self::Connection(other.to_string()),
        }
    }

    /// Converts an error of a call that runs no script.
    pub(crate) fn from_call(error: Error) -> Self {
        match error {
            Error::Call(error) if requires_login(&error) => {
                Self::Connection(format!("{error}: this server requires a login; run without --anonymous"))
            }
            Error::Call(error) => Self::Call(error),
            Error::Argument { param, cause } => Self::Usage(invalid_argument(param, &cause)),
            other => Self::Connection(other.to_string()),
        }
    }

    /// Converts the error of a task that failed.
    pub(crate) fn from_task(task: &Task, error: CallError) -> Self {
        let name = task.script_name.as_ref().map(|name| name.as_str());
        Self::Script { error: error.into(), source: ScriptSource::from_task(name) }
    }

    /// Converts an error of a play of this script.
    pub(crate) fn from_play(error: Error, source: ScriptSource) -> Self {
        match Self::from_call(error) {
            Self::Call(error) => Self::Script { error: error.into(), source },
            other => other,
        }
    }
}

/// Names an invalid param by its flag.
fn invalid_argument(param: &str, cause: &str) -> String {
    match param {
        "name" if cause.contains("match") => {
            "invalid script name: expected letters, digits, _, - and ., with / between folders".to_owned()
        }
        "timeout_ms" => format!("--timeout: in milliseconds, {cause}"),
        "limit" | "retries" | "after" => format!("--{param}: {cause}"),
        "idempotency_key" => format!("--idempotency-key: {cause}"),
        "args" => format!("--args: {cause}"),
        _ => format!("{param}: {cause}"),
    }
}

fn requires_login(error: &CallError) -> bool {
    matches!(error.fault(), Some(Fault::Unauthenticated))
}

#[cfg(test)]
mod tests {
    use circles_client::types::CancelledData;

    use super::*;

    #[test]
    fn each_kind_of_error_has_its_exit_code() {
        let call = |fault: Fault| {
            CliError::from_play(Error::Call(fault.into()), ScriptSource::from_text("1")).exit_code()
        };
        assert_eq!(
            (
                call(Fault::Cancelled(CancelledData { logs: None })),
                call(Fault::Forbidden),
                call(Fault::Unauthenticated)
            ),
            (1, 1, 3)
        );
        assert_eq!(CliError::from_call(Error::ConnectionLost).exit_code(), 3);
        let argument = Error::Argument { param: "script", cause: String::new() };
        assert_eq!(CliError::from_call(argument).exit_code(), 2);
    }

    #[test]
    fn invalid_arguments_are_named_by_their_flags() {
        assert_eq!(
            invalid_argument("timeout_ms", "must be an integer"),
            "--timeout: in milliseconds, must be an integer"
        );
        assert!(invalid_argument("name", "must match ^a$").starts_with("invalid script name: expected"));
        assert_eq!(invalid_argument("idempotency_key", "x"), "--idempotency-key: x");
        assert_eq!(invalid_argument("script", "x"), "script: x");
    }
}

use circles_client::{CallError, Error, Fault, types::Task};

/// Why a command did not do what it was asked, by what a shell script would do about it.
#[derive(Debug)]
pub enum Trouble {
    /// The script failed or was stopped.
    Script { error: Box<CallError>, source: Source },
    /// The server refused the call otherwise.
    Call(CallError),
    /// What was asked for is not there, or not as it should be.
    Failed(String),
    /// The command line asks for what cannot be.
    Usage(String),
    /// No connection, no login, or lost on the way.
    Connection(String),
    /// Something failed with this exit code, and was shown when it did.
    Told(u8),
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads what is printed.
    BrokenPipe,
}

/// A script, as errors show it.
#[derive(Debug)]
pub struct Source {
    /// What a place in it begins with: a file, or a name in the circle's library.
    pub name: String,
    /// Its text, to show the place in it, where it is at hand.
    pub text: Option<String>,
}

impl Source {
    /// What a script is called that has no name.
    const NAMELESS: &str = "script";

    /// A script whose text is at hand.
    pub fn text(text: &str) -> Self {
        Self { name: Self::NAMELESS.to_owned(), text: Some(text.to_owned()) }
    }

    /// The script of a task: in the library by this name, or one that was sent.
    pub fn of_task(name: Option<&str>) -> Self {
        Self { name: name.unwrap_or(Self::NAMELESS).to_owned(), text: None }
    }
}

impl Trouble {
    /// The exit code: 1 the script's or the data's fault, 2 wrong usage, 3 trouble with connection or login, and what a
    /// shell expects after Ctrl-C or a closed pipe.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Script { .. } | Self::Call(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Connection(_) => 3,
            Self::Told(code) => *code,
            Self::Interrupted => 130,
            Self::BrokenPipe => 141,
        }
    }

    /// What went wrong before anything was called.
    pub fn of_connecting(error: Error) -> Self {
        match error {
            Error::Url { url, cause } => Self::Usage(format!("--url {url:?}: {cause}")),
            other => Self::Connection(other.to_string()),
        }
    }

    /// What went wrong with a call that has nothing to do with a script.
    pub fn of_call(error: Error) -> Self {
        match error {
            Error::Call(error) if wants_login(&error) => {
                Self::Connection(format!("{error}: this server plays only for those who log in"))
            }
            Error::Call(error) => Self::Call(error),
            Error::Argument { param, cause } => Self::Usage(argument(param, &cause)),
            other => Self::Connection(other.to_string()),
        }
    }

    /// Why a task failed.
    pub fn of_task(task: &Task, error: CallError) -> Self {
        let name = task.script_name.as_ref().map(|name| name.as_str());
        Self::Script { error: error.into(), source: Source::of_task(name) }
    }

    /// What went wrong with a play of this script.
    pub fn of_play(error: Error, source: Source) -> Self {
        match Self::of_call(error) {
            Self::Call(error) => Self::Script { error: error.into(), source },
            other => other,
        }
    }
}

/// What is wrong with an argument of a call, in the words of the command line.
fn argument(param: &str, cause: &str) -> String {
    match param {
        "name" if cause.contains("match") => {
            "name: expected parts of letters, digits, _, - and ., with / between them".to_owned()
        }
        "timeout_ms" => format!("--timeout: in milliseconds, {cause}"),
        "limit" | "retries" | "after" => format!("--{param}: {cause}"),
        "idempotency_key" => format!("--idempotency-key: {cause}"),
        "args" => format!("--args: {cause}"),
        _ => format!("{param}: {cause}"),
    }
}

fn wants_login(error: &CallError) -> bool {
    matches!(error.fault(), Some(Fault::Unauthenticated))
}

#[cfg(test)]
mod tests {
    use circles_client::types::CancelledData;

    use super::*;

    #[test]
    fn each_kind_of_trouble_has_its_exit_code() {
        let call = |fault: Fault| Trouble::of_play(Error::Call(fault.into()), Source::text("1")).code();
        assert_eq!(
            (
                call(Fault::Cancelled(CancelledData { logs: None })),
                call(Fault::Forbidden),
                call(Fault::Unauthenticated)
            ),
            (1, 1, 3)
        );
        assert_eq!(Trouble::of_call(Error::ConnectionLost).code(), 3);
        assert_eq!(Trouble::of_call(Error::Argument { param: "script", cause: String::new() }).code(), 2);
    }

    #[test]
    fn arguments_are_named_by_their_flags() {
        assert_eq!(
            argument("timeout_ms", "must be an integer"),
            "--timeout: in milliseconds, must be an integer"
        );
        assert!(argument("name", "must match ^a$").starts_with("name: expected parts"));
        assert_eq!(argument("idempotency_key", "x"), "--idempotency-key: x");
        assert_eq!(argument("script", "x"), "script: x");
    }
}

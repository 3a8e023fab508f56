use circles_client::{CallError, Error, Fault};

/// Why a command did not do what it was asked, by what a shell script would do about it.
#[derive(Debug)]
pub enum Trouble {
    /// The script failed or was stopped; carries the source, to show the place in it.
    Script { error: CallError, source: String },
    /// The server refused the call otherwise.
    Call(CallError),
    /// What was asked for is not there, or not as it should be.
    Failed(String),
    /// The command line asks for what cannot be.
    Usage(String),
    /// No connection, no login, or lost on the way.
    Connection(String),
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads what is printed.
    BrokenPipe,
}

impl Trouble {
    /// The exit code: 1 the script's or the data's fault, 2 wrong usage, 3 trouble with connection or login, and what a
    /// shell expects after Ctrl-C or a closed pipe.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Script { .. } | Self::Call(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Connection(_) => 3,
            Self::Interrupted => 130,
            Self::BrokenPipe => 141,
        }
    }

    /// What went wrong before anything was called.
    pub fn of_connecting(error: Error) -> Self {
        match error {
            Error::Url { .. } => Self::Usage(error.to_string()),
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
            Error::Argument { .. } | Error::Url { .. } => Self::Usage(error.to_string()),
            other => Self::Connection(other.to_string()),
        }
    }

    /// What went wrong with a play of this source.
    pub fn of_play(error: Error, source: &str) -> Self {
        match Self::of_call(error) {
            Self::Call(error) => Self::Script { error, source: source.to_owned() },
            other => other,
        }
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
        let call = |fault: Fault| Trouble::of_play(Error::Call(fault.into()), "1").code();
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
}

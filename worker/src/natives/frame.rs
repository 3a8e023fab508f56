//! The play that runs on this thread.

use std::{cell::RefCell, rc::Rc};

use circles_store::LogLevel;
use rhai::{Dynamic, EvalAltResult, Position};

use super::{Checked, Constants};
use crate::{
    circle::{ResourceError, Resources, Session},
    play::{MESSAGE_BYTES, Play, Stop},
};

/// The target of script logs in the operator's log, at the level debug.
const SCRIPT_LOG: &str = "circles_script";

thread_local! {
    static CURRENT: RefCell<Option<Rc<Frame>>> = const { RefCell::new(None) };
}

/// A play as natives and the engine's callbacks see it.
pub(crate) struct Frame {
    pub play: Play,
    pub constants: Constants,
    /// Held by value, since the fast path would notice another allocation.
    session: Session,
}

impl Frame {
    pub(crate) const fn new(play: Play, constants: Constants, session: Session) -> Self {
        Self { play, constants, session }
    }

    /// Everything that the script reaches beyond its own values.
    pub(crate) fn circle(&self) -> &dyn Resources {
        &self.session
    }

    /// The session, once the play is over.
    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    /// The frame on this thread. Natives are only ever called in one.
    pub(crate) fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Returns whether the play on this thread may go on, asked at every operation.
    #[inline]
    pub(crate) fn current_allows_operation(operations: u64) -> bool {
        CURRENT.with_borrow(|frame| {
            frame.as_ref().is_none_or(|frame| frame.play.meter.allows_operation(operations))
        })
    }

    /// Returns whether the parser may take another token: it works for a play that is within its limits.
    pub(crate) fn current_allows_token() -> bool {
        CURRENT.with_borrow(|frame| frame.as_ref().is_some_and(|frame| frame.play.meter.allows_step()))
    }

    /// Returns whether the play on this thread may go on, asked at each step of a native; true outside of a play.
    pub(crate) fn current_allows_step() -> bool {
        CURRENT.with_borrow(|frame| frame.as_ref().is_none_or(|frame| frame.play.meter.allows_step()))
    }

    /// Runs `body` with this as the thread's frame.
    pub(crate) fn enter<T>(self: &Rc<Self>, body: impl FnOnce() -> T) -> T {
        struct Leave(Option<Rc<Frame>>);
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _leave = Leave(CURRENT.replace(Some(self.clone())));
        body()
    }

    /// Takes a line that the script logs; a line too many stops the play at its next operation.
    pub(crate) fn log(&self, level: LogLevel, text: &str) {
        if self.play.effects.is_read_only() {
            self.log_policy(text);
        } else if self.play.admit_log_line(text) {
            self.show_operator(level, text);
            self.play.push_log_line(level, text, |line| self.circle().publish_log(line));
        }
    }

    /// Callers see the lines of scripts; the operator sees them where `RUST_LOG` asks for this target.
    fn show_operator(&self, level: LogLevel, text: &str) {
        if tracing::enabled!(target: SCRIPT_LOG, tracing::Level::DEBUG) {
            let Constants { circle, caller, task, .. } = &self.constants;
            let text = self.play.meter.retain(|| self.circle().mask_secrets(text, MESSAGE_BYTES));
            tracing::debug!(target: SCRIPT_LOG, %circle, %caller, %task, ?level, text);
        }
    }

    /// The operator alone sees the lines of a policy, not the callers about whom it decides.
    fn log_policy(&self, text: &str) {
        if self.play.admit_policy_log_line(text) {
            let text = self.circle().mask_secrets(text, MESSAGE_BYTES);
            tracing::debug!(circle = %self.constants.circle, text, "the circle's policy logs");
        }
    }
}

/// The frame that a native is called in. There always is one.
pub(crate) fn frame() -> Checked<Rc<Frame>> {
    Frame::current().ok_or_else(|| throw("no play is under way".to_owned()))
}

/// An error that a script can catch. It must name nothing of the machine.
pub(crate) fn throw(message: String) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), Position::NONE).into()
}

/// Ends the script of a stopped play: an error that no script can catch.
impl From<Stop> for Box<EvalAltResult> {
    fn from(_: Stop) -> Self {
        EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
    }
}

/// The error of a native whose request failed; `describe` words an error of files.
pub(crate) fn request_error(
    error: ResourceError,
    describe: impl FnOnce(String) -> String,
) -> Box<EvalAltResult> {
    match error {
        ResourceError::Stopped(stop) => stop.into(),
        ResourceError::ReadOnly => throw("a policy may not change anything".to_owned()),
        ResourceError::File(error) => throw(describe(error.to_string())),
        ResourceError::UnknownCircle => throw(describe("this circle is not served here".to_owned())),
        ResourceError::NoRuntime => throw(describe("no runtime".to_owned())),
    }
}

impl From<ResourceError> for Box<EvalAltResult> {
    fn from(error: ResourceError) -> Self {
        request_error(error, |message| message)
    }
}

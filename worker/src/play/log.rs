use std::cell::{Cell, RefCell};

use circles_config::Limits;
use circles_store::{ANSWER_BYTES, LogLevel, LogLine};

use super::Stop;

/// Bytes of a message for people. A thrown value is returned as JSON, all of it.
pub(crate) const MESSAGE_BYTES: usize = 4 << 10;

/// The lines that a play logged.
#[derive(Default)]
pub(crate) struct Log {
    lines: RefCell<Vec<LogLine>>,
    bytes: Cell<usize>,
}

impl Log {
    pub(super) fn count(&self, text: &str, limits: &Limits) -> Result<(), Stop> {
        let bytes = self.bytes.get() + json_length(text);
        if self.lines.borrow().len() >= limits.log_lines {
            return Err(Stop::Limit("log_lines"));
        }
        if bytes > limits.log_bytes {
            return Err(Stop::Limit("log_bytes"));
        }
        self.bytes.set(bytes);
        Ok(())
    }

    pub(super) fn count_for_policy(&self, text: &str, limits: &Limits) -> Result<(), Stop> {
        /// Bytes that a line of the operator's log takes besides its text.
        const OPERATOR_LINE: usize = 256;
        self.bytes.set(self.bytes.get() + text.len() + OPERATOR_LINE);
        if self.bytes.get() > limits.log_bytes { Err(Stop::Limit("log_bytes")) } else { Ok(()) }
    }

    pub(super) fn push(&self, level: LogLevel, text: &str, publish: impl FnOnce(&LogLine)) {
        let line = LogLine { level, text: text.to_owned() };
        publish(&line);
        self.lines.borrow_mut().push(line);
    }

    /// Forgets the bytes that a policy logged: the play's caller does not see its lines.
    pub(super) fn reset_bytes(&self) {
        self.bytes.set(0);
    }

    pub(crate) fn take(&self) -> Vec<LogLine> {
        self.lines.take()
    }

    /// Returns whether so many bytes and the log fit into one answer.
    pub(crate) fn fits_answer_with(&self, bytes: usize) -> bool {
        /// Bytes that a line takes besides its text: `{"level":"error","text":},`.
        const LINE: usize = 26;
        /// Bytes that are not counted: the names and numbers of a result or a task, a message, a request's id.
        const REST: usize = 64 << 10;
        let logged = self.bytes.get() + self.lines.borrow().len() * LINE;
        bytes.saturating_add(logged) <= ANSWER_BYTES - REST
    }
}

/// Bytes of a text in JSON, with its quotes, as `serde_json` escapes it.
pub(crate) fn json_length(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    });
    escapes.sum::<usize>() + text.len() + 2
}

/// Cuts a text to so many bytes, and marks the cut with `…`.
pub(crate) fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
}

//! Everything that is printed.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, IsTerminal, Write as _},
};

use circles_client::{
    CallError, Fault,
    types::{LogLine, PlayResult},
};
use serde::Serialize;

use crate::trouble::Trouble;

/// A line on standard output.
pub fn line(text: &str) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    let text = harmless(text, &out);
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Trouble::BrokenPipe,
        _ => Trouble::Usage(format!("standard output: {error}")),
    })
}

/// A value as JSON on standard output.
pub fn json(value: &impl Serialize) -> Result<(), Trouble> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Trouble::Usage(error.to_string()))?;
    line(&text)
}

/// A value as one line of JSON on standard output.
pub fn json_line(value: &impl Serialize) -> Result<(), Trouble> {
    line(&serde_json::to_string(value).map_err(|error| Trouble::Usage(error.to_string()))?)
}

/// What a play left: its log lines on standard error, its value on standard output, unless it is unit.
pub fn played(played: &PlayResult) -> Result<(), Trouble> {
    played.logs.iter().for_each(log_line);
    value(played)
}

/// A line that a script logged, on standard error.
pub fn log_line(line: &LogLine) {
    note(&format!("{}: {}", line.level, line.text));
}

/// What a play left, unless it is unit, on standard output.
pub fn value(played: &PlayResult) -> Result<(), Trouble> {
    if played.value.is_null() && played.output.is_empty() { Ok(()) } else { line(&played.output) }
}

/// A remark on standard error. That nobody reads it is no reason to stop.
pub fn note(text: &str) {
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "{}", harmless(text, &out));
}

/// Text for a terminal without the control characters that a stranger's script may have put into it to move the
/// cursor, rename the window or worse. Files and pipes get what there is.
fn harmless<'a>(text: &'a str, out: &impl IsTerminal) -> Cow<'a, str> {
    if out.is_terminal() { visible(text) } else { Cow::Borrowed(text) }
}

fn visible(text: &str) -> Cow<'_, str> {
    let harmful = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if text.contains(harmful) { text.replace(harmful, "\u{fffd}").into() } else { Cow::Borrowed(text) }
}

/// What went wrong, on standard error; a script's error with its place in the source.
pub fn trouble(trouble: &Trouble) {
    match trouble {
        Trouble::Script { error, source } => {
            fault(&error.to_string());
            if let Some(excerpt) = excerpt(error, source) {
                note(&excerpt);
            }
        }
        Trouble::Call(error) => fault(&error.to_string()),
        Trouble::Failed(sentence) | Trouble::Usage(sentence) | Trouble::Connection(sentence) => {
            fault(sentence);
        }
        Trouble::Interrupted | Trouble::BrokenPipe => {}
    }
}

fn fault(sentence: &str) {
    let mut out = io::stderr().lock();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let label = if colour { "\x1b[1;31merror\x1b[0m" } else { "error" };
    let _ = writeln!(out, "{label}: {}", harmless(sentence, &out));
}

/// The line at which a script stopped, with a caret under the column.
fn excerpt(error: &CallError, source: &str) -> Option<String> {
    let Some(Fault::ScriptError(data)) = error.fault() else { return None };
    let (line, column) = (data.line.as_ref()?.get(), data.column.as_ref().map_or(1, |column| column.get()));
    let text = source.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    Some(point(line, text, usize::try_from(column).ok()?.saturating_sub(1)))
}

/// A source line with its number and a caret under the character at `column`, counted from 0.
fn point(line: u32, text: &str, column: usize) -> String {
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    // A tab stands under a tab, and a character that is two columns wide has two spaces under it.
    let indent: String = text
        .chars()
        .take(column)
        .map(|character| match character {
            '\t' => "\t".to_owned(),
            wide => " ".repeat(unicode_width::UnicodeWidthChar::width(wide).unwrap_or(0)),
        })
        .collect();
    format!("{margin} |\n{number} | {text}\n{margin} | {indent}^")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_cannot_steer_the_terminal() {
        assert_eq!(visible("a\tb\nc \u{e9}"), "a\tb\nc \u{e9}");
        assert_eq!(visible("\x1b[31mred\r\u{9b}2J"), "\u{fffd}[31mred\u{fffd}\u{fffd}2J");
    }

    #[test]
    fn a_caret_stands_under_the_place() {
        assert_eq!(point(2, "  nonsense(a)", 2), "  |\n2 |   nonsense(a)\n  |   ^");
        assert_eq!(point(12, "\tx", 1), "   |\n12 | \tx\n   | \t^");
        assert_eq!(point(1, "\"漢字\" + b", 7), "  |\n1 | \"漢字\" + b\n  |          ^");
        assert_eq!(point(1, "", 9), "  |\n1 | \n  | ^");
    }
}

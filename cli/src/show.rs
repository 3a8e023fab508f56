//! Prints results, log lines, notes and errors.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    os::fd::AsFd,
};

use circles_client::{
    CallError, Fault,
    types::{LogLevel, LogLine, PlayResult},
};
use serde::Serialize;

use crate::{error::CliError, escape};

/// Prints a line to standard output. The caller has passed untrusted parts through [`escape`].
pub(crate) fn line(line: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => CliError::BrokenPipe,
        _ => CliError::Usage(format!("standard output: {error}")),
    })
}

/// Prints a value as indented JSON to standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let json = serde_json::to_string_pretty(value).map_err(|error| CliError::Usage(error.to_string()))?;
    line(&escape::json(&json))
}

/// Prints a value as one line of JSON to standard output.
pub(crate) fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    let json = serde_json::to_string(value).map_err(|error| CliError::Usage(error.to_string()))?;
    line(&escape::json(&json))
}

/// Prints a play's log lines to standard error and its value to standard output.
pub(crate) fn play_result(result: &PlayResult) -> Result<(), CliError> {
    result.logs.iter().for_each(log_line);
    value(result)
}

/// Prints a script's log line to standard error.
pub(crate) fn log_line(line: &LogLine) {
    // `error:` marks this program's own errors.
    let label = match line.level {
        LogLevel::Error => "log error".to_owned(),
        level => level.to_string(),
    };
    print_stderr(&escape::labelled(&label, &line.text, columns_of(&io::stderr())));
}

/// Prints a play's value, unless it is unit, to standard output: exactly to files and pipes, escaped to a terminal.
pub(crate) fn value(result: &PlayResult) -> Result<(), CliError> {
    if result.value.is_null() && result.output.is_empty() {
        return Ok(());
    }
    match io::stdout() {
        out if out.is_terminal() => line(&escape::result(&result.output, columns_of(&out))),
        _ => line(&result.output),
    }
}

/// Prints a note to standard error. The caller has passed untrusted parts through [`escape`].
pub(crate) fn note(note: &str) {
    print_stderr(note);
}

/// Prints a prompt to standard output.
pub(crate) fn prompt(prompt: &str) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{prompt}").and_then(|()| out.flush());
}

/// Ignores failures: the command continues even if standard error is closed.
fn print_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Returns the width of a terminal; `None` for files and pipes.
fn columns_of(out: &impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(out).map(|(width, _)| width.0.into())
}

/// Prints an error to standard error, a script's error with its line in the source.
pub(crate) fn error(error: &CliError) {
    match error {
        CliError::Script { error, source } => {
            error_line(&with_place(error, &source.name));
            if let Some(excerpt) = source.text.as_deref().and_then(|text| excerpt(error, text)) {
                note(&excerpt);
            }
        }
        CliError::Call(error) => error_line(&error.to_string()),
        CliError::Failed(sentence) | CliError::Usage(sentence) | CliError::Connection(sentence) => {
            error_line(sentence);
        }
        CliError::Reported(_) | CliError::Interrupted | CliError::BrokenPipe => {}
    }
}

fn error_line(sentence: &str) {
    let (out, label) = (io::stderr(), "error");
    let text = escape::labelled(label, sentence, columns_of(&out));
    match text.strip_prefix(label) {
        Some(rest) if out.is_terminal() && circles_daemon::variable("NO_COLOR").is_none() => {
            print_stderr(&format!("\x1b[1;31m{label}\x1b[0m{rest}"));
        }
        _ => print_stderr(&text),
    }
}

/// Formats a script's error with its place: `transfer:6:34: …`.
fn with_place(error: &CallError, script: &str) -> String {
    match place(error) {
        Some((line, column)) => format!("{}:{line}:{column}: {error}", escape::name(script)),
        None => error.to_string(),
    }
}

/// Returns the line and column of a script's error, counted from 1.
fn place(error: &CallError) -> Option<(u32, u32)> {
    let Some(Fault::ScriptError(data)) = error.fault() else { return None };
    Some((data.line.as_ref()?.get(), data.column.as_ref().map_or(1, |column| column.get())))
}

/// Formats the source line of a script's error, with a caret under the column.
fn excerpt(error: &CallError, source: &str) -> Option<String> {
    let (line, column) = place(error)?;
    let text = source.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    Some(with_caret(line, text, usize::try_from(column).ok()?.saturating_sub(1)))
}

/// Formats a source line with its number and a caret under the character at `column`, counted from 0.
fn with_caret(line: u32, text: &str, column: usize) -> String {
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let before: String = text.chars().take(column).collect();
    // A tab is indented by a tab, and a character that is two columns wide by two spaces.
    let indent: String = escape::prose(&before)
        .chars()
        .map(|character| match character {
            '\t' => "\t".to_owned(),
            wide => " ".repeat(unicode_width::UnicodeWidthChar::width(wide).unwrap_or(0)),
        })
        .collect();
    format!("{margin} |\n{number} | {}\n{margin} | {indent}^", escape::prose(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_is_under_the_column() {
        assert_eq!(with_caret(2, "  nonsense(a)", 2), "  |\n2 |   nonsense(a)\n  |   ^");
        assert_eq!(with_caret(12, "\tx", 1), "   |\n12 | \tx\n   | \t^");
        assert_eq!(with_caret(1, "\"漢字\" + b", 7), "  |\n1 | \"漢字\" + b\n  |          ^");
        assert_eq!(with_caret(1, "\u{1b}[1mx", 4), "  |\n1 | \\u{1b}[1mx\n  |          ^");
        assert_eq!(with_caret(1, "", 9), "  |\n1 | \n  | ^");
    }
}

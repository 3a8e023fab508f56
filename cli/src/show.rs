//! Everything that is printed.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    os::fd::AsFd,
};

use circles_client::{
    CallError, Fault,
    types::{LogLevel, LogLine, PlayResult},
};
use serde::Serialize;

use crate::{text, trouble::Trouble};

/// A line on standard output, without texts of strangers in it but by the functions of [`text`].
pub fn line(line: &str) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Trouble::BrokenPipe,
        _ => Trouble::Usage(format!("standard output: {error}")),
    })
}

/// A value as JSON on standard output.
pub fn json(value: &impl Serialize) -> Result<(), Trouble> {
    let json = serde_json::to_string_pretty(value).map_err(|error| Trouble::Usage(error.to_string()))?;
    line(&text::json(&json))
}

/// A value as one line of JSON on standard output.
pub fn json_line(value: &impl Serialize) -> Result<(), Trouble> {
    let json = serde_json::to_string(value).map_err(|error| Trouble::Usage(error.to_string()))?;
    line(&text::json(&json))
}

/// What a play left: its log lines on standard error, its value on standard output, unless it is unit.
pub fn played(played: &PlayResult) -> Result<(), Trouble> {
    played.logs.iter().for_each(log_line);
    value(played)
}

/// A line that a script logged, on standard error.
pub fn log_line(line: &LogLine) {
    // `error:` alone is what this program says itself.
    let label = match line.level {
        LogLevel::Error => "log error".to_owned(),
        level => level.to_string(),
    };
    on_stderr(&text::labelled(&label, &line.text, columns_of(&io::stderr())));
}

/// What a play left, unless it is unit, on standard output: as it is for files and pipes, and made safe for a terminal.
pub fn value(played: &PlayResult) -> Result<(), Trouble> {
    if played.value.is_null() && played.output.is_empty() {
        return Ok(());
    }
    match io::stdout() {
        out if out.is_terminal() => line(&text::result(&played.output, columns_of(&out))),
        _ => line(&played.output),
    }
}

/// A remark on standard error, without texts of strangers in it but by the functions of [`text`].
pub fn note(remark: &str) {
    on_stderr(remark);
}

/// What asks a person for the next entry, on standard output.
pub fn prompt(prompt: &str) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{prompt}").and_then(|()| out.flush());
}

/// That nobody reads it is no reason to stop.
fn on_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The width of what is a terminal.
fn columns_of(out: &impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(out).map(|(width, _)| width.0.into())
}

/// What went wrong, on standard error; a script's error with its place in the source.
pub fn trouble(trouble: &Trouble) {
    match trouble {
        Trouble::Script { error, source } => {
            fault(&placed(error, &source.name));
            if let Some(excerpt) = source.text.as_deref().and_then(|text| excerpt(error, text)) {
                note(&excerpt);
            }
        }
        Trouble::Call(error) => fault(&error.to_string()),
        Trouble::Failed(sentence) | Trouble::Usage(sentence) | Trouble::Connection(sentence) => {
            fault(sentence);
        }
        Trouble::Told(_) | Trouble::Interrupted | Trouble::BrokenPipe => {}
    }
}

fn fault(sentence: &str) {
    let (out, label) = (io::stderr(), "error");
    let text = text::labelled(label, sentence, columns_of(&out));
    match text.strip_prefix(label) {
        Some(rest) if out.is_terminal() && circles_daemon::variable("NO_COLOR").is_none() => {
            on_stderr(&format!("\x1b[1;31m{label}\x1b[0m{rest}"));
        }
        _ => on_stderr(&text),
    }
}

/// An error of a script behind its place, `transfer:6:34: …`.
fn placed(error: &CallError, script: &str) -> String {
    match place(error) {
        Some((line, column)) => format!("{}:{line}:{column}: {error}", text::name(script)),
        None => error.to_string(),
    }
}

/// Line and column at which a script stopped, counted from 1.
fn place(error: &CallError) -> Option<(u32, u32)> {
    let Some(Fault::ScriptError(data)) = error.fault() else { return None };
    Some((data.line.as_ref()?.get(), data.column.as_ref().map_or(1, |column| column.get())))
}

/// The line at which a script stopped, with a caret under the column.
fn excerpt(error: &CallError, source: &str) -> Option<String> {
    let (line, column) = place(error)?;
    let text = source.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    Some(point(line, text, usize::try_from(column).ok()?.saturating_sub(1)))
}

/// A source line with its number and a caret under the character at `column`, counted from 0.
fn point(line: u32, text: &str, column: usize) -> String {
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let before: String = text.chars().take(column).collect();
    // A tab stands under a tab, and a character that is two columns wide has two spaces under it.
    let indent: String = text::prose(&before)
        .chars()
        .map(|character| match character {
            '\t' => "\t".to_owned(),
            wide => " ".repeat(unicode_width::UnicodeWidthChar::width(wide).unwrap_or(0)),
        })
        .collect();
    format!("{margin} |\n{number} | {}\n{margin} | {indent}^", text::prose(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_the_place() {
        assert_eq!(point(2, "  nonsense(a)", 2), "  |\n2 |   nonsense(a)\n  |   ^");
        assert_eq!(point(12, "\tx", 1), "   |\n12 | \tx\n   | \t^");
        assert_eq!(point(1, "\"漢字\" + b", 7), "  |\n1 | \"漢字\" + b\n  |          ^");
        assert_eq!(point(1, "\u{1b}[1mx", 4), "  |\n1 | \\u{1b}[1mx\n  |          ^");
        assert_eq!(point(1, "", 9), "  |\n1 | \n  | ^");
    }
}

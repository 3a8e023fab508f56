//! Escapes untrusted text: scripts, callers and servers choose the text of log lines, results, errors, names and keys.
//!
//! **Invariant.** Text that these functions return cannot imitate a line of this program, move the cursor, set colours,
//! hide characters that distinguish two names, or change the reading order of a line.

use std::{borrow::Cow, fmt::Write as _};

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_width::UnicodeWidthChar as _;

/// Narrower terminals count as this wide, so that text fits next to its label.
const MIN_COLUMNS: usize = 20;
/// Columns between tab stops.
const TAB_WIDTH: usize = 8;

/// Escapes a name, key or id: invisible characters become escapes such as `\n` or `\u{202e}`.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    escape(text, |character| is_control(character) || is_invisible(character))
}

/// Escapes a line of prose. Tabs stay, and so do the joiners of emoji and of many writing systems.
pub(crate) fn prose(line: &str) -> Cow<'_, str> {
    escape(line, |character| is_control(character) && !matches!(character, '\t' | '\u{200c}' | '\u{200d}'))
}

/// Escapes a name for a list with one name a line. A name that would be ambiguous becomes a JSON string.
pub(crate) fn list_item(text: &str) -> Cow<'_, str> {
    let is_plain = matches!(name(text), Cow::Borrowed(_)) && !text.starts_with('"') && !text.is_empty();
    if is_plain {
        return Cow::Borrowed(text);
    }
    Cow::Owned(json(&serde_json::Value::from(text).to_string()).into_owned())
}

/// Escapes the control characters in JSON. They occur only inside strings, so the value stays the same.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    let hidden = |character: char| is_control(character) && character != '\n';
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Formats `label: text` with `|` before each further line, including the lines that a terminal of `columns` columns
/// would make by wrapping.
pub(crate) fn labelled(label: &str, text: &str, columns: Option<usize>) -> String {
    let margin = format!("{}| ", " ".repeat(label.len()));
    let columns = columns.map(|columns| columns.saturating_sub(margin.len()));
    format!("{label}: {}", lines(text, columns).collect::<Vec<_>>().join(&format!("\n{margin}")))
}

/// Formats a script's result for a terminal: with `|` before each line if there are several, or if the only line could
/// pass for a line of this program.
pub(crate) fn result(text: &str, columns: Option<usize>) -> String {
    let fits = columns.is_none_or(|columns| width(text) <= columns);
    let imitates_label = LABELS.iter().any(|label| text.trim_start().starts_with(label));
    if fits && !imitates_label && text.lines().count() <= 1 && !text.ends_with('\n') {
        return prose(text).into_owned();
    }
    let columns = columns.map(|columns| columns.saturating_sub(2));
    lines(text, columns).map(|line| format!("| {line}")).collect::<Vec<_>>().join("\n")
}

/// Beginnings of this program's own lines.
const LABELS: [&str; 8] = ["error", "info", "debug", "warn", "log error", "task", "|", "circles"];

fn lines(text: &str, columns: Option<usize>) -> impl Iterator<Item = String> {
    let empty = text.is_empty().then_some("");
    let columns = columns.map_or(usize::MAX, |columns| columns.max(MIN_COLUMNS));
    text.lines().chain(empty).flat_map(move |line| wrap(&prose(line), columns))
}

/// Breaks a line into parts of at most `columns` columns.
fn wrap(line: &str, columns: usize) -> Vec<String> {
    let (mut parts, mut part, mut at) = (Vec::new(), String::new(), 0);
    for character in line.chars() {
        let wide = columns_of(character, at);
        if at + wide > columns {
            parts.push(std::mem::take(&mut part));
            at = 0;
        }
        at += columns_of(character, at);
        part.push(character);
    }
    parts.push(part);
    parts
}

fn width(line: &str) -> usize {
    line.chars().fold(0, |at, character| at + columns_of(character, at))
}

/// Returns the most columns that a character may take. Breaking a line too early does no harm.
fn columns_of(character: char, at: usize) -> usize {
    if character == '\t' { TAB_WIDTH - at % TAB_WIDTH } else { character.width_cjk().unwrap_or(1) }
}

fn escape(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match (hidden(character), character) {
            (false, _) => shown.push(character),
            (true, '\n' | '\r' | '\t') => shown.extend(character.escape_default()),
            (true, _) => shown.extend(character.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// Returns true for characters that control text: control codes, bidirectional marks, embeddings, overrides and
/// isolates, line and paragraph separators, tags and other format characters.
fn is_control(character: char) -> bool {
    use GeneralCategory as Category;

    !character.is_ascii_graphic()
        && matches!(
            character.general_category(),
            Category::Control | Category::Format | Category::LineSeparator | Category::ParagraphSeparator
        )
}

/// Returns true for other invisible characters: Unicode's `Default_Ignorable_Code_Point`, and spaces other than U+0020.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{e0000}'..='\u{e0fff}')
        || character != ' ' && character.general_category() == GeneralCategory::SpaceSeparator
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind of control: C0, escape, DEL, C1, bidirectional marks, embedding, override, isolate, separators, tag.
    const CONTROL_CHARACTERS: [char; 17] = [
        '\0',
        '\u{7}',
        '\u{8}',
        '\r',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{61c}',
        '\u{200e}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2028}',
        '\u{2029}',
        '\u{feff}',
        '\u{e0041}',
    ];

    #[test]
    fn control_characters_become_escapes() {
        for character in CONTROL_CHARACTERS {
            let text = format!("a{character}b");
            let json_text = serde_json::to_string(&text).unwrap();
            for shown in [
                name(&text).into_owned(),
                prose(&text).into_owned(),
                list_item(&text).into_owned(),
                json(&json_text).into_owned(),
                labelled("info", &text, None),
                result(&text, Some(80)),
            ] {
                assert!(!shown.contains(character), "{shown:?}");
                assert!(shown.contains('\\'), "{shown:?}");
            }
            assert_eq!(serde_json::from_str::<String>(&json(&json_text)).unwrap(), text);
        }
        assert_eq!(prose("\u{1b}[31mred\r\u{9b}2J\t\u{202e}x"), "\\u{1b}[31mred\\r\\u{9b}2J\t\\u{202e}x");
        assert_eq!(
            name("a\nb\tc\u{200b}\u{200d}\u{a0}\u{3164}"),
            "a\\nb\\tc\\u{200b}\\u{200d}\\u{a0}\\u{3164}"
        );
    }

    #[test]
    fn text_of_all_languages_is_unchanged() {
        for text in ["", "a b", "naïve", "e\u{301}", "漢字", "שלום", "مرحبا", "नमस्ते", "👍🏽", "~!@#$%^&*()"]
        {
            assert_eq!((&*name(text), &*prose(text)), (text, text));
        }
        for text in ["👩\u{200d}🔬", "می\u{200c}خواهم", "❤\u{fe0f}", "a\u{a0}b"] {
            assert_eq!(prose(text), text);
        }
    }

    #[test]
    fn further_lines_are_marked() {
        assert_eq!(
            labelled("info", "a\nerror: b\r\n\n  c\n", None),
            "info: a\n    | error: b\n    | \n    |   c"
        );
        assert_eq!(labelled("error", "", None), "error: ");
        assert_eq!(labelled("info", "\n", None), "info: ");
    }

    #[test]
    fn lines_that_a_terminal_wraps_are_marked() {
        let padded = format!("x{}error: forged", " ".repeat(73));
        for (label, text) in
            [("info", padded.as_str()), ("info", "\t\t\t\t\t\t\t\t\t\terror: x"), ("warn", &"漢".repeat(99))]
        {
            let shown = labelled(label, text, Some(80));
            assert!(shown.lines().count() > 1);
            for (number, line) in shown.lines().enumerate() {
                assert!(
                    width(line) <= 80 && line.starts_with(if number == 0 { label } else { "    | " }),
                    "{shown}"
                );
            }
        }
        assert_eq!(result(&padded, Some(80)).lines().filter(|line| !line.starts_with("| ")).count(), 0);
    }

    #[test]
    fn results_cannot_imitate_lines_of_the_program() {
        for (text, expected) in [
            ("42", "42"),
            ("a\nb", "| a\n| b"),
            ("a\n", "| a"),
            ("error: no such circle", "| error: no such circle"),
            ("| x", "| | x"),
            ("", ""),
        ] {
            assert_eq!(result(text, None), expected);
        }
    }

    #[test]
    fn list_items_are_single_lines_and_unambiguous() {
        for (key, expected) in [
            ("plot/7", "plot/7"),
            ("a b\\n", "a b\\n"),
            ("a\nb", r#""a\nb""#),
            ("a\u{202e}b", r#""a\u202eb""#),
            ("\"a\\nb\"", r#""\"a\\nb\"""#),
            ("", r#""""#),
            ("a\tb", r#""a\tb""#),
        ] {
            assert_eq!(list_item(key), expected);
        }
    }
}

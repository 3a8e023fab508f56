//! Text of strangers, as it is shown: scripts, callers and servers choose what stands in log lines, results, errors,
//! names and keys.
//!
//! **Invariant.** What these functions return cannot begin a line of its own, move the cursor, set colours, hide
//! characters that tell two names apart, or change the order in which a line is read.

use std::{borrow::Cow, fmt::Write as _};

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_width::UnicodeWidthChar as _;

/// A terminal that is narrower than this is taken to be this wide: labels take their part of it.
const LEAST_COLUMNS: usize = 20;
/// Where tabs stop.
const TAB: usize = 8;

/// A name, a key or an id in one line, everything that cannot be seen as an escape such as `\n` or `\u{202e}`.
pub fn name(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_control(character) || is_ignorable(character))
}

/// One line of a text for people, which may have tabs, and the joiners that emoji and many scripts are written with.
pub fn prose(line: &str) -> Cow<'_, str> {
    escaped(line, |character| is_control(character) && !matches!(character, '\t' | '\u{200c}' | '\u{200d}'))
}

/// A name in a list that has one a line: as JSON if it could not be told apart from another otherwise.
pub fn listed(text: &str) -> Cow<'_, str> {
    let is_plain = matches!(name(text), Cow::Borrowed(_)) && !text.starts_with('"') && !text.is_empty();
    if is_plain {
        return Cow::Borrowed(text);
    }
    Cow::Owned(json(&serde_json::Value::from(text).to_string()).into_owned())
}

/// JSON that says the same, with an escape for each character that would not be seen. They stand in texts only, where
/// an escape is the same text.
pub fn json(text: &str) -> Cow<'_, str> {
    let hidden = |character: char| is_control(character) && character != '\n';
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // A String takes everything.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// A text behind a label, `label: text`, with `|` before each line but the first, also where a terminal of so many
/// columns would break one.
pub fn labelled(label: &str, text: &str, columns: Option<usize>) -> String {
    let margin = format!("{}| ", " ".repeat(label.len()));
    let columns = columns.map(|columns| columns.saturating_sub(margin.len()));
    format!("{label}: {}", lines(text, columns).collect::<Vec<_>>().join(&format!("\n{margin}")))
}

/// What a script left, for a terminal: with `|` before each line if there are several, or if the only one could be
/// taken for one of ours.
pub fn result(text: &str, columns: Option<usize>) -> String {
    let fits = columns.is_none_or(|columns| width(text) <= columns);
    let is_ours = LABELS.iter().any(|label| text.trim_start().starts_with(label));
    if fits && !is_ours && text.lines().count() <= 1 && !text.ends_with('\n') {
        return prose(text).into_owned();
    }
    let columns = columns.map(|columns| columns.saturating_sub(2));
    lines(text, columns).map(|line| format!("| {line}")).collect::<Vec<_>>().join("\n")
}

/// How lines of this program begin.
const LABELS: [&str; 8] = ["error", "info", "debug", "warn", "log error", "task", "|", "circles"];

fn lines(text: &str, columns: Option<usize>) -> impl Iterator<Item = String> {
    let empty = text.is_empty().then_some("");
    let columns = columns.map_or(usize::MAX, |columns| columns.max(LEAST_COLUMNS));
    text.lines().chain(empty).flat_map(move |line| wrapped(&prose(line), columns))
}

/// A line in parts that are not wider than so many columns.
fn wrapped(line: &str, columns: usize) -> Vec<String> {
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

/// Columns that a character takes at most. To break a line too early does no harm.
fn columns_of(character: char, at: usize) -> usize {
    if character == '\t' { TAB - at % TAB } else { character.width_cjk().unwrap_or(1) }
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
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

/// Whether a character does something instead of being seen: controls, bidirectional marks, embeddings, overrides and
/// isolates, separators of lines and paragraphs, tags, and what else formats text.
fn is_control(character: char) -> bool {
    use GeneralCategory as Category;

    !character.is_ascii_graphic()
        && matches!(
            character.general_category(),
            Category::Control | Category::Format | Category::LineSeparator | Category::ParagraphSeparator
        )
}

/// Whether fonts show nothing for a character that is no control: Unicode's `Default_Ignorable_Code_Point`, and spaces
/// other than the plain one.
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{e0000}'..='\u{e0fff}')
        || character != ' ' && character.general_category() == GeneralCategory::SpaceSeparator
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind: C0, escape, DEL, C1, bidirectional marks, embedding, override, isolate, separators, tag.
    const HOSTILE: [char; 17] = [
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
    fn hostile_characters_are_shown_as_escapes() {
        for character in HOSTILE {
            let text = format!("a{character}b");
            let json_text = serde_json::to_string(&text).unwrap();
            for shown in [
                name(&text).into_owned(),
                prose(&text).into_owned(),
                listed(&text).into_owned(),
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
    fn texts_of_all_languages_stay_as_they_are() {
        for text in ["", "a b", "naïve", "e\u{301}", "漢字", "שלום", "مرحبا", "नमस्ते", "👍🏽", "~!@#$%^&*()"]
        {
            assert_eq!((&*name(text), &*prose(text)), (text, text));
        }
        for text in ["👩\u{200d}🔬", "می\u{200c}خواهم", "❤\u{fe0f}", "a\u{a0}b"] {
            assert_eq!(prose(text), text);
        }
    }

    #[test]
    fn lines_of_a_text_stay_behind_its_label() {
        assert_eq!(
            labelled("info", "a\nerror: b\r\n\n  c\n", None),
            "info: a\n    | error: b\n    | \n    |   c"
        );
        assert_eq!(labelled("error", "", None), "error: ");
        assert_eq!(labelled("info", "\n", None), "info: ");
    }

    #[test]
    fn lines_that_a_terminal_would_break_stay_behind_their_label() {
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
    fn results_on_a_terminal_are_told_from_lines_of_ours() {
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
    fn keys_in_a_list_are_one_a_line_and_told_apart() {
        for (key, expected) in [
            ("plot/7", "plot/7"),
            ("a b\\n", "a b\\n"),
            ("a\nb", r#""a\nb""#),
            ("a\u{202e}b", r#""a\u202eb""#),
            ("\"a\\nb\"", r#""\"a\\nb\"""#),
            ("", r#""""#),
            ("a\tb", r#""a\tb""#),
        ] {
            assert_eq!(listed(key), expected);
        }
    }
}

//! Comments apart from code, in Rust and in Lua.
//!
//! Rules look for words in code or in comments, and a text in quotes is neither. A lexer of both languages' comments
//! and quotes is enough for that, and ignores all other syntax.

use std::ops::Range;

/// The language of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Lua,
}

/// A text split into code and comments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lexed {
    /// The text without comments: each of their bytes is a space, so that places stay the same.
    pub code: String,
    /// The code with empty quotes, of the same length.
    pub bare: String,
    /// The places of comments, marks included and line ends not. A block comment is one.
    pub comments: Vec<Range<usize>>,
}

/// A part of a text that is no plain code.
enum Part {
    Comment,
    /// Quotes included; the content lies so many bytes behind the start, and so many before the end.
    Quoted(usize, usize),
}

impl Language {
    /// The language of a file, if it is one of these.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1 {
            "rs" => Some(Self::Rust),
            "lua" => Some(Self::Lua),
            _ => None,
        }
    }

    /// Splits a text into code and comments.
    pub(crate) fn lex(self, text: &str) -> Lexed {
        let (mut code, mut bare) = (text.as_bytes().to_vec(), text.as_bytes().to_vec());
        let mut comments = Vec::new();
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let found = match self {
                Self::Rust => rust_part(rest, before),
                Self::Lua => lua_part(rest),
            };
            let Some((length, part)) = found else {
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            };
            let range = at..at + length;
            match part {
                Part::Comment => {
                    blank(&mut code, range.clone());
                    blank(&mut bare, range.clone());
                    comments.push(range);
                }
                Part::Quoted(open, close) => {
                    blank(&mut bare, at + open..(at + length).saturating_sub(close));
                }
            }
            at += length;
        }
        Lexed { code: utf8(code), bare: utf8(bare), comments }
    }
}

/// Only whole characters were blanked, so it is a text still.
fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Puts spaces in place of everything but line ends.
fn blank(bytes: &mut [u8], range: Range<usize>) {
    for byte in bytes.get_mut(range).into_iter().flatten().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

fn rust_part(rest: &str, before: Option<char>) -> Option<(usize, Part)> {
    match rest.as_bytes() {
        [b'/', b'/', ..] => Some((line_length(rest), Part::Comment)),
        [b'/', b'*', ..] => Some((block_comment_length(rest), Part::Comment)),
        [b'"', ..] => Some((quoted_length(rest, '"'), Part::Quoted(1, 1))),
        [b'r', b'"' | b'#', ..] if !before.is_some_and(is_word) || before == Some('b') => raw_string(rest),
        [b'\'', ..] => Some((char_length(rest)?, Part::Quoted(1, 1))),
        _ => None,
    }
}

fn lua_part(rest: &str) -> Option<(usize, Part)> {
    match rest.as_bytes() {
        [b'-', b'-', b'[', b'[', ..] => Some((up_to(rest, "]]"), Part::Comment)),
        [b'-', b'-', ..] => Some((line_length(rest), Part::Comment)),
        [b'[', b'[', ..] => Some((up_to(rest, "]]"), Part::Quoted(2, 2))),
        [quote @ (b'"' | b'\''), ..] => Some((quoted_length(rest, char::from(*quote)), Part::Quoted(1, 1))),
        _ => None,
    }
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn line_length(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// The length of a text up to an end mark that follows its first two bytes, the mark included.
fn up_to(rest: &str, end: &str) -> usize {
    let after = rest.get(2..).unwrap_or_default();
    after.find(end).map_or(rest.len(), |at| 2 + at + end.len())
}

/// Block comments of Rust nest.
fn block_comment_length(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(mark) = rest.as_bytes().get(at..at + 2) {
        match mark {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a text in quotes in which a backslash escapes.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<(usize, Part)> {
    let hashes = rest.bytes().skip(1).take_while(|byte| *byte == b'#').count();
    // `r#type` is a name.
    let inside = rest.get(hashes + 1..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(rest.len(), |at| hashes + 2 + at + end.len());
    Some((length, Part::Quoted(hashes + 2, hashes + 1)))
}

/// The length of a character in quotes; `None` for a lifetime.
fn char_length(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    match chars.next()?.1 {
        '\\' => Some(quoted_length(rest, '\'')),
        _ => chars.next().filter(|(_, char)| *char == '\'').map(|(at, _)| at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comments(language: Language, text: &str) -> Vec<String> {
        language.lex(text).comments.into_iter().map(|range| text[range].to_owned()).collect()
    }

    #[test]
    fn rust_comments_are_found_outside_quotes() {
        let text = "//! Doc.\nlet a = \"// no\"; // yes\nlet b = r#\"// \"no\"# /* one /* two */ one */;\n";
        assert_eq!(comments(Language::Rust, text), ["//! Doc.", "// yes", "/* one /* two */ one */"]);
        let text = "let (a, b): (char, &'a str) = ('\"', \"\\\"//\"); // é\nlet c = '\\''; // d";
        assert_eq!(comments(Language::Rust, text), ["// é", "// d"]);
        assert_eq!(comments(Language::Rust, "let r#type = br\"//\"; let bar = \"//\";"), [""; 0]);
    }

    #[test]
    fn lua_comments_are_found_outside_quotes() {
        let text = "-- One.\nlocal a = '--' .. \"\\\"--\" -- two\nlocal b = [[--]] --[[ three\nfour ]]\n";
        assert_eq!(comments(Language::Lua, text), ["-- One.", "-- two", "--[[ three\nfour ]]"]);
    }

    #[test]
    fn blanked_code_keeps_its_offsets() {
        let text = "f(\"é)\"); // é\ng('x', r#\"y\"#);\n";
        let lexed = Language::Rust.lex(text);
        assert_eq!(lexed.code, "f(\"é)\");      \ng('x', r#\"y\"#);\n");
        assert_eq!(lexed.bare, "f(\"   \");      \ng(' ', r#\" \"#);\n");
        assert_eq!(lexed.bare.len(), text.len());
    }

    #[test]
    fn unterminated_quote_or_comment_extends_to_the_end() {
        for text in ["/* a", "\"a", "r\"a", "'\\", "// a"] {
            assert_eq!(Language::Rust.lex(text).bare.len(), text.len(), "{text}");
        }
        for text in ["--[[ a", "[[a", "'a", "\"a\\"] {
            assert_eq!(Language::Lua.lex(text).bare.len(), text.len(), "{text}");
        }
        assert_eq!(Language::of("a/b.lua"), Some(Language::Lua));
        assert_eq!(Language::of("a/b.md"), None);
    }
}

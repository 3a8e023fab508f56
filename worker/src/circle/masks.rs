//! Puts the names of secrets in place of their values, in any form in which a text prints them.

use std::collections::BTreeMap;

/// Shorter values are no secrets: they appear in any text.
const SECRET_CHARACTERS: usize = 4;
/// So many first characters of a secret count as the secret, since the text may have been cut.
const PREFIX_CHARACTERS: usize = 16;
/// The same where the text shows that it was cut or ends; half of a shorter secret.
const CUT_CHARACTERS: usize = 8;
/// The ends of cut texts: of this project, and of the standard library's panics.
const CUT_MARKS: [&str; 3] = ["…", "...", "[...]"];

/// The secrets of a circle, as they appear in texts.
pub(crate) struct Masks(Vec<Mask>);

struct Mask {
    name: String,
    /// The value; runs of backslashes are one backslash.
    characters: Vec<char>,
}

impl Masks {
    pub(crate) fn new(secrets: &BTreeMap<String, String>) -> Self {
        let long = secrets.iter().filter(|(_, value)| value.chars().count() >= SECRET_CHARACTERS);
        let mut masks: Vec<_> = long.map(|(name, value)| Mask::new(name, value)).collect();
        // The longest first, since one may begin with another.
        masks.sort_by_key(|mask| std::cmp::Reverse(mask.characters.len()));
        Self(masks)
    }

    /// The text without secrets; no more of it than about `max_bytes`.
    pub(crate) fn masked(&self, text: &str, max_bytes: usize) -> String {
        let (mut rest, mut shown) = (text, String::new());
        while shown.len() <= max_bytes && !rest.is_empty() {
            if let Some((after, name)) = self.strip(rest) {
                shown.push_str(&format!("[secret {name}]"));
                rest = after;
                continue;
            }
            // Secrets behind any number of backslashes were found above, so a run of them is skipped at once.
            let backslashes = rest.len() - rest.trim_start_matches('\\').len();
            let step = match backslashes {
                0 => rest.chars().next().map_or(0, char::len_utf8),
                run => run.min(max_bytes.saturating_sub(shown.len()).saturating_add(1)),
            };
            let (passed, after) = rest.split_at(step);
            shown.push_str(passed);
            rest = after;
        }
        shown
    }

    /// The text after the secret that it begins with, and the secret's name.
    fn strip<'a, 'b>(&'a self, text: &'b str) -> Option<(&'b str, &'a str)> {
        let known_by =
            |whole: bool| self.0.iter().find_map(|mask| Some((mask.strip(text, whole)?, &*mask.name)));
        known_by(true).or_else(|| known_by(false))
    }
}

impl Mask {
    fn new(name: &str, value: &str) -> Self {
        let mut characters: Vec<char> = value.chars().collect();
        characters.dedup_by(|this, before| *this == '\\' && *before == '\\');
        Self { name: name.to_owned(), characters }
    }

    /// The text after the secret, or after a prefix that gives the secret away, if the text begins with it.
    fn strip<'a>(&self, text: &'a str, whole: bool) -> Option<&'a str> {
        // Most characters begin neither the secret nor an escape.
        if !self.characters.first().is_some_and(|first| text.starts_with([*first, '\\', '%'])) {
            return None;
        }
        // `\u0075` is an escape, or what it is made of.
        [true, false].into_iter().find_map(|prefers_escapes| self.read(text, whole, prefers_escapes))
    }

    fn read<'a>(&self, text: &'a str, whole: bool, prefers_escapes: bool) -> Option<&'a str> {
        let mut reader = Reader { rest: text, escaped: false, prefers_escapes };
        let matched = self.characters.iter().take_while(|wanted| reader.take(**wanted)).count();
        let was_cut = || reader.rest.is_empty() || CUT_MARKS.iter().any(|mark| reader.rest.starts_with(mark));
        let enough_if_cut = CUT_CHARACTERS.min(self.characters.len().div_ceil(2)).max(SECRET_CHARACTERS);
        let known = matched == self.characters.len()
            || !whole && (matched >= PREFIX_CHARACTERS || matched >= enough_if_cut && was_cut());
        known.then_some(reader.rest)
    }
}

/// Reads characters in any form: as they are, escaped by Rust, Rhai or JSON, even several times, or escaped as in a
/// URL.
#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a str,
    /// True if a backslash stands right before `rest`.
    escaped: bool,
    /// How to read a text that may be an escape or not.
    prefers_escapes: bool,
}

impl Reader<'_> {
    /// Takes a character if it comes next.
    fn take(&mut self, wanted: char) -> bool {
        if wanted == '\\' {
            return self.take_backslashes();
        }
        let text = self.rest.trim_start_matches('\\');
        let escaped = self.escaped || text.len() < self.rest.len();
        let plain = || text.strip_prefix(wanted);
        let escape = || if escaped { after_escape(text, wanted) } else { None };
        let rest = if self.prefers_escapes { escape().or_else(plain) } else { plain().or_else(escape) };
        let rest = rest.or_else(|| after_percents(text, wanted));
        if let Some(rest) = rest {
            *self = Self { rest, escaped: false, ..*self };
        }
        rest.is_some()
    }

    /// Takes all backslashes that come next, in any form. The last one may belong to an escape.
    fn take_backslashes(&mut self) -> bool {
        /// More backslashes are another text.
        const MAX_FORMS: usize = 16;
        let before = self.rest.len();
        for _ in 0..MAX_FORMS {
            let text = self.rest.trim_start_matches('\\');
            let escaped = self.escaped || text.len() < self.rest.len();
            let more =
                escaped.then(|| after_number(text, '\\')).flatten().or_else(|| after_percents(text, '\\'));
            *self = Self { rest: more.unwrap_or(text), escaped, ..*self };
            if more.is_none() {
                break;
            }
        }
        self.rest.len() < before
    }
}

/// The text after an escape of a character, whose backslash was taken already.
fn after_escape(text: &str, wanted: char) -> Option<&str> {
    let letter = match wanted {
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\0' => Some('0'),
        '\u{8}' => Some('b'),
        '\u{b}' => Some('v'),
        '\u{c}' => Some('f'),
        _ => None,
    };
    letter.and_then(|letter| text.strip_prefix(letter)).or_else(|| after_number(text, wanted))
}

/// The text after `u{…}`, `uXXXX` (in JSON one or two of them) or `xXX`.
fn after_number(text: &str, wanted: char) -> Option<&str> {
    /// Digits of the highest character, in its longest form.
    const MAX_DIGITS: usize = 8;
    if let Some(digits) = text.strip_prefix("u{") {
        let end = digits.bytes().take(MAX_DIGITS + 1).position(|byte| byte == b'}')?;
        let (digits, rest) = digits.split_at_checked(end)?;
        return (u32::from_str_radix(digits, 16) == Ok(wanted.into())).then(|| rest.get(1..))?;
    }
    if let Some(text) = text.strip_prefix('x') {
        return after_digits(text, 2, wanted.into());
    }
    let mut rest = text;
    for unit in wanted.encode_utf16(&mut [0; 2]) {
        rest = after_digits(rest.trim_start_matches('\\').strip_prefix('u')?, 4, u32::from(*unit))?;
    }
    Some(rest)
}

/// The text after the bytes of a character as `%XX`.
fn after_percents(text: &str, wanted: char) -> Option<&str> {
    let mut rest = text;
    for byte in wanted.encode_utf8(&mut [0; 4]).bytes() {
        rest = after_digits(rest.strip_prefix('%')?, 2, byte.into())?;
    }
    Some(rest)
}

/// The text after so many hexadecimal digits of this number.
fn after_digits(text: &str, count: usize, number: u32) -> Option<&str> {
    let (digits, rest) = text.split_at_checked(count)?;
    (u32::from_str_radix(digits, 16) == Ok(number)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hush \"7\"\n'é\\n' 🔑\u{1b}";

    fn masks() -> Masks {
        Masks::new(&BTreeMap::from([
            ("key".to_owned(), SECRET.to_owned()),
            ("pin".to_owned(), "7".to_owned()),
        ]))
    }

    /// A secret in every printed form, and forms of these forms.
    fn forms() -> Vec<String> {
        let json = |text: &str| serde_json::to_string(text).unwrap();
        // JSON that is limited to ASCII.
        let ascii = |text: &str| {
            let escape = |character: char| match character {
                ' '..='~' => character.to_string(),
                other => {
                    other.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
                }
            };
            json(text).chars().map(escape).collect::<String>()
        };
        let url = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let forms: [&dyn Fn(&str) -> String; 6] = [
            &|text| text.to_owned(),
            &|text| format!("{text:?}"),
            &|text| text.escape_debug().to_string(),
            &|text| text.escape_default().to_string(),
            &json,
            &ascii,
        ];
        let of = |form: &dyn Fn(&str) -> String| -> Vec<String> {
            forms.iter().map(|inner| form(&inner(SECRET))).chain([form(&url(SECRET))]).collect()
        };
        forms.iter().flat_map(|outer| of(outer)).collect()
    }

    #[test]
    fn secrets_are_masked_in_every_printed_form() {
        for form in forms() {
            let masked = masks().masked(&format!("why: {form}!"), usize::MAX);
            assert!(masked.contains("[secret key]"), "{form}: {masked}");
            assert!(!masked.contains("hush") && !masked.contains("\\x1b"), "{form}: {masked}");
        }
    }

    #[test]
    fn truncated_secrets_are_masked() {
        let long: String = ('a'..='z').chain('A'..='Z').collect();
        let masks = Masks::new(&BTreeMap::from([("key".to_owned(), long.clone())]));
        for cut in 8..long.len() {
            for end in ["", "…", "...\""] {
                let masked = masks.masked(&format!("not \"{}{end}", &long[..cut]), usize::MAX);
                assert!(!masked.contains("abcd"), "{masked}");
            }
        }
        for cut in 16..long.len() {
            let masked = masks.masked(&format!("`{}` is none", &long[..cut]), usize::MAX);
            assert_eq!(masked, "`[secret key]` is none");
        }
    }

    #[test]
    fn texts_without_secrets_are_unchanged() {
        for text in ["", "hush", "7 of 8", "a\\\\b", "%", "%zz", "\\u{", "\\", "hush \"8\"\n"] {
            assert_eq!(masks().masked(&format!("{text}; "), usize::MAX), format!("{text}; "));
        }
    }

    #[test]
    fn masking_takes_linear_time() {
        let began = std::time::Instant::now();
        for part in ["\\", "\\u{", "\\u005c", "hush ", "%5c"] {
            let text = part.repeat(1 << 15);
            assert_eq!(masks().masked(&(text.clone() + "."), usize::MAX).len(), text.len() + 1);
            assert!(masks().masked(&text, 100).len() <= 102);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
    }
}

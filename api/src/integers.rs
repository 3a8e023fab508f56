//! Integers of JSON texts that 64 bits cannot hold. Parsers turn them into floats silently.

use std::fmt;

/// The digits of 2^63; an integer with fewer digits fits.
const INT64_DIGITS: usize = 19;
/// The deepest nesting that is scanned. JSON parsers refuse deeper nesting.
const MAX_DEPTH: usize = 128;
/// A message quotes at most this many characters of a literal or a name.
const MAX_QUOTED_CHARS: usize = 64;

/// An integer below -2^63 or above 2^63 - 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct IntegerOutOfRange {
    /// Its place: `.a[1].b`; empty for the whole text.
    pub place: String,
    /// Its digits, cut if there are many.
    pub literal: String,
}

impl fmt::Display for IntegerOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, literal } = self;
        if !place.is_empty() {
            write!(f, "{}: ", place.trim_start_matches('.'))?;
        }
        write!(f, "the integer {literal} does not fit into 64 bits: expected -2^63 to 2^63 - 1")
    }
}

/// Checks that all integers of a JSON text fit into 64 bits with a sign. Numbers with a point or an exponent are
/// floats. A text that is no JSON may pass: a parser refuses it.
///
/// # Errors
///
/// The first integer that does not fit.
///
/// # Example
///
/// ```
/// use circles_api::integers_fit;
///
/// assert!(integers_fit(br#"[9223372036854775807, 1e30, "9223372036854775808"]"#).is_ok());
/// let error = integers_fit(br#"{"a": [1, 9223372036854775808]}"#).unwrap_err();
/// assert_eq!(error.place, ".a[1]");
/// ```
pub fn integers_fit(json: &[u8]) -> Result<(), IntegerOutOfRange> {
    // Few texts have so many digits in a row, so most are not scanned.
    let mut digits = 0;
    let many = json.iter().any(|byte| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits >= INT64_DIGITS
    });
    if many { Scanner { json, at: 0, open: Vec::new() }.scan() } else { Ok(()) }
}

/// A container that was opened and not yet closed.
enum Open<'a> {
    /// At the item of this index.
    Array(usize),
    /// At the member of this name; `None` before the name.
    Object(Option<&'a [u8]>),
}

struct Scanner<'a> {
    json: &'a [u8],
    at: usize,
    open: Vec<Open<'a>>,
}

impl<'a> Scanner<'a> {
    fn scan(mut self) -> Result<(), IntegerOutOfRange> {
        while let Some(byte) = self.json.get(self.at) {
            match byte {
                b'"' => {
                    let text = self.text();
                    if let Some(Open::Object(name @ None)) = self.open.last_mut() {
                        *name = Some(text);
                    }
                    continue;
                }
                b'-' | b'0'..=b'9' => {
                    self.number()?;
                    continue;
                }
                b'[' | b'{' if self.open.len() >= MAX_DEPTH => return Ok(()),
                b'[' => self.open.push(Open::Array(0)),
                b'{' => self.open.push(Open::Object(None)),
                b']' | b'}' => drop(self.open.pop()),
                b',' => match self.open.last_mut() {
                    Some(Open::Array(index)) => *index += 1,
                    Some(Open::Object(name)) => *name = None,
                    None => {}
                },
                _ => {}
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Passes over a string and returns the text between its quotes.
    fn text(&mut self) -> &'a [u8] {
        let rest = self.json.get(self.at + 1..).unwrap_or_default();
        let mut escaped = false;
        let end = rest.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        let length = end.unwrap_or(rest.len());
        self.at += length + 2;
        rest.get(..length).unwrap_or_default()
    }

    fn number(&mut self) -> Result<(), IntegerOutOfRange> {
        let rest = self.json.get(self.at..).unwrap_or_default();
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        self.at += length;
        let literal = rest.get(..length).unwrap_or_default();
        if literal.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(literal);
        match text.parse::<i64>() {
            Ok(_) => Ok(()),
            Err(_) => Err(IntegerOutOfRange { place: self.place(), literal: short(&text) }),
        }
    }

    fn place(&self) -> String {
        let parts = self.open.iter().map(|open| match open {
            Open::Array(index) => format!("[{index}]"),
            Open::Object(name) => format!(".{}", short(&String::from_utf8_lossy(name.unwrap_or_default()))),
        });
        parts.collect()
    }
}

/// Cuts a text to the length that a message quotes.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(json: &str) -> Option<String> {
        integers_fit(json.as_bytes()).err().map(|error| error.place)
    }

    #[test]
    fn integers_beyond_64_bits_are_found_with_their_place() {
        for (json, expected) in [
            ("9223372036854775807", None),
            ("-9223372036854775808", None),
            ("9223372036854775808", Some("")),
            ("-9223372036854775809", Some("")),
            ("18446744073709551616", Some("")),
            ("1e400", None),
            ("9223372036854775808.0", None),
            ("9223372036854775808e0", None),
            ("0.9223372036854775808", None),
            (
                r#"{"a\"b": ["9223372036854775808", {"c": [1, 2, 9223372036854775808]}]}"#,
                Some(r#".a\"b[1].c[2]"#),
            ),
            (r#"{"9223372036854775808": 1, "b": -18446744073709551615}"#, Some(".b")),
            (r#"[[], {}, [[]], 9223372036854775808]"#, Some("[3]")),
        ] {
            assert_eq!(place(json).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn message_names_place_and_literal_and_is_bounded() {
        let error = integers_fit(br#"{"args": [99999999999999999999]}"#).unwrap_err();
        let message =
            "args[0]: the integer 99999999999999999999 does not fit into 64 bits: expected -2^63 to 2^63 - 1";
        assert_eq!(error.to_string(), message);
        let long = format!("{{\"{}\": {}}}", "n".repeat(100_000), "9".repeat(100_000));
        assert!(integers_fit(long.as_bytes()).unwrap_err().to_string().len() < 512);
    }

    proptest! {
        #[test]
        fn scan_survives_any_text(text in any::<Vec<u8>>(), digits in "[0-9]{19,25}") {
            let mut text = text;
            text.extend(digits.bytes());
            let _ = integers_fit(&text);
        }

        #[test]
        fn integer_fits_if_i64_holds_it(number in any::<i128>(), small in any::<i64>()) {
            prop_assert_eq!(integers_fit(number.to_string().as_bytes()).is_ok(), i64::try_from(number).is_ok());
            let small = format!("[{small}]");
            prop_assert!(integers_fit(small.as_bytes()).is_ok());
        }
    }
}

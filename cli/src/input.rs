//! Scripts and JSON from the command line, files and standard input.

use std::{
    fmt::Display,
    fs::File,
    io::{Read, stdin},
    path::Path,
};

use serde_json::Value;

use crate::error::CliError;

/// Bytes of the longest script that a server could accept.
pub(crate) const MAX_SCRIPT_BYTES: u64 = 1 << 20;
/// No message has room for longer JSON.
const MAX_JSON_FILE_BYTES: u64 = 16 << 20;
/// Some editors begin a text with it.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';
/// Stands for standard input in place of a file.
const STANDARD_INPUT: &str = "-";

/// Reads a script from a file.
pub(crate) fn script(path: &Path) -> Result<String, CliError> {
    read(path, MAX_SCRIPT_BYTES).map_err(CliError::Usage)
}

/// Parses JSON from the command line, or from the file that `text` names after an @. Errors start with `what`.
pub(crate) fn json(what: &str, text: &str) -> Result<Value, CliError> {
    let fault = |problem: &dyn Display| CliError::Usage(format!("{what}: {problem}"));
    let text = match text.strip_prefix('@') {
        Some("") => return Err(fault(&"expected the name of a file after @")),
        Some(path) => {
            let path = circles_daemon::path(path.into()).map_err(|problem| fault(&problem))?;
            read(&path, MAX_JSON_FILE_BYTES).map_err(|problem| fault(&problem))?
        }
        None => text.to_owned(),
    };
    // The parser would turn larger integers into floats.
    circles_client::integers_fit(text.as_bytes()).map_err(|error| fault(&error))?;
    serde_json::from_str(&text).map_err(|error| fault(&format!("not JSON: {error}")))
}

/// Reads the text of a file, or of standard input for `-`, of at most `limit` bytes, without a byte order mark.
fn read(path: &Path, limit: u64) -> Result<String, String> {
    let fault = |problem: &dyn Display| format!("{}: {problem}", display_name(path));
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(|error| fault(&error))?;
    if bytes.len() as u64 > limit {
        return Err(fault(&format!("longer than {limit} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| fault(&error.utf8_error()))?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).map_or_else(|| text.clone(), str::to_owned))
}

/// Opens a file, or standard input for `-`.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, String> {
    if path.as_os_str() == STANDARD_INPUT {
        return Ok(Box::new(stdin()));
    }
    let fault = |problem: &dyn Display| format!("{}: {problem}", display_name(path));
    let file = File::open(path).map_err(|error| fault(&error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(fault(&"expected a file, found a directory")),
        _ => Ok(Box::new(file)),
    }
}

/// Returns a file's name for errors.
pub(crate) fn display_name(path: &Path) -> impl Display {
    let path = if path.as_os_str() == STANDARD_INPUT { Path::new("standard input") } else { path };
    path.display()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_64_bits_are_refused_and_not_changed() {
        for text in
            ["18446744073709551616", "[1, -9223372036854775809]", r#"{"a\\": [1e3, 99999999999999999999]}"#]
        {
            let Err(CliError::Usage(sentence)) = json("--args", text) else { panic!("{text}") };
            assert!(sentence.starts_with("--args: "), "{sentence}");
        }
        for text in
            ["9223372036854775807", "-9223372036854775808", "1e30", r#""99999999999999999999\"""#, "[]"]
        {
            assert_eq!(json("--args", text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn unreadable_input_is_reported_with_file_and_cause() {
        let directory = std::env::temp_dir();
        for (text, part) in [
            ("@", "--args: expected the name of a file"),
            ("@~/x", "--args: ~ is not expanded"),
            ("@/no/such/file", "--args: /no/such/file: No such file"),
            (&format!("@{}", directory.display()), "found a directory"),
            ("", "--args: not JSON"),
        ] {
            let Err(CliError::Usage(sentence)) = json("--args", text) else { panic!("{text}") };
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}

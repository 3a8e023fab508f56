//! Words that a text may not contain.

use super::{Finding, Source};

/// Macros of unfinished code. They are split in two, so that this file passes its own rule.
const UNFINISHED: [(&str, &str); 3] = [("to", "do!("), ("unimpl", "emented!("), ("db", "g!(")];

/// Paths and registries of one machine, which mean nothing to other readers.
const MACHINES: [(&str, &str); 11] = [
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("/Us", "ers/"),
    ("/tmp/tar", "get"),
    ("crates", ".io"),
    ("py", "pi.org"),
    ("python", "hosted.org"),
    ("npm", "js.org"),
    ("npm", "js.com"),
    ("deb.de", "bian.org"),
];

/// References to a document that the repository does not contain. Written in halves like the others.
const ABSENT_DOCUMENTS: [(&str, &str); 1] = [("SP", "EC §")];

/// Folders that may write error codes as numbers: their definition, their generator, and tests of the wire format.
const CODES_AT_HOME: [&str; 4] = ["api/", "codegen/", "tests/", "build.rs"];

/// Checks a file's words.
pub(super) fn words(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Cargo writes its lock file, registry and all.
    if source.path != "Cargo.lock" {
        findings.extend(machines(source));
        findings.extend(absent_documents(source));
    }
    if source.is("rs") && !source.is_golden() {
        findings.extend(unfinished(source));
        findings.extend(codes(source));
    }
    findings
}

fn machines(source: &Source) -> impl Iterator<Item = Finding> {
    source.lines().filter_map(|(line, text)| {
        let word = found(text, &MACHINES)?;
        Some(source.finding(line, format!("`{word}` names a machine or a registry; leave it out")))
    })
}

fn absent_documents(source: &Source) -> impl Iterator<Item = Finding> {
    source.lines().filter_map(|(line, text)| {
        let word = found(text, &ABSENT_DOCUMENTS)?;
        Some(source.finding(line, format!("`{word}` is not in the repository; state the rule itself")))
    })
}

/// The first of these words in a line.
fn found(text: &str, halves: &[(&str, &str)]) -> Option<String> {
    halves.iter().map(|(head, tail)| [*head, *tail].concat()).find(|word| text.contains(word))
}

fn unfinished(source: &Source) -> impl Iterator<Item = Finding> {
    source.lines().filter_map(|(line, text)| {
        if text.trim() == concat!("#[ign", "ore]") {
            return Some(source.finding(line, "say why the test is ignored: `= \"…\"`"));
        }
        let word = found(text, &UNFINISHED)?;
        Some(source.finding(line, format!("`{word}…)`: finish it, or leave it out")))
    })
}

fn codes(source: &Source) -> impl Iterator<Item = Finding> {
    let at_home = source.is_under(&CODES_AT_HOME) || source.path.contains("/tests/");
    // Unit tests stand last. They may, since they check the wire format.
    let code = source.lines().take_while(|(_, text)| *text != "mod tests {");
    code.filter(move |_| !at_home).filter_map(|(line, text)| {
        let code = (!text.trim_start().starts_with("//")).then(|| code_literal(text)).flatten()?;
        Some(
            source.finding(line, format!("{code}: take the constant in `circles_api::codes` or jsonrpsee's")),
        )
    })
}

/// The first number from −32000 to −32999 in a line of code.
fn code_literal(line: &str) -> Option<&str> {
    line.match_indices("-32").find_map(|(start, _)| {
        let rest = line.get(start..)?;
        let end = rest.char_indices().skip(1).find(|(_, char)| !matches!(char, '0'..='9' | '_'));
        let literal = rest.get(..end.map_or(rest.len(), |(at, _)| at))?;
        (literal.bytes().filter(u8::is_ascii_digit).count() == 5).then_some(literal)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::source, *};

    fn lines(path: &str, text: &str) -> Vec<usize> {
        words(&source(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unfinished_code_is_found() {
        for (head, tail) in UNFINISHED {
            assert_eq!(
                lines("api/src/lib.rs", &format!("fn f() {{\n    {head}{tail})\n}}\n")),
                [2],
                "{tail}"
            );
        }
        assert_eq!(lines("api/src/lib.rs", concat!("#[ign", "ore]\nfn f() {}\n")), [1]);
        assert_eq!(lines("api/src/lib.rs", "#[ignore = \"takes an hour; run it by hand\"]\n"), [0; 0]);
    }

    #[test]
    fn machines_and_registries_are_found_in_any_text() {
        for (head, tail) in MACHINES {
            assert_eq!(lines("docs/a.md", &format!("see\n{head}{tail}\n")), [2], "{head}{tail}");
            assert_eq!(lines("Cargo.lock", &format!("{head}{tail}\n")), [0; 0]);
        }
        assert_eq!(lines("README.md", "https://docs.rs/rhai and https://rhai.rs\n"), [0; 0]);
    }

    #[test]
    fn references_to_absent_documents_are_found() {
        let (head, tail) = ABSENT_DOCUMENTS[0];
        assert_eq!(lines("store/src/lib.rs", &format!("//! Tasks.\n//! ({head}{tail}5).\n")), [2]);
        assert_eq!(lines("docs/a.md", "See the specification, §5.\n"), [0; 0]);
    }

    #[test]
    fn error_codes_are_numbers_only_where_defined_or_tested() {
        let text =
            "// -32602 is said in prose.\nlet code = -32602;\nlet code = -32_020;\nlet code = -3260;\n";
        assert_eq!(lines("server/src/rpc.rs", text), [2, 3]);
        for path in ["api/src/error.rs", "tests/tests/system/frames.rs", "client/tests/error.rs"] {
            assert_eq!(lines(path, text), [0; 0], "{path}");
        }
        assert_eq!(lines("server/src/rpc.rs", "mod tests {\n    assert_eq!(code, -32602);\n}\n"), [0; 0]);
        assert_eq!(lines("server/src/rpc.rs", "let range = -326000..-3;\n"), [0; 0]);
    }
}

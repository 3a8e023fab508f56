//! One name, one value: constants of a crate.

use std::collections::BTreeMap;

use super::{Finding, Source};
use crate::lex::Language;

/// A constant with its name, its value and the comment above it.
#[derive(Debug, PartialEq, Eq)]
struct Constant<'a> {
    source: &'a Source,
    line: usize,
    name: &'a str,
    /// Without spaces, of which rustfmt decides.
    value: String,
    comment: String,
}

/// Finds constants of one name that have different values in two files of one crate, unless a comment above one of them
/// names the other one's file and so says why.
pub(super) fn two_values(sources: &[Source]) -> Vec<Finding> {
    let mut by_name: BTreeMap<(&str, &str), Vec<Constant<'_>>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is("rs") && !source.is_golden()) {
        // Tests stand last, and in files of their own.
        let Some((crate_folder, _)) = source.path.split_once("/src/").filter(|_| !is_test(source)) else {
            continue;
        };
        for constant in constants(source) {
            by_name.entry((crate_folder, constant.name)).or_default().push(constant);
        }
    }
    by_name.values().filter_map(|constants| difference(constants)).collect()
}

fn is_test(source: &Source) -> bool {
    source.path.ends_with("/tests.rs") || source.path.contains("/tests/")
}

fn difference(constants: &[Constant<'_>]) -> Option<Finding> {
    let (first, others) = constants.split_first()?;
    let other = others.iter().find(|other| other.value != first.value && other.source != first.source)?;
    let says_why = |one: &Constant<'_>, other: &Constant<'_>| {
        let file = other.source.path.rsplit('/').next().unwrap_or_default();
        one.comment.contains(file)
    };
    let is_explained = others.iter().any(|other| says_why(first, other) || says_why(other, first));
    (!is_explained).then(|| {
        let problem = format!(
            "{} has another value in {}:{}; give one of them another name, or a comment that names the other's file \
             and says why",
            first.name, other.source.path, other.line
        );
        first.source.finding(first.line, problem)
    })
}

/// The constants of a file; those of its unit tests, which stand last, do not count.
fn constants(source: &Source) -> Vec<Constant<'_>> {
    let lexed = Language::Rust.lex(&source.text);
    let end = lexed.bare.find("\nmod tests {").unwrap_or(lexed.bare.len());
    let starts = lexed.bare[..end].match_indices("const ").map(|(at, _)| at);
    starts.filter_map(|at| constant(source, &lexed.code, &lexed.bare, at)).collect()
}

fn constant<'a>(source: &'a Source, code: &str, bare: &str, at: usize) -> Option<Constant<'a>> {
    let rest = bare.get(at..)?;
    let name = source.text.get(at..)?.strip_prefix("const ")?;
    let name = name.get(..name.find(|char: char| !matches!(char, 'A'..='Z' | '0'..='9' | '_'))?)?;
    // Otherwise it is a function, a parameter, or a constant without a name.
    if name.len() < 2 || !bare.get(at + "const ".len() + name.len()..)?.starts_with(':') {
        return None;
    }
    let equals = rest.find(" = ")?;
    let value = code.get(at + equals + 3..at + equals + value_length(rest.get(equals..)?)?)?;
    let line = source.line_of(at);
    let before: Vec<&str> = source.text.lines().take(line).collect();
    if is_of_a_trait(&before) {
        return None;
    }
    let comment = before.iter().rev().skip(1).take_while(|line| line.trim_start().starts_with("//"));
    Some(Constant {
        source,
        line,
        name,
        value: value.split_whitespace().collect(),
        comment: comment.copied().collect(),
    })
}

/// Whether the last of these lines stands in an implementation of a trait: there each type has a value of its own.
fn is_of_a_trait(lines: &[&str]) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some((last, before)) = lines.split_last() else { return false };
    let mut outer = before.iter().rev().filter(|line| !line.trim().is_empty() && indent(line) < indent(last));
    outer.next().is_some_and(|line| line.trim_start().starts_with("impl") && line.contains(" for "))
}

/// Up to the semicolon that stands in no brackets.
fn value_length(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    rest.char_indices().find_map(|(at, char)| {
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => return Some(at),
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::source, *};

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| source(path, text)).collect();
        two_values(&sources).iter().map(Finding::to_string).collect()
    }

    const RETRY: &str = "/// Pause.\npub const RETRY: u8 = 1;\n";

    #[test]
    fn constant_with_two_values_in_a_crate_is_found() {
        let findings = found(&[("a/src/one.rs", RETRY), ("a/src/b/two.rs", "const RETRY: u8 = 2;\n")]);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].starts_with("a/src/one.rs:2: RETRY has another value in a/src/b/two.rs:1"),
            "{findings:?}"
        );
        let text = "const WORDS: &[&str] = &[\"a;\", \"b\"];\n";
        let other = "const WORDS: &[&str] = &[\"a;\", \"c\"];\n";
        assert_eq!(found(&[("a/src/one.rs", text), ("a/src/two.rs", other)]).len(), 1);
    }

    #[test]
    fn constants_may_differ_between_crates_and_for_a_reason() {
        for (path, text) in [
            ("a/src/two.rs", "const RETRY: u8 =\n    1;\n"),
            ("b/src/two.rs", "const RETRY: u8 = 2;\n"),
            ("a/tests/two.rs", "const RETRY: u8 = 2;\n"),
            ("a/src/two/tests.rs", "const RETRY: u8 = 2;\n"),
            ("a/src/two.rs", "/// Longer than in `one.rs`, since\n/// it can.\nconst RETRY: u8 = 2;\n"),
            ("a/src/two.rs", "// const RETRY: u8 = 2;\nconst OTHER: u8 = 2;\n"),
            ("a/src/two.rs", "impl Pause for B {\n    const RETRY: u8 = 2;\n}\n"),
            ("a/src/two.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    const RETRY: u8 = 2;\n}\n"),
            ("a/src/two.rs", "struct A<const RETRY: usize>;\nimpl A<2> { const fn a() { let x = 1; } }\n"),
        ] {
            assert_eq!(found(&[("a/src/one.rs", RETRY), (path, text)]), [""; 0], "{text}");
        }
    }
}

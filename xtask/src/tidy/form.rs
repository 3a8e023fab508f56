//! The layout of text files: line ends, line lengths, file lengths.

use super::{Finding, Source};

/// Files with more lines are counted, so that their number does not grow.
pub(super) const ASKED: usize = 400;
/// Files with more lines are refused.
pub(super) const REFUSED: usize = 600;
/// Maximum length of a line. rustfmt keeps code shorter, but does not break comments and strings.
const WIDTH: usize = 120;

/// Checks a file's form.
pub(super) fn form(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let code = source.is("rs") || source.is("lua");
    if code && !source.text.ends_with('\n') {
        findings.push(source.finding(source.text.lines().count(), "end the file with a newline"));
    }
    if source.is("rs") || source.is("md") {
        for (line, text) in source.lines() {
            findings.extend(problem(source, text).map(|problem| source.finding(line, problem)));
        }
    }
    findings
}

fn problem(source: &Source, line: &str) -> Option<String> {
    if line.contains('\t') {
        return Some("indent with spaces, not tabs".to_owned());
    }
    if line.ends_with(char::is_whitespace) {
        return Some("remove the trailing whitespace".to_owned());
    }
    let width = line.chars().count();
    (source.is("rs") && !source.is_golden() && width > WIDTH)
        .then(|| format!("{width} characters; break the line at {WIDTH}"))
}

/// The files of code longer than `above` lines and at most `up_to`.
pub(super) fn long_files(sources: &[Source], above: usize, up_to: usize) -> Vec<Finding> {
    let code = sources.iter().filter(|source| (source.is("rs") || source.is("lua")) && !source.is_golden());
    code.filter_map(|source| {
        let lines = source.text.lines().count();
        let problem = format!("{lines} lines; is it two files? {REFUSED} is the limit");
        (lines > above && lines <= up_to).then(|| source.finding(0, problem))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::source, *};

    fn lines(path: &str, text: &str) -> Vec<usize> {
        form(&source(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn files_end_with_a_newline() {
        assert_eq!(lines("store/src/redis/claim.lua", "return 1\nend"), [2]);
        assert_eq!(lines("store/src/redis/claim.lua", "return 1\nend\n"), [0; 0]);
        assert_eq!(lines("api/src/lib.rs", "fn f() {}"), [1]);
    }

    #[test]
    fn tabs_trailing_spaces_and_long_lines_are_found() {
        assert_eq!(lines("README.md", "a\n\tb\nc \n"), [2, 3]);
        let long = format!("// {}\n", "é".repeat(WIDTH - 3));
        assert_eq!(lines("api/src/lib.rs", &long), [0; 0]);
        assert_eq!(lines("api/src/lib.rs", &format!("//!{long}")), [1]);
        assert_eq!(lines("codegen/tests/golden/a/expected.rs", &format!("//!{long}")), [0; 0]);
        assert_eq!(lines("README.md", &format!("//!{long}")), [0; 0]);
    }

    #[test]
    fn long_files_are_counted_and_very_long_ones_refused() {
        let of = |path: &str, lines: usize| source(path, &"\n".repeat(lines));
        let files = [
            of("a.rs", ASKED),
            of("b.rs", ASKED + 1),
            of("c.rs", REFUSED + 1),
            of("openrpc.json", 9999),
            of("codegen/tests/golden/a/expected.rs", 9999),
        ];
        let found =
            |above, up_to| long_files(&files, above, up_to).into_iter().map(|f| f.path).collect::<Vec<_>>();
        assert_eq!(found(ASKED, REFUSED), ["b.rs"]);
        assert_eq!(found(REFUSED, usize::MAX), ["c.rs"]);
    }
}

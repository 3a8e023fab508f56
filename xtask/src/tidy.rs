//! The project's rules that a program can check and neither cargo nor clippy does.
//!
//! Each rule is a function from texts to [`Finding`]s, so that its tests can feed it what breaks it.

mod constants;
mod dependencies;
mod form;
mod language;
mod layers;
mod links;
pub(crate) mod tree;
mod words;

use std::fmt;

use crate::run::{Result, cargo, output, read, root};

/// A text file of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

/// A breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    /// Counted from 1; 0 is the file as a whole.
    line: usize,
    /// The problem, and what to do about it.
    problem: String,
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn finding(&self, line: usize, problem: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, problem: problem.into() }
    }

    /// The line of a byte of the text.
    fn line_of(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// Whether it is expected output of the generator, which people did not write.
    pub(crate) fn is_golden(&self) -> bool {
        self.path.contains("tests/golden/")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.problem),
            line => write!(f, "{}:{line}: {}", self.path, self.problem),
        }
    }
}

/// How many breaches of a rule are older than it. Each number may only fall.
const HEADLESS_SENTENCES: usize = 0;
const LONG_NAMES: usize = 0;
const LONG_FILES: usize = 13;
const TWO_VALUES: usize = 0;

/// Passes over as many breaches as a constant above allows, and asks for a smaller number when there are fewer.
fn ratchet(name: &str, allowed: usize, findings: Vec<Finding>) -> Vec<Finding> {
    let count = findings.len();
    if count > allowed {
        return findings;
    }
    let problem = format!("only {count} are left: write {count} at {name}");
    let lower = Finding { path: "xtask/src/tidy.rs".to_owned(), line: 0, problem };
    (count < allowed).then_some(lower).into_iter().collect()
}

/// Checks every rule and prints all breaches.
pub(crate) fn tidy() -> Result {
    let tree = tree::read(root())?;
    let findings = findings(&tree)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("tidy found {count} problems")),
    }
}

fn findings(tree: &tree::Tree) -> Result<Vec<Finding>> {
    let metadata = output(&mut cargo("metadata --no-deps --format-version 1"))
        .ok_or("`cargo metadata` failed; run it to see why")?;
    let deny = read(&root().join("deny.toml"))?;
    let mut findings = dependencies::between_crates(&metadata, &deny)?;
    findings.extend(dependencies::unused(&metadata)?);
    findings.extend(form::long_files(&tree.sources, form::REFUSED, usize::MAX));
    let of_all = |rule: fn(&Source) -> Vec<Finding>| tree.sources.iter().flat_map(rule).collect();
    findings.extend(ratchet("HEADLESS_SENTENCES", HEADLESS_SENTENCES, of_all(language::headless_sentences)));
    findings.extend(ratchet("LONG_NAMES", LONG_NAMES, of_all(language::long_names)));
    let long_files = form::long_files(&tree.sources, form::ASKED, form::REFUSED);
    findings.extend(ratchet("LONG_FILES", LONG_FILES, long_files));
    findings.extend(ratchet("TWO_VALUES", TWO_VALUES, constants::two_values(&tree.sources)));
    for source in &tree.sources {
        findings.extend(layers::layers(source));
        findings.extend(words::words(source));
        findings.extend(form::form(source));
        findings.extend(links::links(source, &tree.paths));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn repository_is_tidy() {
        let findings = findings(&tree::read(root()).unwrap()).unwrap();
        let list = findings.iter().map(|finding| format!("{finding}\n")).collect::<String>();
        assert!(findings.is_empty(), "\n{list}");
    }

    #[test]
    fn ratchet_allows_the_number_that_stands_and_no_other() {
        let findings =
            |count| (0..count).map(|line| source("a.rs", "").finding(line, "no")).collect::<Vec<_>>();
        assert_eq!(ratchet("OLD", 2, findings(3)), findings(3));
        assert_eq!(ratchet("OLD", 2, findings(2)), []);
        assert_eq!(ratchet("OLD", 0, findings(0)), []);
        let lower = ratchet("OLD", 2, findings(1));
        assert_eq!(lower.len(), 1);
        assert_eq!(lower[0].problem, "only 1 are left: write 1 at OLD");
    }

    #[test]
    fn finding_names_its_place() {
        let source = source("api/src/lib.rs", "");
        assert_eq!(source.finding(7, "shorten it").to_string(), "api/src/lib.rs:7: shorten it");
        assert_eq!(source.finding(0, "split it").to_string(), "api/src/lib.rs: split it");
    }
}

//! The rules of the house that a machine can check.
//!
//! Each rule is a function from texts to [`Finding`]s, so that its tests can feed it what breaks it.

mod arrows;
mod form;
mod links;
mod tree;
mod words;

use std::fmt;

use crate::run::{Result, cargo, output, root};

/// A text file of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

/// A breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    path: String,
    /// Counted from 1; 0 is the file as a whole.
    line: usize,
    /// What is wrong, and what to do.
    problem: String,
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn finding(&self, line: usize, problem: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, problem: problem.into() }
    }

    fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// What the generator made; nobody wrote it.
    fn is_golden(&self) -> bool {
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

/// Checks every rule and prints all breaches.
pub fn tidy() -> Result {
    let tree = tree::read(root())?;
    for warning in form::long_files(&tree.sources, form::ASKED, form::REFUSED) {
        println!("warning: {warning}");
    }
    let findings = findings(&tree)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("{count} breaches of the rules of the house")),
    }
}

fn findings(tree: &tree::Tree) -> Result<Vec<Finding>> {
    let metadata = output(&mut cargo("metadata --no-deps --format-version 1"))
        .ok_or("`cargo metadata` failed; run it to see why")?;
    let mut findings = arrows::between_crates(&metadata)?;
    findings.extend(form::long_files(&tree.sources, form::REFUSED, usize::MAX));
    for source in &tree.sources {
        findings.extend(words::words(source));
        findings.extend(form::form(source));
        findings.extend(links::links(source, &tree.paths));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_repository_is_tidy() {
        let findings = findings(&tree::read(root()).unwrap()).unwrap();
        let list = findings.iter().map(|finding| format!("{finding}\n")).collect::<String>();
        assert!(findings.is_empty(), "\n{list}");
    }

    #[test]
    fn a_finding_says_where_it_is() {
        let source = source("api/src/lib.rs", "");
        assert_eq!(source.finding(7, "shorten it").to_string(), "api/src/lib.rs:7: shorten it");
        assert_eq!(source.finding(0, "split it").to_string(), "api/src/lib.rs: split it");
    }
}

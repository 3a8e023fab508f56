//! Links between the repository's documents.

use std::collections::BTreeSet;

use super::{Finding, Source};

/// Checks that the files that a Markdown file links to exist.
pub(super) fn links(source: &Source, paths: &BTreeSet<String>) -> Vec<Finding> {
    if !source.is("md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut fenced = false;
    for (line, text) in source.lines() {
        fenced ^= text.trim_start().starts_with("```");
        for target in targets(text).filter(|_| !fenced) {
            let found =
                resolve(&source.path, target).is_some_and(|path| path.is_empty() || paths.contains(&path));
            if !found {
                findings.push(
                    source.finding(line, format!("`{target}` is not in the repository; correct the link")),
                );
            }
        }
    }
    findings
}

/// The files that a line links to: `[text](file)` and `[text]: file`, without links to the web and within the file.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let definition = line.strip_prefix('[').and_then(|rest| Some(rest.split_once("]: ")?.1));
    let targets = inline.chain(definition).filter_map(|target| target.split(['#', ' ']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

/// A link's path from the root; `None` if it leaves the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::source, *};

    fn broken(path: &str, text: &str) -> Vec<String> {
        let paths = ["README.md", "docs", "docs/protocol.md", "openrpc.json"].map(str::to_owned).into();
        links(&source(path, text), &paths).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn links_to_existing_files_pass() {
        for text in [
            "see [it](docs/protocol.md#errors) and [the web](https://docs.rs/rhai)",
            "[`openrpc.json`](openrpc.json), [below](#below), [mail](mailto:a@b.c)",
            "[docs]: docs/\n[web]: https://docs.rs",
            "```\n[no](link.md)\n```",
        ] {
            assert_eq!(broken("README.md", text), [""; 0], "{text}");
        }
        assert_eq!(broken("docs/protocol.md", "[up](../README.md)"), [""; 0]);
    }

    #[test]
    fn broken_links_are_found() {
        for (path, text) in [
            ("README.md", "\nsee [it](docs/gone.md)"),
            ("README.md", "\n[it]: gone.md"),
            ("docs/protocol.md", "\n[up](openrpc.json)"),
            ("docs/protocol.md", "\n[out](../../README.md)"),
            ("README.md", "```\n```[after](gone.md)"),
        ] {
            let findings = broken(path, text);
            assert_eq!(findings.len(), 1, "{text}");
            assert!(findings[0].starts_with(&format!("{path}:2: ")), "{findings:?}");
        }
    }
}

//! Which layer of the worker may know which.

use super::{Finding, Source};
use crate::lex::Language;

/// The layers, the lowest first. A module may import from its own layer and from lower ones.
const LAYERS: [&str; 6] = ["play", "circle", "natives", "packages", "engine", "host"];
/// Layers below this one know no script engine.
const ENGINE_FROM: &str = "natives";
const ROOT: &str = "worker/src/";

/// Checks what a source file of the worker imports.
pub(super) fn layers(source: &Source) -> Vec<Finding> {
    let Some(path) = source.path.strip_prefix(ROOT) else { return Vec::new() };
    let module = path.strip_suffix(".rs").unwrap_or(path);
    let own = module.split('/').next().unwrap_or_default();
    // Modules above the layers, such as `workers.rs`, may import all of them.
    let Some(level) = level(own) else { return Vec::new() };
    let code = Language::Rust.lex(&source.text).bare;
    let depth = module.split('/').count();
    let mut findings = Vec::new();
    for (line, name) in imports(&code, depth) {
        match self::level(name) {
            Some(other) if other <= level => {}
            Some(_) => {
                findings
                    .push(source.finding(line, format!("the layer `{own}` may not know `{name}` above it")));
            }
            None => {
                let problem =
                    format!("`crate::{name}` is of no layer; import it from the module that defines it");
                findings.push(source.finding(line, problem));
            }
        }
    }
    if Some(level) < self::level(ENGINE_FROM) {
        let lines = code.lines().enumerate().filter(|(_, line)| line.contains("rhai::"));
        findings.extend(lines.map(|(index, _)| {
            source.finding(index + 1, format!("the layer `{own}` knows no script engine; leave `rhai` out"))
        }));
    }
    findings
}

fn level(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == name)
}

/// The modules of the crate's root that a text names, each with its line. `depth` is the text's own, from 1.
fn imports(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let root_path = "super::".repeat(depth);
    let mut found = Vec::new();
    for prefix in ["crate::", &root_path] {
        for (at, _) in code.match_indices(prefix) {
            let preceded = code.get(..at).unwrap_or_default().chars().next_back();
            // `circles_crate::x`, or a path that starts further left.
            if preceded.is_some_and(|char| char.is_alphanumeric() || char == '_' || char == ':') {
                continue;
            }
            let start = at + prefix.len();
            for (offset, name) in first_names(code.get(start..).unwrap_or_default()) {
                let line = code.get(..start + offset).unwrap_or_default().matches('\n').count() + 1;
                // Below `super::`, a name that is no layer is of this module.
                if prefix == "crate::" || level(name).is_some() {
                    found.push((line, name));
                }
            }
        }
    }
    found
}

/// The names that a path goes on with: one, or those of a list in braces.
fn first_names(path: &str) -> Vec<(usize, &str)> {
    let Some(list) = path.strip_prefix('{') else {
        return Vec::from_iter(name(path).map(|name| (0, name)));
    };
    let (mut names, mut depth, mut expected) = (Vec::new(), 0, true);
    for (index, char) in list.char_indices() {
        match char {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            char if expected && !char.is_whitespace() => {
                names.extend(list.get(index..).and_then(name).map(|name| (index + 1, name)));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

/// The identifier with which a text begins.
fn name(text: &str) -> Option<&str> {
    let end = text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len());
    text.get(..end).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{super::tests::source, *};

    fn lines(path: &str, text: &str) -> Vec<usize> {
        layers(&source(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn lower_layers_do_not_know_higher_ones() {
        for (path, text) in [
            ("worker/src/play/meter.rs", "use crate::circle::Circle;\n"),
            ("worker/src/circle.rs", "use super::host::Host;\n"),
            ("worker/src/circle/files.rs", "use super::super::natives::Frame;\n"),
            ("worker/src/natives.rs", "use crate::{\n    packages::all,\n    play::Play,\n};\n"),
            ("worker/src/packages/fs.rs", "fn f() { crate::engine::build() }\n"),
            ("worker/src/engine.rs", "use crate::{play::{Play, Stop}, host::Host};\n"),
            ("worker/src/host.rs", "use crate::Metrics;\n"),
        ] {
            assert_eq!(lines(path, text).len(), 1, "{path}: {text}");
        }
        assert_eq!(
            lines("worker/src/natives.rs", "use crate::{\n    play::Play,\n    host::Host,\n};\n"),
            [3]
        );
    }

    #[test]
    fn higher_layers_know_lower_ones() {
        for (path, text) in [
            (
                "worker/src/host/policy.rs",
                "use super::outcome;\nuse crate::{engine::Script, play::{self, Play}};\n",
            ),
            ("worker/src/circle/session.rs", "// crate::host\nuse crate::play::Play;\n"),
            ("worker/src/play.rs", "mod tests {\n    use super::*;\n}\n"),
            ("worker/src/workers.rs", "use crate::{Host, Metrics, play};\n"),
            ("server/src/rpc.rs", "use crate::host;\n"),
        ] {
            assert_eq!(lines(path, text), [0; 0], "{path}: {text}");
        }
    }

    #[test]
    fn layers_below_natives_know_no_engine() {
        for (path, findings) in [("play/meter.rs", 1), ("circle/files.rs", 1), ("natives/sort.rs", 0)] {
            assert_eq!(
                lines(&format!("worker/src/{path}"), "use rhai::Dynamic;\n").len(),
                findings,
                "{path}"
            );
        }
    }
}

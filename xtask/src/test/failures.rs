//! Collects failed tests from the output of cargo and of the test harness.

use std::mem;

/// Cargo prints this behind the failed tests of a target, followed by the flags that select the target.
const RERUN: &str = "to rerun pass `";

/// Failed tests by target.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// For each target: the cargo flags that select it, and its failed tests.
    targets: Vec<(String, Vec<String>)>,
    /// Failed tests of the target that is running.
    names: Vec<String>,
    lists: bool,
}

impl Failures {
    /// Reads a line of output.
    pub(super) fn observe(&mut self, line: &str) {
        let line = plain(line);
        if let Some((_, rest)) = line.split_once(RERUN)
            && let Some((target, _)) = rest.split_once('`')
        {
            self.targets.push((target.to_owned(), mem::take(&mut self.names)));
        }
        // The harness lists the names below the last such line; tests may print one too.
        if line == "failures:" {
            self.names.clear();
        }
        let name = line.strip_prefix("    ").filter(|name| self.lists && !name.starts_with(' '));
        self.names.extend(name.map(str::to_owned));
        self.lists = line == "failures:" || name.is_some();
    }

    /// The commands that run these tests again, with flags such as `--release`.
    pub(super) fn commands(self, profile: &[String]) -> Vec<String> {
        let command = |(target, names): (String, Vec<String>)| {
            let flags: String = profile.iter().map(|flag| format!("{flag} ")).collect();
            let names: String = names.iter().map(|name| format!(" {}", quoted(name))).collect();
            let exact = if names.is_empty() { "" } else { " -- --exact" };
            format!("  cargo xtask test -- {flags}{target}{exact}{names}")
        };
        self.targets.into_iter().map(command).collect()
    }
}

/// A line without its end and without colours.
fn plain(line: &str) -> String {
    let mut parts = line.trim_end().split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// Quotes a name for a shell: names of documentation tests have spaces and brackets.
fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:/.-".contains(letter));
    if is_plain { name.to_owned() } else { format!("'{name}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(output: &str, profile: &[&str]) -> Vec<String> {
        let mut failures = Failures::default();
        output.split_inclusive('\n').for_each(|line| failures.observe(line));
        failures.commands(&profile.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn failed_tests_are_listed_with_commands_that_repeat_them() {
        let output = "\
     Running tests/system/main.rs (target/debug/deps/system-0123)

running 3 tests
test plays::one ... ok
test plays::two ... FAILED
test plays::three ... FAILED

failures:

---- plays::two stdout ----

thread 'plays::two' panicked at tests/a.rs:1:1:
failures:
    --> a rest of what it printed

---- plays::three stdout ----
    plays::never

failures:
    plays::two
    plays::three

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s

\u{1b}[1m\u{1b}[31merror\u{1b}[0m: test failed, to rerun pass `-p circles-tests --test system`
     Running unittests src/lib.rs (target/debug/deps/xtask-0123)
test result: ok. 1 passed; 0 failed
   Doc-tests circles_store

failures:
    store/src/lib.rs - Store (line 12)

error: doctest failed, to rerun pass `-p circles-store --doc`
error: test failed, to rerun pass `-p circles-worker-lib --lib`

Caused by:
  process didn't exit successfully (signal: 6, SIGABRT: process abort signal)
";
        assert_eq!(
            commands(output, &[]),
            [
                "  cargo xtask test -- -p circles-tests --test system -- --exact plays::two plays::three",
                "  cargo xtask test -- -p circles-store --doc -- --exact 'store/src/lib.rs - Store (line 12)'",
                "  cargo xtask test -- -p circles-worker-lib --lib",
            ]
        );
    }

    #[test]
    fn failed_build_lists_no_tests() {
        assert_eq!(commands("error: could not compile `circles-store`\n", &[]), [""; 0]);
    }

    #[test]
    fn failed_tests_of_a_release_build_are_repeated_on_release() {
        let output = "failures:\n    a\n\nerror: test failed, to rerun pass `--lib`\n";
        assert_eq!(commands(output, &["--release"]), ["  cargo xtask test -- --release --lib -- --exact a"]);
    }
}

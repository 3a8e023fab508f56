//! Starting programs, and the project's directories.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The result of a task; its error is a sentence for the user.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The directory that cargo builds in.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        // A relative path starts at the directory that cargo was called in, which is also this program's.
        Some(directory) => std::path::absolute(&directory).unwrap_or_else(|_| directory.into()),
        None => root().canonicalize().unwrap_or_else(|_| root().into()).join("target"),
    }
}

/// The cargo that runs us, in the root of the repository.
pub(crate) fn cargo(words: &str) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(words.split_whitespace()).current_dir(root());
    command
}

/// Runs a program to its end; anything but success is a failure.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// Runs the tests that `cargo test` selects with these words, one at a time, and shows what they print.
///
/// A selection without tests is a failure: the test has another name now.
pub(crate) fn run_tests(words: &str, variables: &[(&str, String)]) -> Result {
    let mut list = cargo(words);
    let listed = output(list.args(["--", "--list"])).ok_or_else(|| format!("`{}` failed", shown(&list)))?;
    if !listed.lines().any(|line| line.ends_with(": test")) {
        return Err(format!("`{}` lists no test", shown(&list)));
    }
    let mut tests = cargo(words);
    // Each loads the whole machine.
    tests.args(["--", "--nocapture", "--test-threads", "1"]);
    run(tests.envs(variables.iter().map(|(name, value)| (name, value))))
}

/// Whether a program starts and succeeds. Its output is discarded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The standard output of a program; `None` if it does not start or does not succeed.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a text file, and the directory it lies in.
pub(crate) fn write(path: &Path, text: &str) -> Result {
    let directory = path.parent().unwrap_or(root());
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_program_is_named_with_its_arguments() {
        let failure = run(Command::new("false").arg("argument")).unwrap_err();
        assert!(failure.starts_with("`false argument` failed"), "{failure}");
        let missing = run(&mut Command::new("/nowhere/program")).unwrap_err();
        assert!(missing.starts_with("program: "), "{missing}");
        assert_eq!(run(&mut Command::new("true")), Ok(()));
    }
}

//! The command line `circles`.

use std::{io::Write as _, path::Path, process::Stdio};

use circles_tests::{Program, binary, run, soon, unused_address};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::programs::{server, started};

/// The command line, with its own configuration directory.
pub(crate) fn circles(directory: &Path, url: &str) -> Command {
    let mut command = Command::new(binary("circles"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CIRCLES_")) {
        command.env_remove(name);
    }
    command.env("CIRCLES_CONFIG_DIR", directory.join("config")).env("CIRCLES_URL", url);
    command
}

/// A server that requires sessions, in a temporary directory.
pub(crate) async fn world() -> (tempfile::TempDir, Program, String) {
    let directory = tempfile::tempdir().unwrap();
    let (program, url) = started(server(directory.path()).arg("--auth")).await;
    (directory, program, url)
}

#[tokio::test]
async fn first_play_creates_a_key_and_prints_the_result() {
    use std::os::unix::fs::PermissionsExt as _;

    let (directory, _server, url) = world().await;
    let (code, stdout, stderr) = run(circles(directory.path(), &url).args(["play", "-e", "40 + 2"])).await;
    assert_eq!((code, stdout.as_str()), (0, "42\n"), "{stderr}");
    let keys: Vec<_> =
        std::fs::read_dir(directory.path().join("config")).unwrap().map(Result::unwrap).collect();
    assert!(!keys.is_empty());
    for key in keys {
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", key.path());
    }
    // The key is kept: the script sees the same caller.
    let (_, first, _) = run(circles(directory.path(), &url).args(["play", "-e", "CALLER"])).await;
    let (_, second, _) = run(circles(directory.path(), &url).args(["play", "-e", "CALLER"])).await;
    assert_eq!((first.len(), &first), (67, &second));
}

#[tokio::test]
async fn log_goes_to_stderr_and_result_to_stdout() {
    let (directory, _server, url) = world().await;
    let mut command = circles(directory.path(), &url);
    let (code, stdout, stderr) = run(command.args(["play", "-e", r#"print("hello"); 1"#])).await;
    assert_eq!((code, stdout.as_str()), (0, "1\n"));
    assert!(stderr.contains("hello"), "{stderr}");
}

#[tokio::test]
async fn script_is_read_from_file_and_stdin() {
    let (directory, _server, url) = world().await;
    let path = directory.path().join("script.rhai");
    std::fs::File::create(&path).unwrap().write_all(b"ARGS.a * 2").unwrap();
    let mut command = circles(directory.path(), &url);
    let (code, stdout, stderr) = run(command.arg("play").arg(&path).args(["--args", r#"{"a":21}"#])).await;
    assert_eq!((code, stdout.as_str()), (0, "42\n"), "{stderr}");

    let mut command = circles(directory.path(), &url);
    command.args(["play", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"6 * 7").await.unwrap();
    let output = soon(child.wait_with_output()).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "42\n");
}

#[tokio::test]
async fn script_error_shows_its_line_and_exits_with_1() {
    let (directory, _server, url) = world().await;
    let mut command = circles(directory.path(), &url);
    let (code, stdout, stderr) = run(command.args(["play", "-e", "let a = 1;\n  nonsense(a)"])).await;
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("nonsense(a)") && stderr.contains('^'), "{stderr}");
    let mut command = circles(directory.path(), &url);
    let (code, ..) = run(command.args(["play", "-e", "loop {}", "--timeout", "100ms"])).await;
    assert_eq!(code, 1);
}

#[tokio::test]
async fn json_flag_prints_the_whole_result() {
    let (directory, _server, url) = world().await;
    let mut command = circles(directory.path(), &url);
    let (code, stdout, _) = run(command.args(["play", "--json", "-e", "#{ a: 1 }"])).await;
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &result["value"]), (0, &json!({ "a": 1 })));
    assert!(result["task_id"].is_string());
}

#[tokio::test]
async fn usage_errors_exit_with_2_and_connection_errors_with_3() {
    let (directory, _server, url) = world().await;
    for args in [
        &["play"][..],
        &["play", "-e", "1", "--args", "{"],
        &["play", "/no/such/file"],
        &["play", "-e", "1", "--timeout", "soon"],
        &["nonsense"],
        &["--url", "ftp://x", "whoami"],
    ] {
        let (code, stdout, stderr) = run(circles(directory.path(), &url).args(args)).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(!stderr.is_empty() && !stderr.contains("panicked"), "{args:?}: {stderr}");
    }
    // A port that was free a moment ago: no process listens there.
    let free = std::net::TcpListener::bind(unused_address(6)).unwrap().local_addr().unwrap();
    let (code, _, stderr) =
        run(circles(directory.path(), &format!("ws://{free}")).args(["play", "-e", "1"])).await;
    assert_eq!(code, 3, "{stderr}");
    let (code, _, stderr) =
        run(circles(directory.path(), &url).args(["--anonymous", "play", "-e", "1"])).await;
    assert_eq!(code, 3, "{stderr}");
}

#[tokio::test]
async fn whoami_and_discover_print_answers() {
    let (directory, _server, url) = world().await;
    let (code, stdout, stderr) = run(circles(directory.path(), &url).arg("whoami")).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(url.rsplit('/').next().unwrap()), "{stdout}");
    let (code, stdout, _) = run(circles(directory.path(), &url).arg("discover")).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &document["info"]["title"]), (0, &json!("Circles")));
}

#[tokio::test]
async fn generated_key_is_kept_and_not_overwritten() {
    let (directory, _server, url) = world().await;
    let path = directory.path().join("new.key");
    let generate = || {
        let mut command = circles(directory.path(), &url);
        command.arg("keygen").arg("--out").arg(&path);
        command
    };
    let (code, ..) = run(&mut generate()).await;
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!((code, before.len()), (0, 65));
    let (code, _, stderr) = run(&mut generate()).await;
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    let mut command = circles(directory.path(), &url);
    let (_, caller, _) = run(command.arg("--key").arg(&path).args(["play", "-e", "CALLER"])).await;
    let key: circles_auth::SecretKey = before.trim().parse().unwrap();
    assert_eq!(caller.trim(), key.public_key().to_string());
}

#[tokio::test]
async fn directory_is_refused_as_key_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let (directory, _server, url) = world().await;
    let place = directory.path().join("keys");
    std::fs::create_dir(&place).unwrap();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = place.to_str().unwrap();
    for line in
        [&["keygen", "--out", path][..], &["keygen", "--force", "--out", path], &["--key", path, "whoami"]]
    {
        let (code, stdout, stderr) = run(circles(directory.path(), &url).args(line)).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{line:?}: {stderr}");
        assert!(stderr.contains(&format!("{path} is a directory")), "{line:?}: {stderr}");
    }
    // A shell does not expand this ~.
    let mut command = circles(directory.path(), &url);
    let (code, _, stderr) = run(command.arg("keygen").arg("--out=~/a.key").current_dir(&place)).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--out") && stderr.contains("~ is not expanded"), "{stderr}");
    let mut command = circles(directory.path(), &url);
    let (code, _, stderr) =
        run(command.arg("whoami").env("CIRCLES_CONFIG_DIR", "~/x").current_dir(&place)).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("CIRCLES_CONFIG_DIR"), "{stderr}");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
}

#[tokio::test]
async fn argument_values_may_begin_with_a_hyphen() {
    let (directory, _server, url) = world().await;
    for (line, expected) in [
        (&["play", "-e", "-1"][..], "-1\n"),
        (&["play", "-e", "ARGS - 1", "--args", "-5"], "-6\n"),
        (&["play", "-e", "-(-1)"], "1\n"),
    ] {
        let (code, stdout, stderr) = run(circles(directory.path(), &url).args(line)).await;
        assert_eq!((code, stdout.as_str()), (0, expected), "{line:?}: {stderr}");
    }
}

#[tokio::test]
async fn empty_environment_variables_count_as_unset() {
    let (directory, _server, url) = world().await;
    let mut command = circles(directory.path(), &url);
    command.env("CIRCLES_CIRCLE", "").env("CIRCLES_KEY_FILE", "").env("RUST_LOG", "").env("NO_COLOR", "");
    let (code, stdout, stderr) = run(command.args(["play", "-e", "40 + 2"])).await;
    assert_eq!((code, stdout.as_str()), (0, "42\n"), "{stderr}");
    // The default address, on which no process should listen.
    let mut command = circles(directory.path(), "");
    let (_, _, stderr) = run(command.args(["play", "--help"])).await;
    assert_eq!(stderr, "");
    let mut command = circles(directory.path(), &url);
    let (code, _, stderr) = run(command.env("RUST_LOG", "circles=verbose").arg("whoami")).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.starts_with("error: RUST_LOG: expected levels"), "{stderr}");
}

#[tokio::test]
async fn repl_plays_line_by_line_and_continues_after_errors() {
    let (directory, _server, url) = world().await;
    let mut command = circles(directory.path(), &url);
    command
        .arg("repl")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"40 + 2\nnonsense\nif true {\n  7\n}\n:quit\n").await.unwrap();
    drop(stdin);
    let output = soon(child.wait_with_output()).await.unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(stdout.contains("42") && stdout.contains('7'), "{stdout}\n{stderr}");
    assert!(stderr.contains("nonsense"), "{stdout}\n{stderr}");
}

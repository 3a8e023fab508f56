//! The REPL of the command line, on a terminal and with piped input.

use std::{path::Path, process::Stdio};

use circles_tests::{Terminal, soon};
use tokio::io::AsyncWriteExt as _;

use crate::cli::{circles, world};

/// Plays `input`, and returns exit code, standard output and standard error.
async fn piped(directory: &Path, url: &str, input: &[u8]) -> (i32, String, String) {
    let mut command = circles(directory, url);
    command
        .arg("repl")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The pipe breaks if the REPL ends before it has read everything.
    let _ = stdin.write_all(input).await;
    drop(stdin);
    let output = soon(child.wait_with_output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A REPL on a terminal, at its first prompt.
async fn at_terminal(directory: &Path, url: &str) -> Terminal {
    let mut terminal = Terminal::start(circles(directory, url).arg("repl"));
    terminal.wait_for("> ").await;
    terminal
}

#[tokio::test]
async fn repl_plays_lines_typed_ahead() {
    let (directory, _server, url) = world().await;
    let mut terminal = at_terminal(directory.path(), &url).await;
    terminal.type_keys("400 + 2\r500 + 3\r");
    terminal.wait_for("402\r\n").await;
    terminal.wait_for("503\r\n").await;
    // The same while a play runs, which waits for a file of the test.
    terminal.type_keys("while !fs::exists(\"go\") { sleep(0.01); } 600 + 4\r");
    terminal.wait_for("600 + 4").await;
    terminal.type_keys("700 + 5\r{\r800 + 6\r}\r:quit\r");
    let circle = url.rsplit('/').next().unwrap();
    std::fs::write(directory.path().join("data").join(circle).join("files/go"), "").unwrap();
    for value in ["604\r\n", "705\r\n", "806\r\n"] {
        terminal.wait_for(value).await;
    }
    assert_eq!(terminal.ended().await.0, 0);
}

#[tokio::test]
async fn repl_plays_pasted_lines_without_paste_marks() {
    let (directory, _server, url) = world().await;
    let mut terminal = at_terminal(directory.path(), &url).await;
    // More than a terminal buffers in one line, and than the editor reads at once.
    let lines: String = (0..300).map(|n| format!("{n} + 100000; // {}\r", "-".repeat(20))).collect();
    for part in lines.as_bytes().chunks(700) {
        terminal.type_keys(str::from_utf8(part).unwrap());
    }
    for n in 0..300 {
        terminal.wait_for(&format!("{}\r\n", 100_000 + n)).await;
    }
    // Once the editor is in raw mode, Ctrl-D is a key.
    terminal.wait_for("\u{1b}[?2004h").await;
    terminal.type_keys("\u{4}");
    assert_eq!(terminal.ended().await.0, 0);
}

#[tokio::test]
async fn interrupt_cancels_play_and_not_repl() {
    let (directory, _server, url) = world().await;
    let mut terminal = at_terminal(directory.path(), &url).await;
    terminal.type_keys("log::info(\"x\"); loop { sleep(1); }\r");
    // Once the editor has left raw mode, Ctrl-C is a signal.
    terminal.wait_for("\u{1b}[?2004l").await;
    terminal.type_keys("\u{3}");
    terminal.wait_for("cancelled").await;
    terminal.type_keys("40 + 2\r");
    terminal.wait_for("42\r\n").await;
    terminal.type_keys(":quit\r");
    assert_eq!(terminal.ended().await.0, 0);
}

#[tokio::test]
async fn failed_piped_entries_set_the_exit_code() {
    let (directory, _server, url) = world().await;
    let here = directory.path();
    for (input, code, out, err) in [
        ("40 + 2\n", 0, "42\n", ""),
        ("40 + 2", 0, "42\n", ""),
        ("\u{feff}40 + 2\r\n\r\n", 0, "42\n", ""),
        ("", 0, "", ""),
        ("throw 7\n40 + 2\n", 1, "42\n", "script:1:1: 7"),
        ("nonsense\n", 1, "", "nonsense"),
        (":nonsense\n1\n", 2, "1\n", ":nonsense"),
        ("1\n:quit\nthrow 2\n", 0, "1\n", ""),
        ("1\nif true {\n  2\n", 1, "1\n", "the input ends within the entry that begins on line 2"),
        ("let s = `a\n", 1, "", "the input ends within the entry that begins on line 1"),
        ("don't\n1\n", 1, "1\n", "script:1:"),
    ] {
        let (found, stdout, stderr) = piped(here, &url, input.as_bytes()).await;
        assert_eq!((found, stdout.as_str()), (code, out), "{input:?}: {stderr}");
        assert!(stderr.contains(err), "{input:?}: {stderr}");
        assert_eq!(stderr.contains("error: "), code != 0, "{input:?}: {stderr}");
    }
    let (code, stdout, stderr) = piped(here, &url, b"1\n\xff\xfe\n2\n").await;
    assert_eq!((code, stdout.as_str()), (2, "1\n"), "{stderr}");
    assert!(stderr.contains("standard input: line 2: "), "{stderr}");
    let (code, _, stderr) = piped(here, &url, &vec![b'('; (1 << 20) + 1]).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("longer than"), "{stderr}");
}

//! The server as a user starts it.

use std::{path::Path, time::Duration};

use circles_api::codes;
use circles_tests::{Program, Raw, binary, end, run, until, unused_address};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

pub(crate) fn server(directory: &Path) -> Command {
    server_at(directory, 0)
}

/// The command of a server with its shared listener at this port.
pub(crate) fn server_at(directory: &Path, port: u16) -> Command {
    let mut command = Command::new(binary("circles-server"));
    command
        .args(["--port", &port.to_string(), "--data-dir"])
        .arg(directory.join("data"))
        .env_remove("RUST_LOG");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CIRCLES_")) {
        command.env_remove(name);
    }
    command
}

/// Starts a server, and returns it with the URL of its circle.
pub(crate) async fn started(command: &mut Command) -> (Program, String) {
    let mut server = Program::start(command);
    let Some(line) = server.line().await else {
        panic!("the server did not start: {}", server.ended().await.1);
    };
    let words: Vec<_> = line.split(' ').collect();
    assert_eq!((words.len(), words[0]), (3, "circle"), "{line}");
    assert!(words[2].starts_with("ws://127.") && words[2].ends_with(words[1]), "{line}");
    (server, words[2].to_owned())
}

#[tokio::test]
async fn server_without_flags_creates_and_keeps_a_circle() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let (first, url) = started(&mut server(directory.path())).await;
    let circle = Raw::connect(&url).await.call("whoami", json!([])).await.unwrap()["circle"].clone();
    first.signal("TERM").await;
    assert_eq!(first.ended().await.0, 0);

    let key = directory.path().join("data/circle.key");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    let (_second, url) = started(&mut server(directory.path())).await;
    assert!(url.ends_with(circle.as_str().unwrap()), "{url}");
}

#[tokio::test]
async fn stdout_lists_named_circles_in_order_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let names: Vec<_> =
        ["bob", "ana"].map(|name| circles_tests::secret_key(name).public_key().to_string()).into();
    let mut command = server(directory.path());
    command.args(["-k", &names[0], "-k", &names[1]]);
    let mut server = Program::start(&mut command);
    for name in &names {
        assert!(server.line().await.unwrap().starts_with(&format!("circle {name} ws://")));
    }
    server.signal("INT").await;
    assert_eq!(server.line().await, None);
    assert_eq!(server.ended().await.0, 0);
}

#[tokio::test]
async fn failed_start_prints_one_sentence_and_exits_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (args, part) in [
        (vec!["--port", &port], "--port"),
        (vec!["--host", "0.0.0.0"], "--auth"),
        (vec!["--host", "no such host"], "--host"),
        (vec!["-k", "02"], "--circle"),
        (vec!["-k", &format!("02{:064x}", 5)], "--circle"),
        (vec!["--task-timeout", "0s"], "--task-timeout"),
        (vec!["--data-dir", file.to_str().unwrap()], "--data-dir"),
        (vec!["--data-dir", "~/circles"], "~ is not expanded here"),
        (vec!["--allow-origin", "x"], "--allow-origin"),
        (vec!["--public-url", "ws://x/y"], "--public-url"),
    ] {
        let mut command = Command::new(binary("circles-server"));
        let data = directory.path().join("data");
        if !args.contains(&"--data-dir") {
            command.arg("--data-dir").arg(&data);
        }
        if !args.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        let (code, stdout, stderr) = run(command.args(&args)).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(part), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[tokio::test]
async fn printed_url_is_reachable_on_any_listen_address() {
    for (host, expected) in [("0.0.0.0", "ws://127.0.0.1:"), ("::", "ws://[::1]:")] {
        let directory = tempfile::tempdir().unwrap();
        let mut server = Program::start(server(directory.path()).args(["--auth", "--host", host]));
        let Some(line) = server.line().await else { panic!("{}", server.ended().await.1) };
        let url = line.split(' ').nth(2).unwrap();
        assert!(url.starts_with(expected), "{line}");
        let mut raw = Raw::connect(url).await;
        raw.log_in(&circles_tests::secret_key("ana")).await;
        assert_eq!(raw.play("40 + 2").await, Ok(json!(42)));
    }
}

#[tokio::test]
async fn key_file_readable_by_others_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let key = data.join("circle.key");
    std::fs::write(&key, format!("{:064x}\n", 7)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, stderr) = run(&mut server(directory.path())).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("chmod 600"), "{stderr}");
}

#[tokio::test]
async fn running_play_finishes_in_grace_and_server_exits_0() {
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = started(server(directory.path()).args(["--workers", "1"])).await;
    let mut raw = Raw::connect(&url).await;
    let call = raw.request("play", json!([r#"sleep(0.5); 42"#]));
    raw.send(call).await;
    running(&url, 1).await;
    server.signal("TERM").await;
    let answer = raw.receive().await.unwrap();
    assert_eq!(answer["result"]["value"], 42, "{answer}");
    assert_eq!(server.ended().await.0, 0);
}

#[tokio::test]
async fn second_signal_exits_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let host = unused_address(7).ip().to_string();
    let (mut server, url) = started(server(directory.path()).args(["--grace", "1h", "--host", &host])).await;
    let mut raw = Raw::connect(&url).await;
    let call = raw.request("play", json!(["loop {}", null, 600_000]));
    raw.send(call).await;
    let identity = raw.request("whoami", json!([]));
    raw.ask(identity).await;
    server.signal("TERM").await;
    // The server refuses new connections once it has handled the first signal; signals sent before could merge.
    let address = url.trim_start_matches("ws://").split('/').next().unwrap().to_owned();
    until(async || tokio::net::TcpStream::connect(&address).await.is_err()).await;
    server.signal("TERM").await;
    assert!(server.ends_within(Duration::from_secs(20)).await);
}

/// Waits until this number of anonymous plays run.
pub(crate) async fn running(url: &str, count: usize) {
    let mut raw = Raw::connect(url).await;
    until(async || {
        let page = raw.call("tasks", json!({ "state": "running" })).await.unwrap();
        page["tasks"].as_array().unwrap().len() == count
    })
    .await;
}

#[tokio::test]
async fn draining_server_answers_each_call() {
    let directory = tempfile::tempdir().unwrap();
    let (program, url) = started(server(directory.path()).args(["--grace", "10ms", "--workers", "4"])).await;
    let mut raw = Raw::connect(&url).await;
    let script = r#"print("begun"); while !fs::exists("go") { sleep(0.01) } db::incr("runs")"#;
    let keyed = json!({ "script": script, "idempotency_key": "k" });
    let calls = [
        raw.request("play", json!({ "script": script })),
        raw.request("play", keyed.clone()),
        raw.request("submit", json!({ "script": script })),
    ];
    raw.send(&*calls[0]).await;
    raw.send(&*calls[1]).await;
    let id = raw.ask(&*calls[2]).await["result"]["task_id"].take();
    let mut watcher = Raw::connect(&url).await;
    watcher.call("watch_play", json!({ "script": script })).await.unwrap();
    running(&url, 4).await;
    program.signal("TERM").await;
    let mut answers = [raw.receive().await.unwrap(), raw.receive().await.unwrap()];
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(answers[0]["error"]["code"], codes::CANCELLED, "{answers:?}");
    assert_eq!(answers[1]["error"]["code"], codes::BACKEND_UNAVAILABLE, "{answers:?}");
    assert!(answers[1]["error"]["data"]["retry_after_ms"].is_u64(), "{answers:?}");
    assert_eq!(end(&mut watcher).await["error"]["code"], codes::CANCELLED);
    assert_eq!(program.ended().await.0, 0);
    // The next server runs the submitted task, and the keyed call when it is repeated. The other plays left nothing.
    let (_next, url) = started(&mut server(directory.path())).await;
    let mut raw = Raw::connect(&url).await;
    let files = directory.path().join("data").join(url.rsplit('/').next().unwrap()).join("files");
    std::fs::write(files.join("go"), "").unwrap();
    let task = raw.call("task", json!([id, 30_000])).await.unwrap();
    assert_eq!(task["result"]["value"], 1, "{task}");
    assert_eq!(raw.call("play", keyed).await.unwrap()["value"], 2);
}

/// Ends a server with a signal while it runs a submitted script; the next server runs it from the beginning.
async fn outlives(signal: &str) {
    let directory = tempfile::tempdir().unwrap();
    let (mut first, url) = started(server(directory.path()).args(["--grace", "10ms"])).await;
    let mut raw = Raw::connect(&url).await;
    let submitted = json!([r#"let n = db::incr("runs"); sleep(1.5); n"#]);
    let id = raw.call("submit", submitted).await.unwrap()["task_id"].take();
    running(&url, 1).await;
    first.signal(signal).await;
    assert!(first.ends_within(Duration::from_secs(30)).await);
    let (_second, url) = started(&mut server(directory.path())).await;
    let mut raw = Raw::connect(&url).await;
    let task = raw.call("task", json!([id, 30_000])).await.unwrap();
    // The first run left nothing.
    assert_eq!((&task["state"], &task["result"]["value"]), (&json!("succeeded"), &json!(1)), "{task}");
    assert_eq!(raw.play(r#"db::get("runs")"#).await, Ok(json!(1)));
}

#[tokio::test]
async fn submitted_script_survives_server_kill() {
    outlives("KILL").await;
}

#[tokio::test]
async fn submitted_script_beyond_grace_runs_on_next_server() {
    outlives("TERM").await;
}

#[tokio::test]
async fn sighup_drains_like_sigterm() {
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = started(server(directory.path()).args(["--workers", "1"])).await;
    let mut raw = Raw::connect(&url).await;
    raw.call("watch_play", json!([r#"print("begun"); sleep(0.3); 42"#])).await.unwrap();
    while circles_tests::event(&mut raw).await["line"]["text"] != "begun" {}
    server.signal("HUP").await;
    let task = end(&mut raw).await;
    assert_eq!(task["result"]["value"], 42, "{task}");
    assert_eq!(server.ended().await.0, 0);
}

#[tokio::test]
async fn file_descriptor_exhaustion_is_temporary() {
    let directory = tempfile::tempdir().unwrap();
    let (server, url) = started(&mut server(directory.path())).await;
    let data = directory.path().join("data").join(url.rsplit('/').next().unwrap());
    std::fs::write(data.join("scripts/policy.rhai"), "fn authorize(request) { true }").unwrap();
    let mut raw = Raw::connect(&url).await;
    assert_eq!(raw.play("40 + 2").await, Ok(json!(42)));
    let mut status = http(&url).await;
    assert_eq!(status.get("/ready").await, 200);

    // Lowers the limit to the number of open files.
    let maximum = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let limits = rustix::process::Rlimit { current: Some(8), maximum };
    let process = rustix::process::Pid::from_raw(server.id().try_into().unwrap());
    rustix::process::prlimit(process, rustix::process::Resource::Nofile, limits).unwrap();
    for script in ["40 + 2", r#"db::set("a", 1)"#] {
        let error = raw.play(script).await.unwrap_err();
        assert_eq!(error["code"], codes::BACKEND_UNAVAILABLE, "{error}");
        assert!(error["data"]["retry_after_ms"].is_u64(), "{error}");
    }
    assert_eq!(raw.code("run", json!(["none"])).await, codes::BACKEND_UNAVAILABLE);
    assert_eq!(status.get("/ready").await, 503);

    let limits = rustix::process::Rlimit { current: Some(1 << 10), maximum };
    rustix::process::prlimit(process, rustix::process::Resource::Nofile, limits).unwrap();
    assert_eq!(raw.play(r#"db::set("a", 1); db::get("a")"#).await, Ok(json!(1)));
    assert_eq!(status.get("/ready").await, 200);
}

/// An HTTP connection that stays open.
struct Http(tokio::net::TcpStream, String);

async fn http(url: &str) -> Http {
    let host = url.trim_start_matches("ws://").split('/').next().unwrap().to_owned();
    Http(tokio::net::TcpStream::connect(&host).await.unwrap(), host)
}

impl Http {
    async fn get(&mut self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.1);
        self.0.write_all(request.as_bytes()).await.unwrap();
        // Heads and bodies here are short enough to arrive in one read.
        let mut answer = vec![0; 4_096];
        let length = circles_tests::soon(self.0.read(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).split(' ').nth(1).unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn environment_variables_follow_one_convention() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    for (value, demands) in [("1", true), ("true", true), ("0", false), ("false", false), ("", false)] {
        let mut command = server(here);
        command.env("CIRCLES_AUTH", value).env("CIRCLES_CONFIG", "").env("REDIS_URL", "").env("RUST_LOG", "");
        let (server, url) = started(&mut command).await;
        let played = Raw::connect(&url).await.call("play", json!(["1"])).await;
        assert_eq!(played.is_err(), demands, "CIRCLES_AUTH={value}");
        server.signal("TERM").await;
        assert_eq!(server.ended().await.0, 0);
    }
    let worker = || {
        let mut command = Command::new(binary("circles-worker"));
        command.env("REDIS_URL", "redis://127.0.0.1:1");
        command
    };
    for (mut command, name, value) in [
        (server(here), "CIRCLES_AUTH", "perhaps"),
        (server(here), "RUST_LOG", "circles=verbose"),
        (server(here), "CIRCLES_CONFIG", "~/circles.json"),
        (worker(), "RUST_LOG", "circles=verbose"),
        (worker(), "CIRCLES_DATA_DIR", "~/data"),
    ] {
        let (code, stdout, stderr) = run(command.env(name, value).current_dir(here)).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{name}: {stderr}");
        assert!(stderr.contains(value), "{name}: {stderr}");
    }
    assert!(!here.join("~").exists());
}

#[tokio::test]
async fn second_server_on_a_data_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (first, _) = started(&mut server(directory.path())).await;
    let listed = || {
        let entries = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    let before = listed();
    let other = circles_tests::secret_key("bob").public_key().to_string();
    let (code, stdout, stderr) = run(server(directory.path()).args(["-k", &other])).await;
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    let holder = format!("already in use by circles-server (process {})", first.id());
    assert!(stderr.contains("--data-dir ") && stderr.contains(&holder), "{stderr}");
    assert_eq!(listed(), before);
    // No Redis runs there: the lock comes before the connection.
    let mut worker = Command::new(binary("circles-worker"));
    worker.args(["--redis-url", "redis://127.0.0.1:1", "--data-dir"]).arg(&data);
    let (code, stdout, stderr) = run(&mut worker).await;
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains(&holder), "{stderr}");

    first.kill().await;
    let (_second, _) = started(&mut server(directory.path())).await;
}

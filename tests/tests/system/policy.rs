//! `policy.rhai`: a library script that authorizes calls, and denies if it fails.

use std::{fs, os::unix::fs::symlink, time::Duration};

use circles_api::codes::FORBIDDEN;
use circles_server::Settings;
use circles_tests::{Raw, end, event_that, secret_key, soon};
use serde_json::{Value, json};

use super::World;

use crate::access::{guarded_calls, is_authorized};

fn key(name: &str) -> String {
    secret_key(name).public_key().to_string()
}

/// A world with a policy and a library script.
async fn world(policy: &str) -> World {
    let world = World::builder().circles(&["alice", "dave"]).trial().start().await;
    world.library_script(0, "answer", "42");
    world.library_script(0, "policy", policy);
    world
}

/// Whether a person's call is authorized, for each method and for calls from another circle.
async fn authorized_calls(world: &World, name: &str) -> Vec<(&'static str, bool)> {
    let mut authorized_calls = Vec::new();
    for (way, method, params) in guarded_calls() {
        let mut raw = world.raw_of(name, 0).await;
        authorized_calls.push((way, is_authorized(&mut raw, method, &params).await));
    }
    authorized_calls
}

/// Whether a call from a play in Dave's circle is authorized, for a caller of that play.
async fn circle_is_authorized(world: &World, name: &str, call: &str) -> bool {
    let script = format!("try {{ return circle(ARGS).{call}; }} catch (why) {{ return why; }}");
    let mut raw = world.raw_of(name, 1).await;
    let answer = raw.call("play", json!([script, world.circles[0].to_string()])).await.unwrap();
    match &answer["value"] {
        Value::Number(_) => true,
        refused => {
            assert_eq!(*refused, json!({ "error": "FORBIDDEN", "message": "forbidden" }), "{call}");
            false
        }
    }
}

#[tokio::test]
async fn policy_decides_every_method_except_for_owner() {
    for may in [true, false] {
        let world = world(&format!("fn authorize(request) {{ {may} }}")).await;
        for _ in 0..2 {
            assert!(authorized_calls(&world, "bob").await.iter().all(|(_, open)| *open == may), "{may}");
            assert!(authorized_calls(&world, "alice").await.iter().all(|(_, open)| *open), "the owner");
            for call in [r#"play("42")"#, r#"run("answer")"#] {
                assert_eq!(circle_is_authorized(&world, "bob", call).await, may, "{call}");
                assert_eq!(circle_is_authorized(&world, "alice", call).await, may, "{call}");
            }
        }
        assert_eq!(world.raw().await.play("42").await.is_ok(), may, "an anonymous caller");
    }
}

#[tokio::test]
async fn policy_request_names_caller_and_method() {
    // SHA-256 of `42`.
    let hash = "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049";
    for (condition, open) in [
        (format!("request.caller == {:?}", key("bob")), [true; 7]),
        (format!("request.caller == {:?}", key("dave")), [false; 7]),
        (r#"request.method == "play""#.to_owned(), [true, false, false, false, false, true, false]),
        (r#"request.method == "run""#.to_owned(), [false, true, false, false, false, false, true]),
        (r#"request.method == "submit""#.to_owned(), [false, false, true, true, false, false, false]),
        (r#"request.method == "scripts""#.to_owned(), [false, false, false, false, true, false, false]),
        (r#"request.script == "answer""#.to_owned(), [false, true, false, true, false, false, true]),
        // The hash is that of the source that runs; a listing runs none.
        (format!("request.hash == {hash:?}"), [true, true, true, true, false, true, true]),
        ("request.args == ()".to_owned(), [true; 7]),
        ("request.args == 7".to_owned(), [false; 7]),
        ("request.keys().len() == 7 && CALLER == request.caller".to_owned(), [true; 7]),
    ] {
        let world = world(&format!("fn authorize(request) {{ {condition} }}")).await;
        let found: Vec<_> = authorized_calls(&world, "bob").await.into_iter().map(|(_, open)| open).collect();
        assert_eq!(found, open, "{condition}");
    }
    let world =
        world("fn authorize(request) { request.args.code == 7 && request.args.list[1] == `x` }").await;
    let mut raw = world.raw_of("bob", 0).await;
    for (args, may) in [
        (json!({ "code": 7, "list": [1, "x"] }), true),
        (json!({ "code": 8, "list": [1, "x"] }), false),
        (json!({ "code": 7, "list": [] }), false),
        (json!(null), false),
    ] {
        for method in ["play", "submit"] {
            let params = json!({ "script": "ARGS.code", "args": args });
            assert_eq!(is_authorized(&mut raw, method, &params).await, may, "{method} {args}");
        }
    }
}

#[tokio::test]
async fn failing_policy_admits_only_owner() {
    let long = "/".repeat(300 << 10);
    for policy in [
        "fn authorize(request) { throw 1 }",
        "fn authorize(request) { 1 / 0 }",
        "fn authorize(request) { request.nothing.at.all }",
        "fn authorize(request) { 1 }",
        r#"fn authorize(request) { "true" }"#,
        "fn authorize(request) { }",
        "fn authorize(request) { || true }",
        "fn authorize() { true }",
        "fn authorize(request, more) { true }",
        "private fn authorise(request) { true }",
        "true",
        "",
        "fn authorize(request) { true",
        "let = 1; fn authorize(request) { true }",
        "fn authorize(request) { authorize(request) }",
        "fn authorize(request) { let s = `xx`; loop { s += s; } }",
        "fn authorize(request) { loop { print(`line`) } }",
        r#"fn authorize(request) { import "none" as none; true }"#,
        r#"fn authorize(request) { secret("none"); true }"#,
        r#"fn authorize(request) { db::set("a", 1); true }"#,
        r#"fn authorize(request) { db::incr("a"); true }"#,
        r#"fn authorize(request) { db::set("a", 1); db::delete("a"); true }"#,
        r#"fn authorize(request) { fs::write("a", "x"); true }"#,
        r#"fn authorize(request) { fs::append("a", "x"); true }"#,
        r#"fn authorize(request) { fs::make_dir("a"); true }"#,
        r#"fn authorize(request) { circle(CIRCLE).play("1"); true }"#,
        r#"fn authorize(request) { circle(CIRCLE).run("answer"); true }"#,
        &format!("//{long}\nfn authorize(request) {{ true }}"),
    ] {
        let shown = &policy[..policy.len().min(80)];
        let world = world(policy).await;
        assert!(authorized_calls(&world, "bob").await.iter().all(|(_, open)| !open), "{shown}");
        assert!(!circle_is_authorized(&world, "bob", r#"play("42")"#).await, "{shown}");
        let mut owner = world.raw_of("alice", 0).await;
        assert_eq!(
            owner.play(r#"[db::keys("").len(), fs::list().len()]"#).await,
            Ok(json!([0, 0])),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn endless_policy_denies_and_is_stopped() {
    for policy in ["fn authorize(request) { loop {} }", "fn authorize(request) { sleep(60); true }"] {
        let limit = Duration::from_millis(300);
        let limits = |it: &mut Settings| (it.task_timeout, it.submit_timeout) = (limit, limit);
        let world = World::builder().settings(limits).start().await;
        world.library_script(0, "answer", "42");
        world.library_script(0, "policy", policy);
        for (way, method, params) in guarded_calls() {
            let mut raw = world.raw_of("bob", 0).await;
            let refused = match method {
                "watch_play" => {
                    raw.call(method, params).await.unwrap();
                    end(&mut raw).await["error"].take()
                }
                "submit" => {
                    let id = raw.call(method, params).await.unwrap()["task_id"].take();
                    raw.call("task", json!([id, 30_000])).await.unwrap()["error"].take()
                }
                _ => raw.call(method, params).await.unwrap_err(),
            };
            assert_eq!(refused["code"], circles_api::codes::SCRIPT_TIMEOUT, "{way}: {refused}");
        }
        assert_eq!(world.raw_of("alice", 0).await.play("42").await, Ok(json!(42)));
    }
}

#[tokio::test]
async fn unreadable_policy_denies() {
    let outside = tempfile::tempdir().unwrap();
    let elsewhere = outside.path().join("policy.rhai");
    fs::write(&elsewhere, "fn authorize(request) { true }").unwrap();
    for fault in
        ["a directory", "a link that leads out", "a link that leads nowhere", "no text", "a link to itself"]
    {
        let world = world("fn authorize(request) { true }").await;
        let path = world.library(0).join("policy.rhai");
        assert!(authorized_calls(&world, "bob").await.iter().all(|(_, open)| *open), "{fault}");
        fs::remove_file(&path).unwrap();
        match fault {
            "a directory" => fs::create_dir(&path).unwrap(),
            "a link that leads out" => symlink(&elsewhere, &path).unwrap(),
            "a link that leads nowhere" => symlink("nowhere", &path).unwrap(),
            "a link to itself" => symlink("policy.rhai", &path).unwrap(),
            _ => fs::write(&path, [b'f', b'n', 0xff, 0xfe]).unwrap(),
        }
        assert!(authorized_calls(&world, "bob").await.iter().all(|(_, open)| !open), "{fault}");
        assert!(authorized_calls(&world, "alice").await.iter().all(|(_, open)| *open), "{fault}: the owner");
        assert!(!circle_is_authorized(&world, "bob", r#"play("42")"#).await, "{fault}");
    }
}

/// Plays until the decision changes. A second is promised; the rest is for a loaded machine.
async fn until(raw: &mut Raw, script: &str, may: bool) {
    let changed = circles_tests::until(async || raw.play(script).await.is_ok() == may);
    tokio::time::timeout(Duration::from_secs(10), changed).await.expect("it is not noticed");
}

#[tokio::test]
async fn new_policy_applies_to_fast_path_too() {
    let world = World::builder().trial().start().await;
    let mut raw = world.raw_of("bob", 0).await;
    for _ in 0..200 {
        assert_eq!(raw.play("40 + 2").await, Ok(json!(42)));
    }
    let policy = |body: &str| {
        // Renamed into place, so that it appears as a whole.
        world.library_script(0, "next", &format!("fn authorize(request) {{ {body} }}"));
        fs::rename(world.library(0).join("next.rhai"), world.library(0).join("policy.rhai")).unwrap();
    };
    policy("false");
    let began = std::time::Instant::now();
    until(&mut raw, "40 + 2", false).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for _ in 0..50 {
        assert_eq!(raw.code("play", json!(["40 + 2"])).await, FORBIDDEN);
    }
    // From here on each play asks the policy, so that changes apply at once.
    policy("request.args == 7");
    assert_eq!(raw.call("play", json!(["40 + 2", 7])).await.unwrap()["value"], 42);
    assert_eq!(raw.code("play", json!(["40 + 2"])).await, FORBIDDEN);
    fs::remove_file(world.library(0).join("policy.rhai")).unwrap();
    soon(until(&mut raw, "40 + 2", true)).await;
}

#[tokio::test]
async fn policy_can_read_documents_that_plays_write() {
    let policy = r#"
        /// A caller's role grants permissions.
        fn authorize(request) {
            let role = db::get(`role/${request.caller}`);
            role == "writer" || role == "reader" && request.method == "run" && request.script == "answer"
        }
    "#;
    let world = world(policy).await;
    let (mut owner, mut bob) = (world.raw_of("alice", 0).await, world.raw_of("bob", 0).await);
    for (role, plays, runs) in [("none", false, false), ("reader", false, true), ("writer", true, true)] {
        let set = json!(["db::set(`role/${ARGS[0]}`, ARGS[1])", [key("bob"), role]]);
        owner.call("play", set).await.unwrap();
        assert_eq!(bob.play("40 + 2").await.is_ok(), plays, "{role}");
        assert_eq!(is_authorized(&mut bob, "run", &json!({ "name": "answer" })).await, runs, "{role}");
    }
    // A caller who deletes their own role loses it at the end of that play.
    let leave = "db::delete(`role/${CALLER}`); db::keys(`role/`).len()";
    assert_eq!(bob.play(leave).await, Ok(json!(0)));
    assert_eq!(bob.code("play", json!([leave])).await, FORBIDDEN);
    // The calling circle's role counts, not its caller's.
    let set = json!(["db::set(`role/${ARGS}`, `writer`)", key("bob")]);
    owner.call("play", set).await.unwrap();
    assert!(!circle_is_authorized(&world, "bob", r#"play("42")"#).await);
    owner.call("play", json!(["db::set(`role/${ARGS}`, `reader`)", key("dave")])).await.unwrap();
    assert!(!circle_is_authorized(&world, "bob", r#"play("42")"#).await);
    assert!(circle_is_authorized(&world, "zoe", r#"run("answer")"#).await);
}

#[tokio::test]
async fn permission_revoked_during_play_is_checked_again() {
    let world = world(r#"fn authorize(request) { db::get("open") == true }"#).await;
    let (mut owner, mut bob) = (world.raw_of("alice", 0).await, world.raw_of("bob", 0).await);
    owner.play(r#"db::set("open", true)"#).await.unwrap();
    bob.call("watch_play", json!({ "script": r#"print("in"); sleep(0.3); db::set("a", 1)"# })).await.unwrap();
    event_that(&mut bob, |event| event["event"] == "logged").await;
    owner.play(r#"db::set("open", false)"#).await.unwrap();
    let task = end(&mut bob).await;
    assert_eq!(task["error"]["code"], FORBIDDEN, "{task}");
    assert_eq!(owner.play(r#"db::has("a")"#).await, Ok(json!(false)));
}

#[tokio::test]
async fn policy_log_lines_are_hidden_from_callers() {
    let world = world(r#"fn authorize(request) { print(secret("key")); request.args == () }"#).await;
    let mut bob = world.raw_of("bob", 0).await;
    let answer = bob.call("play", json!([r#"print("mine"); 42"#])).await.unwrap();
    assert_eq!(answer["logs"], json!([{ "level": "info", "text": "mine" }]));
    bob.call("watch_play", json!({ "script": "42", "args": 1 })).await.unwrap();
    event_that(&mut bob, |event| {
        assert!(!event.to_string().contains("hush"), "{event}");
        event["event"] == "ended"
    })
    .await;
}

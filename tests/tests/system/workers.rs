//! Servers and workers as separate processes, joined by a Redis.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use circles_api::codes::{BACKEND_UNAVAILABLE, CANCELLED, CONFLICT};
use circles_tests::{Fleet, Program, Raw, end, event_that, program, secret_key, until};
use serde_json::{Value, json};

/// Waits for a file that the test creates to let the play continue.
const WAIT_FOR_GO: &str = r#"print("begun"); while !fs::exists("go") { sleep(0.01) }"#;
/// 100 ms are promised; the rest is for a loaded machine.
const MAX_DELAY: Duration = Duration::from_secs(3);

/// Lets waiting plays of a circle continue.
fn go(fleet: &Fleet, circle: &str) {
    std::fs::write(fleet.file(circle, "go"), "").unwrap();
}

/// The public key of this person's circle.
pub(crate) fn circle_of(name: &str) -> String {
    secret_key(name).public_key().to_string()
}

#[tokio::test]
async fn worker_runs_play_with_resources_of_its_circle() {
    let fleet = Fleet::of(&["alice"]).await;
    assert_eq!(fleet.get("/ready").await.0, 503, "no worker runs yet");
    assert_eq!(fleet.get("/health").await.0, 200);
    let worker = fleet.worker(&[]).await;
    until(async || fleet.get("/ready").await == (200, "{\"status\":\"ready\",\"workers\":1}\n".into())).await;
    let library = fleet.file("alice", "../scripts/twice.rhai");
    std::fs::write(library, "ARGS * 2").unwrap();

    let mut raw = fleet.raw(0).await;
    assert_eq!(raw.play(r#"db::set("a", 40); fs::write("a.txt", "2"); 1"#).await, Ok(json!(1)));
    assert_eq!(raw.play(r#"db::get("a") + parse_int(fs::read("a.txt"))"#).await, Ok(json!(42)));
    assert_eq!(std::fs::read(fleet.file("alice", "a.txt")).unwrap(), b"2");
    let ran = raw.call("run", json!(["twice", 21])).await.unwrap();
    assert_eq!(ran["value"], 42);
    let thrown = raw.play("let a = 1;\n throw a").await.unwrap_err();
    assert_eq!(thrown["data"]["thrown"], 1, "{thrown}");

    worker.wait_for_metric("circles_worker_plays_total{outcome=\"succeeded\"}", 3.0).await;
    worker.wait_for_metric("circles_worker_plays_total{outcome=\"failed\"}", 1.0).await;
    assert_eq!(worker.metric("circles_worker_play_seconds_count").await, 4.0);
    assert_eq!(worker.metric("circles_worker_redis_up").await, 1.0);
    assert_eq!(worker.metric("circles_worker_slots").await, 64.0);
    worker.wait_for_metric("circles_worker_held", 0.0).await;
    assert!(worker.is_ready().await);
}

#[tokio::test]
async fn play_survives_worker_crash() {
    let fleet = Fleet::of(&["alice"]).await;
    let first = fleet.worker(&[]).await;
    let (mut play, _) =
        fleet.start_play(0, &format!(r#"db::incr("runs"); {WAIT_FOR_GO} db::incr("n")"#)).await;
    let _second = fleet.worker(&[]).await;
    first.program.kill().await;
    event_that(&mut play, |event| event["event"] == "restarted").await;
    go(&fleet, "alice");
    let task = end(&mut play).await;
    // The writes of the first run were never visible.
    assert_eq!((&task["state"], &task["result"]["value"]), (&json!("succeeded"), &json!(1)), "{task}");
    assert_eq!(fleet.raw(0).await.play(r#"db::get("runs")"#).await, Ok(json!(1)));
}

#[tokio::test]
async fn draining_worker_finishes_its_tasks_and_claims_no_more() {
    let fleet = Fleet::of(&["alice"]).await;
    let worker = fleet.worker(&["--grace", "1h"]).await;
    let (mut play, _) = fleet.start_play(0, &format!("{WAIT_FOR_GO} 42")).await;
    worker.program.signal("TERM").await;
    until(async || !worker.is_ready().await).await;
    let mut raw = fleet.raw(0).await;
    let id = raw.request("play", json!(["7"]));
    raw.send(id).await;
    until(async || fleet.get("/ready").await.0 == 503).await;
    assert_eq!(worker.metric("circles_worker_running").await, 1.0);
    go(&fleet, "alice");
    assert_eq!(end(&mut play).await["result"]["value"], 42);
    assert_eq!(worker.program.ended().await.0, 0);
    // The other play waited for another worker.
    let _next = fleet.worker(&[]).await;
    assert_eq!(raw.receive().await.unwrap()["result"]["value"], 7);
}

#[tokio::test]
async fn worker_grace_cancels_plays_and_requeues_submitted() {
    let fleet = Fleet::of(&["alice"]).await;
    let worker = fleet.worker(&["--grace", "10ms"]).await;
    let (mut play, _) = fleet.start_play(0, WAIT_FOR_GO).await;
    let mut raw = fleet.raw(0).await;
    let script = format!("{WAIT_FOR_GO} 42");
    let id = raw.call("submit", json!({ "script": script })).await.unwrap()["task_id"].take();
    worker.wait_for_metric("circles_worker_held", 2.0).await;
    worker.program.signal("TERM").await;
    let task = end(&mut play).await;
    assert_eq!((&task["state"], &task["error"]["code"]), (&json!("cancelled"), &json!(CANCELLED)), "{task}");
    assert_eq!(worker.program.ended().await.0, 0);
    go(&fleet, "alice");
    let _next = fleet.worker(&[]).await;
    let task = raw.call("task", json!([id, 30_000])).await.unwrap();
    assert_eq!((&task["state"], &task["result"]["value"]), (&json!("succeeded"), &json!(42)), "{task}");
}

#[tokio::test]
async fn cancel_and_disconnect_reach_worker_at_once() {
    let fleet = Fleet::of(&["alice"]).await;
    // With this lease the renewal would come too late to tell the worker.
    let worker = fleet.worker(&["--lease", "1m"]).await;
    let cancelled = "circles_worker_plays_total{outcome=\"cancelled\"}";
    let mut ended = 0.0;
    for script in [r#"print("begun"); loop {}"#, r#"print("begun"); sleep(60)"#] {
        let (mut play, id) = fleet.start_play(0, script).await;
        let mut raw = fleet.raw(0).await;
        let began = Instant::now();
        assert_eq!(raw.call("cancel", json!([id])).await, Ok(json!({ "cancelled": true })));
        assert_eq!(end(&mut play).await["state"], "cancelled");
        assert!(began.elapsed() < MAX_DELAY, "{script}: {:?}", began.elapsed());

        let (play, _) = fleet.start_play(0, script).await;
        let began = Instant::now();
        drop(play);
        ended += 2.0;
        worker.wait_for_metric(cancelled, ended).await;
        assert!(began.elapsed() < MAX_DELAY, "{script}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn redis_outage_is_answered_at_once_and_recovers() {
    let mut fleet = Fleet::of(&["alice"]).await;
    let worker = fleet.worker(&[]).await;
    let mut raw = fleet.raw(0).await;
    assert_eq!(raw.play("40 + 2").await, Ok(json!(42)));
    fleet.redis.kill();
    for method in ["play", "submit"] {
        let began = Instant::now();
        let refused = raw.call(method, json!({ "script": "1" })).await.unwrap_err();
        assert_eq!(refused["code"], BACKEND_UNAVAILABLE, "{refused}");
        assert!(refused["data"]["retry_after_ms"].is_u64(), "{refused}");
        assert!(began.elapsed() < MAX_DELAY, "{method}: {:?}", began.elapsed());
    }
    let (status, body) = fleet.get("/ready").await;
    assert_eq!((status, body.contains("not available")), (503, true), "{body}");
    assert_eq!(fleet.get("/health").await.0, 200);
    assert!(!worker.is_ready().await);
    assert_eq!(worker.metric("circles_worker_redis_up").await, 0.0);

    fleet.redis.restart();
    until(async || fleet.get("/ready").await.0 == 200).await;
    assert_eq!(raw.play("40 + 2").await, Ok(json!(42)));
    assert!(worker.is_ready().await);
}

#[tokio::test]
async fn flushall_during_play_is_detected_and_recovers() {
    let fleet = Fleet::of(&["alice"]).await;
    let worker = fleet.worker(&[]).await;
    let mut raw = fleet.raw(0).await;
    let (mut watcher, _) = fleet.start_play(0, WAIT_FOR_GO).await;
    let call = raw.request("play", json!([WAIT_FOR_GO, null, 60_000]));
    raw.send(call).await;
    worker.wait_for_metric("circles_worker_held", 2.0).await;
    let began = Instant::now();
    fleet.redis.ask(&["FLUSHALL"]);
    assert_eq!(fleet.get("/ready").await.0, 503);
    let answer = raw.receive().await.unwrap();
    assert_eq!(answer["error"]["code"], BACKEND_UNAVAILABLE, "{answer}");
    assert_eq!(end(&mut watcher).await["error"]["code"], BACKEND_UNAVAILABLE);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // The worker drops its tasks, and everything works again.
    worker.wait_for_metric("circles_worker_held", 0.0).await;
    until(async || fleet.get("/ready").await.0 == 200).await;
    assert_eq!(raw.play(r#"db::incr("n")"#).await, Ok(json!(1)));
}

#[tokio::test]
async fn submit_is_accepted_without_workers() {
    let fleet = Fleet::of(&["alice"]).await;
    let mut raw = fleet.raw(0).await;
    let began = Instant::now();
    let submitted = json!({ "script": "40 + 2", "timeout_ms": 3_600_000 });
    let id = raw.call("submit", submitted).await.unwrap()["task_id"].take();
    assert!(began.elapsed() < MAX_DELAY, "{:?}", began.elapsed());
    assert_eq!(raw.call("task", json!([id])).await.unwrap()["state"], "queued");
    let _worker = fleet.worker(&[]).await;
    let task = raw.call("task", json!([id, 30_000])).await.unwrap();
    assert_eq!(task["result"]["value"], 42, "{task}");
    assert!(task["started_at"].is_u64(), "{task}");
}

#[tokio::test]
async fn shutdown_answers_callers_of_remote_plays() {
    let fleet = Fleet::with(1, |command, _| {
        command.args(["--grace", "10ms", "-k", &circle_of("alice")]);
    })
    .await;
    let worker = fleet.worker(&[]).await;
    let mut raw = fleet.raw(0).await;
    for key in [Value::Null, json!("again")] {
        let call = raw.request("play", json!({ "script": WAIT_FOR_GO, "idempotency_key": key }));
        raw.send(call).await;
    }
    // Queued plays only: the fast path does not count.
    worker.wait_for_metric("circles_worker_held", 2.0).await;
    fleet.server.signal("TERM").await;
    let mut codes = [raw.receive().await.unwrap(), raw.receive().await.unwrap()];
    codes.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(codes[0]["error"]["code"], CANCELLED, "{codes:?}");
    assert_eq!(codes[1]["error"]["code"], BACKEND_UNAVAILABLE, "{codes:?}");
    // The keyed play continues.
    worker.wait_for_metric("circles_worker_plays_total{outcome=\"cancelled\"}", 1.0).await;
    assert_eq!(worker.metric("circles_worker_running").await, 1.0);
    assert_eq!(fleet.server.ended().await.0, 0);
}

#[tokio::test]
async fn server_may_combine_own_and_remote_workers() {
    let fleet = Fleet::with(1, |command, _| {
        command.args(["--workers", "1", "-k", &circle_of("alice")]);
    })
    .await;
    assert_eq!(fleet.raw(0).await.play("40 + 2").await, Ok(json!(42)));
    until(async || fleet.get("/ready").await.0 == 200).await;
    let worker = fleet.worker(&[]).await;
    let two = (200, "{\"status\":\"ready\",\"workers\":2}\n".to_owned());
    until(async || fleet.get("/ready").await == two).await;
    worker.program.signal("TERM").await;
    assert_eq!(worker.program.ended().await.0, 0);
    assert_eq!(fleet.get("/ready").await.1, "{\"status\":\"ready\",\"workers\":1}\n");
}

#[tokio::test]
async fn worker_holds_at_most_its_concurrency() {
    let fleet = Fleet::of(&["alice", "bob", "carol"]).await;
    let worker = fleet.worker(&["--concurrency", "2"]).await;
    let mut plays = Vec::new();
    for circle in 0..2 {
        plays.push(fleet.start_play(circle, &format!("{WAIT_FOR_GO} 1")).await.0);
    }
    let mut raw = fleet.raw(2).await;
    let call = raw.request("play", json!(["1", null, 300]));
    let answer = raw.ask(call).await;
    assert_eq!(answer["error"]["code"], circles_api::codes::SCRIPT_TIMEOUT, "{answer}");
    assert_eq!(worker.metric("circles_worker_held").await, 2.0);
    go(&fleet, "alice");
    assert_eq!(end(&mut plays[0]).await["result"]["value"], 1);
    assert_eq!(raw.play("42").await, Ok(json!(42)));
}

/// Writes a `circles.json` in which names stand for keys.
pub(crate) fn config(path: &Path, circles: &Value) {
    std::fs::write(path, circles.to_string()).unwrap();
}

#[tokio::test]
async fn workers_claim_only_their_pool_and_circles() {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(circle_of);
    let circles = json!([
        { "id": "alice", "public_key": alice, "pool": "far" },
        { "id": "bob", "public_key": bob },
        { "id": "carol", "public_key": carol },
    ]);
    let fleet = Fleet::with(3, |command, directory| {
        config(&directory.join("circles.json"), &circles);
        command.arg("-c").arg(directory.join("circles.json"));
    })
    .await;
    let file = fleet.directory().join("circles.json").display().to_string();
    let far = fleet.worker(&["-c", &file, "--pool", "far"]).await;
    let near = fleet.worker(&["-c", &file, "-k", &bob]).await;
    let ran = "circles_worker_plays_total{outcome=\"succeeded\"}";
    for (circle, worker, others) in [(0, &far, &near), (1, &near, &far)] {
        let before = others.metric(ran).await;
        let mut raw = fleet.raw(circle).await;
        for _ in 0..5 {
            assert_eq!(raw.play("42").await, Ok(json!(42)));
        }
        worker.wait_for_metric(ran, 5.0).await;
        assert_eq!(others.metric(ran).await, before);
    }
    // The third circle's task waits for a worker that serves it.
    let mut raw = fleet.raw(2).await;
    let refused = raw.call("play", json!(["42", null, 300])).await.unwrap_err();
    assert_eq!(refused["code"], circles_api::codes::SCRIPT_TIMEOUT);
    let _rest = fleet.worker(&["-c", &file]).await;
    assert_eq!(raw.play("42").await, Ok(json!(42)));
}

#[tokio::test]
async fn configured_circles_call_each_other_on_worker() {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(circle_of);
    let circles = json!([
        { "id": "alice", "public_key": alice },
        { "id": "bob", "public_key": bob, "secrets": { "word": "WORD" }, "limits": { "operations": 5000 } },
        { "id": "carol", "public_key": carol, "access": { "play": [], "run": "*" } },
    ]);
    let fleet = Fleet::with(3, |command, directory| {
        config(&directory.join("circles.json"), &circles);
        command.arg("-c").arg(directory.join("circles.json")).env("WORD", "hush");
    })
    .await;
    let file = fleet.directory().join("circles.json").display().to_string();
    let _worker = Program::start(fleet.command(&["-c", &file]).env("WORD", "hush"));
    let mut raw = fleet.raw(0).await;
    let call = |to: &str, script: &str| {
        format!(r#"try {{ circle("{to}").play({script:?}) }} catch (e) {{ return e.error; }}"#)
    };
    for (to, script, expected) in [
        (&bob, "db::set(\"by\", CALLER); secret(\"word\").len()", json!(4)),
        (&bob, "db::get(\"by\")", json!(alice)),
        (&bob, "loop {}", json!("LIMIT_EXCEEDED")),
        (&carol, "1", json!("FORBIDDEN")),
        (&alice, "CALLER", json!("")),
    ] {
        assert_eq!(raw.play(&call(to, script)).await, Ok(expected), "{script}");
    }
}

#[tokio::test]
async fn script_cannot_reach_unconfigured_circles_on_worker() {
    // Bob's circle is closed by a file that this worker does not have.
    let circles = json!([
        { "id": "alice", "public_key": circle_of("alice") },
        { "id": "bob", "public_key": circle_of("bob"), "access": {} },
    ]);
    let fleet = Fleet::with(2, |command, directory| {
        config(&directory.join("circles.json"), &circles);
        command.arg("-c").arg(directory.join("circles.json"));
    })
    .await;
    let _worker = fleet.worker(&[]).await;
    let folders = || {
        let names = std::fs::read_dir(fleet.directory().join("data")).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = folders();
    let mut raw = fleet.raw(0).await;
    let tries = r#"
        let refused = 0;
        for name in ARGS {
            for script in ["fs::write(`in.txt`, `x`)", "db::set(`in`, 1)", "1"] {
                try { circle(name).play(script); } catch (e) { if e.error == "UNKNOWN_CIRCLE" { refused += 1; } }
            }
            try { circle(name).run("policy"); } catch (e) { if e.error == "UNKNOWN_CIRCLE" { refused += 1; } }
        }
        refused
    "#;
    let mut names: Vec<_> = (0..20).map(|number| circle_of(&format!("nobody {number}"))).collect();
    names.push(circle_of("bob"));
    let called = raw.call("play", json!([tries, names])).await.unwrap();
    assert_eq!(called["value"], 4 * 21);
    assert_eq!(folders(), before);
    // It has the settings of its own circle.
    assert_eq!(raw.play(r#"circle(CIRCLE).play("CALLER")"#).await, Ok(json!("")));
    // But it cannot read who may run scripts of its library.
    let run = r#"try { return circle(CIRCLE).run("policy"); } catch (why) { return why.error; }"#;
    assert_eq!(raw.play(run).await, Ok(json!("FORBIDDEN")));
}

#[tokio::test]
async fn worker_without_policy_access_runs_nothing() {
    let fleet = Fleet::of(&["alice"]).await;
    let policy = fleet.file("alice", "../scripts/policy.rhai");
    std::fs::write(policy, "fn authorize(request) { false }").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let lost = fleet.worker(&["--data-dir", elsewhere.path().to_str().unwrap()]).await;
    let mut bob = fleet.raw(0).await;
    bob.log_in(&secret_key("bob")).await;
    let mut alice = fleet.raw(0).await;
    alice.log_in(&secret_key("alice")).await;
    for raw in [&mut bob, &mut alice] {
        for script in ["1", r#"db::set("a", 1)"#, r#"fs::write("a", "b")"#] {
            let error = raw.play(script).await.unwrap_err();
            assert_eq!(error["code"], -32603, "{script}: {error}");
        }
    }
    let made = std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(made.collect::<Vec<_>>(), ["circles.lock"]);
    lost.program.signal("TERM").await;
    let (code, log) = lost.program.ended().await;
    assert_eq!(code, 0);
    assert!(log.contains(&circle_of("alice")) && log.contains("its folder is missing"), "{log}");

    let _right = fleet.worker(&[]).await;
    assert_eq!(bob.play("1").await.unwrap_err()["code"], circles_api::codes::FORBIDDEN);
    assert_eq!(alice.play("1").await, Ok(json!(1)));
}

#[tokio::test]
async fn keyed_call_at_two_servers_runs_once() {
    let fleet = Fleet::of(&["alice"]).await;
    let mut command = program("circles-server");
    command.args(["--port", "0", "--redis-url", &fleet.redis_url, "-k", &circle_of("alice"), "--data-dir"]);
    let mut second = Program::start(command.arg(fleet.directory().join("data")));
    let url = second.line().await.unwrap().split(' ').nth(2).unwrap().to_owned();
    let _workers = (fleet.worker(&[]).await, fleet.worker(&[]).await);
    let call = |script: &str| json!({ "script": script, "idempotency_key": "once" });
    let (mut here, mut there) = (fleet.raw(0).await, Raw::connect(&url).await);
    let first = here.call("play", call(r#"db::incr("n")"#)).await.unwrap();
    let again = there.call("play", call(r#"db::incr("n")"#)).await.unwrap();
    assert_eq!((&first["value"], &first), (&json!(1), &again));
    assert_eq!(there.call("play", call("2")).await.unwrap_err()["code"], CONFLICT);
}

//! Log lines of a play are part of its outcome, also when it fails.

use circles_api::codes;
use circles_tests::{Raw, end, event};
use serde_json::{Value, json};

use super::World;

fn line(text: &str) -> Value {
    json!([{ "level": "info", "text": text }])
}

/// Each script logs a line and ends with this code.
const ENDS: [(&str, i32); 5] = [
    (r#"print("so far"); throw "no""#, codes::SCRIPT_ERROR),
    (r#"print("so far"); nonsense()"#, codes::SCRIPT_ERROR),
    (r#"print("so far"); let a = [1]; loop { a.push(a) }"#, codes::LIMIT_EXCEEDED),
    (r#"print("so far"); sleep(60)"#, codes::SCRIPT_TIMEOUT),
    (r#"db::set("a", 1); print("so far"); throw "no""#, codes::SCRIPT_ERROR),
];

async fn lines_of(raw: &mut Raw, script: &str, code: i32) {
    let params = json!({ "script": script, "timeout_ms": 1_000 });
    let error = raw.call("play", params.clone()).await.unwrap_err();
    assert_eq!(
        (&error["code"], &error["data"]["logs"]),
        (&json!(code), &line("so far")),
        "{script}: {error}"
    );

    let mut keyed = params.clone();
    keyed["idempotency_key"] = json!(uuid::Uuid::now_v7());
    for _ in 0..2 {
        let error = raw.call("play", keyed.clone()).await.unwrap_err();
        assert_eq!(error["data"]["logs"], line("so far"), "{script}: {error}");
    }

    let id = raw.call("submit", params.clone()).await.unwrap()["task_id"].take();
    let task = raw.call("task", json!({ "task_id": id, "wait_ms": 30_000 })).await.unwrap();
    assert_eq!(task["error"]["code"], code, "{script}: {task}");
    assert_eq!(task["error"]["data"]["logs"], line("so far"), "{script}: {task}");

    // Watching a finished task, and a new play.
    for watched in [json!({ "task_id": id }), params] {
        raw.call("watch_play", watched).await.unwrap();
        let accepted = event(raw).await;
        assert_eq!(accepted["event"], "accepted");
        assert_eq!(json!([event(raw).await["line"]]), line("so far"), "{script}");
        let task = end(raw).await;
        assert_eq!(task["error"]["data"]["logs"], line("so far"), "{script}: {task}");
    }
}

#[tokio::test]
async fn failed_plays_carry_their_log_lines() {
    let world = World::builder().limits(|limits| limits.memory_bytes = 1 << 20).start().await;
    let mut raw = world.raw().await;
    for (script, code) in ENDS {
        lines_of(&mut raw, script, code).await;
    }
}

#[tokio::test]
async fn failed_fast_path_plays_carry_their_log_lines() {
    let world = World::builder().trial().start().await;
    let mut raw = world.raw().await;
    let script = r#"print("so far"); throw "no""#;
    // A script known to be short takes the fast path.
    for _ in 0..20 {
        let error = raw.call("play", json!([script])).await.unwrap_err();
        assert_eq!(error["data"]["logs"], line("so far"), "{error}");
    }
}

#[tokio::test]
async fn cancelled_tasks_carry_their_log_lines() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let id = raw.call("submit", json!([r#"print("so far"); sleep(60)"#])).await.unwrap()["task_id"].take();
    raw.call("watch_play", json!({ "task_id": id })).await.unwrap();
    while event(&mut raw).await["line"]["text"] != "so far" {}
    let cancel = raw.request("cancel", json!([id]));
    raw.send(cancel).await;
    let mut task = Value::Null;
    while task.is_null() {
        let mut message = raw.receive().await.expect("the end");
        if message["params"]["result"]["event"] == "ended" {
            task = message["params"]["result"]["task"].take();
        }
    }
    assert_eq!(
        (&task["state"], &task["error"]["data"]["logs"]),
        (&json!("cancelled"), &line("so far")),
        "{task}"
    );
    let task = raw.call("task", json!([id])).await.unwrap();
    assert_eq!(task["error"]["data"]["logs"], line("so far"), "{task}");
}

//! Tasks of several callers: visibility, and repeated calls.

use std::time::{Duration, Instant};

use circles_api::codes::{CONFLICT, TASK_NOT_FOUND};
use circles_testing::SeededRng;
use circles_tests::Raw;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::World;

/// Calls `play`, `run` or `submit` with a key, and returns the task id.
async fn keyed(raw: &mut Raw, method: &str, key: &str, args: &Value) -> Result<Value, Value> {
    let mut params = json!({ "idempotency_key": key, "args": args });
    if method == "run" {
        params["name"] = json!("count");
    } else {
        params["script"] = json!(COUNT);
    }
    Ok(raw.call(method, params).await?["task_id"].take())
}

/// Counts its runs.
const COUNT: &str = r#"db::incr(`runs/${CALLER}`)"#;

#[tokio::test]
async fn repeated_keyed_call_is_same_task_for_its_caller_only() {
    let world = World::builder().start().await;
    world.library_script(0, "count", COUNT);
    let (mut bob, mut carol) = (world.raw_of("bob", 0).await, world.raw_of("carol", 0).await);
    for (number, method) in ["play", "run", "submit"].into_iter().enumerate() {
        let first = keyed(&mut bob, method, method, &json!(1)).await.unwrap();
        assert_eq!(keyed(&mut bob, method, method, &json!(1)).await.as_ref(), Ok(&first), "{method}");
        let task = json!({ "task_id": first, "wait_ms": 30_000 });
        let ended = bob.call("task", task.clone()).await.unwrap();
        assert_eq!(ended["result"]["value"], number + 1, "{method}: {ended}");
        assert_eq!(keyed(&mut bob, method, method, &json!(1)).await.as_ref(), Ok(&first), "{method}");
        let error = keyed(&mut bob, method, method, &json!(2)).await.unwrap_err();
        assert_eq!((&error["code"], &error["data"]), (&json!(CONFLICT), &json!({ "task_id": first })));
        // Another caller's key is a different key, and the first caller's task stays hidden.
        let own = keyed(&mut carol, method, method, &json!(2)).await.unwrap();
        assert_ne!(own, first, "{method}");
        assert_eq!(carol.code("task", task).await, TASK_NOT_FOUND);
        let own = carol.call("task", json!({ "task_id": own, "wait_ms": 30_000 })).await.unwrap();
        assert_eq!(own["result"]["value"], number + 1, "{method}: {own}");
    }
    // The method does not matter: the script is the same.
    let played = keyed(&mut bob, "play", "play", &json!(1)).await.unwrap();
    assert_eq!(keyed(&mut bob, "submit", "play", &json!(1)).await, Ok(played));
    assert_eq!(bob.play("db::get(`runs/${CALLER}`)").await, Ok(json!(3)));
}

#[tokio::test]
async fn concurrent_keyed_calls_run_once() {
    let world = World::builder().start().await;
    world.library_script(0, "count", COUNT);
    for (number, method) in ["play", "run", "submit"].into_iter().enumerate() {
        let calls = (0..16).map(|_| async {
            let mut raw = world.raw_of("bob", 0).await;
            keyed(&mut raw, method, &format!("many {method}").replace(' ', "-"), &Value::Null).await
        });
        let tasks = join_all(calls).await;
        assert!(tasks.iter().all(|task| task.is_ok() && *task == tasks[0]), "{method}: {tasks:?}");
        let mut raw = world.raw_of("bob", 0).await;
        let task = json!({ "task_id": tasks[0].as_ref().unwrap(), "wait_ms": 30_000 });
        assert_eq!(raw.call("task", task).await.unwrap()["result"]["value"], number + 1, "{method}");
    }
}

#[tokio::test]
async fn tasks_of_other_callers_are_hidden() {
    let world = World::builder().circles(&["alice", "dave"]).start().await;
    let mut bob = world.raw_of("bob", 0).await;
    let ended = bob.call("submit", json!({ "script": "1" })).await.unwrap()["task_id"].clone();
    bob.call("task", json!([ended, 30_000])).await.unwrap();
    let running = bob.call("submit", json!({ "script": "sleep(20)" })).await.unwrap()["task_id"].clone();
    let unknown = json!("019aa4c2-7e00-7a3b-8c4d-5e6f708192a3");
    let strangers = [
        world.raw_of("carol", 0).await,
        world.raw().await,
        // The same caller, and the owner, in another circle.
        world.raw_of("bob", 1).await,
        world.raw_of("dave", 1).await,
    ];
    for (number, mut stranger) in strangers.into_iter().enumerate() {
        for method in ["task", "cancel", "watch_play"] {
            let mut answers = Vec::new();
            for id in [&unknown, &ended, &running] {
                let mut params = json!({ "task_id": id });
                if method == "task" {
                    params["wait_ms"] = json!(20_000);
                }
                let began = Instant::now();
                answers.push(stranger.call(method, params).await.unwrap_err());
                assert!(began.elapsed() < Duration::from_secs(5), "{method}: waited for another's task");
            }
            assert_eq!(answers[0]["code"], TASK_NOT_FOUND, "{method}");
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{number} {method}: {answers:?}");
        }
        let page = stranger.call("tasks", json!([])).await.unwrap();
        assert_eq!(page, json!({ "tasks": [], "cursor": null }), "{number}");
    }
    assert_eq!(bob.call("task", json!([running])).await.unwrap()["state"], "running");
    let mut owner = world.raw_of("alice", 0).await;
    let page = owner.call("tasks", json!({ "state": "running" })).await.unwrap();
    assert_eq!(page["tasks"][0]["task_id"], running);
    assert_eq!(owner.call("task", json!([ended])).await.unwrap()["result"]["value"], 1);
    owner.call("watch_play", json!({ "task_id": ended })).await.unwrap();
    let mut owner = world.raw_of("alice", 0).await;
    assert_eq!(owner.call("cancel", json!([running])).await, Ok(json!({ "cancelled": true })));
    assert_eq!(bob.call("task", json!([running, 20_000])).await.unwrap()["state"], "cancelled");
}

#[tokio::test]
async fn stored_outcome_equals_first_answer() {
    let world = World::builder().start().await;
    let mut raw = world.raw_of("bob", 0).await;
    let args = json!([
        122.416_294_033_786_59,
        0.1 + 0.2,
        5e-324,
        f64::MAX,
        -0.0,
        1.0,
        i64::MIN,
        9_007_199_254_740_993_i64,
        "\u{0}\u{1f600}\u{2028}",
        { "": null, "a": [{}] },
    ]);
    let script = r#"print("a\n\x00"); debug(ARGS); db::set("args", ARGS); ARGS"#;
    let call = json!({ "script": script, "args": args, "idempotency_key": "k" });
    let first = raw.call("play", call.clone()).await.unwrap();
    assert_eq!(first["value"], args);
    assert_eq!(raw.call("play", call).await.unwrap(), first);
    assert_eq!(raw.call("task", json!([first["task_id"]])).await.unwrap()["result"], first);
    let id = raw.call("submit", json!({ "script": "ARGS", "args": args })).await.unwrap()["task_id"].clone();
    raw.call("task", json!([id, 30_000])).await.unwrap();
    assert_eq!(raw.call("task", json!([id])).await.unwrap()["result"]["value"], args);
    assert_eq!(raw.play(r#"db::get("args")"#).await, Ok(args));
}

#[tokio::test]
async fn numbers_survive_every_path() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    // Numbers from the whole range, with a fixed seed.
    let mut rng = SeededRng::new(1, 0);
    let numbers: Vec<f64> = std::iter::repeat_with(|| f64::from_bits(rng.next_u64()))
        .filter(|number| number.is_finite())
        .take(2_000)
        .collect();
    let script = r#"db::set("n", ARGS); json::stringify(db::get("n")) == json::stringify(ARGS)"#;
    let answer = raw.call("play", json!([script, numbers])).await.unwrap();
    assert_eq!(answer["value"], true);
    let text = raw.call("play", json!(["json::stringify(ARGS)", numbers])).await.unwrap();
    let text = text["value"].as_str().unwrap().trim_matches(['[', ']']);
    let wrong: Vec<_> =
        text.split(',').zip(&numbers).filter(|(text, number)| text.parse() != Ok(**number)).collect();
    assert!(wrong.is_empty(), "{}: {:?}", wrong.len(), wrong.first());
}

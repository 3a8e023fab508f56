//! Watched plays: events, their order, and cancellation when the subscriber disconnects.

use std::time::Duration;

use circles_api::codes;
use circles_client::types::PlayEvent;
use circles_store::Outcome;
use circles_tests::{Raw, soon};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::World;

const SILENT: &str = "sleep(60)";

/// The answer to a call, and the notifications before it.
async fn answer(raw: &mut Raw, method: &str, params: Value) -> (Value, Vec<Value>) {
    let request = raw.request(method, params);
    let id = serde_json::from_str::<Value>(&request).unwrap()["id"].clone();
    raw.send(request).await;
    let mut before = Vec::new();
    loop {
        let text = raw.receive().await.expect("the connection ended without an answer");
        if text["id"] == id {
            return (text, before);
        }
        assert_eq!(text["method"], "play_event", "{text}");
        before.push(text);
    }
}

async fn watch(raw: &mut Raw, script: &str) -> Value {
    let (answer, before) = answer(raw, "watch_play", json!({ "script": script })).await;
    assert!(answer["result"].is_u64() && before.is_empty(), "{answer} {before:?}");
    answer["result"].clone()
}

/// The next event of a subscription.
async fn event(raw: &mut Raw, id: &Value) -> Value {
    let text = raw.receive().await.expect("the connection ended without an event");
    assert_eq!(text["params"]["subscription"], *id, "{text}");
    text["params"]["result"].clone()
}

#[tokio::test]
async fn watched_play_reports_acceptance_lines_and_end() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let id = watch(&mut raw, r#"print("one"); debug("two"); 42"#).await;
    let accepted = event(&mut raw, &id).await;
    assert_eq!(accepted["event"], "accepted");
    for (level, text) in [("info", "one"), ("debug", "two")] {
        let logged = event(&mut raw, &id).await;
        assert_eq!((&logged["event"], &logged["line"]["level"]), (&json!("logged"), &json!(level)));
        assert_eq!(logged["line"]["text"].as_str().map(|line| line.contains(text)), Some(true));
    }
    let ended = event(&mut raw, &id).await;
    assert_eq!(ended["event"], "ended");
    assert_eq!(
        (&ended["task"]["task_id"], &ended["task"]["state"]),
        (&accepted["task_id"], &json!("succeeded"))
    );
    assert_eq!(ended["task"]["result"]["value"], 42);
    let (unwatched, behind) = answer(&mut raw, "unwatch_play", json!([id])).await;
    assert_eq!((&unwatched["result"], behind.len()), (&json!(false), 0));
}

#[tokio::test]
async fn events_follow_the_whole_batch_answer() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let batch = [raw.request("watch_play", json!(["1"])), raw.request("play", json!(["2"]))].join(",");
    let answers = raw.ask(format!("[{batch}]")).await;
    assert_eq!(answers[1]["result"]["value"], 2);
    assert_eq!(event(&mut raw, &answers[0]["result"]).await["event"], "accepted");
}

#[tokio::test]
async fn unwatching_cancels_a_watched_play() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let id = watch(&mut raw, SILENT).await;
    let task = soon(world.store.began()).await;
    let (unwatched, _) = answer(&mut raw, "unwatch_play", json!({ "subscription": id })).await;
    assert_eq!(unwatched["result"], true);
    assert_eq!(soon(world.store.ended()).await, (task.id, Outcome::cancelled()));
}

#[tokio::test]
async fn disconnect_cancels_watched_play() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    watch(&mut raw, SILENT).await;
    let task = soon(world.store.began()).await;
    drop(raw);
    assert_eq!(soon(world.store.ended()).await, (task.id, Outcome::cancelled()));
}

#[tokio::test]
async fn unwatching_leaves_existing_task_running() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let submitted = raw.call("submit", json!({ "script": "sleep(1); 7" })).await.unwrap();
    let task = json!({ "task_id": submitted["task_id"] });
    let (first, _) = answer(&mut raw, "watch_play", task.clone()).await;
    let mut other = world.raw().await;
    let (second, _) = answer(&mut other, "watch_play", task.clone()).await;
    let (unwatched, _) = answer(&mut raw, "unwatch_play", json!([first["result"]])).await;
    assert_eq!(unwatched["result"], true);
    let id = &second["result"];
    let ended = loop {
        let event = event(&mut other, id).await;
        if event["event"] == "ended" {
            break event;
        }
    };
    assert_eq!(ended["task"]["result"]["value"], 7);
    let nowhere = json!({ "task_id": uuid::Uuid::now_v7() });
    assert_eq!(raw.code("watch_play", nowhere).await, codes::TASK_NOT_FOUND);
}

#[tokio::test]
async fn watch_takes_exactly_one_target() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let task = uuid::Uuid::now_v7();
    for params in [
        json!({}),
        json!({ "args": 1 }),
        json!({ "script": "1", "name": "a" }),
        json!({ "script": "1", "task_id": task }),
        json!({ "task_id": task, "args": 1 }),
        json!({ "script": "1", "colour": 1 }),
        json!({ "script": "1", "timeout_ms": 0 }),
        json!({ "name": "../up" }),
    ] {
        assert_eq!(raw.code("watch_play", params.clone()).await, -32602, "{params}");
    }
}

#[tokio::test]
async fn subscriptions_of_a_connection_are_limited() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let mut open = Vec::new();
    for _ in 0..1_000 {
        let (answer, events) = answer(&mut raw, "watch_play", json!({ "script": SILENT })).await;
        assert!(events.iter().all(|event| event["params"]["result"]["event"] == "accepted"));
        match answer["error"]["code"].as_i64() {
            None => open.push(answer["result"].clone()),
            Some(code) => {
                assert!([codes::RATE_LIMITED, codes::OVERLOADED].map(i64::from).contains(&code), "{answer}");
            }
        }
    }
    assert!((1..=64).contains(&open.len()), "{}", open.len());
    let mut other = world.raw().await;
    assert_eq!(other.call("unwatch_play", json!([open[0]])).await, Ok(json!(false)), "it is not theirs");
    let (unwatched, _) = answer(&mut raw, "unwatch_play", json!([open[0]])).await;
    assert_eq!(unwatched["result"], true);
}

#[tokio::test]
async fn non_reading_subscriber_is_dropped_without_harm_to_others() {
    let world =
        World::builder().settings(|it| it.limits.write_timeout = Duration::from_millis(300)).start().await;
    let mut raw = world.raw().await;
    // A play logs at most 256 KiB; these are more than any socket buffers.
    let flood = r#"let line = "x"; for n in 0..7 { line += line; } for n in 0..900 { print(line); }"#;
    // It calls until the server stops reading: refusals are unread too.
    let asks = async {
        loop {
            let request = raw.request("watch_play", json!({ "script": flood }));
            let message = tokio_tungstenite::tungstenite::Message::text(request);
            if raw.send_frame(message).await.is_err() {
                break;
            }
        }
    };
    soon(asks).await;
    let mut other = world.raw().await;
    assert_eq!(other.play("1").await, Ok(json!(1)));
}

#[tokio::test]
async fn watching_requires_a_session_if_auth_is_on() {
    let world = World::builder().auth().start().await;
    let mut raw = world.raw().await;
    assert_eq!(raw.code("watch_play", json!(["1"])).await, codes::UNAUTHENTICATED);
    assert_eq!(raw.code("unwatch_play", json!([1])).await, codes::UNAUTHENTICATED);
    assert_eq!(raw.call("whoami", json!([])).await.unwrap()["authenticated"], false);
}

#[tokio::test]
async fn client_streams_events_and_cancels_on_drop() {
    let world = World::builder().start().await;
    let ana = world.client("ana").await;
    let watched = ana.watch("print(ARGS); ARGS").args(&5).timeout(Duration::from_secs(9)).await.unwrap();
    let events: Vec<_> = soon(watched.try_collect()).await.unwrap();
    let [PlayEvent::Accepted { .. }, PlayEvent::Logged { line }, PlayEvent::Ended { task }] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((line.text.as_str(), &task.result.as_ref().unwrap().value), ("5", &json!(5)));
    let first = world.store.began().await.id;
    assert_eq!(world.store.ended().await.0, first);
    let mut silent = ana.watch(SILENT).await.unwrap();
    assert!(matches!(soon(silent.next()).await, Some(Ok(PlayEvent::Accepted { .. }))));
    // A play dropped from the queue would end without a worker.
    let second = world.store.began().await.id;
    drop(silent);
    assert_eq!(world.store.ended().await, (second, Outcome::cancelled()));
}

#[tokio::test]
async fn shutdown_lets_watched_plays_finish() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let id = watch(&mut raw, "sleep(1); 7").await;
    soon(world.store.began()).await;
    let stopped = tokio::spawn(world.stop(Duration::from_secs(20)));
    let ended = loop {
        let event = event(&mut raw, &id).await;
        if event["event"] == "ended" {
            break event;
        }
    };
    assert_eq!(ended["task"]["result"]["value"], 7);
    assert_eq!(raw.receive().await, None);
    soon(stopped).await.unwrap();
}

//! Tasks over the wire: submit, wait, list, cancel.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use circles_api::codes::{CANCELLED, FORBIDDEN, SCRIPT_NOT_FOUND, SCRIPT_TIMEOUT};
use circles_server::Settings;
use circles_tests::{Raw, end};
use serde_json::{Value, json};

use super::World;

const INVALID_PARAMS: i32 = -32602;
/// Maximum number of concurrent scripts of a circle: half the threads.
const THREADS: usize = 32;
/// 100 ms are promised; the rest is for a loaded machine.
const MAX_DELAY: Duration = Duration::from_secs(3);

/// Submits a script, and returns its task id.
async fn submitted(raw: &mut Raw, script: &str) -> String {
    let answer = raw.call("submit", json!({ "script": script })).await.unwrap();
    answer["task_id"].as_str().unwrap().to_owned()
}

/// Waits for the end of a task.
async fn ended(raw: &mut Raw, id: &str) -> Value {
    raw.call("task", json!({ "task_id": id, "wait_ms": 30_000 })).await.unwrap()
}

/// The ids of a page of tasks, newest first, and its cursor.
fn ids(page: &Value) -> (Vec<String>, Value) {
    let tasks = page["tasks"].as_array().unwrap().iter();
    (tasks.map(|task| task["task_id"].as_str().unwrap().to_owned()).collect(), page["cursor"].clone())
}

/// A world in which a script sleeps for a minute on every script thread, and the connection of these plays.
async fn busy() -> (World, Raw) {
    let world =
        World::builder().workers(1).settings(|it| it.task_timeout = Duration::from_secs(60)).start().await;
    let mut raw = world.raw_of("sleeper", 0).await;
    for _ in 0..THREADS {
        let call = raw.request("play", json!(["sleep(60)"]));
        raw.send(call).await;
    }
    for _ in 0..THREADS {
        world.store.began().await;
    }
    (world, raw)
}

#[tokio::test]
async fn submitted_script_outlives_its_caller() {
    let world = World::builder().start().await;
    let mut raw = world.raw_of("bob", 0).await;
    let id = submitted(&mut raw, r#"sleep(0.2); db::set("left", CALLER); print("done"); TASK"#).await;
    drop(raw);
    let mut again = world.raw_of("bob", 0).await;
    let task = ended(&mut again, &id).await;
    assert_eq!((&task["state"], &task["result"]["value"]), (&json!("succeeded"), &json!(id)), "{task}");
    assert_eq!(task["result"]["logs"], json!([{ "level": "info", "text": "done" }]));
    assert_eq!(again.play(r#"db::get("left")"#).await.unwrap(), task["caller"]);
}

#[tokio::test]
async fn task_wait_ends_with_task_or_timeout() {
    let world = World::builder().start().await;
    let mut raw = world.raw_of("bob", 0).await;
    let id = submitted(&mut raw, "while !fs::exists(`go`) { sleep(0.01) } 42").await;
    world.store.began().await;
    let began = Instant::now();
    let early = raw.call("task", json!([id, 50])).await.unwrap();
    assert_eq!((&early["state"], &early["result"]), (&json!("running"), &Value::Null), "{early}");
    assert!(began.elapsed() >= Duration::from_millis(50) && began.elapsed() < MAX_DELAY);
    let waiting: Vec<_> = [0; 3].map(|_| world.raw_of("bob", 0)).into();
    let waiting = futures_util::future::join_all(waiting).await.into_iter().map(|mut raw| {
        let id = id.clone();
        tokio::spawn(async move { ended(&mut raw, &id).await })
    });
    world.create_file(0, "go");
    for task in futures_util::future::join_all(waiting).await {
        let task = task.unwrap();
        assert_eq!((&task["state"], &task["result"]["value"]), (&json!("succeeded"), &json!(42)), "{task}");
        assert!(task["submitted_at"].as_u64() <= task["started_at"].as_u64(), "{task}");
        assert!(task["started_at"].as_u64() < task["ended_at"].as_u64(), "{task}");
    }
    // The calls waited for up to thirty seconds.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(raw.call("task", json!([id])).await.unwrap()["state"], "succeeded");
}

#[tokio::test]
async fn cancel_ends_any_play_at_once() {
    let world = World::builder().circles(&["alice", "carol"]).start().await;
    let other = world.circles[1].to_string();
    for script in [
        "loop {}".to_owned(),
        "sleep(60)".to_owned(),
        "try { sleep(60) } catch {} loop {}".to_owned(),
        format!(r#"circle("{other}").play("loop {{}}")"#),
        format!(r#"circle("{other}").play("sleep(60)")"#),
        format!(r#"try {{ circle("{other}").play("sleep(60)") }} catch {{}} loop {{}}"#),
    ] {
        let mut player = world.raw_of("bob", 0).await;
        let call = player.request("play", json!([script]));
        player.send(call).await;
        let task = world.store.began().await;
        let mut raw = world.raw_of("bob", 0).await;
        let began = Instant::now();
        assert_eq!(raw.call("cancel", json!([task.id])).await, Ok(json!({ "cancelled": true })), "{script}");
        let answer = player.receive().await.unwrap();
        assert_eq!(answer["error"]["code"], CANCELLED, "{script}: {answer}");
        assert!(began.elapsed() < MAX_DELAY, "{script}: {:?}", began.elapsed());
        world.store.ended().await;

        let id = submitted(&mut raw, &script).await;
        assert_eq!(world.store.began().await.id.to_string(), id, "{script}");
        let began = Instant::now();
        assert_eq!(raw.call("cancel", json!([id])).await, Ok(json!({ "cancelled": true })), "{script}");
        let task = ended(&mut raw, &id).await;
        assert!(began.elapsed() < MAX_DELAY, "{script}: {:?}", began.elapsed());
        assert_eq!(
            (&task["state"], &task["error"]["code"]),
            (&json!("cancelled"), &json!(CANCELLED)),
            "{task}"
        );
        assert_eq!(raw.call("cancel", json!([id])).await, Ok(json!({ "cancelled": false })), "{script}");
    }
}

#[tokio::test]
async fn cancelled_queued_play_ends_at_once_and_never_runs() {
    let (world, _sleeper) = busy().await;
    let mut player = world.raw_of("bob", 0).await;
    let call = player.request("play", json!([r#"db::set("ran", true)"#]));
    player.send(call).await;
    let whoami = player.request("whoami", json!([]));
    player.ask(whoami).await;
    let mut raw = world.raw_of("bob", 0).await;
    let (queued, _) = ids(&raw.call("tasks", json!({ "state": "queued" })).await.unwrap());
    let began = Instant::now();
    assert_eq!(raw.call("cancel", json!([queued[0]])).await, Ok(json!({ "cancelled": true })));
    assert_eq!(player.receive().await.unwrap()["error"]["code"], CANCELLED);
    assert!(began.elapsed() < MAX_DELAY, "{:?}", began.elapsed());
    let queued = ids(&raw.call("tasks", json!({ "state": "queued" })).await.unwrap()).0;
    assert_eq!(queued, [""; 0]);
}

#[tokio::test]
async fn deadline_counts_from_acceptance_without_free_worker() {
    let (world, mut sleeper) = busy().await;
    let mut raw = world.raw_of("bob", 0).await;
    let began = Instant::now();
    let error = raw.call("play", json!([r#"db::set("ran", true)"#, null, 300])).await.unwrap_err();
    assert_eq!((&error["code"], &error["data"]), (&json!(SCRIPT_TIMEOUT), &json!({ "timeout_ms": 300 })));
    assert!(
        began.elapsed() >= Duration::from_millis(300)
            && began.elapsed() < Duration::from_millis(300) + MAX_DELAY
    );
    let mut owner = world.raw_of("alice", 0).await;
    let page = owner.call("tasks", json!({ "state": "running", "limit": 500 })).await.unwrap();
    for id in ids(&page).0 {
        assert_eq!(owner.call("cancel", json!([id])).await, Ok(json!({ "cancelled": true })));
        assert_eq!(sleeper.receive().await.unwrap()["error"]["code"], CANCELLED);
    }
    assert_eq!(raw.play(r#"db::get("ran")"#).await, Ok(Value::Null), "it ran after it was answered");
}

#[tokio::test]
async fn submit_is_accepted_without_free_worker() {
    let (world, _sleeper) = busy().await;
    let mut raw = world.raw_of("bob", 0).await;
    let began = Instant::now();
    let id = submitted(&mut raw, "42").await;
    assert!(began.elapsed() < MAX_DELAY, "{:?}", began.elapsed());
    let task = raw.call("task", json!([id])).await.unwrap();
    assert_eq!((&task["state"], &task["started_at"]), (&json!("queued"), &Value::Null), "{task}");
}

#[tokio::test]
async fn submitted_tasks_have_their_own_timeout() {
    let limits = |it: &mut Settings| {
        it.task_timeout = Duration::from_millis(200);
        it.circles[1].play_timeout = Some(Duration::from_millis(100));
        it.circles[1].submit_timeout = Some(Duration::from_millis(150));
    };
    let world = World::builder().circles(&["alice", "carol"]).settings(limits).start().await;
    let mut timed_out = Vec::new();
    for circle in [0, 1] {
        let mut raw = world.raw_of("bob", circle).await;
        let script = json!({ "script": "sleep(0.5); 42", "timeout_ms": 86_400_000 });
        let error = raw.call("play", script.clone()).await.unwrap_err();
        timed_out.push(error["data"]["timeout_ms"].clone());
        let id = raw.call("submit", script).await.unwrap()["task_id"].take();
        let task = ended(&mut raw, id.as_str().unwrap()).await;
        timed_out.push(task["error"]["data"]["timeout_ms"].clone());
        timed_out.push(task["result"]["value"].clone());
    }
    assert_eq!(json!(timed_out), json!([200, null, 42, 100, 150, null]));
    // A nested play has the timeout of its own circle.
    let call = r#"try { circle(ARGS).play("sleep(0.15)") } catch (e) { return e.error; }"#;
    let mut raw = world.raw_of("bob", 0).await;
    let params = json!({ "script": call, "args": world.circles[1].to_string() });
    let id = raw.call("submit", params).await.unwrap()["task_id"].take();
    let task = ended(&mut raw, id.as_str().unwrap()).await;
    assert_eq!(task["result"]["value"], "SCRIPT_TIMEOUT", "{task}");
}

#[tokio::test]
async fn task_pages_can_be_filtered_by_state() {
    let world = World::builder().start().await;
    let (mut bob, mut other) = (world.raw_of("bob", 0).await, world.raw_of("carol", 0).await);
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for number in 0..9 {
        let fails = number % 3 == 1;
        let id = submitted(&mut bob, if fails { "throw 1" } else { "1" }).await;
        submitted(&mut other, "throw 2").await;
        ended(&mut bob, &id).await;
        if fails {
            failed.insert(0, id.clone());
        }
        all.insert(0, id);
    }
    for (state, limit, expected) in [
        (Value::Null, 2, &all),
        (Value::Null, 9, &all),
        (Value::Null, 500, &all),
        (json!("failed"), 1, &failed),
        (json!("failed"), 2, &failed),
        (json!("queued"), 2, &Vec::new()),
    ] {
        let (mut found, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let mut params = json!({ "limit": limit });
            for (name, value) in [("state", &state), ("cursor", &cursor)] {
                if !value.is_null() {
                    params[name] = value.clone();
                }
            }
            let page = bob.call("tasks", params).await.unwrap();
            let (page, next) = ids(&page);
            assert!(page.len() <= limit, "{page:?}");
            found.extend(page);
            if next.is_null() {
                break;
            }
            assert!(next != cursor, "a cursor that leads nowhere");
            cursor = next;
        }
        assert_eq!(&found, expected, "{state} by {limit}");
    }
    let mut owner = world.raw_of("alice", 0).await;
    let everybody = ids(&owner.call("tasks", json!({ "limit": 500 })).await.unwrap()).0;
    assert_eq!(everybody.len(), 18);
    assert!(all.iter().collect::<BTreeSet<_>>().is_subset(&everybody.iter().collect()));
    assert!(everybody.is_sorted_by(|newer, older| newer > older));
}

#[tokio::test]
async fn missing_library_scripts_are_not_found() {
    let world = World::builder().start().await;
    world.library_script(0, "geo/plot", "ARGS * 2");
    let mut raw = world.raw().await;
    let name = json!({ "name": "geo/plots" });
    assert_eq!(raw.code("run", name.clone()).await, SCRIPT_NOT_FOUND);
    // The other scripts fail when they begin to run.
    raw.call("watch_play", name.clone()).await.unwrap();
    assert_eq!(end(&mut raw).await["error"]["code"], SCRIPT_NOT_FOUND);
    let id = raw.call("submit", name).await.unwrap()["task_id"].take();
    assert_eq!(ended(&mut raw, id.as_str().unwrap()).await["error"]["code"], SCRIPT_NOT_FOUND);
    let ran = raw.call("run", json!(["geo/plot", 21])).await.unwrap();
    assert_eq!(ran["value"], 42);
    let id = raw.call("submit", json!({ "name": "geo/plot", "args": 4 })).await.unwrap()["task_id"].clone();
    let task = ended(&mut raw, id.as_str().unwrap()).await;
    assert_eq!((&task["script_name"], &task["result"]["value"]), (&json!("geo/plot"), &json!(8)), "{task}");
}

#[tokio::test]
async fn invalid_params_are_named() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let id = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3";
    for (method, params, part) in [
        ("submit", json!({ "script": "1", "name": "a" }), "script"),
        ("submit", json!({}), "script"),
        ("submit", json!({ "script": "1", "retries": 11 }), "retries"),
        ("submit", json!({ "script": "1", "retries": -1 }), "retries"),
        ("submit", json!({ "name": "../a" }), "name"),
        ("submit", json!({ "script": 1 }), "script"),
        ("submit", json!({ "script": "1", "timeout_ms": 0 }), "timeout_ms"),
        ("submit", json!({ "script": "1", "timeout_ms": 86_400_001 }), "timeout_ms"),
        ("submit", json!({ "script": "1", "idempotency_key": "" }), "idempotency_key"),
        ("submit", json!({ "script": "1", "idempotency_key": "k".repeat(129) }), "idempotency_key"),
        ("submit", json!({ "script": "1", "idempotency_key": "a b" }), "idempotency_key"),
        ("submit", json!({ "script": "1", "args": [u64::MAX] }), "args[0]"),
        ("submit", json!({ "script": "1", "wait": true }), "wait"),
        ("run", json!({ "name": "a/" }), "name"),
        ("run", json!([]), "name"),
        ("task", json!([]), "task_id"),
        ("task", json!(["7"]), "task_id"),
        ("task", json!([id, 60_001]), "wait_ms"),
        ("task", json!([id, -1]), "wait_ms"),
        ("task", json!([id, "1"]), "wait_ms"),
        ("tasks", json!(["done"]), "state"),
        ("tasks", json!({ "limit": 0 }), "limit"),
        ("tasks", json!({ "limit": 501 }), "limit"),
        ("tasks", json!({ "cursor": "x" }), "cursor"),
        ("cancel", json!([id, id]), ""),
        ("cancel", json!({ "task": id }), "task"),
        ("watch_play", json!({ "script": "1", "task_id": id }), "task_id"),
        ("watch_play", json!({ "task_id": id, "args": 1 }), "args"),
        ("provenance", json!({ "after": -1 }), "after"),
    ] {
        let error = raw.call(method, params.clone()).await.unwrap_err();
        assert_eq!(error["code"], INVALID_PARAMS, "{method} {params}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{method} {params}: {error}");
    }
}

#[tokio::test]
async fn failed_task_carries_the_error_of_a_play() {
    let world = World::builder().start().await;
    world.library_script(0, "broken", "let = 1;");
    let mut raw = world.raw_of("bob", 0).await;
    let long = format!("{}1{}", "(".repeat(200), ")".repeat(200));
    for (number, mut call) in [
        json!({ "script": "let a = 1;\n  throw #{ why: [a] }" }),
        json!({ "script": "1 / 0" }),
        json!({ "script": "|x| x" }),
        json!({ "script": "fn f(n) { f(n) } f(0)" }),
        json!({ "script": "loop {}", "timeout_ms": 300 }),
        json!({ "script": "db::set(\"a\", 1); throw ()" }),
        json!({ "script": "let b = ;" }),
        json!({ "script": long }),
        json!({ "name": "broken" }),
        json!({ "name": "none" }),
    ]
    .into_iter()
    .enumerate()
    {
        let method = if call.get("name").is_some() { "run" } else { "play" };
        let error = raw.call(method, call.clone()).await.unwrap_err();
        let accepted = raw.call("submit", call.clone()).await.unwrap();
        let task = ended(&mut raw, accepted["task_id"].as_str().unwrap()).await;
        assert_eq!(task["error"], error, "{call}");
        assert_eq!(task["result"], Value::Null, "{call}: {task}");
        // A repeated call gets the same answer.
        call["idempotency_key"] = format!("call-{number}").into();
        for _ in 0..2 {
            assert_eq!(raw.call(method, call.clone()).await.unwrap_err(), error, "{call}");
        }
    }
}

#[tokio::test]
async fn provenance_is_for_the_owner() {
    let world = World::builder().start().await;
    let (mut bob, mut owner) = (world.raw_of("bob", 0).await, world.raw_of("alice", 0).await);
    let id = submitted(&mut bob, "throw 7").await;
    ended(&mut bob, &id).await;
    let played = bob.call("play", json!([r#"db::set("a", 1)"#])).await.unwrap();
    for mut raw in [bob, world.raw().await] {
        let error = raw.call("provenance", json!([])).await.unwrap_err();
        assert_eq!((&error["code"], error.get("data")), (&json!(FORBIDDEN), None), "{error}");
    }
    let page = owner.call("provenance", json!([])).await.unwrap();
    let found: Vec<_> = page["records"].as_array().unwrap().iter().map(|it| it["task_id"].clone()).collect();
    assert_eq!(found, [json!(id), played["task_id"].clone()], "{page}");
}

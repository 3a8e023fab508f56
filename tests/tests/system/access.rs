//! Access lists: they apply to every method, and to calls from other circles.

use circles_api::codes::FORBIDDEN;
use circles_auth::{Access, AccessList};
use circles_tests::{Raw, end, secret_key};
use serde_json::{Value, json};

use super::World;

fn only(names: &[&str]) -> AccessList {
    names.iter().map(|name| secret_key(name).public_key().circle_id()).collect()
}

/// Each method that access lists guard, with params.
pub(crate) fn guarded_calls() -> [(&'static str, &'static str, Value); 7] {
    [
        ("play", "play", json!({ "script": "42" })),
        ("run", "run", json!({ "name": "answer" })),
        ("submit a script", "submit", json!({ "script": "42" })),
        ("submit by name", "submit", json!({ "name": "answer" })),
        ("scripts", "scripts", json!({})),
        ("watch a script", "watch_play", json!({ "script": "42" })),
        ("watch by name", "watch_play", json!({ "name": "answer" })),
    ]
}

/// Whether a call is authorized. Checks that a refusal says nothing more.
pub(crate) async fn is_authorized(raw: &mut Raw, method: &str, params: &Value) -> bool {
    let mut answer = raw.call(method, params.clone()).await;
    let task = match (&answer, method) {
        (Ok(_), "watch_play") => Some(end(raw).await),
        // Access lists decide on acceptance, a policy when the task runs.
        (Ok(accepted), "submit") => {
            Some(raw.call("task", json!([accepted["task_id"], 30_000])).await.unwrap())
        }
        _ => None,
    };
    if let Some(task) = task {
        answer = if task["state"] == "succeeded" { Ok(task) } else { Err(task["error"].clone()) };
    }
    match answer {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, json!({ "code": FORBIDDEN, "message": "forbidden" }), "{method}");
            false
        }
    }
}

#[tokio::test]
async fn access_list_applies_to_every_method() {
    let world = World::builder()
        .circles(&["alice", "dave", "erin", "frank"])
        .access(0, Access { play: only(&["bob"]), run: only(&["carol"]) })
        .access(1, Access::closed())
        .access(2, Access { play: AccessList::Everyone, run: AccessList::empty() })
        .access(3, Access { play: AccessList::empty(), run: AccessList::Everyone })
        .start()
        .await;
    for (circle, owner, [bob, carol, nobody]) in [
        (0, "alice", [(true, false), (false, true), (false, false)]),
        (1, "dave", [(false, false); 3]),
        (2, "erin", [(true, false); 3]),
        (3, "frank", [(false, true); 3]),
    ] {
        world.library_script(circle, "answer", "42");
        for (name, (may_play, may_run)) in
            [("bob", bob), ("carol", carol), ("", nobody), ("zoe", nobody), (owner, (true, true))]
        {
            let mut raw = match name {
                "" => Raw::connect(&world.circle_url(circle)).await,
                name => world.raw_of(name, circle).await,
            };
            for (way, method, params) in guarded_calls() {
                let may = match way {
                    "scripts" => may_play || may_run,
                    _ if params.get("name").is_some() => may_run,
                    _ => may_play,
                };
                assert_eq!(
                    is_authorized(&mut raw, method, &params).await,
                    may,
                    "{name:?} in {circle}: {way}"
                );
            }
        }
    }
}

#[tokio::test]
async fn callers_without_run_access_cannot_probe_library() {
    let world =
        World::builder().access(0, Access { play: only(&["bob"]), run: AccessList::empty() }).start().await;
    world.library_script(0, "answer", "42");
    world.library_script(0, "broken", "let = 1;");
    let mut raw = world.raw_of("bob", 0).await;
    for method in ["run", "submit", "watch_play"] {
        for name in ["answer", "broken", "none", "policy"] {
            assert_eq!(raw.code(method, json!({ "name": name })).await, FORBIDDEN, "{method} {name}");
        }
    }
}

#[tokio::test]
async fn circle_call_is_authorized_by_circle_key_not_its_callers() {
    let world = World::builder()
        .circles(&["alice", "dave", "erin"])
        .access(0, Access { play: only(&["bob", "dave"]), run: only(&["bob", "dave"]) })
        .start()
        .await;
    world.library_script(0, "answer", "42");
    let alice = world.circles[0].to_string();
    // Bob may call directly, but not through Erin's circle; a stranger may call through Dave's.
    assert_eq!(world.raw_of("bob", 0).await.play("42").await, Ok(json!(42)));
    for call in [r#"play("42")"#, r#"run("answer")"#] {
        let script = format!("try {{ return circle(ARGS).{call}; }} catch (why) {{ return why; }}");
        for (circle, name, expected) in [
            (1, "zoe", json!(42)),
            (1, "bob", json!(42)),
            (2, "bob", json!({ "error": "FORBIDDEN", "message": "forbidden" })),
            (2, "dave", json!({ "error": "FORBIDDEN", "message": "forbidden" })),
            // The owner of the called circle is refused too.
            (2, "alice", json!({ "error": "FORBIDDEN", "message": "forbidden" })),
            (0, "bob", json!(42)),
        ] {
            let mut raw = world.raw_of(name, circle).await;
            let mut answer = raw.call("play", json!([script, alice])).await.unwrap();
            assert_eq!(answer["value"].take(), expected, "{name} from {circle}: {call}");
        }
    }
}

#[tokio::test]
async fn access_list_applies_to_repeated_calls() {
    let world =
        World::builder().access(0, Access { play: only(&["bob"]), run: AccessList::empty() }).start().await;
    let (mut bob, mut carol) = (world.raw_of("bob", 0).await, world.raw_of("carol", 0).await);
    let call = json!({ "script": "42", "idempotency_key": "k" });
    let first = bob.call("play", call.clone()).await.unwrap();
    for method in ["play", "submit"] {
        assert_eq!(carol.code(method, call.clone()).await, FORBIDDEN, "{method}");
    }
    assert_eq!(bob.call("play", call).await, Ok(first));
}

#[tokio::test]
async fn callers_without_access_see_no_tasks() {
    let world =
        World::builder().access(0, Access { play: only(&["bob"]), run: AccessList::empty() }).start().await;
    let mut bob = world.raw_of("bob", 0).await;
    let task = bob.call("submit", json!({ "script": "1" })).await.unwrap()["task_id"].take();
    let ways = [
        ("task", json!([task])),
        ("tasks", json!([])),
        ("cancel", json!([task])),
        ("scripts", json!([])),
        ("watch_play", json!({ "task_id": task })),
    ];
    let mut eve = world.raw_of("eve", 0).await;
    for (method, params) in &ways {
        assert_eq!(eve.code(method, params.clone()).await, FORBIDDEN, "{method}");
    }
    for name in ["bob", "alice"] {
        let mut raw = world.raw_of(name, 0).await;
        let seen = raw.call("tasks", json!([])).await.unwrap();
        assert_eq!(seen["tasks"][0]["task_id"], task, "{name}: {seen}");
    }
}

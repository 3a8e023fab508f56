//! Nested plays in the owner's list of tasks while they run. A store on Redis lists them only once they end.

use circles_api::codes::CANCELLED;
use circles_tests::{found, until};
use serde_json::json;

use super::calls::{running_tasks, world};

#[tokio::test]
async fn cancelling_play_cancels_nested_calls() {
    let (world, alice, carol) = world().await;
    let mut raw = world.raw().await;
    let inner = format!(r#"circle("{alice}").play("sleep(60)")"#);
    let call = raw.request("play", json!(["circle(ARGS[0]).play(ARGS[1])", [carol, inner]]));
    raw.send(call).await;
    let task = world.store.began().await;
    until(async || running_tasks(&world, "alice", 0).await == 2).await;
    // Cancelling a task ends its nested plays too.
    let mut owner = world.raw_of("alice", 0).await;
    assert_eq!(owner.call("cancel", json!([task.id])).await, Ok(json!({ "cancelled": true })));
    assert_eq!(raw.receive().await.unwrap()["error"]["code"], CANCELLED);
    assert_eq!((running_tasks(&world, "alice", 0).await, running_tasks(&world, "carol", 1).await), (0, 0));
}

#[tokio::test]
async fn owner_cancels_nested_play_and_caller_gets_error() {
    let (world, _, carol) = world().await;
    let mut raw = world.raw().await;
    let script = "try { circle(ARGS).play(\"sleep(60)\") } catch (why) { return why; }";
    let call = raw.request("play", json!([script, carol]));
    raw.send(call).await;
    let mut owner = world.raw_of("carol", 1).await;
    let id = found(async || {
        let page = owner.call("tasks", json!({ "state": "running" })).await.unwrap();
        page["tasks"].get(0).map(|task| task["task_id"].clone())
    })
    .await;
    assert_eq!(owner.call("cancel", json!([id])).await, Ok(json!({ "cancelled": true })));
    let answer = raw.receive().await.unwrap();
    assert_eq!(
        answer["result"]["value"],
        json!({ "error": "CANCELLED", "message": "cancelled" }),
        "{answer}"
    );
}

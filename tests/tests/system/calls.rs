//! Calls between circles: caller, authorization, deadlines, cancellation, failures.

use std::time::{Duration, Instant};

use circles_api::codes::{CONFLICT, LIMIT_EXCEEDED, SCRIPT_ERROR, SCRIPT_TIMEOUT};
use circles_auth::{Access, AccessList};
use circles_tests::{Raw, secret_key};
use serde_json::{Value, json};

use super::World;

/// Calls the circles of `ARGS.way` one inside the other, with itself, and returns those that it reached.
const CHAIN: &str = r#"
    let way = ARGS.way;
    if way.len() == 0 { return []; }
    let next = way.remove(0);
    [next] + circle(next).play(ARGS.script, #{ way: way, script: ARGS.script })
"#;

pub(crate) async fn world() -> (World, String, String) {
    let world = World::builder().circles(&["alice", "carol"]).start().await;
    let [alice, carol] = [0, 1].map(|circle| world.circles[circle].to_string());
    (world, alice, carol)
}

fn key(name: &str) -> String {
    secret_key(name).public_key().to_string()
}

/// Plays a script with arguments and returns its value.
async fn played(raw: &mut Raw, script: &str, args: Value) -> Result<Value, Value> {
    Ok(raw.call("play", json!([script, args])).await?["value"].take())
}

/// The number of running tasks in a circle, as its owner sees it.
pub(crate) async fn running_tasks(world: &World, owner: &str, circle: usize) -> usize {
    let mut raw = world.raw_of(owner, circle).await;
    let page = raw.call("tasks", json!({ "state": "running" })).await.unwrap();
    page["tasks"].as_array().unwrap().len()
}

#[tokio::test]
async fn caller_of_circle_call_is_the_calling_circle() {
    let (world, alice, carol) = world().await;
    world.library_script(1, "who", "[CALLER, CIRCLE, ARGS]");
    let mut bob = world.raw_of("bob", 0).await;
    let there = json!([alice, carol, 7]);
    for call in ["play(`[CALLER, CIRCLE, ARGS]`, 7)", r#"run("who", 7)"#] {
        let script = format!("circle(ARGS).{call}");
        assert_eq!(played(&mut bob, &script, json!(carol)).await.as_ref(), Ok(&there), "{call}");
        let id =
            bob.call("submit", json!({ "script": script, "args": carol })).await.unwrap()["task_id"].clone();
        assert_eq!(bob.call("task", json!([id, 30_000])).await.unwrap()["result"]["value"], there, "{call}");
    }
    // A call into its own circle keeps a play's caller.
    let own = "circle(CIRCLE).play(`CALLER`)";
    assert_eq!(played(&mut bob, own, Value::Null).await, Ok(json!(key("bob"))));
    assert_eq!(played(&mut world.raw().await, own, Value::Null).await, Ok(json!("")));
    assert_eq!(played(&mut world.raw_of("alice", 0).await, own, Value::Null).await, Ok(json!(alice)));
    let back = "circle(ARGS).play(`circle(CALLER).play(\"CALLER\")`)";
    assert_eq!(played(&mut bob, back, json!(carol)).await, Ok(json!(carol)));
    let forged = r#"let CALLER = ARGS; circle(ARGS).play("CALLER")"#;
    assert_eq!(played(&mut bob, forged, json!(carol)).await.unwrap_err()["code"], SCRIPT_ERROR);
}

#[tokio::test]
async fn call_into_own_circle_is_authorized_as_its_caller() {
    let bob = || AccessList::from_iter([secret_key("bob").public_key().circle_id()]);
    let world = World::builder()
        .circles(&["alice", "carol"])
        .access(0, Access { play: bob(), run: AccessList::empty() })
        .access(1, Access { play: AccessList::Everyone, run: AccessList::Everyone })
        .start()
        .await;
    world.library_script(0, "admin", r#"db::set("taken", CALLER)"#);
    let (mut bob, mut alice) = (world.raw_of("bob", 0).await, world.raw_of("alice", 0).await);
    // The access list lets Bob play and nothing else, on any path.
    for script in [
        r#"circle(CIRCLE).run("admin")"#,
        r#"circle(CIRCLE).play("circle(CIRCLE).run(`admin`)")"#,
        r#"circle(ARGS).play("circle(CALLER).run(`admin`)")"#,
    ] {
        let error = played(&mut bob, script, json!(world.circles[1].to_string())).await.unwrap_err();
        // The error is the innermost call's, over any number of circles.
        assert_eq!(error["message"], "forbidden", "{script}: {error}");
    }
    assert_eq!(
        alice.play(r#"[db::has("taken"), circle(CIRCLE).run("admin")]"#).await,
        Ok(json!([false, null]))
    );
    // The policy decides on the inner call too.
    world.library_script(1, "policy", r#"fn authorize(request) { request.method == "play" }"#);
    world.library_script(1, "admin", "42");
    let mut bob = world.raw_of("bob", 1).await;
    assert_eq!(bob.play(r#"circle(CIRCLE).play("42")"#).await, Ok(json!(42)));
    let error = bob.play(r#"circle(CIRCLE).run("admin")"#).await.unwrap_err();
    assert_eq!(error["data"]["thrown"]["error"], "FORBIDDEN", "{error}");
}

#[tokio::test]
async fn policy_sees_calling_plays_and_original_caller() {
    let (world, alice, carol) = world().await;
    let mut bob = world.raw_of("bob", 0).await;
    // The answer shows the policy's request, since the policy decides by it.
    let decides = |condition: &str| format!("fn authorize(request) {{ {condition} }}");
    for (condition, may) in [
        ("request.caller != request.origin".to_owned(), true),
        (format!("request.origin == {:?}", key("bob")), true),
        (format!("request.origin == {:?}", key("zoe")), false),
        (format!("request.via.len() == 1 && request.via[0].circle == {alice:?}"), true),
        ("request.via[0].task == request.args".to_owned(), true),
        ("request.via.len() == 0".to_owned(), false),
    ] {
        world.library_script(1, "policy", &decides(&condition));
        let script = "try { return circle(ARGS).play(`42`, TASK); } catch (why) { return why.error; }";
        let expected = if may { json!(42) } else { json!("FORBIDDEN") };
        assert_eq!(played(&mut bob, script, json!(carol)).await, Ok(expected), "{condition}");
    }
    // A call from a client has no calling plays, and its caller is the original one.
    world.library_script(1, "policy", &decides("request.via == [] && request.origin == request.caller"));
    assert_eq!(world.raw_of("bob", 1).await.play("42").await, Ok(json!(42)));
}

#[tokio::test]
async fn record_of_nested_call_names_outer_task_and_origin() {
    let (world, alice, carol) = world().await;
    let mut bob = world.raw_of("bob", 0).await;
    let script = r#"
        circle(CIRCLE).play(`db::set("own", 1)`);
        circle(ARGS).play(`db::set("there", 1)`);
    "#;
    let outer = bob.call("play", json!([script, carol])).await.unwrap()["task_id"].clone();
    let via = json!({ "circle": alice, "task_id": outer, "origin": key("bob") });
    for (name, circle, caller, count) in [("alice", 0, key("bob"), 2), ("carol", 1, alice.clone(), 1)] {
        let page = world.raw_of(name, circle).await.call("provenance", json!([])).await.unwrap();
        let records = page["records"].as_array().unwrap();
        assert_eq!(records.len(), count, "{page}");
        assert_eq!((&records[0]["caller"], &records[0]["via"]), (&json!(caller), &via), "{page}");
    }
    let page = world.raw_of("alice", 0).await.call("provenance", json!([])).await.unwrap();
    assert_eq!((&page["records"][1]["task_id"], page["records"][1].get("via")), (&outer, None), "{page}");
}

#[tokio::test]
async fn circle_calls_nest_up_to_depth_limit() {
    let (world, alice, carol) = world().await;
    let mut raw = world.raw().await;
    let way = [&carol, &alice, &carol, &carol];
    assert_eq!(played(&mut raw, CHAIN, json!({ "way": way, "script": CHAIN })).await, Ok(json!(way)));
    let caught =
        format!("try {{ return {{ {CHAIN} }}; }} catch (why) {{ return [why.error, why.message]; }}");
    let way = [&carol, &alice, &carol, &carol, &alice];
    let found = played(&mut raw, CHAIN, json!({ "way": way, "script": caught })).await.unwrap();
    // The fourth play cannot catch the limit that ends it; the third can catch that error.
    let limit = json!(["LIMIT_EXCEEDED", "the script passed the limit circle_depth"]);
    assert_eq!(found, json!([carol, alice, carol, limit[0], limit[1]]));
}

#[tokio::test]
async fn deadline_bounds_nested_calls() {
    let (world, _, carol) = world().await;
    let mut raw = world.raw().await;
    for script in ["loop {}", "sleep(60)", "try { sleep(60) } catch {} loop {}"] {
        let began = Instant::now();
        let call = json!([
            r#"let c = circle(ARGS[0]); try { c.play(ARGS[1]) } catch { loop {} }"#,
            [carol, script],
            400
        ]);
        let error = raw.call("play", call).await.unwrap_err();
        assert_eq!((&error["code"], &error["data"]["timeout_ms"]), (&json!(SCRIPT_TIMEOUT), &json!(400)));
        assert!(began.elapsed() < Duration::from_secs(5), "{script}: {:?}", began.elapsed());
        assert_eq!(running_tasks(&world, "carol", 1).await, 0, "{script}");
    }
}

#[tokio::test]
async fn wide_and_deep_circle_calls_finish_on_one_worker() {
    let world = World::builder().circles(&["alice", "carol"]).workers(1).start().await;
    let [alice, carol] = [0, 1].map(|circle| world.circles[circle].to_string());
    let mut raw = world.raw().await;
    let ways = [[&carol, &alice, &carol], [&alice, &alice, &alice], [&carol, &carol, &alice]];
    for number in 0..200 {
        let params = json!([CHAIN, { "way": ways[number % 3], "script": CHAIN }]);
        let call = raw.request("play", params);
        raw.send(call).await;
    }
    let mut ended = 0;
    for _ in 0..200 {
        let answer = raw.receive().await.unwrap();
        assert_eq!(answer["result"]["value"].as_array().map(Vec::len), Some(3), "{answer}");
        ended += 1;
    }
    assert_eq!(ended, 200);
    assert_eq!(raw.play("40 + 2").await, Ok(json!(42)));
}

#[tokio::test]
async fn called_play_stays_committed_when_caller_fails() {
    let (world, _, carol) = world().await;
    let (mut raw, mut there) = (world.raw().await, Raw::connect(&world.circle_url(1)).await);
    let script = r#"db::set("mine", 1); circle(ARGS).play(`db::set("left", CALLER)`); throw 1"#;
    let error = played(&mut raw, script, json!(carol)).await.unwrap_err();
    assert_eq!(error["data"]["thrown"], 1, "{error}");
    assert_eq!(raw.play(r#"db::get("mine")"#).await, Ok(Value::Null));
    assert_eq!(there.play(r#"db::get("left")"#).await, Ok(json!(world.circles[0].to_string())));
    // A failed call leaves nothing in its circle.
    let script =
        r#"try { circle(ARGS).play(`db::set("left", 2); throw 3`) } catch (why) { return why.thrown; }"#;
    assert_eq!(played(&mut raw, script, json!(carol)).await, Ok(json!(3)));
    assert_eq!(there.play(r#"db::get("left")"#).await, Ok(json!(world.circles[0].to_string())));
}

#[tokio::test]
async fn play_with_circle_calls_is_not_rerun_after_conflict() {
    let (world, _, carol) = world().await;
    let (mut raw, mut there) = (world.raw().await, Raw::connect(&world.circle_url(1)).await);
    let script = r#"
        let seen = db::get("n");
        circle(ARGS).play(`db::incr("calls")`);
        circle(CIRCLE).play(`db::set("n", 5)`);
        db::set("m", seen);
    "#;
    for calls in 1..=3 {
        let error = played(&mut raw, script, json!(carol)).await.unwrap_err();
        assert_eq!(error["code"], CONFLICT, "{error}");
        assert!(error["data"]["task_id"].is_string(), "{error}");
        assert_eq!(there.play(r#"db::get("calls")"#).await, Ok(json!(calls)));
        assert_eq!(raw.play(r#"[db::get("n"), db::has("m")]"#).await, Ok(json!([5, false])));
    }
    // A nested call may change documents that the play has not read.
    let script = r#"circle(CIRCLE).play(`db::incr("k")`); db::incr("k")"#;
    assert_eq!(raw.play(script).await, Ok(json!(2)));
}

#[tokio::test]
async fn errors_of_called_circles_can_be_caught() {
    let bob = AccessList::from_iter([secret_key("bob").public_key().circle_id()]);
    let world = World::builder()
        .circles(&["alice", "carol", "dave"])
        .access(2, Access { play: bob, run: AccessList::Everyone })
        .start()
        .await;
    world.library_script(1, "broken", "let = 1;");
    world.library_script(2, "open", "42");
    let [carol, dave] = [1, 2].map(|circle| world.circles[circle].to_string());
    let unknown = secret_key("nobody").public_key().to_string();
    let mut raw = world.raw_of("bob", 0).await;
    for (circle, call, expected) in [
        (
            &carol,
            r#"play("throw #{ code: 7 }")"#,
            json!({ "error": "SCRIPT_ERROR", "thrown": { "code": 7 } }),
        ),
        (&carol, r#"play("throw ()")"#, json!({ "error": "SCRIPT_ERROR", "thrown": () })),
        (&carol, r#"play("1 / 0")"#, json!({ "error": "SCRIPT_ERROR" })),
        (&carol, r#"play("let = 1;")"#, json!({ "error": "SCRIPT_ERROR" })),
        (&carol, r#"play("|x| x")"#, json!({ "error": "SCRIPT_ERROR" })),
        (&carol, r#"play("fn f(n) { f(n) } f(0)")"#, json!({ "error": "LIMIT_EXCEEDED" })),
        (&carol, r#"run("none")"#, json!({ "error": "SCRIPT_NOT_FOUND" })),
        (&carol, r#"run("../none")"#, json!({ "error": "SCRIPT_NOT_FOUND" })),
        (&carol, r#"run("broken")"#, json!({ "error": "SCRIPT_ERROR" })),
        (&dave, r#"play("1")"#, json!({ "error": "FORBIDDEN" })),
        (&unknown, r#"play("1")"#, json!({ "error": "UNKNOWN_CIRCLE" })),
        (&unknown, r#"run("open")"#, json!({ "error": "UNKNOWN_CIRCLE" })),
    ] {
        let script = format!("try {{ circle(ARGS).{call} }} catch (why) {{ return why; }}");
        let mut found = played(&mut raw, &script, json!(circle)).await.unwrap();
        let message = found.as_object_mut().unwrap().remove("message").unwrap();
        assert!(message.as_str().is_some_and(|message| !message.is_empty()), "{call}: {message}");
        assert_eq!(found, expected, "{call}");
        // An uncaught error counts as thrown by the script.
        let error = played(&mut raw, &format!("circle(ARGS).{call}"), json!(circle)).await.unwrap_err();
        assert_eq!(error["code"], SCRIPT_ERROR, "{call}: {error}");
        assert_eq!(error["data"]["thrown"]["error"], expected["error"], "{call}: {error}");
    }
    assert_eq!(played(&mut raw, r#"circle(ARGS).run("open")"#, json!(dave)).await, Ok(json!(42)));
    for script in [r#"circle("02")"#, r#"circle(CALLER.to_upper())"#, r#"circle("")"#] {
        let error = raw.play(script).await.unwrap_err();
        assert_eq!(error["code"], SCRIPT_ERROR, "{script}: {error}");
    }
    let error = raw.play("circle(CIRCLE).play(`1`, |x| x)").await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("no JSON form"), "{error}");
}

#[tokio::test]
async fn circle_call_limit_cannot_be_caught() {
    let world = World::builder().circles(&["alice", "carol"]).limits(|it| it.circle_calls = 7).start().await;
    let carol = world.circles[1].to_string();
    let mut raw = world.raw().await;
    for script in [
        r#"loop { circle(ARGS).play(`db::incr("calls")`); }"#,
        r#"loop { try { circle(ARGS).play(`db::incr("calls"); throw 1`) } catch {} }"#,
    ] {
        let error = played(&mut raw, script, json!(carol)).await.unwrap_err();
        assert_eq!(
            (&error["code"], &error["data"]["limit"]),
            (&json!(LIMIT_EXCEEDED), &json!("circle_calls"))
        );
    }
    let mut there = Raw::connect(&world.circle_url(1)).await;
    assert_eq!(there.play(r#"db::get("calls")"#).await, Ok(json!(7)));
}

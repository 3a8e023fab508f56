//! Promises about plays: one answer each, in time, under any load.

use std::time::{Duration, Instant};

use circles_api::codes;
use circles_store::Outcome;
use circles_tests::{Raw, soon};
use serde_json::{Value, json};

use super::World;

#[tokio::test]
async fn result_carries_output_value_logs_and_cost() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let script = r#"print("one"); debug("two"); #{ area: ARGS.width * ARGS.length }"#;
    let result = raw.call("play", json!([script, { "width": 6, "length": 7 }])).await.unwrap();
    assert_eq!(result["value"], json!({ "area": 42 }));
    assert_eq!(result["output"], r##"#{"area": 42}"##);
    assert_eq!(result["logs"][0], json!({ "level": "info", "text": "one" }));
    assert_eq!(result["logs"][1]["level"], "debug");
    assert!(result["stats"]["operations"].as_u64() > Some(0));
    let id: uuid::Uuid = serde_json::from_value(result["task_id"].clone()).unwrap();
    assert_eq!(id.get_version_num(), 7);
}

#[tokio::test]
async fn script_error_carries_position_and_thrown_value() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let compile = raw.call("play", json!(["let a = 1;\nlet b = ;"])).await.unwrap_err();
    assert_eq!(compile["code"], codes::SCRIPT_ERROR);
    assert_eq!((&compile["data"]["kind"], &compile["data"]["line"]), (&json!("compile"), &json!(2)));
    let thrown = raw.call("play", json!(["let a = 1;\n  throw #{ why: [a] };"])).await.unwrap_err();
    assert_eq!(thrown["code"], codes::SCRIPT_ERROR);
    let expected = json!({ "kind": "runtime", "line": 2, "column": 3, "thrown": { "why": [1] } });
    assert_eq!(thrown["data"], expected);
    let runtime = raw.call("play", json!(["1 / 0"])).await.unwrap_err();
    assert_eq!(
        (&runtime["code"], &runtime["data"]["kind"]),
        (&json!(codes::SCRIPT_ERROR), &json!("runtime"))
    );
    assert!(runtime["data"].get("thrown").is_none(), "{runtime}");
}

#[tokio::test]
async fn deadline_ends_loops_and_waits() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    for script in ["loop {}", "sleep(60)", "try { loop {} } catch { loop {} }"] {
        let began = Instant::now();
        let error = raw.call("play", json!([script, null, 300])).await.unwrap_err();
        let took = began.elapsed();
        assert_eq!(error["code"], codes::SCRIPT_TIMEOUT, "{script}");
        assert_eq!(error["data"], json!({ "timeout_ms": 300 }));
        // 100 ms are promised; the rest is for a loaded machine.
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{script}: {took:?}");
    }
}

#[tokio::test]
async fn caller_timeout_is_capped_by_server() {
    let world = World::builder().settings(|it| it.task_timeout = Duration::from_millis(200)).start().await;
    let error = world.raw().await.call("play", json!(["loop {}", null, 86_400_000])).await.unwrap_err();
    assert_eq!((&error["code"], &error["data"]["timeout_ms"]), (&json!(codes::SCRIPT_TIMEOUT), &json!(200)));
}

#[tokio::test]
async fn disconnect_cancels_play() {
    let world = World::builder().start().await;
    for script in ["loop {}", "sleep(60)"] {
        let mut raw = world.raw().await;
        let call = raw.request("play", json!([script]));
        raw.send(call).await;
        let task = world.store.began().await;
        let left = Instant::now();
        drop(raw);
        assert_eq!(world.store.ended().await, (task.id, Outcome::cancelled()));
        assert!(left.elapsed() < Duration::from_secs(5), "{script}: {:?}", left.elapsed());
    }
}

#[tokio::test]
async fn keyed_play_outlives_caller_and_answers_repeated_call() {
    let world = World::builder().start().await;
    let params = json!({ "script": "sleep(0.2); TASK", "idempotency_key": "k1" });
    let mut raw = world.raw().await;
    let call = raw.request("play", params.clone());
    raw.send(call).await;
    let task = world.store.began().await;
    drop(raw);
    let mut again = world.raw().await;
    for _ in 0..2 {
        let result = again.call("play", params.clone()).await.unwrap();
        assert_eq!(result["task_id"], task.id.to_string());
        assert_eq!(result["value"], task.id.to_string());
    }
    let other = again.call("play", json!({ "script": "1", "idempotency_key": "k1" })).await.unwrap_err();
    assert_eq!(other["code"], codes::CONFLICT);
    assert_eq!(other["data"], json!({ "task_id": task.id.to_string() }));
}

#[tokio::test]
async fn full_queue_refuses_at_once() {
    let world = World::builder().workers(1).queue_limit(1).start().await;
    let mut raw = world.raw().await;
    // A slow script may pass on its worker, so fill the queue until a call is refused.
    let mut sent = 0;
    let refused = soon(async {
        loop {
            let call = raw.request("play", json!(["loop {}"]));
            raw.send(call).await;
            sent += 1;
            let probe = raw.request("whoami", json!([]));
            let answer = raw.ask(probe).await;
            if answer.get("error").is_some() {
                break answer;
            }
            assert!(sent < 500, "nothing was refused");
        }
    })
    .await;
    assert_eq!(refused["error"]["code"], codes::OVERLOADED);
    assert!(refused["error"]["data"]["retry_after_ms"].is_u64());
}

#[tokio::test]
async fn slow_scripts_do_not_delay_other_circles() {
    let world = World::builder().circles(&["alice", "bob"]).workers(2).start().await;
    let mut greedy = world.raw().await;
    for script in ["loop {}", "sleep(30)", "loop { let x = [1]; }", "loop {}", "sleep(30)", "loop {}"] {
        let call = greedy.request("play", json!([script, null, 20_000]));
        greedy.send(call).await;
    }
    world.store.began().await;
    let mut modest = Raw::connect(&world.circle_url(1)).await;
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(modest.play("40 + 2").await, Ok(json!(42)));
    }
    // They would take 20 s behind the slow scripts.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn exceeded_limit_is_named_and_worker_continues() {
    let world = World::builder().workers(1).start().await;
    let mut raw = world.raw().await;
    for (script, limit) in [
        ("fn f(n) { f(n + 1) } f(0)", "call_depth"),
        (r#"let s = "x"; loop { s += s; }"#, "memory_bytes"),
        ("let a = []; loop { a.push(a.len()); a += a; }", "memory_bytes"),
        (r#"loop { print("a line") }"#, "log_lines"),
    ] {
        let error = raw.call("play", json!([script])).await.unwrap_err();
        assert_eq!(error["code"], codes::LIMIT_EXCEEDED, "{script}: {error}");
        assert_eq!(error["data"]["limit"], limit, "{script}: {error}");
        assert_eq!(raw.play("40 + 2").await, Ok(json!(42)));
    }
}

#[tokio::test]
async fn values_survive_the_round_trip() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let values = [
        json!(null),
        json!(true),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(9_007_199_254_740_993_i64),
        json!(0.1),
        json!("ünï\u{1f600}\0"),
        json!([[], {}, [null]]),
        json!({ "a": { "b": [1, 2.5, "c"] } }),
    ];
    for value in values {
        let result = raw.call("play", json!(["ARGS", value])).await.unwrap();
        assert_eq!(result["value"], value);
    }
    assert_eq!(raw.play("0.0 / 0.0").await, Ok(json!("NaN")));
    let too_big: Value = serde_json::from_str("18446744073709551615").unwrap();
    let error = raw.call("play", json!(["ARGS", [{ "n": too_big }]])).await.unwrap_err();
    assert_eq!(error["code"], -32602, "{error}");
    assert!(error["message"].as_str().unwrap().contains("args"), "{error}");
}

#[tokio::test]
async fn script_cannot_forge_its_caller() {
    let world = World::builder().auth().start().await;
    let mut raw = world.raw().await;
    let ana = circles_tests::secret_key("ana");
    raw.log_in(&ana).await;
    for script in [
        r#"let CALLER = "forged"; CALLER"#,
        r#"const CALLER = "forged"; CALLER"#,
        r#"CALLER = "forged"; CALLER"#,
        r#"fn who(CALLER) { CALLER } who("forged")"#,
        r#"for CALLER in ["forged"] { return CALLER; }"#,
        r#"try { throw "forged" } catch (CALLER) { return CALLER; }"#,
        r#"let f = |CALLER| CALLER; f.call("forged")"#,
    ] {
        // The server may refuse the script or ignore the forgery.
        match raw.play(script).await {
            Ok(value) => assert_eq!(value, json!(ana.public_key().to_string()), "{script}"),
            Err(error) => assert_eq!(error["code"], codes::SCRIPT_ERROR, "{script}: {error}"),
        }
    }
    assert_eq!(raw.play("fn who() { CALLER } who()").await, Ok(json!(ana.public_key().to_string())));
}

#[tokio::test]
async fn shutdown_finishes_running_play_and_answers_the_rest() {
    let world = World::builder().workers(1).start().await;
    let mut raw = world.raw().await;
    let running = raw.request("play", json!(["sleep(0.3); 42"]));
    raw.send(running).await;
    world.store.began().await;
    let stopping = tokio::spawn(world.stop(Duration::from_secs(10)));
    let answer = raw.receive().await.unwrap();
    assert_eq!(answer["result"]["value"], 42, "{answer}");
    assert_eq!(raw.receive().await, None);
    soon(stopping).await.unwrap();
}

#[tokio::test]
async fn shutdown_cancels_play_after_grace() {
    let world = World::builder().workers(1).start().await;
    let mut raw = world.raw().await;
    let running = raw.request("play", json!(["loop {}"]));
    raw.send(running).await;
    world.store.began().await;
    let stopping = tokio::spawn(world.stop(Duration::from_millis(100)));
    let answer = raw.receive().await.unwrap();
    assert_eq!(answer["error"]["code"], codes::CANCELLED, "{answer}");
    soon(stopping).await.unwrap();
}

#[tokio::test]
async fn play_too_large_to_answer_is_not_committed() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    for (filler, length, fits) in [
        // Each of these takes six bytes when escaped.
        (r"\x01", 1_000_000, false),
        (r#"\""#, 1_000_000, false),
        ("x", 1_048_575, false),
        ("x", 1_048_574, true),
        (r"\x01", 174_762, true),
        (r"\x01", 174_763, false),
    ] {
        let script = format!(
            r#"let line = ""; line.pad(40, "\x01"); for i in 0..1000 {{ print(line); }}
               db::set("written", ARGS); let text = ""; text.pad({length}, "{filler}"); text"#
        );
        raw.play(r#"db::delete("written")"#).await.unwrap();
        let answer = raw.call("play", json!([script, 1])).await;
        let written = raw.play(r#"db::has("written")"#).await.unwrap();
        assert_eq!((answer.is_ok(), &written), (fits, &json!(fits)), "{length} of {filler}");
        if let Err(error) = answer {
            assert_eq!(error["code"], codes::LIMIT_EXCEEDED, "{error}");
            assert_eq!(error["data"]["limit"], "result_bytes");
        }
    }
}

#[tokio::test]
async fn watched_play_stays_within_answer_bytes() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    for script in [
        r#"let text = ""; text.pad(1000000, "\x01"); text"#,
        r#"let text = ""; text.pad(1048574, "x"); text"#,
        r#"let text = ""; text.pad(1000000, "\x01"); throw text"#,
        r#"for i in 0..1000 { let line = ""; line.pad(1000, "\x01"); print(line); }"#,
    ] {
        raw.call("watch_play", json!({ "script": script })).await.unwrap();
        loop {
            let event = raw.receive().await.unwrap();
            assert!(event.to_string().len() <= circles_api::ANSWER_BYTES, "{script}");
            let event = &event["params"]["result"];
            if event["event"] == "ended" {
                let code = event["task"]["error"]["code"].as_i64();
                assert!(
                    code.is_none_or(|code| code == i64::from(codes::LIMIT_EXCEEDED)),
                    "{script}: {code:?}"
                );
                break;
            }
        }
    }
}

#[tokio::test]
async fn integers_beyond_64_bits_are_refused_with_their_place() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    for (args, place) in [
        ("18446744073709551615", "args: "),
        ("18446744073709551616", "args: "),
        ("-9223372036854775809", "args: "),
        (r#"{"a": [1, {"b": 99999999999999999999}]}"#, "args.a[1].b: "),
    ] {
        for params in [
            format!(r#"{{"script": "[ARGS, type_of(ARGS)]", "args": {args}}}"#),
            format!(r#"["[ARGS, type_of(ARGS)]", {args}]"#),
        ] {
            for method in ["play", "submit"] {
                let call =
                    format!(r#"{{"jsonrpc": "2.0", "id": 1, "method": "{method}", "params": {params}}}"#);
                // `submit` has the name of a script in this position.
                if method == "submit" && params.starts_with('[') {
                    continue;
                }
                let answer = raw.ask(call).await;
                assert_eq!(answer["error"]["code"], -32_602, "{params}: {answer}");
                let message = answer["error"]["message"].as_str().unwrap();
                assert!(message.starts_with(&format!("invalid params: {place}")), "{message}");
            }
        }
    }
    let fits = "[-9223372036854775808, 9223372036854775807, 1e30, \"18446744073709551616\"]";
    let answer = raw
        .ask(format!(r#"{{"jsonrpc": "2.0", "id": 1, "method": "play", "params": ["ARGS", {fits}]}}"#))
        .await;
    assert_eq!(answer["result"]["value"], serde_json::from_str::<Value>(fits).unwrap());
}

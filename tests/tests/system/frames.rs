//! Messages that no well-behaved client sends. The server continues after each.

use circles_api::codes;
use circles_tests::{Raw, World, soon};
use futures_util::{StreamExt as _, future::join_all};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

#[tokio::test]
async fn invalid_messages_get_standard_codes() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    for (text, code) in [
        ("", -32700),
        ("{", -32700),
        ("hello", -32700),
        ("[", -32700),
        ("1", -32600),
        ("[]", -32600),
        ("[1]", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"nonsense"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"play"}"#, -32602),
    ] {
        let answer = raw.ask(text).await;
        let error = answer.as_array().map_or(&answer, |batch| &batch[0])["error"].clone();
        assert_eq!(error["code"], code, "{text}: {answer}");
    }
    assert_eq!(raw.play("1").await, Ok(json!(1)));
}

#[tokio::test]
async fn unsupported_ids_get_error_answers() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    for id in ["-1", "1.5", "18446744073709551616"] {
        let call = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"whoami"}}"#);
        for text in [call.clone(), format!("[{call}]")] {
            let answer = raw.ask(text).await;
            let answer = answer.as_array().map_or(&answer, |batch| &batch[0]);
            assert_eq!(answer["error"]["code"], -32600, "{answer}");
            let expected: Value = serde_json::from_str(id).unwrap();
            assert_eq!(answer["id"].as_f64(), expected.as_f64());
        }
    }
}

#[tokio::test]
async fn notification_is_neither_answered_nor_executed() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    raw.send(r#"{"jsonrpc":"2.0","method":"play","params":["throw"]}"#).await;
    raw.send(r#"[{"jsonrpc":"2.0","method":"play","params":["throw"]}]"#).await;
    let answer = raw.ask(r#"{"jsonrpc":"2.0","id":"next","method":"whoami"}"#).await;
    assert_eq!(answer["id"], "next");
}

#[tokio::test]
async fn batch_is_answered_in_one_message_and_in_order() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let answer = raw
        .ask(
            r#"[{"jsonrpc":"2.0","id":1,"method":"play","params":["1"]},
                {"jsonrpc":"2.0","method":"whoami"},
                {"jsonrpc":"2.0","id":"b","method":"play","params":{"script":"throw 2"}},
                {"jsonrpc":"2.0","id":3,"method":"nonsense"}]"#,
        )
        .await;
    let answers = answer.as_array().unwrap();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["result"]["value"], 1);
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!("b"), &json!(codes::SCRIPT_ERROR)));
    assert_eq!(answers[2]["error"]["code"], -32601);
}

#[tokio::test]
async fn batch_size_is_limited() {
    let world = World::builder().settings(|it| it.limits.batch = 2).start().await;
    let mut raw = world.raw().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"whoami"}"#;
    assert_eq!(raw.ask(format!("[{call},{call}]")).await.as_array().unwrap().len(), 2);
    assert_eq!(raw.ask(format!("[{call},{call},{call}]")).await["error"]["code"], -32600);
}

#[tokio::test]
async fn oversized_message_is_refused_and_others_continue() {
    let world = World::builder().settings(|it| it.limits.message_bytes = 10_000).start().await;
    let (mut greedy, mut modest) = (world.raw().await, world.raw().await);
    greedy.send("x".repeat(20_000)).await;
    assert_eq!(greedy.receive().await.unwrap()["error"]["code"], -32600);
    assert_eq!(greedy.receive().await, None);
    assert_eq!(modest.play("1").await, Ok(json!(1)));
}

#[tokio::test]
async fn oversized_answer_is_an_error() {
    let world = World::builder().settings(|it| it.limits.answer_bytes = 2_000).start().await;
    let mut raw = world.raw().await;
    let script = r#"let s = ""; for i in 0..3000 { s += "x"; } s"#;
    assert!(raw.call("play", json!([script])).await.is_err());
    assert_eq!(raw.play("1").await, Ok(json!(1)));
}

#[tokio::test]
async fn binary_message_is_read_as_text_or_refused() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let call = raw.request("play", json!(["1"]));
    raw.send_frame(Message::binary(call.into_bytes())).await.unwrap();
    assert_eq!(raw.receive().await.unwrap()["result"]["value"], 1);
    raw.send_frame(Message::binary(vec![0xff, 0xfe])).await.unwrap();
    assert_eq!(raw.receive().await.unwrap()["error"]["code"], -32700);
}

#[tokio::test]
async fn invalid_utf8_closes_with_1007() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let frame = Frame::message(vec![b'"', 0xff, b'"'], OpCode::Data(Data::Text), true);
    raw.send_frame(Message::Frame(frame)).await.unwrap();
    assert_eq!(raw.closed().await, Some(1007));
}

#[tokio::test]
async fn repeated_member_of_a_call_is_reported() {
    let world = World::builder().start().await;
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"play","params":["1"],"params":["2"]}"#;
    let answer = world.raw().await.ask(call).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(-32600)), "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("member params"), "{answer}");
}

#[tokio::test]
async fn params_by_name_or_position_report_their_faults() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    for params in [json!(["ARGS.a", { "a": 7 }]), json!({ "script": "ARGS.a", "args": { "a": 7 } })] {
        assert_eq!(raw.call("play", params).await.unwrap()["value"], 7);
    }
    for (params, named) in [
        (json!({}), "script"),
        (json!([]), "script"),
        (json!({ "script": 1 }), "script"),
        (json!([1]), "script"),
        (json!({ "script": "x".repeat(1_048_577) }), "script"),
        (json!({ "script": "1", "timeout_ms": 0 }), "timeout_ms"),
        (json!({ "script": "1", "timeout_ms": -1 }), "timeout_ms"),
        (json!({ "script": "1", "timeout_ms": 1.5 }), "timeout_ms"),
        (json!({ "script": "1", "timeout_ms": 86_400_001 }), "timeout_ms"),
        (json!({ "script": "1", "idempotency_key": "" }), "idempotency_key"),
        (json!({ "script": "1", "idempotency_key": "a b" }), "idempotency_key"),
        (json!({ "script": "1", "tiemout_ms": 1 }), "tiemout_ms"),
        (json!(["1", null, null, null, 5]), "4"),
    ] {
        let error = raw.call("play", params.clone()).await.unwrap_err();
        assert_eq!(error["code"], -32602, "{params}: {error}");
        assert!(error["message"].as_str().unwrap().contains(named), "{params}: {error}");
    }
}

#[tokio::test]
async fn calls_in_flight_are_bounded() {
    let world = World::builder().settings(|it| it.limits.in_flight = 4).start().await;
    let mut raw = world.raw().await;
    for _ in 0..5 {
        let call = raw.request("play", json!(["loop {}", null, 2_000]));
        raw.send(call).await;
    }
    // The fifth call is refused at once, before any other can end.
    let first = raw.receive().await.unwrap();
    assert_eq!(
        (first["id"].as_u64(), first["error"]["code"].as_i64()),
        (Some(5), Some(codes::RATE_LIMITED.into()))
    );
    assert!(first["error"]["data"]["retry_after_ms"].is_u64());
    for _ in 0..4 {
        assert_eq!(raw.receive().await.unwrap()["error"]["code"], codes::SCRIPT_TIMEOUT);
    }
}

#[tokio::test]
async fn thousands_of_pipelined_calls_are_all_answered() {
    let world = World::builder().settings(|it| it.limits.in_flight = 10_000).trial().start().await;
    let clients = (0..4).map(|_| async {
        let mut raw = world.raw().await;
        for _ in 0..1_000 {
            let call = raw.request("play", json!(["40 + 2"]));
            raw.send(call).await;
        }
        let mut ids = Vec::new();
        for _ in 0..1_000 {
            let answer = raw.receive().await.unwrap();
            assert_eq!(answer["result"]["value"], 42, "{answer}");
            ids.push(answer["id"].as_u64().unwrap());
        }
        ids.sort_unstable();
        assert_eq!(ids, (1..=1_000).collect::<Vec<_>>());
    });
    soon(join_all(clients)).await;
}

#[tokio::test]
async fn close_frame_is_answered() {
    let world = World::builder().start().await;
    let (mut socket, _) = soon(tokio_tungstenite::connect_async(world.circle_url(0))).await.unwrap();
    socket.close(None).await.unwrap();
    // A connection dropped without a close frame would be an error here.
    assert!(matches!(soon(socket.next()).await, Some(Ok(Message::Close(_)))));
    assert!(soon(socket.next()).await.is_none());
}

#[tokio::test]
async fn connection_count_is_limited() {
    let world = World::builder().settings(|it| it.limits.connections = 2).start().await;
    let first = world.raw().await;
    let _second = world.raw().await;
    let third = tokio_tungstenite::connect_async(world.circle_url(0)).await;
    assert!(third.is_err());
    drop(first);
    // Its slot is free once the server has noticed its end.
    soon(async {
        while tokio_tungstenite::connect_async(world.circle_url(0)).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn unknown_circle_is_404_before_upgrade() {
    let world = World::builder().start().await;
    let stranger = circles_tests::secret_key("mallory").public_key().to_string();
    for path in [
        format!("/{stranger}"),
        "/nonsense".to_owned(),
        format!("/{}", world.circles[0].to_string().to_uppercase()),
    ] {
        let refused = Raw::connect_with(&world.url(&path), &[]).await.err();
        assert_eq!(refused.map(|status| status.as_u16()), Some(404), "{path}");
    }
}

#[tokio::test]
async fn root_path_serves_first_circle() {
    let world = World::builder().circles(&["alice", "bob"]).start().await;
    for path in ["/", "/ws/", "/ws"] {
        let mut raw = Raw::connect(&world.url(path)).await;
        let identity = raw.call("whoami", json!({})).await.unwrap();
        assert_eq!(identity["circle"], world.circles[0].to_string(), "{path}");
    }
}

#[tokio::test]
async fn foreign_origins_are_refused() {
    let world = World::builder().start().await;
    let own = format!("http://{}", world.address);
    for origin in [own.as_str(), "http://localhost:3000"] {
        assert!(Raw::connect_with(&world.circle_url(0), &[("origin", origin)]).await.is_ok(), "{origin}");
    }
    // The second and third are the headers of a page after DNS rebinding to this address.
    let port = world.address.port();
    let rebound = format!("http://evil.example:{port}");
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", rebound.as_str()), ("host", rebound.trim_start_matches("http://"))],
        &[("origin", "null")],
    ] {
        let refused = Raw::connect_with(&world.circle_url(0), headers).await.err();
        assert_eq!(refused.map(|status| status.as_u16()), Some(403), "{headers:?}");
    }
}

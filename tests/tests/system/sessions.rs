//! Sessions: login, expiry, and the methods that need one.

use circles_api::{Auth, METHODS, codes};
use circles_tests::{Raw, World, secret_key};
use serde_json::{Value, json};

/// Valid params of a method, so that only the guard can refuse.
fn params(method: &str) -> Value {
    match method {
        "fetch_nonce" => json!({ "pubkey": secret_key("ana").public_key().to_string() }),
        "authenticate" => {
            json!({ "pubkey": secret_key("ana").public_key().to_string(), "signature": "0".repeat(128) })
        }
        "play" => json!({ "script": "1" }),
        _ => json!({}),
    }
}

fn code(answer: &Value) -> Option<i64> {
    answer["error"]["code"].as_i64()
}

#[tokio::test]
async fn methods_without_session_follow_the_document() {
    let world = World::builder().auth().start().await;
    let mut raw = world.raw().await;
    assert!(!METHODS.is_empty());
    for method in METHODS {
        let single = raw.request(method.name, params(method.name));
        let batch = format!("[{}]", raw.request(method.name, params(method.name)));
        let (single, batch) = (raw.ask(single).await, raw.ask(batch).await);
        for answer in [single, batch[0].clone()] {
            let refused = code(&answer) == Some(codes::UNAUTHENTICATED.into());
            assert_eq!(refused, method.auth == Auth::Session, "{}: {answer}", method.name);
        }
    }
}

#[tokio::test]
async fn session_opens_methods_and_scripts_see_caller() {
    let world = World::builder().auth().start().await;
    let mut raw = world.raw().await;
    let ana = secret_key("ana");
    raw.log_in(&ana).await;
    assert_eq!(raw.play("CALLER").await, Ok(json!(ana.public_key().to_string())));
    let identity = raw.call("whoami", json!([])).await.unwrap();
    assert_eq!(identity["caller"], ana.public_key().to_string());
    assert_eq!(identity["authenticated"], true);
    assert_eq!(identity["circle"], world.circles[0].to_string());
    assert!(identity["expires_at"].as_u64() > Some(1_700_000_000));
}

#[tokio::test]
async fn session_belongs_to_one_connection() {
    let world = World::builder().auth().start().await;
    let mut first = world.raw().await;
    let mut second = world.raw().await;
    first.log_in(&secret_key("ana")).await;
    assert_eq!(second.code("play", json!(["1"])).await, codes::UNAUTHENTICATED);
    assert_eq!(second.call("whoami", json!([])).await.unwrap()["caller"], "");
    drop(first);
    assert_eq!(world.raw().await.code("play", json!(["1"])).await, codes::UNAUTHENTICATED);
}

#[tokio::test]
async fn signature_is_valid_for_one_connection() {
    let world = World::builder().auth().start().await;
    let (mut first, mut second) = (world.raw().await, world.raw().await);
    let stolen = first.signed(&secret_key("ana")).await;
    let _ = second.signed(&secret_key("ana")).await;
    assert_eq!(second.code("authenticate", stolen).await, codes::INVALID_CREDENTIALS);
}

#[tokio::test]
async fn session_is_valid_in_one_circle() {
    let world = World::builder().auth().circles(&["alice", "bob"]).start().await;
    let mut alice = world.raw().await;
    let mut bob = Raw::connect(&world.circle_url(1)).await;
    alice.log_in(&secret_key("ana")).await;
    assert_eq!(alice.play("CIRCLE").await, Ok(json!(world.circles[0].to_string())));
    assert_eq!(bob.code("play", json!(["1"])).await, codes::UNAUTHENTICATED);
    bob.log_in(&secret_key("ana")).await;
    assert_eq!(bob.play("CIRCLE").await, Ok(json!(world.circles[1].to_string())));
}

#[tokio::test]
async fn five_failed_logins_close_the_connection() {
    let world = World::builder().auth().start().await;
    let mut raw = world.raw().await;
    for _ in 0..5 {
        assert_eq!(raw.code("authenticate", params("authenticate")).await, codes::INVALID_CREDENTIALS);
    }
    assert_eq!(raw.receive().await, None);
    // Other connections are not affected.
    world.raw().await.log_in(&secret_key("ana")).await;
}

#[tokio::test]
async fn call_pipelined_after_login_has_the_session() {
    let world = World::builder().auth().start().await;
    let mut raw = world.raw().await;
    let login = raw.signed(&secret_key("ana")).await;
    let login = raw.request("authenticate", login);
    let play = raw.request("play", json!(["CALLER"]));
    raw.send(login).await;
    raw.send(play).await;
    assert_eq!(raw.receive().await.unwrap()["result"]["authenticated"], true);
    assert_eq!(raw.receive().await.unwrap()["result"]["value"], secret_key("ana").public_key().to_string());
}

#[tokio::test]
async fn expired_session_is_refused() {
    let world =
        World::builder().auth().settings(|it| it.session_ttl = std::time::Duration::ZERO).start().await;
    let mut raw = world.raw().await;
    raw.log_in(&secret_key("ana")).await;
    assert_eq!(raw.code("play", json!(["1"])).await, codes::UNAUTHENTICATED);
    assert_eq!(raw.call("whoami", json!([])).await.unwrap()["authenticated"], false);
}

#[tokio::test]
async fn without_auth_callers_are_anonymous() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    assert_eq!(raw.play("CALLER").await, Ok(json!("")));
}

#[tokio::test]
async fn challenge_does_not_name_a_relay() {
    let world = World::builder().start().await;
    let key = secret_key("ana").public_key().to_string();
    // A relay would send its own name as the host, to have it signed.
    let mut raw = Raw::connect_with(&world.circle_url(0), &[("host", "evil.example:9001")]).await.unwrap();
    let challenge = raw.call("fetch_nonce", json!([key])).await.unwrap();
    let text = challenge["challenge"].as_str().unwrap();
    assert!(text.contains(&format!("\naudience:ws://{}\n", world.address)), "{text}");
}

#[tokio::test]
async fn challenge_text_matches_its_fields() {
    let world = World::builder().start().await;
    let key = secret_key("ana").public_key().to_string();
    let result = world.raw().await.call("fetch_nonce", json!([key])).await.unwrap();
    let expected = format!(
        "circles-auth-v1\ncircle:{}\naudience:ws://{}\npubkey:{key}\nnonce:{}\nexpires:{}",
        world.circles[0],
        world.address,
        result["nonce"].as_str().unwrap(),
        result["expires_at"],
    );
    assert_eq!(result["challenge"], expected);
}

#[tokio::test]
async fn invalid_key_is_reported_as_invalid_param() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let upper = secret_key("ana").public_key().to_string().to_uppercase();
    let off_curve = format!("02{:064x}", 5);
    for bad in [json!(1), json!("02"), json!(upper), json!(off_curve), Value::Null] {
        let error = raw.call("fetch_nonce", json!({ "pubkey": bad })).await.unwrap_err();
        assert_eq!(error["code"], -32602, "{bad}: {error}");
        assert!(error["message"].as_str().unwrap().contains("pubkey"), "{bad}: {error}");
    }
}

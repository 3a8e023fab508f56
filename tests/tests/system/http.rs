//! Plain HTTP.

use circles_tests::{World, soon};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Sends the text of a request, and returns status and body.
async fn exchange(world: &World, request: String) -> (u16, String) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    (status, body)
}

async fn get(world: &World, path: &str) -> (u16, String) {
    let host = world.address;
    exchange(world, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}

async fn post(world: &World, path: &str, kind: &str, body: &str) -> (u16, String) {
    let (host, length) = (world.address, body.len());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close"
    );
    exchange(world, format!("{head}\r\n\r\n{body}")).await
}

async fn call(world: &World, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let (status, body) = post(world, "/", "application/json", &body).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn health_endpoint_reports_ok() {
    let world = World::builder().start().await;
    let (status, body) = get(&world, "/health").await;
    assert_eq!(status, 200);
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&health["status"], health["version"].is_string()), (&json!("ok"), true), "{body}");
}

#[tokio::test]
async fn served_document_matches_build_and_health_hash() {
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")).unwrap();
    let world = World::builder().start().await;
    assert_eq!(get(&world, "/openrpc.json").await, (200, file.clone()));
    let discovered = world.raw().await.call("rpc.discover", json!([])).await.unwrap();
    assert_eq!(discovered, serde_json::from_str::<Value>(&file).unwrap());
    let health: Value = serde_json::from_str(&get(&world, "/health").await.1).unwrap();
    let hash = circles_api::hex::encode(&Sha256::digest(&file));
    assert_eq!(health["document_sha256"], hash);
}

#[tokio::test]
async fn post_allows_only_connectionless_methods() {
    let world = World::builder().start().await;
    assert_eq!(call(&world, "whoami", json!({})).await["result"]["circle"], world.circles[0].to_string());
    assert!(call(&world, "rpc.discover", json!({})).await["result"]["methods"].is_array());
    let key = circles_tests::secret_key("ana").public_key().to_string();
    assert_eq!(call(&world, "fetch_nonce", json!([key])).await["error"]["code"], -32600);
    assert_eq!(
        call(&world, "play", json!(["1"])).await["error"]["code"],
        circles_api::codes::UNAUTHENTICATED
    );
}

#[tokio::test]
async fn invalid_post_is_refused() {
    let world = World::builder().start().await;
    assert_eq!(post(&world, "/", "text/plain", "{}").await.0, 415);
    let stranger = circles_tests::secret_key("mallory").public_key();
    assert_eq!(post(&world, &format!("/{stranger}"), "application/json", "{}").await.0, 404);
    let (status, body) = post(&world, "/", "application/json", "{").await;
    assert_eq!((status, body.contains("-32700")), (200, true), "{body}");
    let notification = r#"{"jsonrpc":"2.0","method":"whoami"}"#;
    assert_eq!(post(&world, "/", "application/json", notification).await.0, 204);
    let long = "x".repeat(3 << 20);
    assert_eq!(post(&world, "/", "application/json", &long).await.0, 413);
}

#[tokio::test]
async fn content_type_is_compared_without_case() {
    let world = World::builder().start().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"whoami"}"#;
    for kind in ["Application/JSON", "application/json;charset=utf-8", "APPLICATION/JSON ; charset=UTF-8"] {
        assert_eq!(post(&world, "/", kind, call).await.0, 200, "{kind}");
    }
    assert_eq!(post(&world, "/", "application/jsonp", call).await.0, 415);
}

/// Sends an upgrade request, and returns the status and the whole answer.
async fn upgrade(world: &World, path: &str, more: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: \
         dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let length = soon(stream.read(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

#[tokio::test]
async fn unsupported_websocket_version_gets_supported_one() {
    let world = World::builder().start().await;
    let host = format!("Host: {}\r\n", world.address);
    assert_eq!(upgrade(&world, "/", &format!("{host}Sec-WebSocket-Version: 13\r\n")).await.0, 101);
    for version in ["Sec-WebSocket-Version: 8\r\n", "Sec-WebSocket-Version: 14\r\n", ""] {
        let (status, answer) = upgrade(&world, "/", &format!("{host}{version}")).await;
        assert_eq!(status, 426, "{answer}");
        assert!(answer.contains("\r\nsec-websocket-version: 13\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn request_needs_exactly_one_host() {
    let world = World::builder().start().await;
    let version = "Sec-WebSocket-Version: 13\r\n";
    assert_eq!(upgrade(&world, "/", version).await.0, 400);
    assert_eq!(upgrade(&world, "/", &format!("{version}Host: a\r\nHost: b\r\n")).await.0, 400);
    assert_eq!(upgrade(&world, "/", &format!("{version}Host: a\r\n")).await.0, 101);
    assert_eq!(exchange(&world, "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n".into()).await.0, 400);
    // HTTP/1.0 has no required Host header.
    assert_eq!(exchange(&world, "GET /health HTTP/1.0\r\n\r\n".into()).await.0, 200);
}

#[tokio::test]
async fn plain_get_of_circle_requires_upgrade() {
    let world = World::builder().start().await;
    assert_eq!(get(&world, &format!("/{}", world.circles[0])).await.0, 426);
    assert_eq!(get(&world, "/nonsense").await.0, 404);
}

#[tokio::test]
async fn incomplete_request_times_out() {
    let world = World::builder()
        .settings(|it| it.limits.head_timeout = std::time::Duration::from_millis(100))
        .start()
        .await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost:").await.unwrap();
    let mut rest = Vec::new();
    // The server closes the connection, with or without an answer.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
}

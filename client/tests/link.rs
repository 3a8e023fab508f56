//! Lost connections and ended sessions, against a scripted server.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use circles_client::{Client, Error, Fault, SecretKey, codes};
use futures_util::{SinkExt as _, StreamExt as _, future::join_all};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async, tungstenite::Message};

const TASK: &str = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3";
const NONCE: &str = "abababababababababababababababababababababababababababababababab";

/// The server's reaction to the first call that is not part of a login.
#[derive(Clone, Copy, Debug)]
enum Reaction {
    Answer,
    /// Closes the connection without an answer.
    Break,
    /// Answers that the session has ended, until a second login.
    Expired,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    logins: AtomicUsize,
    /// The params of each call, logins apart.
    plays: Mutex<Vec<Value>>,
}

/// Serves connections: it treats the first call as `first` says and answers every other.
async fn server(first: Reaction) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("ws://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let (url, shared) = (audience.clone(), seen.clone());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            shared.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(socket, audience.clone(), shared.clone(), first));
        }
    });
    (url, seen)
}

async fn serve(socket: TcpStream, audience: String, seen: Arc<Seen>, first: Reaction) {
    let mut socket = accept_async(socket).await.unwrap();
    while let Some(Ok(frame)) = socket.next().await {
        // The client pings as soon as it is connected.
        let Message::Text(text) = frame else { continue };
        let call: Value = serde_json::from_str(&text).unwrap();
        let answer = match call["method"].as_str().unwrap() {
            "fetch_nonce" => {
                json!({ "result": challenge(&audience, call["params"]["pubkey"].as_str().unwrap()) })
            }
            "authenticate" => {
                seen.logins.fetch_add(1, Ordering::SeqCst);
                json!({ "result": { "authenticated": true, "expires_at": 4_000_000_000_u64 } })
            }
            method @ ("play" | "run" | "submit" | "task") => {
                let count = {
                    let mut plays = seen.plays.lock().unwrap();
                    plays.push(call["params"].clone());
                    plays.len()
                };
                match first {
                    Reaction::Break if count == 1 => return,
                    Reaction::Expired if seen.logins.load(Ordering::SeqCst) < 2 => {
                        json!({ "error": { "code": codes::UNAUTHENTICATED, "message": "not authenticated" } })
                    }
                    _ => json!({ "result": result(method, count) }),
                }
            }
            method => panic!("{method} was not expected"),
        };
        let mut answer = answer;
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = call["id"].clone();
        if socket.send(Message::text(answer.to_string())).await.is_err() {
            return;
        }
    }
}

fn challenge(audience: &str, pubkey: &str) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let expires = now + 60;
    let text = format!(
        "circles-auth-v1\ncircle:{pubkey}\naudience:{audience}\npubkey:{pubkey}\nnonce:{NONCE}\nexpires:{expires}"
    );
    json!({ "challenge": text, "nonce": NONCE, "expires_at": expires })
}

/// The result of the call of this number. A task ends with the third call.
fn result(method: &str, count: usize) -> Value {
    let result = json!({
        "task_id": TASK, "output": "42", "value": 42, "logs": [],
        "stats": { "queued_us": 0, "elapsed_us": 1, "operations": 1 },
    });
    let ended = count >= 3;
    match method {
        "submit" => json!({ "task_id": TASK }),
        "task" => json!({
            "task_id": TASK, "state": if ended { "succeeded" } else { "running" }, "caller": "",
            "script_name": "a", "submitted_at": 1, "started_at": 2, "ended_at": ended.then_some(3),
            "result": ended.then_some(result), "error": null,
        }),
        _ => result,
    }
}

async fn client(url: &str) -> Client {
    let key = SecretKey::generate().unwrap();
    Client::builder(url).key(key).timeout(Duration::from_secs(20)).connect().await.unwrap()
}

#[tokio::test]
async fn play_that_may_have_run_is_not_repeated() {
    let (url, seen) = server(Reaction::Break).await;
    let client = client(&url).await;
    assert!(matches!(client.play("1").await, Err(Error::ConnectionLost)));
    assert_eq!(seen.plays.lock().unwrap().len(), 1);
    // The next call uses a new connection with its own login.
    assert_eq!(client.play("1").await.unwrap().value::<i64>().unwrap(), 42);
    assert_eq!(seen.connections.load(Ordering::SeqCst), 2);
    assert_eq!(seen.logins.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn play_with_idempotency_key_is_repeated_with_the_same_key() {
    let (url, seen) = server(Reaction::Break).await;
    let played = client(&url).await.play("1").idempotency_key("once").await.unwrap();
    assert_eq!(played.output, "42");
    let plays = seen.plays.lock().unwrap();
    assert_eq!(plays.len(), 2);
    assert!(plays.iter().all(|params| params["idempotency_key"] == "once"), "{plays:?}");
}

#[tokio::test]
async fn concurrent_calls_share_one_renewed_login() {
    let (url, seen) = server(Reaction::Expired).await;
    let client = client(&url).await;
    for played in join_all((0..20).map(|_| async { client.play("1").await })).await {
        assert_eq!(played.unwrap().output, "42");
    }
    assert_eq!(seen.logins.load(Ordering::SeqCst), 2);
    assert_eq!(seen.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn anonymous_client_gets_unauthenticated() {
    let (url, seen) = server(Reaction::Expired).await;
    let client = Client::builder(url).connect().await.unwrap();
    let Err(Error::Call(error)) = client.play("1").await else { panic!("it played") };
    assert_eq!(error.fault(), Some(&Fault::Unauthenticated));
    assert_eq!(seen.plays.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn every_play_carries_a_deadline() {
    let (url, seen) = server(Reaction::Answer).await;
    let client = client(&url).await;
    client.play("1").await.unwrap();
    client.play("1").timeout(Duration::from_secs(3)).await.unwrap();
    let deadlines: Vec<_> =
        seen.plays.lock().unwrap().iter().map(|params| params["timeout_ms"].clone()).collect();
    assert_eq!(deadlines, [20_000, 3_000]);
}

#[tokio::test]
async fn oversized_arguments_are_refused_before_sending() {
    let (url, seen) = server(Reaction::Answer).await;
    let refused = client(&url).await.play("1").args(&"x".repeat(2 << 20)).await;
    assert!(matches!(refused, Err(Error::Argument { param: "args", .. })), "{refused:?}");
    assert!(seen.plays.lock().unwrap().is_empty());
}

#[tokio::test]
async fn submission_is_repeated_only_with_an_idempotency_key() {
    let (url, seen) = server(Reaction::Break).await;
    let client_without = client(&url).await;
    assert!(matches!(client_without.submit("1").await, Err(Error::ConnectionLost)));
    assert_eq!(seen.plays.lock().unwrap().len(), 1);

    let (url, seen) = server(Reaction::Break).await;
    let client = client(&url).await;
    let id = client.submit_run("a").args(&[1]).retries(2).idempotency_key("once").await.unwrap();
    assert_eq!(id.to_string(), TASK);
    let sent = json!({
        "script": null, "name": "a", "args": [1], "timeout_ms": null, "idempotency_key": "once", "retries": 2,
    });
    assert_eq!(*seen.plays.lock().unwrap(), [sent.clone(), sent]);
}

#[tokio::test]
async fn library_script_runs_by_name() {
    let (url, seen) = server(Reaction::Answer).await;
    let client = client(&url).await;
    assert_eq!(client.run("ledger/close").await.unwrap().output, "42");
    let sent = json!({ "name": "ledger/close", "args": null, "timeout_ms": 20_000, "idempotency_key": null });
    assert_eq!(*seen.plays.lock().unwrap(), [sent]);
    let refused = client.run("../secrets").await;
    assert!(matches!(refused, Err(Error::Argument { param: "name", .. })), "{refused:?}");
}

#[tokio::test]
async fn long_wait_takes_several_calls_and_survives_a_reconnect() {
    let (url, seen) = server(Reaction::Break).await;
    let client = client(&url).await;
    let task = client.task(TASK.parse().unwrap()).wait(Duration::from_secs(3_600)).await.unwrap();
    assert_eq!(task.outcome().unwrap().unwrap().output, "42");
    let waits: Vec<_> = seen.plays.lock().unwrap().iter().map(|params| params["wait_ms"].clone()).collect();
    assert_eq!(waits, [60_000, 60_000, 60_000]);
    assert_eq!(seen.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn task_lookup_without_wait_returns_at_once() {
    let (url, seen) = server(Reaction::Answer).await;
    let task = client(&url).await.task(TASK.parse().unwrap()).await.unwrap();
    assert!(task.outcome().is_none() && task.ended_at.is_none());
    assert_eq!(seen.plays.lock().unwrap().len(), 1);
}

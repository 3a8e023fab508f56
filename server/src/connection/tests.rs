//! Subscriptions on a connection, with a method that does as it is told instead of playing.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{Router, extract::WebSocketUpgrade, routing::get};
use circles_api::{Error, codes};
use futures_util::{SinkExt as _, StreamExt as _};
use jsonrpsee::types::error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE, INVALID_REQUEST_CODE};
use jsonrpsee::{
    Methods, PendingSubscriptionSink, RpcModule,
    core::{SubscriptionError, SubscriptionResult},
};
use serde_json::{Value, json, value::to_raw_value};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use super::{Terms, Turns};
use crate::{
    auth::{Session, Transport},
    connections::Connections,
    rpc::{Limits, stack},
};

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), work).await.expect("too slow")
}

/// Told when it is dropped, and with it whatever holds it.
struct Held(UnboundedSender<()>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn watch(script: String, pending: PendingSubscriptionSink, held: Held) -> SubscriptionResult {
    match script.as_str() {
        "refused" => {
            pending.reject(Error::invalid_params("no")).await;
            return Ok(());
        }
        "panic" => panic!("secret"),
        _ => {}
    }
    let sink = pending.accept().await?;
    let line = |count: u64| to_raw_value(&json!({ "line": format!("{count:>1000}") }));
    match script.as_str() {
        "flood" => {
            for count in 0.. {
                tokio::select! {
                    () = sink.closed() => break,
                    sent = sink.send(line(count)?) => sent?,
                }
            }
        }
        "silent" => sink.closed().await,
        "broken" => {
            return Err(SubscriptionError::from_json(to_raw_value(&json!({ "code": INTERNAL_ERROR_CODE }))?));
        }
        count => {
            for count in 0..count.parse()? {
                sink.send(line(count)?).await?;
            }
        }
    }
    drop(held);
    Ok(())
}

fn methods(ended: UnboundedSender<()>) -> Methods {
    let mut module = RpcModule::new(ended);
    module
        .register_subscription(
            "watch_play",
            "play_event",
            "unwatch_play",
            async |params, pending, ended, _| {
                let params: Value = params.parse()?;
                let held = Held((*ended).clone());
                watch(params["script"].as_str().unwrap_or_default().to_owned(), pending, held).await
            },
        )
        .unwrap();
    module.register_method("whoami", |_, _, _| "nobody").unwrap();
    module.register_async_method("play", |_, _, _| pending::<()>()).unwrap();
    module.into()
}

/// A server of connections, and what tells of streams that were dropped.
struct Bench {
    url: String,
    ended: UnboundedReceiver<()>,
    shutdown: CancellationToken,
}

fn session(transport: Transport) -> Arc<Session> {
    let key = format!("{:064x}", 1).parse::<circles_auth::SecretKey>().unwrap().public_key();
    Arc::new(Session::new(key, String::new(), transport, Duration::from_secs(60)))
}

fn terms(methods: Methods, transport: Transport, auth: bool, limits: Limits) -> Terms {
    let session = session(transport);
    Terms { rpc: stack(methods, session.clone(), auth, &limits), session, limits, auth }
}

async fn bench(auth: bool, change: impl FnOnce(&mut Limits)) -> Bench {
    let mut limits = Limits::default();
    change(&mut limits);
    let (sender, ended) = unbounded_channel();
    let (methods, shutdown) = (methods(sender), CancellationToken::new());
    let stop = shutdown.clone();
    let connections = Arc::new(Connections::new(&limits));
    let upgrade = move |upgrade: WebSocketUpgrade| async move {
        let terms = terms(methods, Transport::WebSocket, auth, limits);
        let place = connections.admit([127, 0, 0, 1].into()).unwrap().into();
        upgrade.on_upgrade(move |socket| super::serve(socket, terms, place, stop))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/", get(upgrade))).await });
    Bench { url, ended, shutdown }
}

struct Peer(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Bench {
    async fn peer(&self) -> Peer {
        Peer(soon(connect_async(&self.url)).await.unwrap().0)
    }
}

impl Peer {
    async fn send(&mut self, value: &Value) {
        soon(self.0.send(Message::text(value.to_string()))).await.unwrap();
    }

    async fn receive(&mut self) -> Option<Value> {
        loop {
            match soon(self.0.next()).await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The answer to a call, and what came before it.
    async fn call(&mut self, method: &str, params: Value) -> (Value, Vec<Value>) {
        self.send(&call(method, params)).await;
        let mut before = Vec::new();
        loop {
            let text = self.receive().await.expect("an answer");
            if text["id"] == method {
                return (text, before);
            }
            before.push(text);
        }
    }

    async fn watch(&mut self, script: &str) -> Value {
        self.call("watch_play", json!({ "script": script })).await.0["result"].clone()
    }

    async fn unwatch(&mut self, id: &Value) -> Value {
        self.call("unwatch_play", json!([id])).await.0["result"].clone()
    }
}

fn call(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params })
}

fn count(notification: &Value, id: &Value) -> u64 {
    assert_eq!(notification["method"], "play_event", "{notification}");
    assert_eq!(notification["params"]["subscription"], *id, "{notification}");
    notification["params"]["result"]["line"].as_str().unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn the_answer_comes_first_then_every_notification_in_order() {
    let bench = bench(false, |_| {}).await;
    let mut peer = bench.peer().await;
    let (answer, before) = peer.call("watch_play", json!({ "script": "1000" })).await;
    let id = &answer["result"];
    assert!(id.as_u64().is_some_and(|id| id < 1 << 53), "{answer}");
    assert_eq!(before, Vec::<Value>::new());
    for expected in 0..1000 {
        assert_eq!(count(&peer.receive().await.unwrap(), id), expected);
    }
    let (answer, before) = peer.call("whoami", json!([])).await;
    assert_eq!((&answer["result"], before.len()), (&json!("nobody"), 0));
    assert_eq!(peer.unwatch(id).await, json!(false));
}

#[tokio::test]
async fn in_a_batch_notifications_follow_the_whole_answer() {
    let bench = bench(false, |_| {}).await;
    let mut peer = bench.peer().await;
    let watch = call("watch_play", json!({ "script": "3" }));
    peer.send(&json!([watch, call("whoami", json!([])), watch])).await;
    let answer = peer.receive().await.unwrap();
    let (one, other) = (&answer[0]["result"], &answer[2]["result"]);
    assert_eq!(answer[1]["result"], "nobody");
    let mut counts = [0, 0];
    for _ in 0..6 {
        let notification = peer.receive().await.unwrap();
        let second = notification["params"]["subscription"] == *other;
        let seen = &mut counts[usize::from(second)];
        assert_eq!(count(&notification, if second { other } else { one }), *seen);
        *seen += 1;
    }
    assert_eq!(counts, [3, 3]);
}

#[tokio::test]
async fn a_batch_whose_answer_is_too_long_leaves_no_subscription_behind() {
    let mut bench = bench(false, |limits| limits.answer_bytes = 200).await;
    let mut peer = bench.peer().await;
    let batch = vec![call("watch_play", json!({ "script": "silent" })); 10];
    peer.send(&json!(batch)).await;
    assert_eq!(peer.receive().await.unwrap()["error"]["code"], INVALID_REQUEST_CODE);
    soon(bench.ended.recv()).await.unwrap();
    assert_eq!(peer.call("whoami", json!([])).await.0["result"], "nobody");
}

#[tokio::test]
async fn a_flood_ends_when_the_client_says_so_and_nothing_comes_behind_the_answer() {
    let mut bench = bench(false, |_| {}).await;
    let mut peer = bench.peer().await;
    let id = peer.watch("flood").await;
    assert_eq!(count(&peer.receive().await.unwrap(), &id), 0);
    assert_eq!(peer.unwatch(&id).await, json!(true));
    soon(bench.ended.recv()).await.unwrap();
    let (answer, before) = peer.call("whoami", json!([])).await;
    assert_eq!((&answer["result"], before.len()), (&json!("nobody"), 0));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_its_subscriptions_with_it() {
    let mut bench = bench(false, |limits| limits.write_timeout = Duration::from_millis(200)).await;
    let mut peer = bench.peer().await;
    peer.watch("flood").await;
    peer.watch("silent").await;
    soon(bench.ended.recv()).await.unwrap();
    soon(bench.ended.recv()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_takes_its_subscriptions_along() {
    let mut bench = bench(false, |_| {}).await;
    let mut peer = bench.peer().await;
    peer.watch("silent").await;
    drop(peer);
    soon(bench.ended.recv()).await.unwrap();
}

#[tokio::test]
async fn so_many_subscriptions_and_no_more() {
    let bench = bench(false, |_| {}).await;
    let mut peer = bench.peer().await;
    let mut open = Vec::new();
    for _ in 0..1_000 {
        let (answer, _) = peer.call("watch_play", json!({ "script": "silent" })).await;
        match answer["error"]["code"].as_i64() {
            None => open.push(answer["result"].clone()),
            Some(code) => assert_eq!(code, i64::from(codes::RATE_LIMITED), "{answer}"),
        }
    }
    assert_eq!(open.len(), 64);
    assert_eq!(bench.peer().await.unwatch(&open[0]).await, json!(false), "it is not theirs");
    assert_eq!(peer.unwatch(&open[0]).await, json!(true));
    // The place is free as soon as the method has noticed.
    soon(async {
        while peer.watch("silent").await.is_null() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn refusals_and_panics_are_answers_and_hold_no_place() {
    let bench = bench(false, |limits| limits.subscriptions = 1).await;
    let mut peer = bench.peer().await;
    for (script, code) in [("refused", INVALID_PARAMS_CODE), ("panic", INTERNAL_ERROR_CODE)] {
        for _ in 0..3 {
            let (answer, _) = peer.call("watch_play", json!({ "script": script })).await;
            assert_eq!(answer["error"]["code"], code, "{answer}");
            assert!(!answer.to_string().contains("secret"), "{answer}");
        }
    }
    let id = peer.watch("broken").await;
    let end = peer.receive().await.unwrap();
    assert_eq!(end["params"], json!({ "subscription": id, "error": { "code": INTERNAL_ERROR_CODE } }));
}

#[tokio::test]
async fn params_of_both_methods_are_checked() {
    let bench = bench(false, |_| {}).await;
    let mut peer = bench.peer().await;
    let id = peer.watch("silent").await;
    for (method, params, field) in [
        ("watch_play", json!({ "script": "1", "colour": 1 }), "colour"),
        ("unwatch_play", json!([]), "subscription"),
        ("unwatch_play", json!({}), "subscription"),
        ("unwatch_play", json!({ "id": id }), "id"),
        ("unwatch_play", json!([id, id]), "params"),
        ("unwatch_play", json!([-1]), "subscription"),
        ("unwatch_play", json!([1_u64 << 53]), "subscription"),
        ("unwatch_play", json!({ "subscription": id.to_string() }), "subscription"),
    ] {
        let (answer, _) = peer.call(method, params).await;
        let error = &answer["error"];
        assert_eq!(error["code"], INVALID_PARAMS_CODE, "{answer}");
        assert!(error["message"].as_str().unwrap().contains(field), "{answer}");
    }
    let (answer, _) = peer.call("unwatch_play", json!({ "subscription": id })).await;
    assert_eq!(answer["result"], true);
}

#[tokio::test]
async fn nobody_subscribes_without_a_session_where_one_is_needed_or_by_post() {
    let bench = bench(true, |_| {}).await;
    let mut peer = bench.peer().await;
    for (method, params) in [("watch_play", json!(["silent"])), ("unwatch_play", json!([1]))] {
        let (answer, _) = peer.call(method, params.clone()).await;
        assert_eq!(answer["error"]["code"], codes::UNAUTHENTICATED);
        let post = terms(methods(unbounded_channel().0), Transport::Http, false, Limits::default());
        let answer = super::respond(post, call(method, params).to_string().into(), Turns::default()).await;
        assert!(answer.changes.is_empty());
        let answer: Value = serde_json::from_str(&answer.text.unwrap()).unwrap();
        assert_eq!(answer["error"]["code"], codes::UNAUTHENTICATED);
    }
}

#[tokio::test]
async fn a_connection_is_drained_when_its_subscriptions_have_ended() {
    let bench = bench(false, |_| {}).await;
    let mut peer = bench.peer().await;
    let id = peer.watch("silent").await;
    bench.shutdown.cancel();
    assert_eq!(peer.call("whoami", json!([])).await.0["result"], "nobody");
    assert_eq!(peer.unwatch(&id).await, json!(true));
    assert_eq!(peer.receive().await, None);
}

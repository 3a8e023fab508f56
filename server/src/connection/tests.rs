//! Subscriptions on a connection. The script of `watch_play` selects what the stream does.

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

use crate::{
    auth::{Session, Transport},
    connections::Connections,
    limits::Limits,
    respond::{BatchYields, respond},
    rpc::Handler,
};

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), work).await.expect("too slow")
}

/// Sends when it is dropped.
struct SendOnDrop(UnboundedSender<()>);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn watch(script: String, pending: PendingSubscriptionSink, on_drop: SendOnDrop) -> SubscriptionResult {
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
    drop(on_drop);
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
                let on_drop = SendOnDrop((*ended).clone());
                watch(params["script"].as_str().unwrap_or_default().to_owned(), pending, on_drop).await
            },
        )
        .unwrap();
    module.register_method("whoami", |_, _, _| "nobody").unwrap();
    module.register_async_method("play", |_, _, _| pending::<()>()).unwrap();
    module.into()
}

/// A server of connections; `ended` receives once for each dropped stream.
struct TestServer {
    url: String,
    ended: UnboundedReceiver<()>,
    shutdown: CancellationToken,
}

fn session(transport: Transport) -> Arc<Session> {
    let key = format!("{:064x}", 1).parse::<circles_auth::SecretKey>().unwrap().public_key();
    Arc::new(Session::new(key, String::new(), transport, Duration::from_secs(60)))
}

fn handler(methods: Methods, transport: Transport, require_login: bool, limits: Limits) -> Handler {
    Handler::new(methods, session(transport), limits, require_login)
}

async fn test_server(require_login: bool, change: impl FnOnce(&mut Limits)) -> TestServer {
    let mut limits = Limits::default();
    change(&mut limits);
    let (sender, ended) = unbounded_channel();
    let (methods, shutdown) = (methods(sender), CancellationToken::new());
    let stop = shutdown.clone();
    let connections = Arc::new(Connections::new(&limits));
    let upgrade = move |upgrade: WebSocketUpgrade| async move {
        let handler = handler(methods, Transport::WebSocket, require_login, limits);
        let slot = connections.admit([127, 0, 0, 1].into()).unwrap().into();
        upgrade.on_upgrade(move |socket| super::serve(socket, handler, slot, stop))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/", get(upgrade))).await });
    TestServer { url, ended, shutdown }
}

struct Peer(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl TestServer {
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

    /// Returns the answer to a call, and the messages before it.
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
async fn answer_precedes_notifications_in_order() {
    let server = test_server(false, |_| {}).await;
    let mut peer = server.peer().await;
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
async fn notifications_follow_the_answer_to_a_whole_batch() {
    let server = test_server(false, |_| {}).await;
    let mut peer = server.peer().await;
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
async fn too_long_batch_answer_drops_its_subscriptions() {
    let mut server = test_server(false, |limits| limits.answer_bytes = 200).await;
    let mut peer = server.peer().await;
    let batch = vec![call("watch_play", json!({ "script": "silent" })); 10];
    peer.send(&json!(batch)).await;
    assert_eq!(peer.receive().await.unwrap()["error"]["code"], INVALID_REQUEST_CODE);
    soon(server.ended.recv()).await.unwrap();
    assert_eq!(peer.call("whoami", json!([])).await.0["result"], "nobody");
}

#[tokio::test]
async fn unsubscribing_ends_a_flood_before_the_answer() {
    let mut server = test_server(false, |_| {}).await;
    let mut peer = server.peer().await;
    let id = peer.watch("flood").await;
    assert_eq!(count(&peer.receive().await.unwrap(), &id), 0);
    assert_eq!(peer.unwatch(&id).await, json!(true));
    soon(server.ended.recv()).await.unwrap();
    let (answer, before) = peer.call("whoami", json!([])).await;
    assert_eq!((&answer["result"], before.len()), (&json!("nobody"), 0));
}

#[tokio::test]
async fn slow_reader_is_disconnected_with_its_subscriptions() {
    let mut server = test_server(false, |limits| limits.write_timeout = Duration::from_millis(200)).await;
    let mut peer = server.peer().await;
    peer.watch("flood").await;
    peer.watch("silent").await;
    soon(server.ended.recv()).await.unwrap();
    soon(server.ended.recv()).await.unwrap();
}

#[tokio::test]
async fn disconnect_ends_subscriptions() {
    let mut server = test_server(false, |_| {}).await;
    let mut peer = server.peer().await;
    peer.watch("silent").await;
    drop(peer);
    soon(server.ended.recv()).await.unwrap();
}

#[tokio::test]
async fn subscriptions_of_a_connection_are_limited() {
    let server = test_server(false, |_| {}).await;
    let mut peer = server.peer().await;
    let mut open = Vec::new();
    for _ in 0..1_000 {
        let (answer, _) = peer.call("watch_play", json!({ "script": "silent" })).await;
        match answer["error"]["code"].as_i64() {
            None => open.push(answer["result"].clone()),
            Some(code) => assert_eq!(code, i64::from(codes::RATE_LIMITED), "{answer}"),
        }
    }
    assert_eq!(open.len(), 64);
    assert_eq!(
        server.peer().await.unwatch(&open[0]).await,
        json!(false),
        "another connection's subscription"
    );
    assert_eq!(peer.unwatch(&open[0]).await, json!(true));
    // The permit is free as soon as the method has noticed.
    soon(async {
        while peer.watch("silent").await.is_null() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn refusals_and_panics_are_answered_and_free_their_permit() {
    let server = test_server(false, |limits| limits.subscriptions = 1).await;
    let mut peer = server.peer().await;
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
async fn params_of_subscribing_and_unsubscribing_are_checked() {
    let server = test_server(false, |_| {}).await;
    let mut peer = server.peer().await;
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
async fn subscribing_needs_a_required_login_and_a_websocket() {
    let server = test_server(true, |_| {}).await;
    let mut peer = server.peer().await;
    for (method, params) in [("watch_play", json!(["silent"])), ("unwatch_play", json!([1]))] {
        let (answer, _) = peer.call(method, params.clone()).await;
        assert_eq!(answer["error"]["code"], codes::UNAUTHENTICATED);
        let post = handler(methods(unbounded_channel().0), Transport::Http, false, Limits::default());
        let answer = respond(post, call(method, params).to_string().into(), BatchYields::default()).await;
        assert!(answer.changes.is_empty());
        let answer: Value = serde_json::from_str(&answer.text.unwrap()).unwrap();
        assert_eq!(answer["error"]["code"], codes::UNAUTHENTICATED);
    }
}

#[tokio::test]
async fn draining_connection_closes_after_its_subscriptions() {
    let server = test_server(false, |_| {}).await;
    let mut peer = server.peer().await;
    let id = peer.watch("silent").await;
    server.shutdown.cancel();
    assert_eq!(peer.call("whoami", json!([])).await.0["result"], "nobody");
    assert_eq!(peer.unwatch(&id).await, json!(true));
    assert_eq!(peer.receive().await, None);
}

//! Streams of a play's events, against a server that the script controls.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is missing here fails the test")]

use std::time::Duration;

use circles_client::{Client, Error, PlayEvents, codes, types::PlayEvent};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

const TASK: &str = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3";

async fn soon<T: IntoFuture>(work: T) -> T::Output {
    timeout(Duration::from_secs(20), work).await.expect("too slow")
}

/// A client, and the calls that it sends.
async fn client() -> (Client, UnboundedReceiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (calls, seen) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(accept_async(socket).await.unwrap(), calls.clone()));
        }
    });
    (soon(Client::builder(url).connect()).await.unwrap(), seen)
}

/// Answers each call as its script says, until one breaks the connection.
async fn serve(mut socket: WebSocketStream<TcpStream>, calls: UnboundedSender<Value>) {
    while let Some(Ok(frame)) = socket.next().await {
        let Message::Text(text) = frame else { continue };
        let call: Value = serde_json::from_str(&text).unwrap();
        let script = call["params"]["script"].as_str().unwrap_or_default().to_owned();
        let answer = match (call["method"].as_str().unwrap(), script.as_str()) {
            ("watch_play", "refused") => json!({ "error": { "code": codes::FORBIDDEN, "message": "no" } }),
            ("watch_play", _) => json!({ "result": 7 }),
            _ => json!({ "result": true }),
        };
        let mut texts = vec![json!({ "jsonrpc": "2.0", "id": call["id"] })];
        texts[0].as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        texts.extend(events(&script).into_iter().map(|event| {
            let mut params = json!({ "subscription": 7 });
            params.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
            json!({ "jsonrpc": "2.0", "method": "play_event", "params": params })
        }));
        calls.send(call).unwrap();
        for text in texts {
            socket.send(Message::text(text.to_string())).await.unwrap();
        }
        if script == "broken" {
            return;
        }
    }
}

fn events(script: &str) -> Vec<Value> {
    let logged = json!({ "result": { "event": "logged", "line": { "level": "info", "text": "1" } } });
    let task = json!({
        "task_id": TASK, "state": "cancelled", "caller": "", "script_name": null, "submitted_at": 1,
        "started_at": null, "ended_at": 2, "result": null, "error": null,
    });
    let ended = json!({ "result": { "event": "ended", "task": task } });
    match script {
        "1" => vec![logged.clone(), ended, logged],
        "broken" => vec![logged],
        "failed" => vec![logged, json!({ "error": { "code": -32603, "message": "" } })],
        "unreadable" => vec![json!({ "result": { "event": "danced" } }), logged],
        "flood" => vec![logged; 3_000],
        _ => Vec::new(),
    }
}

async fn rest(events: PlayEvents) -> (usize, Option<Error>) {
    let mut items: Vec<_> = soon(events.collect()).await;
    let error = items.pop_if(|item| item.is_err()).map(Result::unwrap_err);
    assert!(items.iter().all(Result::is_ok), "an error is the last item");
    (items.len(), error)
}

#[tokio::test]
async fn stream_finishes_after_the_end_of_the_play() {
    let (client, mut seen) = client().await;
    let mut events = soon(client.watch("1").args(&[5]).timeout(Duration::from_secs(3))).await.unwrap();
    let params = json!({ "script": "1", "args": [5], "timeout_ms": 3_000, "name": null, "task_id": null });
    assert_eq!(seen.recv().await.unwrap()["params"], params);
    assert!(matches!(soon(events.next()).await, Some(Ok(PlayEvent::Logged { .. }))));
    assert!(matches!(soon(events.next()).await, Some(Ok(PlayEvent::Ended { .. }))));
    assert!(soon(events.next()).await.is_none());
    assert_eq!(soon(seen.recv()).await.unwrap()["method"], "unwatch_play");
}

#[tokio::test]
async fn error_finishes_the_stream() {
    let (client, _seen) = client().await;
    let watch = async |script: &str| rest(soon(client.watch(script)).await.unwrap()).await;
    assert!(matches!(
        watch("failed").await,
        (1, Some(Error::Call(circles_client::CallError::Internal { .. })))
    ));
    assert!(matches!(watch("unreadable").await, (0, Some(Error::Decode(_)))));
    assert!(matches!(watch("broken").await, (1, Some(Error::ConnectionLost))));
    let refused = soon(client.watch("refused")).await.unwrap_err();
    assert_eq!(refused.call().unwrap().code(), codes::FORBIDDEN);
}

#[tokio::test]
async fn slow_reader_gets_lagged() {
    let (client, mut seen) = client().await;
    let events = soon(client.watch("flood")).await.unwrap();
    // The overflow ends the subscription even before the test reads.
    while soon(seen.recv()).await.unwrap()["method"] != "unwatch_play" {}
    let (read, error) = rest(events).await;
    assert!((100..3_000).contains(&read), "{read} events were kept");
    assert!(matches!(error, Some(Error::Lagged)), "{error:?}");
}

#[tokio::test]
async fn dropped_stream_unsubscribes() {
    let (client, mut seen) = client().await;
    let watches = [
        client.watch("silent").into_future(),
        client.watch_library("a/b").into_future(),
        client.watch_task(TASK.parse().unwrap()).into_future(),
    ];
    for watch in watches {
        let events = soon(watch).await.unwrap();
        let begin = seen.recv().await.unwrap();
        assert_eq!(begin["method"], "watch_play");
        assert_eq!(begin["params"]["timeout_ms"].is_null(), !begin["params"]["task_id"].is_null());
        drop(events);
        let end = soon(seen.recv()).await.unwrap();
        assert_eq!((&end["method"], &end["params"]), (&json!("unwatch_play"), &json!([7])));
    }
}

#[tokio::test]
async fn invalid_watch_is_not_sent() {
    let (client, mut seen) = client().await;
    for watch in [client.watch_library("../up"), client.watch("1").timeout(Duration::ZERO)] {
        assert!(matches!(soon(watch).await, Err(Error::Argument { .. })));
    }
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn stream_without_an_end_times_out_after_the_deadline() {
    let (client, _seen) = client().await;
    let mut events = soon(client.watch("silent").timeout(Duration::from_millis(10))).await.unwrap();
    let Some(Err(Error::Timeout(limit))) = soon(events.next()).await else { panic!("not a timeout") };
    assert!(limit > Duration::from_millis(10) && limit < Duration::from_secs(15), "{limit:?}");
    assert!(soon(events.next()).await.is_none());
}

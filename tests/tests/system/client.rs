//! The Rust client against a real server.

use std::{net::SocketAddr, time::Duration};

use circles_client::{CirclesClient as _, Client, Error, codes};
use circles_store::Outcome;
use circles_tests::{secret_key, soon, until, unused_address};
use serde::{Deserialize, Serialize};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::World;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plot {
    name: String,
    width: f64,
    length: f64,
}

#[tokio::test]
async fn client_logs_in_and_plays_with_typed_values() {
    let world = World::builder().auth().start().await;
    let client = world.client("ana").await;
    let plot = Plot { name: "seven".into(), width: 12.0, length: 3.5 };
    let played =
        client.play("print(CALLER); ARGS").args(&plot).timeout(Duration::from_secs(5)).await.unwrap();
    assert_eq!(played.value::<Plot>().unwrap(), plot);
    assert_eq!(played.logs[0].text, secret_key("ana").public_key().to_string());
    assert!(matches!(played.value::<i64>(), Err(Error::Decode(_))));
    let identity = client.whoami().await.unwrap();
    assert_eq!(identity.caller.as_str(), secret_key("ana").public_key().to_string());
    assert_eq!(client.discover().await.unwrap()["info"]["title"], "Circles");
}

#[tokio::test]
async fn generated_stubs_are_accessible() {
    let world = World::builder().start().await;
    let client = world.client("ana").await;
    let rpc = client.rpc().await.unwrap();
    let played = rpc.play("6 * 7".try_into().unwrap(), None, None, None).await.unwrap();
    assert_eq!(played.value, 42);
}

#[tokio::test]
async fn client_without_key_is_anonymous() {
    let world = World::builder().start().await;
    let client = soon(Client::builder(world.url("")).connect()).await.unwrap();
    assert_eq!(client.play("CALLER").await.unwrap().value::<String>().unwrap(), "");
}

#[tokio::test]
async fn server_errors_keep_their_type() {
    let world = World::builder().start().await;
    let client = world.client("ana").await;
    let error = client.play("throw #{ why: 7 }").await.unwrap_err();
    let fault = error.call().and_then(circles_client::CallError::fault).unwrap();
    assert_eq!(fault.code(), codes::SCRIPT_ERROR);
    assert_eq!(fault.data().unwrap()["thrown"]["why"], 7);
}

#[tokio::test]
async fn client_refuses_params_outside_document_bounds() {
    let world = World::builder().start().await;
    let client = world.client("ana").await;
    for (play, param) in [
        (client.play("x".repeat(1_048_577)), "script"),
        (client.play("1").timeout(Duration::ZERO), "timeout_ms"),
        (client.play("1").timeout(Duration::from_secs(100_000)), "timeout_ms"),
        (client.play("1").idempotency_key("a b"), "idempotency_key"),
    ] {
        assert!(matches!(play.await, Err(Error::Argument { param: named, .. }) if named == param), "{param}");
    }
}

/// A relay that forwards every byte. Dropping it cuts all its connections.
struct Relay {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    async fn start(at: SocketAddr, to: SocketAddr) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { address, task }
    }

    async fn cut(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

#[tokio::test]
async fn client_refuses_relayed_challenge() {
    let world = World::builder().auth().start().await;
    let relay = Relay::start(unused_address(1), world.address).await;
    let url = format!("ws://{}/{}", relay.address, world.circles[0]);
    let refused = soon(Client::builder(url).key(secret_key("ana")).connect()).await;
    assert!(matches!(refused, Err(Error::Untrusted(_))), "{:?}", refused.err());
}

#[tokio::test]
async fn client_connects_only_to_expected_circle() {
    let world = World::builder().circles(&["alice", "bob"]).start().await;
    let bob = secret_key("bob").public_key();
    let client =
        soon(Client::builder(world.url("")).circle(bob).key(secret_key("ana")).connect()).await.unwrap();
    assert_eq!(client.whoami().await.unwrap().circle.as_str(), bob.to_string());
    let mismatch = Client::builder(world.circle_url(0)).circle(bob).connect().await;
    assert!(matches!(mismatch, Err(Error::Url { .. })));
    let absent = Client::builder(world.url("")).circle(secret_key("mallory").public_key()).connect();
    assert!(matches!(soon(absent).await, Err(Error::Connect { .. })));
}

#[tokio::test]
async fn client_reconnects_and_logs_in_after_server_restart() {
    let world = World::builder().auth().at(unused_address(3)).start().await;
    let address = world.address;
    let client = world.client("ana").await;
    assert_eq!(client.play("1").await.unwrap().value::<i64>().unwrap(), 1);
    world.stop(Duration::ZERO).await;
    let _world = World::builder().auth().at(address).start().await;
    // Several callers at once share one new connection.
    let answers = futures_util::future::join_all((0..10).map(|_| client.whoami()));
    for identity in soon(answers).await {
        assert!(identity.unwrap().authenticated);
    }
    let caller: String = client.play("CALLER").await.unwrap().value().unwrap();
    assert_eq!(caller, secret_key("ana").public_key().to_string());
}

#[tokio::test]
async fn client_does_not_follow_root_to_another_circle() {
    let world = World::builder().at(unused_address(4)).start().await;
    let address = world.address;
    let client = soon(Client::builder(world.url("")).key(secret_key("ana")).connect()).await.unwrap();
    world.stop(Duration::ZERO).await;
    let _world = World::builder().circles(&["bob"]).at(address).start().await;
    assert!(matches!(soon(client.whoami()).await, Err(Error::Untrusted(_))));
}

#[tokio::test]
async fn play_on_broken_connection_repeats_only_with_key() {
    let world = World::builder().start().await;
    let relay = Relay::start(unused_address(2), world.address).await;
    let address = relay.address;
    let client = soon(Client::builder(format!("ws://{address}")).connect()).await.unwrap();
    let play = |script: &str, key: Option<&str>| {
        let (client, script, key) = (client.clone(), script.to_owned(), key.map(str::to_owned));
        tokio::spawn(async move {
            let play = client.play(script);
            match key {
                Some(key) => play.idempotency_key(key).await,
                None => play.await,
            }
        })
    };
    let unkeyed = play("loop {}", None);
    let task = world.store.began().await;
    let keyed = play("sleep(0.5); TASK", Some("k"));
    let kept = world.store.began().await;
    relay.cut().await;
    let _relay = Relay::start(address, world.address).await;
    assert!(matches!(soon(unkeyed).await.unwrap(), Err(Error::ConnectionLost)));
    // The play without a key was cancelled; the keyed one continued, and the repeated call got its outcome.
    assert_eq!(world.store.ended().await, (task.id, Outcome::cancelled()));
    assert_eq!(soon(keyed).await.unwrap().unwrap().value::<String>().unwrap(), kept.id.to_string());
}

#[tokio::test]
async fn client_renews_expired_session() {
    let world =
        World::builder().auth().settings(|it| it.session_ttl = Duration::from_millis(300)).start().await;
    let client = world.client("ana").await;
    until(async || !client.whoami().await.unwrap().authenticated).await;
    assert_eq!(client.play("1").await.unwrap().value::<i64>().unwrap(), 1);
}

#[tokio::test]
async fn unreachable_server_is_an_error_in_time() {
    let world = World::builder().at(unused_address(5)).start().await;
    let client = world.client("ana").await;
    let url = world.url("");
    world.stop(Duration::ZERO).await;
    assert!(soon(client.whoami()).await.is_err());
    let refused = soon(Client::builder(url).connect()).await;
    assert!(matches!(refused, Err(Error::Connect { .. })));
}

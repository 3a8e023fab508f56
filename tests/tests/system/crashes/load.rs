//! Clients that send requests while the server is killed and started.

use std::{sync::Arc, time::Duration};

use circles_client::{Client, SecretKey};
use circles_testing::SeededRng;
use circles_tests::{secret_key, soon};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    ledger::{Ledger, Outcome, is_from_crash},
    request::{CallKind, MONEY, Request, SNAPSHOT},
};

/// The result of [`SNAPSHOT`].
#[derive(Debug, Deserialize)]
pub(super) struct Snapshot {
    money: i64,
    torn: Vec<usize>,
    pub count: i64,
}

/// Connects a client that reconnects to restarted servers.
pub(super) async fn client(url: &str, key: SecretKey) -> Client {
    let builder = Client::builder(url).key(key).timeout(Duration::from_secs(20));
    soon(builder.reconnects(200).connect()).await.expect("a server that runs")
}

/// The key of the client of this number.
pub(super) fn key_of(number: &str) -> SecretKey {
    secret_key(&format!("client {number}"))
}

/// Sends a play, and returns its outcome. A play with a key is repeated until it has an answer.
pub(super) async fn play(client: &Client, request: &Request) -> Outcome {
    soon(async {
        loop {
            let play = client.play(request.script()).args(&request.args);
            let answer = match request.kind {
                CallKind::Keyed => play.idempotency_key(request.id.as_str()).await,
                _ => play.await,
            };
            match Outcome::of_play(request, answer) {
                Outcome::Unknown if request.kind == CallKind::Keyed => {}
                end => return end,
            }
        }
    })
    .await
}

/// Submits a task, and returns its id if there is an answer. A submission with a key is repeated until there is one.
pub(super) async fn submit(client: &Client, request: &Request) -> Option<Uuid> {
    let CallKind::Submit { keyed, retries } = request.kind else { panic!("{request:?} is a play") };
    soon(async {
        loop {
            let submission = client.submit(request.script()).args(&request.args).retries(retries);
            let answer =
                if keyed { submission.idempotency_key(request.id.as_str()).await } else { submission.await };
            match answer {
                Ok(task) => return Some(task.0),
                Err(error) if is_from_crash(&error) && keyed => {}
                Err(error) if is_from_crash(&error) => return None,
                Err(error) => panic!("{request:?}: {error:?}"),
            }
        }
    })
    .await
}

/// Checks the invariants of a snapshot. Returns `None` if the server was killed before it answered.
pub(super) async fn look(client: &Client, ledger: &Ledger) -> Option<Snapshot> {
    let highest = ledger.highest();
    let look: Snapshot = match client.play(SNAPSHOT).await {
        Ok(played) => played.value().expect("a snapshot"),
        Err(error) if is_from_crash(&error) => return None,
        Err(error) => panic!("a snapshot: {error:?}"),
    };
    assert_eq!(look.money, MONEY, "a transfer was applied in part");
    assert!(look.torn.is_empty(), "pairs are torn: {look:?}");
    assert!(look.count >= highest, "an answer had the count {highest}, now it is {}", look.count);
    ledger.snapshot_taken(look.count);
    Some(look)
}

/// Sends requests one after the other, until `stop` is cancelled.
pub(super) async fn run_client(
    number: usize,
    seed: u64,
    client: Client,
    ledger: Arc<Ledger>,
    stop: CancellationToken,
) {
    let mut rng = SeededRng::new(seed, 1 + number as u64);
    let mut requests = 0;
    while !stop.is_cancelled() {
        requests += 1;
        let Some(request) = Request::random(&mut rng, format!("{number}-{requests}"), ledger.epoch()) else {
            look(&client, &ledger).await;
            continue;
        };
        let request = Arc::new(request);
        if matches!(request.kind, CallKind::Submit { .. }) {
            let task = submit(&client, &request).await;
            ledger.submitted(request, task);
        } else {
            let end = play(&client, &request).await;
            ledger.played(request, end);
        }
    }
}

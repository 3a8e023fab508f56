//! Clients that go on asking while the server is killed and started.

use std::{sync::Arc, time::Duration};

use circles_client::{Client, SecretKey};
use circles_testing::Dice;
use circles_tests::{secret_key, soon};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    ledger::{End, Ledger, is_of_a_crash},
    order::{LOOK, MONEY, Order, Way},
};

/// What [`LOOK`] sees.
#[derive(Debug, Deserialize)]
pub struct Look {
    money: i64,
    torn: Vec<usize>,
    pub count: i64,
}

/// A client that does not give up as long as there may be a server again. One runs now.
pub async fn client(url: &str, key: SecretKey) -> Client {
    let builder = Client::builder(url).key(key).timeout(Duration::from_secs(20));
    soon(builder.reconnects(200).connect()).await.expect("a server that runs")
}

/// The key of a client of this load, by its number.
pub fn key_of(number: &str) -> SecretKey {
    secret_key(&format!("client {number}"))
}

/// A play's answer, or that there was none. With a key it is sent until there is one.
pub async fn play(client: &Client, order: &Order) -> End {
    soon(async {
        loop {
            let play = client.play(order.script()).args(&order.args);
            let answer = match order.way {
                Way::Keyed => play.idempotency_key(order.id.as_str()).await,
                _ => play.await,
            };
            match End::of_play(order, answer) {
                End::Unknown if order.way == Way::Keyed => {}
                end => return end,
            }
        }
    })
    .await
}

/// A task that was accepted, if anybody said so. With a key it is sent until somebody does.
pub async fn submit(client: &Client, order: &Order) -> Option<Uuid> {
    let Way::Submit { keyed, retries } = order.way else { panic!("{order:?} is a play") };
    soon(async {
        loop {
            let submission = client.submit(order.script()).args(&order.args).retries(retries);
            let answer =
                if keyed { submission.idempotency_key(order.id.as_str()).await } else { submission.await };
            match answer {
                Ok(task) => return Some(task.0),
                Err(error) if is_of_a_crash(&error) && keyed => {}
                Err(error) if is_of_a_crash(&error) => return None,
                Err(error) => panic!("{order:?}: {error:?}"),
            }
        }
    })
    .await
}

/// Looks at everything that must hold at any moment. `None`: the server was killed first.
pub async fn look(client: &Client, ledger: &Ledger) -> Option<Look> {
    let told = ledger.highest();
    let look: Look = match client.play(LOOK).await {
        Ok(played) => played.value().expect("a look"),
        Err(error) if is_of_a_crash(&error) => return None,
        Err(error) => panic!("a look: {error:?}"),
    };
    assert_eq!(look.money, MONEY, "a transfer was applied by half");
    assert!(look.torn.is_empty(), "pairs are torn: {look:?}");
    assert!(look.count >= told, "a count of {told} was told, now there are {}", look.count);
    ledger.looked(look.count);
    Some(look)
}

/// One client's life: order after order, until it is told to stop.
pub async fn live(number: usize, seed: u64, client: Client, ledger: Arc<Ledger>, stop: CancellationToken) {
    let mut dice = Dice::new(seed, 1 + number as u64);
    let mut orders = 0;
    while !stop.is_cancelled() {
        orders += 1;
        let Some(order) = Order::thrown(&mut dice, format!("{number}-{orders}"), ledger.epoch()) else {
            look(&client, &ledger).await;
            continue;
        };
        let order = Arc::new(order);
        if matches!(order.way, Way::Submit { .. }) {
            let task = submit(&client, &order).await;
            ledger.submitted(order, task);
        } else {
            let end = play(&client, &order).await;
            ledger.played(order, end);
        }
    }
}

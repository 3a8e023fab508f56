//! Clients that go on asking, and what they were told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use circles_client::{Client, Error, Fault, types::TaskState};
use circles_testing::Dice;
use circles_tests::{secret_key, soon};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    order::{Order, Way},
    world::{CIRCLES, SERVERS, World},
};

/// Clients that work at a time: each circle has two at each server.
const CLIENTS: usize = 2 * SERVERS * CIRCLES;
/// How long past its deadline an answer may come. It comes within a second or, where Redis answers nothing, in four;
/// the rest is for a machine that has more to do than it can.
const LATE: Duration = Duration::from_secs(20);
/// How long a client waits for an answer: longer than any may take.
const PATIENCE: Duration = Duration::from_secs(50);
/// How long, and how often at least, a call with a key is repeated before it has no answer. Nothing fails for as long.
const REPEATS: (Duration, usize) = (Duration::from_secs(45), 100);

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It succeeded, as this task, which ran so often.
    Done(Uuid, u64),
    /// It did not, and left nothing in the database.
    Not(TaskState),
    /// It was accepted as this task.
    Accepted(Uuid),
    /// Nobody said.
    Unknown,
}

/// What clients were told.
#[derive(Default)]
pub struct Ledger {
    ends: Mutex<BTreeMap<usize, (Order, End)>>,
    answers: AtomicUsize,
    answered: Notify,
    /// Answers that said that Redis was away.
    pub unavailable: AtomicUsize,
    /// The latest answer past its deadline.
    pub latest: Mutex<Duration>,
}

impl Ledger {
    pub fn ends(&self) -> MutexGuard<'_, BTreeMap<usize, (Order, End)>> {
        self.ends.lock().expect("nobody panics with it")
    }

    fn told(&self, order: Order, end: End) {
        let known = end != End::Unknown;
        let before = self.ends().insert(order.id, (order, end));
        assert!(before.is_none(), "{before:?} has an end");
        if known {
            self.answers.fetch_add(1, Ordering::SeqCst);
            self.answered.notify_waiters();
        }
    }

    /// Answers that said something.
    pub fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }

    /// Waits until so many more have come.
    pub async fn more(&self, answers: usize) {
        let goal = self.answers() + answers;
        loop {
            let mut answered = std::pin::pin!(self.answered.notified());
            answered.as_mut().enable();
            if self.answers() >= goal {
                return;
            }
            answered.await;
        }
    }

    fn took(&self, order: &Order, time: Duration, answer: &impl std::fmt::Debug) {
        let late = time.saturating_sub(order.timeout);
        assert!(late < LATE, "{order:?} was answered after {time:?}: {answer:?}");
        let mut latest = self.latest.lock().expect("nobody panics with it");
        *latest = late.max(*latest);
    }
}

/// A client that does not give up.
pub async fn client(url: &str, key: &str) -> Client {
    let builder = Client::builder(url).key(secret_key(key)).timeout(PATIENCE);
    soon(builder.reconnects(1_000).connect()).await.expect("a server that runs")
}

/// Starts clients, each of a circle by way of a server.
pub async fn begin(
    world: &World,
    seed: u64,
    ledger: &Arc<Ledger>,
    stop: &CancellationToken,
) -> tokio::task::JoinSet<()> {
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (server, circle) = (number % SERVERS, number / SERVERS % CIRCLES);
        let client = client(&world.url(server, circle), &key_of(number)).await;
        let dice = Dice::new(seed, 1 + number as u64);
        clients.spawn(live(number, circle, dice, client, ledger.clone(), stop.clone()));
    }
    clients
}

fn key_of(number: usize) -> String {
    format!("client {number}")
}

/// One client's life: order after order, until it is told to stop.
async fn live(
    number: usize,
    circle: usize,
    mut dice: Dice,
    client: Client,
    ledger: Arc<Ledger>,
    stop: CancellationToken,
) {
    for turn in 0.. {
        if stop.is_cancelled() {
            return;
        }
        let order = Order::thrown(&mut dice, turn * CLIENTS + number, circle);
        let end = ask(&client, &order, &ledger).await;
        ledger.told(order, end);
    }
}

/// Asks, and asks again as far as that is safe.
async fn ask(client: &Client, order: &Order, ledger: &Ledger) -> End {
    let keyed = matches!(order.way, Way::Keyed | Way::Submit { keyed: true, .. });
    // What stands in a list of ours is not sent for ever.
    let patience = Instant::now() + REPEATS.0;
    let mut asked = 0;
    loop {
        asked += 1;
        let begun = Instant::now();
        let answer = once(client, order).await;
        if let Ok(end) | Err((Some(end), _)) = &answer {
            // A client that connects again asks again by itself if it may.
            if !keyed {
                ledger.took(order, begun.elapsed(), &answer);
            }
            return end.clone();
        }
        if matches!(answer, Err((None, true))) {
            ledger.unavailable.fetch_add(1, Ordering::SeqCst);
            if !keyed {
                ledger.took(order, begun.elapsed(), &answer);
            }
            // As who is told to come back later.
            sleep(Duration::from_millis(50)).await;
        }
        if !keyed {
            return End::Unknown;
        }
        assert!(asked < REPEATS.1 || Instant::now() < patience, "{order:?} has no answer: {answer:?}");
    }
}

/// An error says how it ended, if that is certain, and whether Redis is away.
async fn once(client: &Client, order: &Order) -> Result<End, (Option<End>, bool)> {
    let (script, args, key) = (order.script(), order.args(), order.key());
    let error = match order.way {
        Way::Play | Way::Keyed => {
            let mut play = client.play(script).args(&args).timeout(order.timeout);
            if order.way == Way::Keyed {
                play = play.idempotency_key(key);
            }
            match play.await {
                Ok(played) => return Ok(End::Done(played.task_id.0, played.value().expect("a count"))),
                Err(error) => error,
            }
        }
        Way::Submit { keyed, retries } => {
            let mut submission = client.submit(script).args(&args).timeout(order.timeout).retries(retries);
            if keyed {
                submission = submission.idempotency_key(key);
            }
            match submission.await {
                Ok(task) => return Ok(End::Accepted(task.0)),
                Err(error) => error,
            }
        }
    };
    match &error {
        Error::ConnectionLost | Error::Connect { .. } => Err((None, false)),
        Error::Call(call) => match call.fault() {
            Some(Fault::BackendUnavailable(_)) => Err((None, true)),
            Some(Fault::ScriptError(_) | Fault::Conflict(_) | Fault::Overloaded(_)) => {
                Err((Some(End::Not(TaskState::Failed)), false))
            }
            Some(Fault::ScriptTimeout(_)) => Err((Some(End::Not(TaskState::TimedOut)), false)),
            Some(Fault::Cancelled(_)) => Err((Some(End::Not(TaskState::Cancelled)), false)),
            Some(Fault::WorkerLost(_)) => Err((Some(End::Not(TaskState::Lost)), false)),
            _ => panic!("{order:?}: {error:?}"),
        },
        _ => panic!("{order:?}: {error:?}"),
    }
}

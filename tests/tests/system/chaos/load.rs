//! Clients that send requests, and their answers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use circles_client::{Client, Error, Fault, types::TaskState};
use circles_testing::SeededRng;
use circles_tests::{secret_key, soon};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    request::{CallKind, Request},
    world::{CIRCLES, SERVERS, World},
};

/// Number of clients: each circle has two at each server.
const CLIENTS: usize = 2 * SERVERS * CIRCLES;
/// Time past its deadline by which an answer must come. It takes a second or, if Redis does not answer, four; the rest
/// is for an overloaded machine.
const MAX_LATENESS: Duration = Duration::from_secs(20);
/// Longer than any answer may take.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(50);
/// Time and number of tries before a repeated call with a key counts as unanswered. No fault takes as long.
const REPEATS: (Duration, usize) = (Duration::from_secs(45), 100);

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Success: the task, and the number of its runs.
    Succeeded(Uuid, u64),
    /// No success, and so no documents.
    Unsuccessful(TaskState),
    /// Accepted as this task.
    Accepted(Uuid),
    /// No answer.
    Unknown,
}

/// The answers that clients got.
#[derive(Default)]
pub(super) struct Ledger {
    ends: Mutex<BTreeMap<usize, (Request, Outcome)>>,
    answers: AtomicUsize,
    answered: Notify,
    /// Answers that Redis is unavailable.
    pub unavailable: AtomicUsize,
    /// The latest answer past its deadline.
    pub latest: Mutex<Duration>,
}

impl Ledger {
    pub(super) fn ends(&self) -> MutexGuard<'_, BTreeMap<usize, (Request, Outcome)>> {
        self.ends.lock().expect("not poisoned")
    }

    fn record(&self, request: Request, end: Outcome) {
        let known = end != Outcome::Unknown;
        let before = self.ends().insert(request.id, (request, end));
        assert!(before.is_none(), "{before:?} has an outcome");
        if known {
            self.answers.fetch_add(1, Ordering::SeqCst);
            self.answered.notify_waiters();
        }
    }

    /// The number of answers that tell the outcome.
    pub(super) fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }

    /// Waits for so many more answers.
    pub(super) async fn more(&self, answers: usize) {
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

    fn check_latency(&self, request: &Request, time: Duration, answer: &impl std::fmt::Debug) {
        let late = time.saturating_sub(request.timeout);
        assert!(late < MAX_LATENESS, "{request:?} was answered after {time:?}: {answer:?}");
        let mut latest = self.latest.lock().expect("not poisoned");
        *latest = late.max(*latest);
    }
}

/// A client that reconnects without end.
pub(super) async fn client(url: &str, key: &str) -> Client {
    let builder = Client::builder(url).key(secret_key(key)).timeout(CLIENT_TIMEOUT);
    soon(builder.reconnects(1_000).connect()).await.expect("a server that runs")
}

/// Starts clients, each for one circle at one server.
pub(super) async fn begin(
    world: &World,
    seed: u64,
    ledger: &Arc<Ledger>,
    stop: &CancellationToken,
) -> tokio::task::JoinSet<()> {
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (server, circle) = (number % SERVERS, number / SERVERS % CIRCLES);
        let client = client(&world.url(server, circle), &key_of(number)).await;
        let rng = SeededRng::new(seed, 1 + number as u64);
        clients.spawn(run_client(number, circle, rng, client, ledger.clone(), stop.clone()));
    }
    clients
}

fn key_of(number: usize) -> String {
    format!("client {number}")
}

/// Sends requests one after the other, until `stop` is cancelled.
async fn run_client(
    number: usize,
    circle: usize,
    mut rng: SeededRng,
    client: Client,
    ledger: Arc<Ledger>,
    stop: CancellationToken,
) {
    for turn in 0.. {
        if stop.is_cancelled() {
            return;
        }
        let request = Request::random(&mut rng, turn * CLIENTS + number, circle);
        let end = ask(&client, &request, &ledger).await;
        ledger.record(request, end);
    }
}

/// Sends a request, and repeats it if that is safe.
async fn ask(client: &Client, request: &Request, ledger: &Ledger) -> Outcome {
    let keyed = matches!(request.kind, CallKind::Keyed | CallKind::Submit { keyed: true, .. });
    // Calls with a key are not repeated for ever.
    let patience = Instant::now() + REPEATS.0;
    let mut asked = 0;
    loop {
        asked += 1;
        let begun = Instant::now();
        let answer = once(client, request).await;
        if let Ok(end) | Err((Some(end), _)) = &answer {
            // A client that reconnects repeats calls with a key by itself.
            if !keyed {
                ledger.check_latency(request, begun.elapsed(), &answer);
            }
            return end.clone();
        }
        if matches!(answer, Err((None, true))) {
            ledger.unavailable.fetch_add(1, Ordering::SeqCst);
            if !keyed {
                ledger.check_latency(request, begun.elapsed(), &answer);
            }
            // The answer asks the caller to retry later.
            sleep(Duration::from_millis(50)).await;
        }
        if !keyed {
            return Outcome::Unknown;
        }
        assert!(asked < REPEATS.1 || Instant::now() < patience, "{request:?} has no answer: {answer:?}");
    }
}

/// Sends a request once. An error holds the outcome, if it is certain, and whether Redis is unavailable.
async fn once(client: &Client, request: &Request) -> Result<Outcome, (Option<Outcome>, bool)> {
    let (script, args, key) = (request.script(), request.args(), request.key());
    let error = match request.kind {
        CallKind::Play | CallKind::Keyed => {
            let mut play = client.play(script).args(&args).timeout(request.timeout);
            if request.kind == CallKind::Keyed {
                play = play.idempotency_key(key);
            }
            match play.await {
                Ok(played) => {
                    return Ok(Outcome::Succeeded(played.task_id.0, played.value().expect("a count")));
                }
                Err(error) => error,
            }
        }
        CallKind::Submit { keyed, retries } => {
            let mut submission = client.submit(script).args(&args).timeout(request.timeout).retries(retries);
            if keyed {
                submission = submission.idempotency_key(key);
            }
            match submission.await {
                Ok(task) => return Ok(Outcome::Accepted(task.0)),
                Err(error) => error,
            }
        }
    };
    match &error {
        Error::ConnectionLost | Error::Connect { .. } => Err((None, false)),
        Error::Call(call) => match call.fault() {
            Some(Fault::BackendUnavailable(_)) => Err((None, true)),
            Some(Fault::ScriptError(_) | Fault::Conflict(_) | Fault::Overloaded(_)) => {
                Err((Some(Outcome::Unsuccessful(TaskState::Failed)), false))
            }
            Some(Fault::ScriptTimeout(_)) => Err((Some(Outcome::Unsuccessful(TaskState::TimedOut)), false)),
            Some(Fault::Cancelled(_)) => Err((Some(Outcome::Unsuccessful(TaskState::Cancelled)), false)),
            Some(Fault::WorkerLost(_)) => Err((Some(Outcome::Unsuccessful(TaskState::Lost)), false)),
            _ => panic!("{request:?}: {error:?}"),
        },
        _ => panic!("{request:?}: {error:?}"),
    }
}

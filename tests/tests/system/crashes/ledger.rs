//! What clients were told: the other side of what is in the circle.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use circles_client::{Error, Fault, PlayResponse};
use tokio::sync::Notify;
use uuid::Uuid;

use super::order::{Order, Way};

/// How an order ended, as its client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It succeeded, in this task and with this count.
    Done(Uuid, i64),
    /// It did not, and left nothing in the database.
    Refused(String),
    /// It reached outside, and nobody knows how far it got.
    Lost(Uuid),
    /// The connection broke first: it has happened, or it has not.
    Unknown,
}

impl End {
    pub fn of_play(order: &Order, answer: Result<PlayResponse, Error>) -> Self {
        match answer {
            Ok(played) => Self::Done(played.task_id.0, played.value().expect("a count")),
            Err(error) if is_of_a_crash(&error) => Self::Unknown,
            Err(Error::Call(error)) => match error.fault() {
                Some(Fault::WorkerLost(data)) => Self::Lost(data.task_id.0),
                Some(Fault::ScriptError(_) | Fault::Conflict(_)) => Self::Refused(error.to_string()),
                _ => panic!("{order:?}: {error:?}"),
            },
            Err(error) => panic!("{order:?}: {error:?}"),
        }
    }
}

/// Whether this is how a client sees that the server was killed.
pub const fn is_of_a_crash(error: &Error) -> bool {
    matches!(error, Error::ConnectionLost | Error::Connect { .. } | Error::Timeout(_))
}

/// A task that a server accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub order: Arc<Order>,
    /// How it ended, once it had.
    pub end: Option<End>,
}

/// Filled by the clients, read by the audit.
#[derive(Default)]
pub struct Ledger {
    books: Mutex<Books>,
    /// How many servers were killed.
    pub epoch: AtomicUsize,
    answers: AtomicUsize,
    answered: Notify,
    /// The highest count that anybody was told.
    count: AtomicI64,
}

#[derive(Default)]
pub struct Books {
    /// Plays by epoch, with how they ended.
    pub plays: BTreeMap<usize, Vec<(Arc<Order>, End)>>,
    /// Submitted tasks.
    pub tasks: HashMap<Uuid, Accepted>,
    /// Submissions that nobody heard of again.
    pub unheard: Vec<Arc<Order>>,
    /// Those of `tasks` that have not ended, as far as anybody knows.
    pub open: Vec<Uuid>,
    pub looks: usize,
}

impl Ledger {
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("nobody panics with it")
    }

    pub fn epoch(&self) -> usize {
        self.epoch.load(Ordering::SeqCst)
    }

    pub fn played(&self, order: Arc<Order>, end: End) {
        if let End::Done(_, count) = end {
            self.heard_count(count);
        }
        let told = end != End::Unknown;
        self.books().plays.entry(order.epoch).or_default().push((order, end));
        if told {
            self.heard();
        }
    }

    pub fn submitted(&self, order: Arc<Order>, task: Option<Uuid>) {
        let mut books = self.books();
        match task {
            Some(task) => {
                books.open.push(task);
                let known = books.tasks.insert(task, Accepted { order, end: None });
                assert!(known.is_none(), "two submissions are one task: {known:?}");
                drop(books);
                self.heard();
            }
            None => books.unheard.push(order),
        }
    }

    pub fn looked(&self, count: i64) {
        self.heard_count(count);
        self.books().looks += 1;
        self.heard();
    }

    fn heard_count(&self, count: i64) {
        self.count.fetch_max(count, Ordering::SeqCst);
    }

    /// The highest count that anybody was told: no later look may show less.
    pub fn highest(&self) -> i64 {
        self.count.load(Ordering::SeqCst)
    }

    fn heard(&self) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        self.answered.notify_waiters();
    }

    pub fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }

    /// Waits until so many answers more have come.
    pub async fn more(&self, answers: usize) {
        let goal = self.answers() + answers;
        loop {
            let answered = self.answered.notified();
            if self.answers() >= goal {
                return;
            }
            answered.await;
        }
    }

    /// Plays with a key of this epoch and the one before, with what was answered first.
    pub fn keyed(&self, epochs: std::ops::RangeInclusive<usize>) -> Vec<(Arc<Order>, End)> {
        let books = self.books();
        let plays = books.plays.range(epochs).flat_map(|(_, plays)| plays);
        plays.filter(|(order, _)| order.way == Way::Keyed).cloned().collect()
    }
}

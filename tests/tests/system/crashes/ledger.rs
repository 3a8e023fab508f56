//! The answers that clients got, to compare with the circle's data.

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

use super::request::{CallKind, Request};

/// The outcome of a request, by the answer that its client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Success: the task, and its count.
    Succeeded(Uuid, i64),
    /// Failure, which leaves no documents.
    Failed(String),
    /// Lost after a side effect, or after two kills.
    Lost(Uuid),
    /// No answer: it may have executed or not.
    Unknown,
}

impl Outcome {
    pub(super) fn of_play(request: &Request, answer: Result<PlayResponse, Error>) -> Self {
        match answer {
            Ok(played) => Self::Succeeded(played.task_id.0, played.value().expect("a count")),
            Err(error) if is_from_crash(&error) => Self::Unknown,
            Err(Error::Call(error)) => match error.fault() {
                Some(Fault::WorkerLost(data)) => Self::Lost(data.task_id.0),
                Some(Fault::ScriptError(_) | Fault::Conflict(_)) => Self::Failed(error.to_string()),
                _ => panic!("{request:?}: {error:?}"),
            },
            Err(error) => panic!("{request:?}: {error:?}"),
        }
    }
}

/// Whether a killed server causes this error at a client.
pub(super) const fn is_from_crash(error: &Error) -> bool {
    matches!(error, Error::ConnectionLost | Error::Connect { .. } | Error::Timeout(_))
}

/// A task that a server accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub request: Arc<Request>,
    /// Its outcome, once it has ended.
    pub end: Option<Outcome>,
}

/// The record of all answers. Clients fill it, and the audit reads it.
#[derive(Default)]
pub(super) struct Ledger {
    books: Mutex<Books>,
    /// Number of kills so far.
    pub epoch: AtomicUsize,
    answers: AtomicUsize,
    answered: Notify,
    /// The highest count in an answer.
    count: AtomicI64,
}

#[derive(Default)]
pub(super) struct Books {
    /// Plays and their outcomes, by epoch.
    pub plays: BTreeMap<usize, Vec<(Arc<Request>, Outcome)>>,
    /// Submitted tasks.
    pub tasks: HashMap<Uuid, Accepted>,
    /// Submissions without an answer.
    pub unanswered: Vec<Arc<Request>>,
    /// Tasks that are not known to have ended.
    pub open: Vec<Uuid>,
    pub snapshots: usize,
}

impl Ledger {
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("not poisoned")
    }

    pub(super) fn epoch(&self) -> usize {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(super) fn played(&self, request: Arc<Request>, end: Outcome) {
        if let Outcome::Succeeded(_, count) = end {
            self.heard_count(count);
        }
        let is_answered = end != Outcome::Unknown;
        self.books().plays.entry(request.epoch).or_default().push((request, end));
        if is_answered {
            self.heard();
        }
    }

    pub(super) fn submitted(&self, request: Arc<Request>, task: Option<Uuid>) {
        let mut books = self.books();
        match task {
            Some(task) => {
                books.open.push(task);
                let known = books.tasks.insert(task, Accepted { request, end: None });
                assert!(known.is_none(), "two submissions are one task: {known:?}");
                drop(books);
                self.heard();
            }
            None => books.unanswered.push(request),
        }
    }

    pub(super) fn snapshot_taken(&self, count: i64) {
        self.heard_count(count);
        self.books().snapshots += 1;
        self.heard();
    }

    fn heard_count(&self, count: i64) {
        self.count.fetch_max(count, Ordering::SeqCst);
    }

    /// The highest count in an answer: no later snapshot may show less.
    pub(super) fn highest(&self) -> i64 {
        self.count.load(Ordering::SeqCst)
    }

    fn heard(&self) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        self.answered.notify_waiters();
    }

    pub(super) fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }

    /// Waits for so many more answers.
    pub(super) async fn more(&self, answers: usize) {
        let goal = self.answers() + answers;
        loop {
            let answered = self.answered.notified();
            if self.answers() >= goal {
                return;
            }
            answered.await;
        }
    }

    /// Plays with a key of these epochs, with their first answers.
    pub(super) fn keyed(&self, epochs: std::ops::RangeInclusive<usize>) -> Vec<(Arc<Request>, Outcome)> {
        let books = self.books();
        let plays = books.plays.range(epochs).flat_map(|(_, plays)| plays);
        plays.filter(|(request, _)| request.kind == CallKind::Keyed).cloned().collect()
    }
}

//! Compares the circle's data with the answers that clients got.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    ops::RangeInclusive,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use circles_client::{
    Client,
    provenance::{Head, Verifier},
    types::{Task, TaskId, TaskState},
};
use circles_testing::SeededRng;
use circles_tests::soon;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    ledger::{Accepted, Ledger, Outcome},
    load::{self, look},
    request::{Action, CallKind, Request},
};

/// Maximum number of records and tasks that one call returns.
const PAGE: u64 = 500;
/// Number of calls that are repeated after each restart, the newest among them.
const REPEATED: usize = 60;

/// The marks of an epoch and its counter, in one snapshot.
const MARKS: &str = "[db::scan(`done/${ARGS}/`, (), 100000), db::get(`count/${ARGS}`)]";

#[derive(Deserialize)]
struct Mark {
    key: String,
    value: TaskId,
}

/// The result of an audit.
#[derive(Default)]
pub(super) struct Findings {
    /// Plays and tasks that wrote.
    marks: usize,
    records: usize,
    /// Requests without an answer that had executed.
    executed: usize,
    /// Requests without an answer that had not.
    not_executed: usize,
    /// Requests that ended as lost: after a side effect, or after two kills in a row.
    lost: usize,
    /// Repeated calls with a key.
    repeated: usize,
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { marks, records, executed, not_executed, lost, repeated } = self;
        write!(
            formatter,
            "{marks} that wrote, {records} records, {repeated} calls repeated, {lost} lost; \
             of requests without an answer {executed} had executed and {not_executed} had not"
        )
    }
}

/// The circle's owner, who audits it after each restart.
pub(super) struct Audit {
    ledger: Arc<Ledger>,
    owner: Client,
    url: String,
    files: PathBuf,
    rng: SeededRng,
    chain: Verifier,
    records: HashMap<Uuid, TaskState>,
    /// The play that opened the accounts.
    setup: Uuid,
    callers: HashMap<String, Client>,
    repeated: usize,
}

impl Audit {
    /// Opens the accounts.
    pub(super) async fn new(
        ledger: Arc<Ledger>,
        owner: Client,
        url: &str,
        files: PathBuf,
        seed: u64,
    ) -> Self {
        let setup = soon(owner.play(super::request::SETUP)).await.expect("accounts").task_id.0;
        let circle = soon(owner.whoami()).await.expect("an identity").circle;
        let circle = circle.to_string().parse().expect("a circle");
        Self {
            ledger,
            owner,
            url: url.to_owned(),
            files,
            rng: SeededRng::new(seed, 0),
            chain: Verifier::new(circle),
            records: HashMap::new(),
            setup,
            callers: HashMap::new(),
            repeated: 0,
        }
    }

    /// Checks the invariants that hold after a restart while clients work.
    pub(super) async fn after_restart(&mut self) {
        look(&self.owner, &self.ledger).await.expect("a server that runs");
        let epoch = self.ledger.epoch();
        self.repeat(epoch.saturating_sub(2)..=epoch, REPEATED).await;
        self.await_tasks().await;
        // Older epochs have been checked before, and are checked again at the end.
        let newest = epoch.saturating_sub(2)..=epoch;
        self.check_marks(&newest).await;
        self.check_files(&newest);
        self.follow_chain().await;
    }

    /// Checks the invariants that hold at the end, once all clients have stopped.
    pub(super) async fn at_the_end(mut self) -> Findings {
        let all = 0..=self.ledger.epoch();
        self.repeat(all.clone(), usize::MAX).await;
        self.await_tasks().await;
        self.recheck_tasks().await;
        self.await_the_rest().await;
        // All writes have ended.
        let look = look(&self.owner, &self.ledger).await.expect("a server that runs");
        let marks = self.check_marks(&all).await;
        assert_eq!(i64::try_from(marks.len()).ok(), Some(look.count), "marks, and the count of all");
        self.check_files(&all);
        self.follow_chain().await;
        self.check_records(&marks);
        self.findings(&marks)
    }

    /// Repeats calls with a key: they return the same tasks and outcomes.
    async fn repeat(&mut self, epochs: RangeInclusive<usize>, most: usize) {
        let mut calls = self.ledger.keyed(epochs);
        if calls.len() > most {
            // The newest half always.
            let newest = calls.split_off(calls.len() - most / 2);
            calls = (0..most / 2).map(|_| calls[self.rng.below(calls.len())].clone()).collect();
            calls.extend(newest);
        }
        for (request, end) in calls {
            let client = self.caller(&request).await;
            assert_eq!(load::play(&client, &request).await, end, "{request:?}, repeated");
            self.repeated += 1;
        }
        let submissions: Vec<_> = {
            let books = self.ledger.books();
            let open = books.open.iter().map(|task| (*task, books.tasks[task].request.clone()));
            open.filter(|(_, request)| matches!(request.kind, CallKind::Submit { keyed: true, .. })).collect()
        };
        for (task, request) in submissions {
            let client = self.caller(&request).await;
            assert_eq!(load::submit(&client, &request).await, Some(task), "{request:?}, repeated");
            self.repeated += 1;
        }
    }

    /// A client with the key of a request's client.
    async fn caller(&mut self, request: &Request) -> Client {
        let number = request.id.split('-').next().expect("a client's number").to_owned();
        if !self.callers.contains_key(&number) {
            let client = load::client(&self.url, load::key_of(&number)).await;
            self.callers.insert(number.clone(), client);
        }
        self.callers[&number].clone()
    }

    /// Waits until every accepted task has reached a final state.
    async fn await_tasks(&self) {
        let open = self.ledger.books().open.clone();
        for id in &open {
            let end = self.end_of(TaskId(*id)).await;
            let mut books = self.ledger.books();
            books.tasks.get_mut(id).expect("it was accepted").end = Some(end);
        }
        let open: HashSet<_> = open.into_iter().collect();
        self.ledger.books().open.retain(|task| !open.contains(task));
    }

    async fn end_of(&self, id: TaskId) -> Outcome {
        let task = self.owner.task(id).wait(Duration::from_secs(30));
        end_of(&soon(task).await.expect("an accepted task is known"))
    }

    /// Checks that the list shows every accepted task once, and waits for those whose acceptance was not answered.
    async fn await_the_rest(&self) {
        let mut listed = HashSet::new();
        let mut cursor = None;
        loop {
            let mut list = self.owner.tasks().limit(PAGE);
            if let Some(cursor) = cursor.take() {
                list = list.cursor(cursor);
            }
            let page = soon(list).await.expect("a page");
            for task in page.tasks {
                assert!(listed.insert(task.task_id.0), "listed twice: {task:?}");
                if task.ended_at.is_none() {
                    self.end_of(task.task_id).await;
                }
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let books = self.ledger.books();
        let missing = books.tasks.iter().find(|(id, _)| !listed.contains(*id));
        assert!(missing.is_none(), "not listed: {missing:?}");
    }

    /// Checks that final states have not changed.
    async fn recheck_tasks(&self) {
        let tasks = self.ledger.books().tasks.clone();
        for (id, Accepted { request, end }) in tasks {
            let task = soon(self.owner.task(TaskId(id))).await.expect("the task is known");
            assert_eq!(Some(end_of(&task)), end, "{request:?}");
        }
    }

    /// The requests of some epochs, with their known outcomes.
    fn requests(&self, epochs: &RangeInclusive<usize>) -> Vec<(Arc<Request>, Outcome)> {
        let books = self.ledger.books();
        let plays = books.plays.range(epochs.clone()).flat_map(|(_, plays)| plays.iter().cloned());
        let tasks = books.tasks.values().filter(|task| epochs.contains(&task.request.epoch));
        let tasks = tasks.map(|task| (task.request.clone(), task.end.clone().unwrap_or(Outcome::Unknown)));
        let unanswered = books.unanswered.iter().filter(|request| epochs.contains(&request.epoch));
        let unanswered = unanswered.map(|request| (request.clone(), Outcome::Unknown));
        plays.chain(tasks).chain(unanswered).collect()
    }

    /// Checks that acknowledged writes are present, failed ones absent, and none counted twice. Returns the marks.
    async fn check_marks(&self, epochs: &RangeInclusive<usize>) -> HashMap<String, Uuid> {
        // Writes acknowledged before the marks are read must be among them.
        let requests = self.requests(epochs);
        let mut marks = HashMap::new();
        for epoch in epochs.clone() {
            let played = soon(self.owner.play(MARKS).args(&epoch)).await.expect("marks");
            let (found, count): (Vec<Mark>, Option<usize>) = played.value().expect("marks");
            assert_eq!(found.len(), count.unwrap_or(0), "marks of epoch {epoch}, and their count");
            let id = |mark: &Mark| mark.key.rsplit('/').next().expect("an id").to_owned();
            marks.extend(found.iter().map(|mark| (id(mark), mark.value.0)));
        }
        for (request, end) in requests {
            let mark = marks.get(&request.id);
            match &end {
                Outcome::Succeeded(task, _) => {
                    assert_eq!(mark, Some(task), "{request:?} was acknowledged");
                    assert_ne!(request.action, Action::Throw, "{request:?} cannot succeed");
                }
                Outcome::Failed(why) => {
                    assert_eq!(mark, None, "{request:?} failed: {why}");
                    assert!(
                        request.action == Action::Throw || why.contains("conflict"),
                        "{request:?}: {why}"
                    );
                }
                Outcome::Lost(_) => {
                    assert_eq!(mark, None, "{request:?} is lost");
                    // A task that was running at two kills in a row is not run a third time.
                    let may_be_deadly = self.ledger.epoch() >= request.epoch + 2;
                    assert!(
                        request.action == Action::Outside || may_be_deadly,
                        "{request:?} had no side effect"
                    );
                }
                Outcome::Unknown => {
                    assert!(request.action != Action::Throw || mark.is_none(), "{request:?} throws")
                }
            }
        }
        marks
    }

    /// Checks that the provenance chain continues from the last check, and verifies.
    async fn follow_chain(&mut self) {
        loop {
            let after = self.chain.head().number.get();
            let page = soon(self.owner.provenance().after(after).limit(PAGE)).await.expect("records");
            for record in &page.records {
                self.chain.push(record).expect("a sound chain");
                let twice = self.records.insert(record.task_id.0, record.outcome);
                assert_eq!(twice, None, "two records of {record:?}");
            }
            if self.chain.head().number >= page.head.number {
                if self.chain.head().number == page.head.number {
                    assert_eq!(self.chain.head(), Head::from(&page.head));
                }
                return;
            }
            assert!(!page.records.is_empty(), "the record of the head is missing: {page:?}");
        }
    }

    /// Checks that each run appended to its file at most once, and each success did.
    fn check_files(&self, epochs: &RangeInclusive<usize>) {
        let requests = self.requests(epochs);
        for (request, end) in requests.iter().filter(|(request, _)| request.action == Action::Outside) {
            let effects = std::fs::metadata(self.files.join(&request.id)).map_or(0, |file| file.len());
            assert!(effects <= request.max_effects(), "{request:?}: {effects} effects, {end:?}");
            assert!(
                effects > 0 || !matches!(end, Outcome::Succeeded(..)),
                "{request:?} succeeded without its effect"
            );
        }
    }

    /// Checks that each play that wrote and each task has one record.
    fn check_records(&self, marks: &HashMap<String, Uuid>) {
        let mut expected: HashMap<_, _> = marks.values().map(|task| (*task, TaskState::Succeeded)).collect();
        expected.insert(self.setup, TaskState::Succeeded);
        let succeeded = self.records.values().filter(|state| **state == TaskState::Succeeded).count();
        assert_eq!(succeeded, expected.len(), "records of success, and marks");
        let books = self.ledger.books();
        let tasks = books.tasks.iter().map(|(id, task)| (id, task.end.as_ref()));
        let plays = books.plays.values().flatten();
        let lost = plays.filter_map(|(_, end)| match end {
            Outcome::Lost(task) => Some((task, Some(end))),
            _ => None,
        });
        for (task, end) in tasks.chain(lost) {
            let state = match end.expect("it has ended") {
                Outcome::Succeeded(..) => TaskState::Succeeded,
                Outcome::Failed(_) => TaskState::Failed,
                Outcome::Lost(_) => TaskState::Lost,
                Outcome::Unknown => panic!("task {task} has not ended"),
            };
            expected.insert(*task, state);
        }
        for (task, state) in expected {
            assert_eq!(self.records.get(&task), Some(&state), "the record of task {task}");
        }
    }

    fn findings(self, marks: &HashMap<String, Uuid>) -> Findings {
        let mut findings = Findings {
            marks: marks.len(),
            records: self.records.len(),
            repeated: self.repeated,
            ..Findings::default()
        };
        let mut known = HashSet::new();
        let mut counts = HashSet::new();
        for (request, end) in self.requests(&(0..=self.ledger.epoch())) {
            match end {
                Outcome::Unknown if marks.contains_key(&request.id) => findings.executed += 1,
                Outcome::Unknown => findings.not_executed += 1,
                Outcome::Lost(_) => findings.lost += 1,
                Outcome::Succeeded(_, count) => {
                    assert!(counts.insert(count), "{request:?}: another play got the count {count} too")
                }
                Outcome::Failed(_) => {}
            }
            known.insert(request.id.clone());
        }
        let stranger = marks.keys().find(|id| !known.contains(*id));
        assert_eq!(stranger, None, "a mark without a request");
        findings
    }
}

fn end_of(task: &Task) -> Outcome {
    let id = task.task_id.0;
    match task.state {
        TaskState::Succeeded => {
            let value = task.result.as_ref().and_then(|result| result.value.as_i64());
            Outcome::Succeeded(id, value.expect("a count"))
        }
        TaskState::Failed => Outcome::Failed(task.error.as_ref().expect("an error").message.clone()),
        TaskState::Lost => Outcome::Lost(id),
        _ => panic!("an accepted task did not reach its end: {task:?}"),
    }
}

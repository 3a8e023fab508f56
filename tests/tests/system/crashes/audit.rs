//! Holds what is in the circle against what clients were told.

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
use circles_testing::Dice;
use circles_tests::soon;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    ledger::{Accepted, End, Ledger},
    load::{self, look},
    order::{Act, Order, Way},
};

/// Records that one call brings: the most there may be.
const PAGE: u64 = 500;
/// Calls that are made again after each restart, those of just before the crash among them.
const REPEATED: usize = 60;

/// The marks of an epoch and its counter, in one snapshot.
const MARKS: &str = "[db::scan(`done/${ARGS}/`, (), 100000), db::get(`count/${ARGS}`)]";

#[derive(Deserialize)]
struct Mark {
    key: String,
    value: TaskId,
}

/// What an audit found at the end.
#[derive(Default)]
pub struct Findings {
    /// Plays and tasks that wrote.
    marks: usize,
    records: usize,
    /// Orders whose answer was lost and that had happened.
    happened: usize,
    /// And that had not.
    vanished: usize,
    /// Those that had reached outside, or met two kills in a row, and ended as lost.
    lost: usize,
    /// Calls with a key that were made again.
    repeated: usize,
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { marks, records, happened, vanished, lost, repeated } = self;
        write!(
            formatter,
            "{marks} that wrote, {records} records, {repeated} calls made again, {lost} lost; \
             of orders without an answer {happened} had happened and {vanished} had not"
        )
    }
}

/// The circle's owner, who looks after each restart.
pub struct Audit {
    ledger: Arc<Ledger>,
    owner: Client,
    url: String,
    files: PathBuf,
    dice: Dice,
    chain: Verifier,
    records: HashMap<Uuid, TaskState>,
    /// The play that opened the accounts.
    setup: Uuid,
    callers: HashMap<String, Client>,
    repeated: usize,
}

impl Audit {
    /// Opens the accounts.
    pub async fn new(ledger: Arc<Ledger>, owner: Client, url: &str, files: PathBuf, seed: u64) -> Self {
        let setup = soon(owner.play(super::order::SETUP)).await.expect("accounts").task_id.0;
        let circle = soon(owner.whoami()).await.expect("an identity").circle;
        let circle = circle.to_string().parse().expect("a circle");
        Self {
            ledger,
            owner,
            url: url.to_owned(),
            files,
            dice: Dice::new(seed, 0),
            chain: Verifier::new(circle),
            records: HashMap::new(),
            setup,
            callers: HashMap::new(),
            repeated: 0,
        }
    }

    /// What must hold after a restart, while clients go on.
    pub async fn after_restart(&mut self) {
        look(&self.owner, &self.ledger).await.expect("a server that runs");
        let epoch = self.ledger.epoch();
        self.repeat(epoch.saturating_sub(2)..=epoch, REPEATED).await;
        self.await_tasks().await;
        // Older ones have been looked at before, and are again at the end.
        let newest = epoch.saturating_sub(2)..=epoch;
        self.check_marks(&newest).await;
        self.check_files(&newest);
        self.follow_chain().await;
    }

    /// What must hold at the end, when all clients have gone.
    pub async fn at_the_end(mut self) -> Findings {
        let all = 0..=self.ledger.epoch();
        self.repeat(all.clone(), usize::MAX).await;
        self.await_tasks().await;
        self.recheck_tasks().await;
        self.await_the_rest().await;
        // Nobody writes any more.
        let look = look(&self.owner, &self.ledger).await.expect("a server that runs");
        let marks = self.check_marks(&all).await;
        assert_eq!(i64::try_from(marks.len()).ok(), Some(look.count), "marks, and the count of all");
        self.check_files(&all);
        self.follow_chain().await;
        self.check_records(&marks);
        self.findings(&marks)
    }

    /// Makes calls with a key again: they are the same tasks and bring the same outcomes.
    async fn repeat(&mut self, epochs: RangeInclusive<usize>, most: usize) {
        let mut calls = self.ledger.keyed(epochs);
        if calls.len() > most {
            // The newest half for sure.
            let newest = calls.split_off(calls.len() - most / 2);
            calls = (0..most / 2).map(|_| calls[self.dice.below(calls.len())].clone()).collect();
            calls.extend(newest);
        }
        for (order, end) in calls {
            let client = self.caller(&order).await;
            assert_eq!(load::play(&client, &order).await, end, "{order:?}, made again");
            self.repeated += 1;
        }
        let submissions: Vec<_> = {
            let books = self.ledger.books();
            let open = books.open.iter().map(|task| (*task, books.tasks[task].order.clone()));
            open.filter(|(_, order)| matches!(order.way, Way::Submit { keyed: true, .. })).collect()
        };
        for (task, order) in submissions {
            let client = self.caller(&order).await;
            assert_eq!(load::submit(&client, &order).await, Some(task), "{order:?}, made again");
            self.repeated += 1;
        }
    }

    /// Somebody with the key of the client that an order is of.
    async fn caller(&mut self, order: &Order) -> Client {
        let number = order.id.split('-').next().expect("a client's number").to_owned();
        if !self.callers.contains_key(&number) {
            let client = load::client(&self.url, load::key_of(&number)).await;
            self.callers.insert(number.clone(), client);
        }
        self.callers[&number].clone()
    }

    /// Every accepted task reaches a final state.
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

    async fn end_of(&self, id: TaskId) -> End {
        let task = self.owner.task(id).wait(Duration::from_secs(30));
        end_of(&soon(task).await.expect("an accepted task is known"))
    }

    /// The list shows every accepted task, and each once. Those whose acceptance nobody heard of end as well.
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

    /// A final state is final.
    async fn recheck_tasks(&self) {
        let tasks = self.ledger.books().tasks.clone();
        for (id, Accepted { order, end }) in tasks {
            let task = soon(self.owner.task(TaskId(id))).await.expect("it is remembered");
            assert_eq!(Some(end_of(&task)), end, "{order:?}");
        }
    }

    /// Orders of some epochs with what is known of their end.
    fn orders(&self, epochs: &RangeInclusive<usize>) -> Vec<(Arc<Order>, End)> {
        let books = self.ledger.books();
        let plays = books.plays.range(epochs.clone()).flat_map(|(_, plays)| plays.iter().cloned());
        let tasks = books.tasks.values().filter(|task| epochs.contains(&task.order.epoch));
        let tasks = tasks.map(|task| (task.order.clone(), task.end.clone().unwrap_or(End::Unknown)));
        let unheard = books.unheard.iter().filter(|order| epochs.contains(&order.epoch));
        let unheard = unheard.map(|order| (order.clone(), End::Unknown));
        plays.chain(tasks).chain(unheard).collect()
    }

    /// Nothing acknowledged is missing, nothing refused is there, nothing counted twice. Returns the marks.
    async fn check_marks(&self, epochs: &RangeInclusive<usize>) -> HashMap<String, Uuid> {
        // What was told before the marks are read must be among them.
        let orders = self.orders(epochs);
        let mut marks = HashMap::new();
        for epoch in epochs.clone() {
            let played = soon(self.owner.play(MARKS).args(&epoch)).await.expect("marks");
            let (found, count): (Vec<Mark>, Option<usize>) = played.value().expect("marks");
            assert_eq!(found.len(), count.unwrap_or(0), "marks of epoch {epoch}, and their count");
            let id = |mark: &Mark| mark.key.rsplit('/').next().expect("an id").to_owned();
            marks.extend(found.iter().map(|mark| (id(mark), mark.value.0)));
        }
        for (order, end) in orders {
            let mark = marks.get(&order.id);
            match &end {
                End::Done(task, _) => {
                    assert_eq!(mark, Some(task), "{order:?} was acknowledged");
                    assert_ne!(order.act, Act::Throw, "{order:?} cannot succeed");
                }
                End::Refused(why) => {
                    assert_eq!(mark, None, "{order:?} failed: {why}");
                    assert!(order.act == Act::Throw || why.contains("conflict"), "{order:?}: {why}");
                }
                End::Lost(_) => {
                    assert_eq!(mark, None, "{order:?} is lost");
                    // A task that two processes in a row die of is not tried a third time.
                    let may_be_deadly = self.ledger.epoch() >= order.epoch + 2;
                    assert!(order.act == Act::Outside || may_be_deadly, "{order:?} did not reach outside");
                }
                End::Unknown => assert!(order.act != Act::Throw || mark.is_none(), "{order:?} throws"),
            }
        }
        marks
    }

    /// The chain of records goes on where it ended, and verifies.
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
            assert!(!page.records.is_empty(), "the head is of a record that is not there: {page:?}");
        }
    }

    /// Files are appended to at most once a try, and for sure by what succeeded.
    fn check_files(&self, epochs: &RangeInclusive<usize>) {
        let orders = self.orders(epochs);
        for (order, end) in orders.iter().filter(|(order, _)| order.act == Act::Outside) {
            let effects = std::fs::metadata(self.files.join(&order.id)).map_or(0, |file| file.len());
            assert!(effects <= order.most_effects(), "{order:?}: {effects} effects, {end:?}");
            assert!(effects > 0 || !matches!(end, End::Done(..)), "{order:?} succeeded without its effect");
        }
    }

    /// One record for each play that wrote, and for each task.
    fn check_records(&self, marks: &HashMap<String, Uuid>) {
        let mut expected: HashMap<_, _> = marks.values().map(|task| (*task, TaskState::Succeeded)).collect();
        expected.insert(self.setup, TaskState::Succeeded);
        let succeeded = self.records.values().filter(|state| **state == TaskState::Succeeded).count();
        assert_eq!(succeeded, expected.len(), "records of success, and marks");
        let books = self.ledger.books();
        let tasks = books.tasks.iter().map(|(id, task)| (id, task.end.as_ref()));
        let plays = books.plays.values().flatten();
        let lost = plays.filter_map(|(_, end)| match end {
            End::Lost(task) => Some((task, Some(end))),
            _ => None,
        });
        for (task, end) in tasks.chain(lost) {
            let state = match end.expect("it has ended") {
                End::Done(..) => TaskState::Succeeded,
                End::Refused(_) => TaskState::Failed,
                End::Lost(_) => TaskState::Lost,
                End::Unknown => panic!("task {task} has not ended"),
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
        for (order, end) in self.orders(&(0..=self.ledger.epoch())) {
            match end {
                End::Unknown if marks.contains_key(&order.id) => findings.happened += 1,
                End::Unknown => findings.vanished += 1,
                End::Lost(_) => findings.lost += 1,
                End::Done(_, count) => {
                    assert!(counts.insert(count), "{order:?}: another play was {count}, too")
                }
                End::Refused(_) => {}
            }
            known.insert(order.id.clone());
        }
        let stranger = marks.keys().find(|id| !known.contains(*id));
        assert_eq!(stranger, None, "a mark that nobody asked for");
        findings
    }
}

fn end_of(task: &Task) -> End {
    let id = task.task_id.0;
    match task.state {
        TaskState::Succeeded => {
            let value = task.result.as_ref().and_then(|result| result.value.as_i64());
            End::Done(id, value.expect("a count"))
        }
        TaskState::Failed => End::Refused(task.error.as_ref().expect("an error").message.clone()),
        TaskState::Lost => End::Lost(id),
        _ => panic!("an accepted task did not reach its end: {task:?}"),
    }
}

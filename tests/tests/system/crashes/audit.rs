//! Holds what is in the circle against what clients were told.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use circles_client::{
    Client,
    provenance::{Head, Verifier},
    types::{Task, TaskId, TaskState},
};
use circles_tests::soon;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    dice::Dice,
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
#[derive(Debug, Default)]
pub struct Findings {
    pub count: usize,
    pub records: usize,
    /// Plays whose answer was lost: those that had happened, and those that had not.
    pub unknown: [usize; 2],
    pub lost: usize,
    pub repeated: usize,
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
        for epoch in epoch.saturating_sub(1)..=epoch {
            self.check_marks(epoch).await;
        }
        self.follow_chain().await;
        self.check_files();
    }

    /// What must hold at the end, when all clients have gone.
    pub async fn at_the_end(mut self) -> Findings {
        let look = look(&self.owner, &self.ledger).await.expect("a server that runs");
        let epoch = self.ledger.epoch();
        self.repeat(0..=epoch, usize::MAX).await;
        self.await_tasks().await;
        self.recheck_tasks().await;
        let mut marks = HashMap::new();
        for epoch in 0..=epoch {
            marks.extend(self.check_marks(epoch).await);
        }
        assert_eq!(i64::try_from(marks.len()).ok(), Some(look.count), "marks, and the count of all");
        self.check_files();
        self.follow_chain().await;
        self.check_records(&marks);
        self.findings(&marks)
    }

    /// Makes calls with a key again: they are the same tasks and bring the same outcomes.
    async fn repeat(&mut self, epochs: std::ops::RangeInclusive<usize>, most: usize) {
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
            let task = self.owner.task(TaskId(*id)).wait(Duration::from_secs(30));
            let task = soon(task).await.expect("an accepted task is known");
            let end = end_of(&task);
            let mut books = self.ledger.books();
            books.tasks.get_mut(id).expect("it was accepted").end = Some(end);
        }
        let open: HashSet<_> = open.into_iter().collect();
        self.ledger.books().open.retain(|task| !open.contains(task));
    }

    /// A final state is final.
    async fn recheck_tasks(&self) {
        let tasks = self.ledger.books().tasks.clone();
        for (id, Accepted { order, end }) in tasks {
            let task = soon(self.owner.task(TaskId(id))).await.expect("it is remembered");
            assert_eq!(Some(end_of(&task)), end, "{order:?}");
        }
    }

    /// Orders of an epoch with what is known of their end. Lost plays are among the refused: they left nothing.
    fn orders(&self, epoch: usize) -> Vec<(Arc<Order>, End)> {
        let books = self.ledger.books();
        let mut orders = books.plays.get(&epoch).cloned().unwrap_or_default();
        let tasks = books.tasks.values().filter(|task| task.order.epoch == epoch);
        orders.extend(tasks.map(|task| (task.order.clone(), task.end.clone().unwrap_or(End::Unknown))));
        let unheard = books.unheard.iter().filter(|order| order.epoch == epoch);
        orders.extend(unheard.map(|order| (order.clone(), End::Unknown)));
        orders
    }

    /// Nothing acknowledged is missing, nothing refused is there, nothing counted twice. Returns the marks.
    async fn check_marks(&self, epoch: usize) -> HashMap<String, Uuid> {
        let orders = self.orders(epoch);
        let (marks, count): (Vec<Mark>, Option<usize>) =
            soon(self.owner.play(MARKS).args(&epoch)).await.and_then(|played| played.value()).expect("marks");
        assert_eq!(marks.len(), count.unwrap_or(0), "marks of epoch {epoch}, and their count");
        let id = |mark: &Mark| mark.key.rsplit('/').next().expect("an id").to_owned();
        let marks: HashMap<_, _> = marks.iter().map(|mark| (id(mark), mark.value.0)).collect();
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
                    assert_eq!(order.act, Act::Outside, "{order:?} did not reach outside");
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
    fn check_files(&self) {
        let ends: BTreeMap<_, _> = (0..=self.ledger.epoch())
            .flat_map(|epoch| self.orders(epoch))
            .filter(|(order, _)| order.act == Act::Outside)
            .map(|(order, end)| (order.id.clone(), (order, end)))
            .collect();
        for (id, (order, end)) in ends {
            let effects = std::fs::metadata(self.files.join(id)).map_or(0, |file| file.len());
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
        let (count, records) = (marks.len(), self.records.len());
        let mut findings = Findings { count, records, repeated: self.repeated, ..Findings::default() };
        let mut known = HashSet::new();
        let mut counts = HashSet::new();
        for (order, end) in (0..=self.ledger.epoch()).flat_map(|epoch| self.orders(epoch)) {
            match end {
                End::Unknown => findings.unknown[usize::from(!marks.contains_key(&order.id))] += 1,
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

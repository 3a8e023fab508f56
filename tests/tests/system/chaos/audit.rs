//! Holds what is in the circles against what clients were told, as one who had no part in it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use circles_client::{
    Client,
    provenance::{Head, Verifier},
    types::{TaskId, TaskState},
};
use circles_tests::soon;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    load::{End, Ledger},
    order::{Act, LOOK, Order, RUNS, Way},
    world::{CIRCLES, World, circle_key},
};

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    orders: usize,
    /// Those that wrote.
    marks: usize,
    records: usize,
    /// Accepted tasks, by their final state.
    tasks: BTreeMap<TaskState, usize>,
    /// Orders that nobody answered and that had happened, and had not.
    happened: usize,
    vanished: usize,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, marks, records, tasks, happened, vanished } = self;
        write!(f, "{orders} orders, {marks} of them wrote, {records} records; accepted tasks: {tasks:?}; ")?;
        write!(f, "of orders without an answer {happened} had happened and {vanished} had not")
    }
}

#[derive(Deserialize)]
struct Document<T> {
    key: String,
    value: T,
}

#[derive(Deserialize)]
struct Look {
    torn: Vec<usize>,
    total: Option<usize>,
    tasks: Vec<Document<TaskId>>,
}

/// What a circle holds of an order.
struct Mark {
    task: Uuid,
    runs: u64,
}

/// Looks at everything, when all clients have gone and all is well.
pub async fn audit(world: &World, ledger: &Ledger) -> Findings {
    let mut findings = Findings::default();
    let ends = ledger.ends().clone();
    findings.orders = ends.len();
    for circle in 0..CIRCLES {
        let key = circle_key(circle);
        let builder = Client::builder(world.url(0, circle)).key(key).timeout(Duration::from_secs(50));
        let owner = soon(builder.connect()).await.expect("a server that runs");
        let mut orders: Vec<(Order, End)> =
            ends.values().filter(|(order, _)| order.circle == circle).cloned().collect();
        let accepted = settle(&owner, &mut orders).await;
        for end in orders.iter().filter(|(_, end)| matches!(end, End::Done(..) | End::Not(_))) {
            if accepted.contains_key(&end.0.id) {
                *findings.tasks.entry(state_of(&end.1)).or_default() += 1;
            }
        }
        let marks = marks(&owner).await;
        for (order, end) in &orders {
            check(order, end, marks.get(&order.id));
            check_file(world, order, end);
            match (end, marks.contains_key(&order.id)) {
                (End::Unknown, true) => findings.happened += 1,
                (End::Unknown, false) => findings.vanished += 1,
                _ => {}
            }
        }
        let stranger = marks.keys().find(|id| !ends.contains_key(id));
        assert_eq!(stranger, None, "a mark that nobody asked for");
        findings.marks += marks.len();
        findings.records += check_records(&owner, &orders, &accepted, &marks).await;
    }
    findings
}

fn state_of(end: &End) -> TaskState {
    match end {
        End::Done(..) => TaskState::Succeeded,
        End::Not(state) => *state,
        End::Accepted(_) | End::Unknown => panic!("{end:?} is no end"),
    }
}

/// Every accepted task has an end, and one only. Returns the tasks, by order.
async fn settle(owner: &Client, orders: &mut [(Order, End)]) -> HashMap<usize, Uuid> {
    let mut accepted = HashMap::new();
    for (order, end) in orders {
        if let End::Accepted(task) = *end {
            *end = final_end(owner, task).await;
            assert_eq!(*end, final_end(owner, task).await, "{order:?}: an end is the end");
            accepted.insert(order.id, task);
        }
    }
    accepted
}

async fn final_end(owner: &Client, id: Uuid) -> End {
    let task = soon(owner.task(TaskId(id)).wait(Duration::from_secs(30))).await;
    let task = task.unwrap_or_else(|error| panic!("accepted task {id}: {error:?}"));
    assert!(task.ended_at.is_some(), "an accepted task does not end: {task:?}");
    match task.state {
        TaskState::Succeeded => {
            End::Done(id, task.result.as_ref().and_then(|result| result.value.as_u64()).expect("a count"))
        }
        state => End::Not(state),
    }
}

/// What plays left. Nothing is torn, nothing counted twice.
async fn marks(owner: &Client) -> HashMap<usize, Mark> {
    let id = |key: &str| key.split_once('/').and_then(|(_, id)| id.parse::<usize>().ok()).expect("an id");
    let mut marks = HashMap::new();
    let mut last = None;
    loop {
        let look: Look = played(owner, LOOK, &last).await;
        let runs: Vec<Document<u64>> =
            played(owner, RUNS, &last.as_ref().map(|key: &String| key.replace("task", "runs"))).await;
        assert_eq!(look.torn, Vec::<usize>::new(), "pairs are torn");
        assert_eq!(runs.len(), look.tasks.len());
        for (task, runs) in look.tasks.iter().zip(&runs) {
            assert_eq!(id(&task.key), id(&runs.key));
            marks.insert(id(&task.key), Mark { task: task.value.0, runs: runs.value });
        }
        match look.tasks.last() {
            Some(task) => last = Some(task.key.clone()),
            None => {
                assert_eq!(
                    look.total.unwrap_or(0),
                    marks.len(),
                    "plays that counted themselves, and their marks"
                );
                return marks;
            }
        }
    }
}

async fn played<T: serde::de::DeserializeOwned>(owner: &Client, script: &str, args: &Option<String>) -> T {
    soon(owner.play(script).args(args)).await.expect("a look").value().expect("what was asked for")
}

/// Each success has its effects once, and whatever was no success has none.
fn check(order: &Order, end: &End, mark: Option<&Mark>) {
    if let Some(mark) = mark {
        assert_eq!(mark.runs, 1, "{order:?} happened more than once: {end:?}");
        assert_ne!(order.act, Act::Throw, "{order:?} cannot succeed: {end:?}");
    }
    match end {
        End::Done(task, runs) => {
            let mark = mark.unwrap_or_else(|| panic!("{order:?} was acknowledged and is not there: {end:?}"));
            assert_eq!((mark.task, *runs), (*task, 1), "{order:?}");
        }
        End::Not(_) => assert!(mark.is_none(), "{order:?} did not succeed and is there: {end:?}"),
        End::Unknown => {}
        End::Accepted(_) => panic!("{order:?} has no end"),
    }
}

/// What reached outside did so at most once, or as often as it was allowed to.
fn check_file(world: &World, order: &Order, end: &End) {
    let path = world.files(order.circle).join(order.key());
    let effects = std::fs::metadata(path).map_or(0, |file| file.len());
    assert!(effects <= order.most_effects(), "{order:?} reached outside {effects} times: {end:?}");
    assert!(effects > 0 || order.act != Act::Outside || !matches!(end, End::Done(..)), "{order:?}: {end:?}");
}

/// The chain of records verifies, and has one of each play that wrote and each task that was accepted.
async fn check_records(
    owner: &Client,
    orders: &[(Order, End)],
    accepted: &HashMap<usize, Uuid>,
    marks: &HashMap<usize, Mark>,
) -> usize {
    let circle = soon(owner.whoami()).await.expect("an identity").circle;
    let mut chain = Verifier::new(circle.to_string().parse().expect("a circle"));
    let mut records = HashMap::new();
    loop {
        let after = chain.head().number.get();
        let page = soon(owner.provenance().after(after).limit(500)).await.expect("records");
        for record in &page.records {
            chain.push(record).expect("a sound chain");
            let twice = records.insert(record.task_id.0, record.outcome);
            assert_eq!(twice, None, "two records of {record:?}");
        }
        if chain.head().number >= page.head.number {
            assert_eq!(chain.head(), Head::from(&page.head));
            break;
        }
        assert!(!page.records.is_empty(), "the head is of a record that is not there: {page:?}");
    }
    for (id, mark) in marks {
        assert_eq!(records.get(&mark.task), Some(&TaskState::Succeeded), "the record of order {id}");
    }
    for (order, end) in orders {
        if let (Some(task), Way::Submit { .. }) = (accepted.get(&order.id), order.way) {
            assert_eq!(records.get(task), Some(&state_of(end)), "the record of {order:?}");
        }
    }
    records.len()
}

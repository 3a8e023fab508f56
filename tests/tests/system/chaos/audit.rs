//! Compares the circles' data with the answers that clients got.

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
    load::{Ledger, Outcome},
    request::{Action, CallKind, RUNS, Request, SNAPSHOT},
    world::{CIRCLES, World, circle_key},
};

/// The result of an audit.
#[derive(Debug, Default)]
pub(super) struct Findings {
    requests: usize,
    /// Requests that wrote.
    marks: usize,
    records: usize,
    /// Accepted tasks, by their final state.
    tasks: BTreeMap<TaskState, usize>,
    /// Requests without an answer: those that had executed, and those that had not.
    executed: usize,
    not_executed: usize,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, marks, records, tasks, executed, not_executed } = self;
        write!(
            f,
            "{requests} requests, {marks} of them wrote, {records} records; accepted tasks: {tasks:?}; "
        )?;
        write!(f, "of requests without an answer {executed} had executed and {not_executed} had not")
    }
}

#[derive(Deserialize)]
struct Document<T> {
    key: String,
    value: T,
}

#[derive(Deserialize)]
struct Snapshot {
    torn: Vec<usize>,
    total: Option<usize>,
    tasks: Vec<Document<TaskId>>,
}

/// The documents of a request in its circle.
struct Mark {
    task: Uuid,
    runs: u64,
}

/// Audits all circles, once the clients have stopped and no fault is active.
pub(super) async fn audit(world: &World, ledger: &Ledger) -> Findings {
    let mut findings = Findings::default();
    let ends = ledger.ends().clone();
    findings.requests = ends.len();
    for circle in 0..CIRCLES {
        let key = circle_key(circle);
        let builder = Client::builder(world.url(0, circle)).key(key).timeout(Duration::from_secs(50));
        let owner = soon(builder.connect()).await.expect("a server that runs");
        let mut requests: Vec<(Request, Outcome)> =
            ends.values().filter(|(request, _)| request.circle == circle).cloned().collect();
        let accepted = settle(&owner, &mut requests).await;
        for end in requests
            .iter()
            .filter(|(_, end)| matches!(end, Outcome::Succeeded(..) | Outcome::Unsuccessful(_)))
        {
            if accepted.contains_key(&end.0.id) {
                *findings.tasks.entry(state_of(&end.1)).or_default() += 1;
            }
        }
        let marks = marks(&owner).await;
        for (request, end) in &requests {
            check(request, end, marks.get(&request.id));
            check_file(world, request, end);
            match (end, marks.contains_key(&request.id)) {
                (Outcome::Unknown, true) => findings.executed += 1,
                (Outcome::Unknown, false) => findings.not_executed += 1,
                _ => {}
            }
        }
        let stranger = marks.keys().find(|id| !ends.contains_key(id));
        assert_eq!(stranger, None, "a mark without a request");
        findings.marks += marks.len();
        findings.records += check_records(&owner, &requests, &accepted, &marks).await;
    }
    findings
}

fn state_of(end: &Outcome) -> TaskState {
    match end {
        Outcome::Succeeded(..) => TaskState::Succeeded,
        Outcome::Unsuccessful(state) => *state,
        Outcome::Accepted(_) | Outcome::Unknown => panic!("{end:?} is no final outcome"),
    }
}

/// Checks that every accepted task has one final outcome. Returns the tasks, by request.
async fn settle(owner: &Client, requests: &mut [(Request, Outcome)]) -> HashMap<usize, Uuid> {
    let mut accepted = HashMap::new();
    for (request, end) in requests {
        if let Outcome::Accepted(task) = *end {
            *end = final_end(owner, task).await;
            assert_eq!(*end, final_end(owner, task).await, "{request:?}: the outcome changed");
            accepted.insert(request.id, task);
        }
    }
    accepted
}

async fn final_end(owner: &Client, id: Uuid) -> Outcome {
    let task = soon(owner.task(TaskId(id)).wait(Duration::from_secs(30))).await;
    let task = task.unwrap_or_else(|error| panic!("accepted task {id}: {error:?}"));
    assert!(task.ended_at.is_some(), "an accepted task did not end: {task:?}");
    match task.state {
        TaskState::Succeeded => Outcome::Succeeded(
            id,
            task.result.as_ref().and_then(|result| result.value.as_u64()).expect("a count"),
        ),
        state => Outcome::Unsuccessful(state),
    }
}

/// The marks of plays. Checks that no write is torn or counted twice.
async fn marks(owner: &Client) -> HashMap<usize, Mark> {
    let id = |key: &str| key.split_once('/').and_then(|(_, id)| id.parse::<usize>().ok()).expect("an id");
    let mut marks = HashMap::new();
    let mut last = None;
    loop {
        let look: Snapshot = played(owner, SNAPSHOT, &last).await;
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
    soon(owner.play(script).args(args)).await.expect("a snapshot").value().expect("the expected type")
}

/// Checks that each success has its effects once, and that other outcomes have none.
fn check(request: &Request, end: &Outcome, mark: Option<&Mark>) {
    if let Some(mark) = mark {
        assert_eq!(mark.runs, 1, "{request:?} ran more than once: {end:?}");
        assert_ne!(request.action, Action::Throw, "{request:?} cannot succeed: {end:?}");
    }
    match end {
        Outcome::Succeeded(task, runs) => {
            let mark =
                mark.unwrap_or_else(|| panic!("{request:?} was acknowledged and has no mark: {end:?}"));
            assert_eq!((mark.task, *runs), (*task, 1), "{request:?}");
        }
        Outcome::Unsuccessful(_) => {
            assert!(mark.is_none(), "{request:?} did not succeed and has a mark: {end:?}")
        }
        Outcome::Unknown => {}
        Outcome::Accepted(_) => panic!("{request:?} has no final outcome"),
    }
}

/// Checks that side effects took place at most once, or once for each run that the request allows.
fn check_file(world: &World, request: &Request, end: &Outcome) {
    let path = world.files(request.circle).join(request.key());
    let effects = std::fs::metadata(path).map_or(0, |file| file.len());
    assert!(effects <= request.max_effects(), "{request:?} had {effects} side effects: {end:?}");
    assert!(
        effects > 0 || request.action != Action::Outside || !matches!(end, Outcome::Succeeded(..)),
        "{request:?}: {end:?}"
    );
}

/// Checks that the provenance chain verifies, and has one record for each play that wrote and each accepted task.
async fn check_records(
    owner: &Client,
    requests: &[(Request, Outcome)],
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
        assert!(!page.records.is_empty(), "the record of the head is missing: {page:?}");
    }
    for (id, mark) in marks {
        assert_eq!(records.get(&mark.task), Some(&TaskState::Succeeded), "the record of request {id}");
    }
    for (request, end) in requests {
        if let (Some(task), CallKind::Submit { .. }) = (accepted.get(&request.id), request.kind) {
            assert_eq!(records.get(task), Some(&state_of(end)), "the record of {request:?}");
        }
    }
    records.len()
}

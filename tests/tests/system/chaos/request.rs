//! The requests that clients send while faults are injected.

use std::time::Duration;

use circles_testing::SeededRng;
use serde_json::{Value, json};

/// The first write of a pair. A play that comes in between conflicts with this one.
const PAIR: &str = "db::set(`left/${ARGS.id % 8}`, TASK);";
/// The second write of the pair.
const OTHER: &str = "db::set(`right/${ARGS.id % 8}`, TASK);";
const SLEEP: &str = "sleep(ARGS.pause);";
const OUTSIDE: &str = "fs::append(`${ARGS.id}`, `x`);";
/// Marks the request, and counts its runs and all marked requests.
const MARK: &str = "
    db::set(`task/${ARGS.id}`, TASK);
    db::incr(`total`);
    db::incr(`runs/${ARGS.id}`)
";

/// Torn pairs, the count, and the marks behind a given one, in one snapshot.
pub(super) const SNAPSHOT: &str = "
    let torn = [];
    for n in 0..8 {
        if db::get(`left/${n}`) != db::get(`right/${n}`) { torn.push(n); }
    }
    #{ torn: torn, total: db::get(`total`), tasks: db::scan(`task/`, ARGS, 500) }
";
/// The runs of marked requests, behind a given one.
pub(super) const RUNS: &str = "db::scan(`runs/`, ARGS, 500)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Marks itself.
    Mark,
    /// Writes a pair of documents that other requests write too.
    Pair,
    /// Sleeps between its writes.
    Slow,
    /// Writes, then throws.
    Throw,
    /// Has a side effect: appends to a file of its own.
    Outside,
}

/// The kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallKind {
    Play,
    /// A play with an idempotency key, repeated until it has an answer.
    Keyed,
    Submit {
        keyed: bool,
        retries: u64,
    },
}

/// A request of a client.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Unique; also its idempotency key and the name of its file.
    pub id: usize,
    pub circle: usize,
    pub action: Action,
    pub kind: CallKind,
    pub timeout: Duration,
    pause: f64,
}

impl Request {
    pub(super) fn random(rng: &mut SeededRng, id: usize, circle: usize) -> Self {
        let action = rng.one_of(&[
            Action::Mark,
            Action::Mark,
            Action::Mark,
            Action::Pair,
            Action::Pair,
            Action::Slow,
            Action::Throw,
            Action::Outside,
        ]);
        let submit = CallKind::Submit { keyed: rng.below(2) == 0, retries: rng.one_of(&[0, 0, 2]) };
        let kind = rng.one_of(&[CallKind::Play, CallKind::Play, CallKind::Keyed, submit]);
        // Some pass their deadline in the queue or while they run.
        let short = matches!(action, Action::Slow | Action::Mark) && rng.below(10) == 0;
        let timeout = Duration::from_millis(if short { 200 + rng.below(800) as u64 } else { 20_000 });
        let pause = rng.below(250) as f64 / 1_000.0;
        Self { id, circle, action, kind, timeout, pause }
    }

    pub(super) fn script(&self) -> String {
        match self.action {
            Action::Mark => MARK.to_owned(),
            Action::Pair => format!("{PAIR}{OTHER}{MARK}"),
            Action::Slow => format!("{PAIR}{SLEEP}{OTHER}{MARK}"),
            Action::Throw => format!("{PAIR}{MARK}; throw ARGS.id"),
            Action::Outside => format!("{SLEEP}{OUTSIDE}{SLEEP}{MARK}"),
        }
    }

    pub(super) fn args(&self) -> Value {
        json!({ "id": self.id, "pause": self.pause })
    }

    pub(super) fn key(&self) -> String {
        self.id.to_string()
    }

    /// Maximum number of appends to its file.
    pub(super) const fn max_effects(&self) -> u64 {
        match (self.action, self.kind) {
            (Action::Outside, CallKind::Submit { retries, .. }) => 1 + retries,
            (Action::Outside, _) => 1,
            _ => 0,
        }
    }
}

//! The requests that clients send while servers are killed.

use circles_testing::SeededRng;
use serde_json::{Value, json};

/// Number of accounts between which money moves.
pub(super) const ACCOUNTS: usize = 8;
/// The sum of all accounts, which never changes.
pub(super) const MONEY: i64 = 8_000;

/// Opens the accounts.
pub(super) const SETUP: &str = r#"
    if !db::has("account/0") {
        for n in 0..8 { db::set(`account/${n}`, 1000); }
    }
"#;

/// The sum of money, the torn pairs and the count of plays, in one snapshot.
pub(super) const SNAPSHOT: &str = r#"
    let money = 0;
    let torn = [];
    for n in 0..8 {
        money += db::get(`account/${n}`);
        if db::get(`left/${n}`) != db::get(`right/${n}`) { torn.push(n); }
    }
    let count = db::get("count");
    #{ money: money, torn: torn, count: if count == () { 0 } else { count } }
"#;

/// Marks a request, and counts it twice: in all, and in its epoch.
const MARK: &str = r#"
    db::set(`done/${ARGS.epoch}/${ARGS.id}`, TASK);
    db::incr(`count/${ARGS.epoch}`);
    db::incr("count")
"#;

const DEBIT: &str = r#"
    db::incr(`account/${ARGS.from}`, -ARGS.amount);
    db::set(`left/${ARGS.from}`, TASK);
"#;

const CREDIT: &str = r#"
    db::set(`right/${ARGS.from}`, TASK);
    db::incr(`account/${ARGS.to}`, ARGS.amount);
"#;

const OUTSIDE: &str = r#"
    sleep(ARGS.pause);
    fs::append(ARGS.id, "x");
    sleep(ARGS.pause);
"#;

/// The action of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Counts itself.
    Count,
    /// Moves money, which writes several documents.
    Transfer,
    /// Takes money away, then throws.
    Throw,
    /// Has a side effect, an append to a file of its own, and then counts itself.
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

/// A request, sent once or, with a key, until it has an answer.
#[derive(Debug)]
pub(super) struct Request {
    /// Unique; also its idempotency key and the name of its file.
    pub id: String,
    /// Number of kills before it was first sent.
    pub epoch: usize,
    pub action: Action,
    pub kind: CallKind,
    pub args: Value,
}

impl Request {
    /// The next request of a client, or `None` for a snapshot.
    pub(super) fn random(rng: &mut SeededRng, id: String, epoch: usize) -> Option<Self> {
        let action = match rng.below(100) {
            0..15 => return None,
            15..35 => Action::Count,
            35..78 => Action::Transfer,
            78..92 => Action::Throw,
            _ => Action::Outside,
        };
        let submit = CallKind::Submit { keyed: rng.below(2) == 0, retries: rng.one_of(&[0, 0, 2]) };
        let kinds = match action {
            Action::Outside => [CallKind::Keyed, submit, submit, submit],
            _ => [CallKind::Play, CallKind::Play, CallKind::Keyed, submit],
        };
        let kind = rng.one_of(&kinds);
        let from = rng.below(ACCOUNTS);
        let to = (from + 1 + rng.below(ACCOUNTS - 1)) % ACCOUNTS;
        let pause = rng.one_of(&[0.0, 0.005, 0.03]);
        let args = json!({
            "id": id, "epoch": epoch, "from": from, "to": to, "amount": 1 + rng.below(50), "pause": pause,
        });
        Some(Self { id, epoch, action, kind, args })
    }

    pub(super) fn script(&self) -> String {
        let (debit, credit, outside, mark) = (DEBIT, CREDIT, OUTSIDE, MARK);
        match self.action {
            Action::Count => mark.to_owned(),
            Action::Transfer => format!("{debit}{credit}{mark}"),
            Action::Throw => format!("{debit}{mark}; throw ARGS.id"),
            Action::Outside => format!("{outside}{mark}"),
        }
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

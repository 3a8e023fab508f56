//! What clients ask for while servers die.

use circles_testing::Dice;
use serde_json::{Value, json};

/// Accounts between which money moves.
pub const ACCOUNTS: usize = 8;
/// What they hold together, always.
pub const MONEY: i64 = 8_000;

/// Each account's money, and no pair yet.
pub const SETUP: &str = r#"
    if !db::has("account/0") {
        for n in 0..8 { db::set(`account/${n}`, 1000); }
    }
"#;

/// What reads see: the money, how many plays were counted, and whether a pair is torn. One snapshot.
pub const LOOK: &str = r#"
    let money = 0;
    let torn = [];
    for n in 0..8 {
        money += db::get(`account/${n}`);
        if db::get(`left/${n}`) != db::get(`right/${n}`) { torn.push(n); }
    }
    let count = db::get("count");
    #{ money: money, torn: torn, count: if count == () { 0 } else { count } }
"#;

/// Every order that writes leaves a mark of its own, and counts itself twice: of all, and of its epoch.
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

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Counts itself.
    Count,
    /// Moves money, which takes several documents.
    Transfer,
    /// Takes money away and throws.
    Throw,
    /// Appends to a file of its own, and then counts itself.
    Outside,
}

/// How it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Play,
    /// With an idempotency key: repeated until there is an answer.
    Keyed,
    Submit {
        keyed: bool,
        retries: u64,
    },
}

/// One thing that a client asks for, once or, with a key, until it has an answer.
#[derive(Debug)]
pub struct Order {
    /// Nobody else's; also its idempotency key, and the name of its file.
    pub id: String,
    /// How many servers had been killed when it was first sent.
    pub epoch: usize,
    pub act: Act,
    pub way: Way,
    pub args: Value,
}

impl Order {
    /// The next order of a client, or `None`: a look.
    pub fn thrown(dice: &mut Dice, id: String, epoch: usize) -> Option<Self> {
        let act = match dice.below(100) {
            0..15 => return None,
            15..35 => Act::Count,
            35..78 => Act::Transfer,
            78..92 => Act::Throw,
            _ => Act::Outside,
        };
        let submit = Way::Submit { keyed: dice.below(2) == 0, retries: dice.one_of(&[0, 0, 2]) };
        let ways = match act {
            Act::Outside => [Way::Keyed, submit, submit, submit],
            _ => [Way::Play, Way::Play, Way::Keyed, submit],
        };
        let way = dice.one_of(&ways);
        let from = dice.below(ACCOUNTS);
        let to = (from + 1 + dice.below(ACCOUNTS - 1)) % ACCOUNTS;
        let pause = dice.one_of(&[0.0, 0.005, 0.03]);
        let args = json!({
            "id": id, "epoch": epoch, "from": from, "to": to, "amount": 1 + dice.below(50), "pause": pause,
        });
        Some(Self { id, epoch, act, way, args })
    }

    pub fn script(&self) -> String {
        let (debit, credit, outside, mark) = (DEBIT, CREDIT, OUTSIDE, MARK);
        match self.act {
            Act::Count => mark.to_owned(),
            Act::Transfer => format!("{debit}{credit}{mark}"),
            Act::Throw => format!("{debit}{mark}; throw ARGS.id"),
            Act::Outside => format!("{outside}{mark}"),
        }
    }

    /// How often its file may have been appended to, whatever happens.
    pub const fn most_effects(&self) -> u64 {
        match (self.act, self.way) {
            (Act::Outside, Way::Submit { retries, .. }) => 1 + retries,
            (Act::Outside, _) => 1,
            _ => 0,
        }
    }
}

//! What clients ask for while everything fails.

use std::time::Duration;

use circles_testing::Dice;
use serde_json::{Value, json};

/// The first writes of a play, which another one may have overtaken.
const PAIR: &str = "db::set(`left/${ARGS.id % 8}`, TASK);";
/// Belongs to them.
const OTHER: &str = "db::set(`right/${ARGS.id % 8}`, TASK);";
const SLEEP: &str = "sleep(ARGS.pause);";
const OUTSIDE: &str = "fs::append(`${ARGS.id}`, `x`);";
/// Whatever runs counts how often, and itself.
const MARK: &str = "
    db::set(`task/${ARGS.id}`, TASK);
    db::incr(`total`);
    db::incr(`runs/${ARGS.id}`)
";

/// What marks, pairs and counts are, in one snapshot, with the marks behind one that was seen.
pub const LOOK: &str = "
    let torn = [];
    for n in 0..8 {
        if db::get(`left/${n}`) != db::get(`right/${n}`) { torn.push(n); }
    }
    #{ torn: torn, total: db::get(`total`), tasks: db::scan(`task/`, ARGS, 500) }
";
/// How often marked plays ran, behind one that was seen.
pub const RUNS: &str = "db::scan(`runs/`, ARGS, 500)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Marks itself.
    Mark,
    /// Reads and writes a pair of documents that others write, too.
    Pair,
    /// Takes its time.
    Slow,
    /// Writes, and throws.
    Throw,
    /// Appends to a file of its own.
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

/// One thing that a client asks for.
#[derive(Clone, Debug)]
pub struct Order {
    /// Nobody else's; also its idempotency key, and the name of its file.
    pub id: usize,
    pub circle: usize,
    pub act: Act,
    pub way: Way,
    pub timeout: Duration,
    pause: f64,
}

impl Order {
    pub fn thrown(dice: &mut Dice, id: usize, circle: usize) -> Self {
        let act = dice.one_of(&[
            Act::Mark,
            Act::Mark,
            Act::Mark,
            Act::Pair,
            Act::Pair,
            Act::Slow,
            Act::Throw,
            Act::Outside,
        ]);
        let submit = Way::Submit { keyed: dice.below(2) == 0, retries: dice.one_of(&[0, 0, 2]) };
        let way = dice.one_of(&[Way::Play, Way::Play, Way::Keyed, submit]);
        // Some run out of time, in the queue or while they run.
        let short = matches!(act, Act::Slow | Act::Mark) && dice.below(10) == 0;
        let timeout = Duration::from_millis(if short { 200 + dice.below(800) as u64 } else { 20_000 });
        let pause = dice.below(250) as f64 / 1_000.0;
        Self { id, circle, act, way, timeout, pause }
    }

    pub fn script(&self) -> String {
        match self.act {
            Act::Mark => MARK.to_owned(),
            Act::Pair => format!("{PAIR}{OTHER}{MARK}"),
            Act::Slow => format!("{PAIR}{SLEEP}{OTHER}{MARK}"),
            Act::Throw => format!("{PAIR}{MARK}; throw ARGS.id"),
            Act::Outside => format!("{SLEEP}{OUTSIDE}{SLEEP}{MARK}"),
        }
    }

    pub fn args(&self) -> Value {
        json!({ "id": self.id, "pause": self.pause })
    }

    pub fn key(&self) -> String {
        self.id.to_string()
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

//! Plays that end, on their way to Redis.

use std::{ops::Bound, sync::Arc};

use circles_api::hex;
use fred::types::Value;
use serde::Serialize;

use super::{
    RedisConfig,
    batch::{Item, THING},
    known::{Known, garbled, state_name, whole_millis},
};
use circles_store::{Error, KeyRange, Outcome, Settlement, State, Task, settle_policy::SettlePlan};

/// What became of a play that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// That was its end.
    Recorded,
    /// It had ended otherwise, or was given to another worker.
    Gone,
    /// What it had read has changed; nothing has happened.
    Overtaken,
    /// Another play has the right of way; nothing has happened.
    Later,
    /// Redis is full; nothing has happened.
    NoRoom,
    /// The circle has no room for what it wrote; nothing has happened.
    Full,
}

impl Settled {
    pub fn read(text: &str) -> Result<Self, Error> {
        match text {
            "recorded" => Ok(Self::Recorded),
            "gone" => Ok(Self::Gone),
            "overtaken" => Ok(Self::Overtaken),
            "later" => Ok(Self::Later),
            "full" => Ok(Self::Full),
            _ => Err(garbled("a settlement")),
        }
    }
}

/// A play that ended, as `settle.lua` takes it.
#[derive(Clone)]
pub struct Settle {
    state: State,
    leaves_record: bool,
    plain: bool,
    weight: usize,
    parts: Arc<[Value; 5]>,
}

impl Item for Settle {
    fn weight(&self) -> usize {
        self.weight
    }
}

/// A key and whether it is past the border, twice.
type Borders = (String, bool, String, bool);

/// In the order of `settle.lua`.
#[derive(Serialize)]
struct How<'a>(String, bool, Written<'a>, Read, Vec<&'a str>, Vec<Borders>, Vec<Written<'a>>, u64, Refused);

/// A text, or `false`.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(std::borrow::Cow<'a, str>),
    Not(bool),
}

/// A version, or `false`.
#[derive(Serialize)]
#[serde(untagged)]
enum Read {
    At(u64),
    Nothing(bool),
}

/// For how many milliseconds a task is remembered that was refused, without its key, or `false`.
#[derive(Serialize)]
#[serde(untagged)]
enum Refused {
    For(u64),
    Not(bool),
}

impl Settle {
    pub fn new(
        task: &Task,
        epoch: String,
        told: Option<&Known>,
        mut settlement: Settlement,
        read: Option<u64>,
        config: &RedisConfig,
    ) -> Result<Self, Error> {
        let plan = SettlePlan::new(task, &mut settlement, config.remember_for);
        let Settlement { outcome, mut reads, writes, script_sha256, .. } = settlement;
        let state = outcome.state();
        let leaves_record = plan.leaves_record;
        // As the script takes ranges, wherever they come from.
        reads.simplify();
        let refused =
            plan.refusal_retention.map_or(Refused::Not(false), |time| Refused::For(whole_millis(time)));
        let things = writes.len();
        // What only read saw one version, and comes right after it.
        let read = if writes.is_empty() { None } else { read };
        let hex = script_sha256.map(|hash| hex::encode(&hash));
        let writes: Vec<_> = writes
            .iter()
            .flat_map(|(key, value)| {
                let value = value.as_deref().map_or(Written::Not(false), |value| Written::Text(value.into()));
                [Written::Text((&**key).into()), value]
            })
            .collect();
        // Without any of the rest there is only one thing to be said.
        let says_all = writes.is_empty() && !leaves_record && !task.is_remembered() && told.is_none();
        let plain = told.is_some() && writes.is_empty() && !leaves_record;
        let how = How(
            state_name(state),
            leaves_record,
            hex.map_or(Written::Not(false), |hex| Written::Text(hex.into())),
            read.map_or(Read::Nothing(false), Read::At),
            reads.keys.iter().map(AsRef::as_ref).collect(),
            reads.ranges.iter().map(borders).collect(),
            writes,
            config.circle_bytes,
            refused,
        );
        let how = if says_all {
            Vec::new()
        } else {
            rmp_serde::to_vec(&how).map_err(|_| garbled("MessagePack"))?
        };
        let told = told.map(serde_json::to_string).transpose().map_err(|_| garbled("JSON"))?;
        let outcome = serde_json::to_string::<Outcome>(&outcome).map_err(|_| garbled("JSON"))?;
        let weight = THING * things + how.len() + outcome.len();
        let parts = [
            Value::from(task.id.to_string()),
            epoch.into(),
            told.unwrap_or_default().into(),
            outcome.into(),
            Value::Bytes(how.into()),
        ];
        Ok(Self { state, leaves_record, plain, weight, parts: Arc::new(parts) })
    }

    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether Redis need not hear of it: a play that was called by another one, and left nothing.
    pub const fn changes_nothing(&self) -> bool {
        self.plain
    }

    pub const fn leaves_record(&self) -> bool {
        self.leaves_record
    }

    pub fn args(&self) -> impl Iterator<Item = Value> {
        self.parts.iter().cloned()
    }
}

/// A range as `settle.lua` takes it.
fn borders(range: &KeyRange) -> Borders {
    let (first, after_first) = match &range.start {
        Bound::Included(key) => (key.to_string(), false),
        Bound::Excluded(key) => (key.to_string(), true),
        Bound::Unbounded => (String::new(), false),
    };
    let (last, before_last) = match &range.end {
        Bound::Included(key) => (key.to_string(), false),
        Bound::Excluded(key) => (key.to_string(), true),
        Bound::Unbounded => (String::new(), false),
    };
    (first, after_first, last, before_last)
}

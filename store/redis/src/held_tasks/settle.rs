//! The settlement of a play, as `settle.lua` takes it.

use std::{ops::Bound, sync::Arc};

use circles_api::hex;
use circles_store::{Error, Key, KeyRange, Settlement, State, Task, settle_policy::SettlePlan};
use fred::types::Value;
use serde::Serialize;

use crate::{
    batcher::{DOCUMENT_WEIGHT, Item},
    config::RedisConfig,
    task_meta::{TaskMeta, state_name, to_json, unexpected, whole_millis},
};

/// The reply of `settle.lua`. All but [`Recorded`](Self::Recorded) mean that nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettleReply {
    /// The play ended like this, and its writes are committed.
    Recorded,
    /// The play had ended otherwise, or the claim is no longer this worker's.
    NotHeld,
    /// Documents that the play read have changed since.
    Conflict,
    /// Another play has priority after a conflict.
    Busy,
    /// Redis is full. Not a reply of the script, but of Redis itself.
    RedisFull,
    /// The circle has no room for the writes.
    CircleFull,
}

impl SettleReply {
    pub(super) fn parse(reply: &str) -> Result<Self, Error> {
        match reply {
            "recorded" => Ok(Self::Recorded),
            "gone" => Ok(Self::NotHeld),
            "overtaken" => Ok(Self::Conflict),
            "later" => Ok(Self::Busy),
            "full" => Ok(Self::CircleFull),
            _ => Err(unexpected("a reply to a settlement")),
        }
    }
}

/// A play that ended, as `settle.lua` takes it.
#[derive(Clone)]
pub(super) struct SettleRequest {
    state: State,
    leaves_record: bool,
    changes_nothing: bool,
    weight: usize,
    args: Arc<[Value; 5]>,
}

impl Item for SettleRequest {
    fn weight(&self) -> usize {
        self.weight
    }
}

/// The details of a settlement, in the order of `settle.lua`: state, whether it leaves a record, SHA-256 of the source,
/// version read, keys read, ranges read, writes, bytes of the circle, and how long a refused task is remembered.
#[derive(Serialize)]
struct Details<'a>(
    String,
    bool,
    OrFalse<String>,
    OrFalse<u64>,
    Vec<&'a str>,
    Vec<ScriptRange>,
    Vec<OrFalse<&'a str>>,
    u64,
    OrFalse<u64>,
);

/// A start and an end, each as a key and whether it lies outside of the range.
type ScriptRange = (String, bool, String, bool);

/// A value, or `false` for none: Lua loses a `nil` in a list.
#[derive(Serialize)]
#[serde(untagged)]
enum OrFalse<T> {
    Value(T),
    False(bool),
}

impl<T> From<Option<T>> for OrFalse<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::False(false), Self::Value)
    }
}

impl SettleRequest {
    /// Prepares a settlement. `meta` describes a play that was never queued, and `version` is the one that it read.
    pub(super) fn new(
        task: &Task,
        epoch: String,
        meta: Option<&TaskMeta>,
        mut settlement: Settlement,
        version: Option<u64>,
        config: &RedisConfig,
    ) -> Result<Self, Error> {
        let SettlePlan { leaves_record, refusal_retention } =
            SettlePlan::new(task, &mut settlement, config.remember_for);
        let Settlement { outcome, mut reads, writes, script_sha256, .. } = settlement;
        let state = outcome.state();
        // The script needs ranges in order and apart from each other.
        reads.simplify();
        let details = Details(
            state_name(state),
            leaves_record,
            script_sha256.map(|hash| hex::encode(&hash)).into(),
            // A play without writes saw one version, and counts as run right after it: there is nothing to validate.
            version.filter(|_| !writes.is_empty()).into(),
            reads.keys.iter().map(AsRef::as_ref).collect(),
            reads.ranges.iter().map(script_range).collect(),
            writes
                .iter()
                .flat_map(|(key, value)| [OrFalse::Value(&**key), value.as_deref().into()])
                .collect(),
            config.circle_bytes,
            refusal_retention.map(whole_millis).into(),
        );
        // The script needs no details of a play of which only the outcome goes anywhere.
        let needs_details = !writes.is_empty() || leaves_record || task.is_remembered() || meta.is_some();
        let details = if needs_details {
            rmp_serde::to_vec(&details).map_err(|error| {
                Error::Unavailable(format!("cannot encode as MessagePack: {error}").into())
            })?
        } else {
            Vec::new()
        };
        let outcome = to_json(&outcome)?;
        let weight = DOCUMENT_WEIGHT * writes.len() + details.len() + outcome.len();
        let args = [
            Value::from(task.id.to_string()),
            epoch.into(),
            meta.map(to_json).transpose()?.unwrap_or_default().into(),
            outcome.into(),
            Value::Bytes(details.into()),
        ];
        let changes_nothing = meta.is_some() && writes.is_empty() && !leaves_record;
        Ok(Self { state, leaves_record, changes_nothing, weight, args: Arc::new(args) })
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    /// Returns whether Redis need not see it, as for a play that another one called and that left nothing.
    pub(super) const fn changes_nothing(&self) -> bool {
        self.changes_nothing
    }

    pub(super) const fn leaves_record(&self) -> bool {
        self.leaves_record
    }

    pub(super) fn args(&self) -> impl Iterator<Item = Value> {
        self.args.iter().cloned()
    }
}

fn script_range(range: &KeyRange) -> ScriptRange {
    let (first, after_first) = script_bound(&range.start);
    let (last, before_last) = script_bound(&range.end);
    (first, after_first, last, before_last)
}

/// A bound as a key and whether the key lies outside of the range. An empty key stands for no bound.
fn script_bound(bound: &Bound<Key>) -> (String, bool) {
    match bound {
        Bound::Included(key) => (key.to_string(), false),
        Bound::Excluded(key) => (key.to_string(), true),
        Bound::Unbounded => (String::new(), false),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use circles_store::{Caller, CircleId, Kind, Outcome, Source};

    use super::*;

    fn request(settlement: Settlement, kind: Kind) -> SettleRequest {
        let circle = CircleId::from_bytes([2; 33]).unwrap();
        let source = Source::script("1");
        let task =
            Task::new(circle, Caller::Anonymous, source, serde_json::Value::Null, Duration::from_secs(1));
        let task = Task { kind, ..task };
        SettleRequest::new(&task, "7".to_owned(), None, settlement, Some(3), &RedisConfig::default()).unwrap()
    }

    #[test]
    fn play_without_writes_or_record_needs_no_details() {
        let plain = request(Outcome::timed_out().into(), Kind::Play);
        assert_eq!(plain.args[4], Value::Bytes(Vec::new().into()));
        assert!(!plain.leaves_record());
        let submitted = request(Outcome::cancelled().into(), Kind::Submitted { retries: 0 });
        assert_ne!(submitted.args[4], Value::Bytes(Vec::new().into()));
        assert!(submitted.leaves_record());
    }
}

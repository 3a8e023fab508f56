//! A circle's documents as one play sees them: a snapshot beneath, its own writes above.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use crate::Error;

/// The name of a document: 1 to [`KEY_BYTES`] bytes of UTF-8, ordered by its bytes.
pub type Key = Arc<str>;
/// A document: JSON text.
pub type Json = Arc<str>;

/// The longest key.
pub const KEY_BYTES: usize = 1_024;

/// Keys from one to before another; without an end, all that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it begins.
    pub start: Bound<Key>,
    /// Where it ends.
    pub end: Bound<Key>,
}

impl KeyRange {
    /// The keys that begin with `prefix` and come behind `after`.
    pub fn of_prefix(prefix: &str, after: Option<&str>) -> Self {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.into()),
            _ => Bound::Included(prefix.into()),
        };
        Self { start, end: end_of_prefix(prefix) }
    }

    /// Whether nothing can lie in it. Maps panic when asked for some of these.
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Excluded(start), Bound::Included(end)) => start >= end,
            _ => false,
        }
    }

    /// As maps take it.
    pub fn bounds(&self) -> (Bound<&str>, Bound<&str>) {
        (self.start.as_ref().map(AsRef::as_ref), self.end.as_ref().map(AsRef::as_ref))
    }
}

/// The first text that is above everything that begins with `prefix`, if there is one.
fn end_of_prefix(prefix: &str) -> Bound<Key> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // Order of UTF-8 is order of code points; the gap of the surrogates is jumped.
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Bound::Excluded(characters.into_iter().collect::<String>().into());
        }
    }
    Bound::Unbounded
}

/// A circle's documents as they were at one moment. May block on a disk or a network.
pub trait Snapshot: Send + Sync {
    /// The document of this key.
    fn get(&self, key: &str) -> Result<Option<Json>, Error>;

    /// The first `limit` documents of a range, in order.
    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error>;
}

/// What a play read: keys, there or not, and ranges, with all that was or was not in them.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Single documents.
    pub keys: BTreeSet<Key>,
    /// Ranges, as far as they were looked at.
    pub ranges: Vec<KeyRange>,
}

/// How many keys a play's reads are compared by; beyond them they count as ranges that hold all keys in between.
const MOST_KEYS: usize = 1_000;
/// How many ranges; beyond them neighbours count as one, with what lies between them. What is compared is compared
/// while others of the circle wait.
const MOST_RANGES: usize = 64;

impl Reads {
    /// Puts ranges in order, joins those that meet, and makes few of many: what is read then is what was, or more.
    pub fn simplify(&mut self) {
        self.ranges.retain(|range| !range.is_empty());
        if self.keys.len() > MOST_KEYS {
            let keys: Vec<_> = std::mem::take(&mut self.keys).into_iter().collect();
            for some in keys.chunks(keys.len().div_ceil(MOST_RANGES)) {
                if let [first, ..] = some
                    && let [.., last] = some
                {
                    let (start, end) = (Bound::Included(first.clone()), Bound::Included(last.clone()));
                    self.ranges.push(KeyRange { start, end });
                }
            }
        }
        self.ranges.sort_by(|one, other| start_of(one).cmp(&start_of(other)));
        let mut joined: Vec<KeyRange> = Vec::new();
        for range in self.ranges.drain(..) {
            match joined.last_mut() {
                Some(last) if meets(last, &range) => last.end = later(&last.end, &range.end),
                _ => joined.push(range),
            }
        }
        let few = joined.chunks(joined.len().div_ceil(MOST_RANGES).max(1)).filter_map(|some| {
            let (first, last) = (some.first()?, some.last()?);
            Some(KeyRange { start: first.start.clone(), end: last.end.clone() })
        });
        self.ranges = few.collect();
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty()
    }
}

/// Where a range begins, in order: a key before what comes behind it.
fn start_of(range: &KeyRange) -> Option<(&str, bool)> {
    match &range.start {
        Bound::Unbounded => None,
        Bound::Included(key) => Some((key, false)),
        Bound::Excluded(key) => Some((key, true)),
    }
}

/// Whether a range that begins no sooner than another leaves no key between them.
fn meets(one: &KeyRange, next: &KeyRange) -> bool {
    match (&one.end, &next.start) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Excluded(end), Bound::Excluded(start)) => start < end,
        (Bound::Included(end) | Bound::Excluded(end), Bound::Included(start) | Bound::Excluded(start)) => {
            start <= end
        }
    }
}

/// The later of two ends.
fn later(one: &Bound<Key>, other: &Bound<Key>) -> Bound<Key> {
    let rank = |end: &Bound<Key>| match end {
        Bound::Excluded(key) => (false, Some(key.clone()), false),
        Bound::Included(key) => (false, Some(key.clone()), true),
        Bound::Unbounded => (true, None, true),
    };
    if rank(one) >= rank(other) { one.clone() } else { other.clone() }
}

/// What a play wrote: documents, and `None` for those it deleted.
pub type Writes = BTreeMap<Key, Option<Json>>;

/// Reads and writes of one play, before they are settled.
pub struct Transaction {
    snapshot: Arc<dyn Snapshot>,
    reads: Reads,
    writes: Writes,
}

impl Transaction {
    /// Nothing read or written yet.
    pub fn new(snapshot: Arc<dyn Snapshot>) -> Self {
        Self { snapshot, reads: Reads::default(), writes: Writes::new() }
    }

    /// A document, as this play sees it.
    pub fn get(&mut self, key: &str) -> Result<Option<Json>, Error> {
        if let Some(own) = self.writes.get(key) {
            return Ok(own.clone());
        }
        if !self.reads.keys.contains(key) {
            self.reads.keys.insert(key.into());
        }
        self.snapshot.get(key)
    }

    /// Writes a document, or deletes it.
    pub fn put(&mut self, key: &str, value: Option<Json>) {
        self.writes.insert(key.into(), value);
    }

    /// The first `limit` documents of a range as this play sees them.
    pub fn scan(&mut self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        // Each own deletion can hide one of the snapshot's, so that many more may be needed.
        let own: Vec<_> = self.writes.range::<str, _>(range.bounds()).collect();
        let hidden = own.iter().filter(|(_, value)| value.is_none()).count();
        let beneath = self.snapshot.scan(range, limit.saturating_add(hidden))?;
        let complete = beneath.len() < limit.saturating_add(hidden);
        let last = beneath.last().map(|(key, _)| key.clone());
        let mut merged: BTreeMap<Key, Json> = beneath.into_iter().collect();
        for (key, value) in own {
            // Beyond the last that was looked at there may be others before it.
            if !complete && last.as_ref().is_some_and(|last| key > last) {
                break;
            }
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        let found: Vec<_> = merged.into_iter().take(limit).collect();
        // What lies behind the last document that is handed out was not seen by the play.
        let end = match found.last() {
            Some((last, _)) if found.len() == limit => Bound::Included(last.clone()),
            _ => range.end.clone(),
        };
        self.reads.ranges.push(KeyRange { start: range.start.clone(), end });
        Ok(found)
    }

    /// How many documents it writes or deletes.
    pub fn written(&self) -> usize {
        self.writes.len()
    }

    /// What was read and what is to be written.
    pub fn into_parts(self) -> (Reads, Writes) {
        let mut reads = self.reads;
        reads.simplify();
        (reads, self.writes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: Bound<&str>, end: Bound<&str>) -> KeyRange {
        KeyRange { start: start.map(Into::into), end: end.map(Into::into) }
    }

    #[test]
    fn ranges_are_joined_and_put_in_order() {
        use Bound::{Excluded, Included, Unbounded};
        let ranges = vec![
            range(Included("m"), Excluded("p")),
            range(Included("a"), Excluded("c")),
            range(Excluded("x"), Excluded("x")),
            range(Included("p"), Included("q")),
            range(Included("c"), Included("d")),
            range(Excluded("e"), Excluded("g")),
            range(Excluded("g"), Included("h")),
            range(Included("f"), Excluded("g")),
            range(Included("z"), Unbounded),
            range(Included("zz"), Included("zzz")),
        ];
        let mut reads = Reads { ranges, ..Reads::default() };
        reads.simplify();
        let joined = [
            range(Included("a"), Included("d")),
            // What is between them was not read.
            range(Excluded("e"), Excluded("g")),
            range(Excluded("g"), Included("h")),
            range(Included("m"), Included("q")),
            range(Included("z"), Unbounded),
        ];
        assert_eq!(reads.ranges, joined);
        let mut all =
            Reads { ranges: vec![range(Included("b"), Unbounded), range(Unbounded, Excluded("b"))], ..reads };
        all.simplify();
        assert_eq!(all.ranges, [range(Unbounded, Unbounded)]);
    }

    #[test]
    fn many_reads_become_few_that_hold_them_all() {
        let key = |number: usize| -> Key { format!("{number:06}").into() };
        let mut reads = Reads::default();
        reads.keys.extend((0..MOST_KEYS).map(|number| key(10 * number)));
        reads.ranges.push(range(Bound::Included("x"), Bound::Included("y")));
        let few = {
            let mut few = reads.clone();
            few.simplify();
            few
        };
        assert_eq!((few.keys.len(), few.ranges.len()), (MOST_KEYS, 1));
        reads.keys.extend((0..5_000).map(|number| key(7 * number)));
        let keys = reads.keys.clone();
        reads.simplify();
        assert!(reads.keys.is_empty() && reads.ranges.len() <= MOST_RANGES);
        let holds = |name: &str| {
            reads.ranges.iter().any(|range| std::ops::RangeBounds::<str>::contains(&range.bounds(), name))
        };
        assert!(keys.iter().all(|key| holds(key)) && holds("x") && holds("y"));
        assert!(!holds("z"));
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        let end = |prefix| match end_of_prefix(prefix) {
            Bound::Excluded(end) => end.to_string(),
            _ => "∞".to_owned(),
        };
        assert_eq!(end("plot/"), "plot0");
        assert_eq!(end("a\u{D7FF}"), "a\u{E000}");
        assert_eq!(end("a\u{10FFFF}"), "b");
        assert_eq!(end("\u{10FFFF}"), "∞");
        assert_eq!(end(""), "∞");
    }
}

//! A circle's documents as one play sees them: its own writes over a snapshot.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use crate::error::Error;

/// The name of a document: 1 to [`KEY_BYTES`] bytes of UTF-8, ordered by its bytes.
pub type Key = Arc<str>;
/// A document: JSON text.
pub type Json = Arc<str>;

/// The most bytes that a key may have.
pub const KEY_BYTES: usize = 1_024;

/// A range of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The lower bound.
    pub start: Bound<Key>,
    /// The upper bound.
    pub end: Bound<Key>,
}

impl KeyRange {
    /// Creates the range of the keys that begin with `prefix` and come after `after`.
    pub fn of_prefix(prefix: &str, after: Option<&str>) -> Self {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.into()),
            _ => Bound::Included(prefix.into()),
        };
        Self { start, end: end_of_prefix(prefix) }
    }

    /// Returns whether it can hold no key. `BTreeMap::range` panics for some of these ranges.
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Excluded(start), Bound::Included(end)) => start >= end,
            _ => false,
        }
    }

    /// Returns the bounds in the form that `BTreeMap::range` takes.
    pub fn bounds(&self) -> (Bound<&str>, Bound<&str>) {
        (self.start.as_ref().map(AsRef::as_ref), self.end.as_ref().map(AsRef::as_ref))
    }
}

/// Returns the first text that is greater than every text with this prefix, if there is one.
fn end_of_prefix(prefix: &str) -> Bound<Key> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // UTF-8 sorts by code points; the gap of the surrogates is skipped.
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

/// A circle's documents at one moment. Reading may block on a disk or a network.
pub trait Snapshot: Send + Sync {
    /// Returns the document of this key.
    fn get(&self, key: &str) -> Result<Option<Json>, Error>;

    /// Returns the first `limit` documents of a range, in order.
    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error>;
}

/// The keys and ranges that a play read. An absent document counts as read, too: its creation is a conflict.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Keys of single documents.
    pub keys: BTreeSet<Key>,
    /// Ranges, up to the last document that the play saw.
    pub ranges: Vec<KeyRange>,
}

/// The most keys that validation compares one by one; more are widened to ranges. Other plays of the circle wait while
/// reads are validated.
const MAX_READ_KEYS: usize = 1_000;
/// The most ranges that validation compares; of more, neighbours are joined with the gap between them.
const MAX_READ_RANGES: usize = 64;

impl Reads {
    /// Sorts and joins the ranges and bounds their number and that of the keys. The result covers all that was read,
    /// and possibly more.
    pub fn simplify(&mut self) {
        self.ranges.retain(|range| !range.is_empty());
        if self.keys.len() > MAX_READ_KEYS {
            let keys: Vec<_> = std::mem::take(&mut self.keys).into_iter().collect();
            for some in keys.chunks(keys.len().div_ceil(MAX_READ_RANGES)) {
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
        let few = joined.chunks(joined.len().div_ceil(MAX_READ_RANGES).max(1)).filter_map(|some| {
            let (first, last) = (some.first()?, some.last()?);
            Some(KeyRange { start: first.start.clone(), end: last.end.clone() })
        });
        self.ranges = few.collect();
    }

    /// Returns whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty()
    }
}

/// Returns the start of a range as a sort key: an included key sorts before the same key excluded.
fn start_of(range: &KeyRange) -> Option<(&str, bool)> {
    match &range.start {
        Bound::Unbounded => None,
        Bound::Included(key) => Some((key, false)),
        Bound::Excluded(key) => Some((key, true)),
    }
}

/// Returns whether no key lies between a range and the next one, which starts no earlier.
fn meets(one: &KeyRange, next: &KeyRange) -> bool {
    match (&one.end, &next.start) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Excluded(end), Bound::Excluded(start)) => start < end,
        (Bound::Included(end) | Bound::Excluded(end), Bound::Included(start) | Bound::Excluded(start)) => {
            start <= end
        }
    }
}

/// Returns the later of two ends.
fn later(one: &Bound<Key>, other: &Bound<Key>) -> Bound<Key> {
    let rank = |end: &Bound<Key>| match end {
        Bound::Excluded(key) => (false, Some(key.clone()), false),
        Bound::Included(key) => (false, Some(key.clone()), true),
        Bound::Unbounded => (true, None, true),
    };
    if rank(one) >= rank(other) { one.clone() } else { other.clone() }
}

/// The documents that a play wrote; `None` for those it deleted.
pub type Writes = BTreeMap<Key, Option<Json>>;

/// The reads and writes of one play, before it is settled.
pub struct Transaction {
    snapshot: Arc<dyn Snapshot>,
    reads: Reads,
    writes: Writes,
}

impl Transaction {
    /// Creates a transaction on a snapshot.
    pub fn new(snapshot: Arc<dyn Snapshot>) -> Self {
        Self { snapshot, reads: Reads::default(), writes: Writes::new() }
    }

    /// Returns a document as this play sees it.
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

    /// Returns the first `limit` documents of a range as this play sees them.
    pub fn scan(&mut self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        // Each own deletion can hide a document of the snapshot, so the scan asks for that many more.
        let own: Vec<_> = self.writes.range::<str, _>(range.bounds()).collect();
        let hidden = own.iter().filter(|(_, value)| value.is_none()).count();
        let stored = self.snapshot.scan(range, limit.saturating_add(hidden))?;
        let complete = stored.len() < limit.saturating_add(hidden);
        let last = stored.last().map(|(key, _)| key.clone());
        let mut merged: BTreeMap<Key, Json> = stored.into_iter().collect();
        for (key, value) in own {
            // The snapshot may have unseen documents before this key.
            if !complete && last.as_ref().is_some_and(|last| key > last) {
                break;
            }
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        let found: Vec<_> = merged.into_iter().take(limit).collect();
        // The play has not seen past the last document that it gets.
        let end = match found.last() {
            Some((last, _)) if found.len() == limit => Bound::Included(last.clone()),
            _ => range.end.clone(),
        };
        self.reads.ranges.push(KeyRange { start: range.start.clone(), end });
        Ok(found)
    }

    /// Returns how many documents it writes or deletes.
    pub fn written(&self) -> usize {
        self.writes.len()
    }

    /// Returns the reads, simplified, and the writes.
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
    fn ranges_are_sorted_and_joined() {
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
            // The key between them was not read.
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
    fn many_reads_are_widened_to_few_ranges() {
        let key = |number: usize| -> Key { format!("{number:06}").into() };
        let mut reads = Reads::default();
        reads.keys.extend((0..MAX_READ_KEYS).map(|number| key(10 * number)));
        reads.ranges.push(range(Bound::Included("x"), Bound::Included("y")));
        let few = {
            let mut few = reads.clone();
            few.simplify();
            few
        };
        assert_eq!((few.keys.len(), few.ranges.len()), (MAX_READ_KEYS, 1));
        reads.keys.extend((0..5_000).map(|number| key(7 * number)));
        let keys = reads.keys.clone();
        reads.simplify();
        assert!(reads.keys.is_empty() && reads.ranges.len() <= MAX_READ_RANGES);
        let holds = |name: &str| {
            reads.ranges.iter().any(|range| std::ops::RangeBounds::<str>::contains(&range.bounds(), name))
        };
        assert!(keys.iter().all(|key| holds(key)) && holds("x") && holds("y"));
        assert!(!holds("z"));
    }

    #[test]
    fn prefix_range_ends_before_next_prefix() {
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

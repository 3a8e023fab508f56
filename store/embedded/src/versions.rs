//! Document versions that a circle's file does not hold yet, or that some snapshot must not see: multi-version
//! concurrency control with optimistic validation (Kung and Robinson, 1981: backward validation against later commits).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use circles_store::{Json, Key, KeyRange, Reads, Writes};

/// A moment in a circle's history: the number of writing plays accepted so far.
pub(crate) type Moment = u64;

/// Values by key and moment, newest last. Holds every write after the oldest moment that a snapshot needs.
#[derive(Default)]
pub(crate) struct Versions {
    documents: BTreeMap<Key, Vec<(Moment, Option<Json>)>>,
    /// The keys written at each moment, oldest first, for removal in that order.
    history: VecDeque<(Moment, Vec<Key>)>,
    bytes: usize,
}

impl Versions {
    /// Returns a document at a moment, if these versions cover it: `Some(None)` means it was deleted.
    pub(crate) fn get(&self, key: &str, at: Moment) -> Option<Option<Json>> {
        at_moment(self.documents.get(key)?, at).cloned()
    }

    /// Returns the documents of a range that these versions cover, as they were at a moment.
    pub(crate) fn range(&self, range: &KeyRange, at: Moment) -> impl Iterator<Item = (&Key, &Option<Json>)> {
        let found = self.documents.range::<str, _>(range.bounds());
        found.filter_map(move |(key, versions)| Some((key, at_moment(versions, at)?)))
    }

    /// Returns whether a document that was read at a moment has been written since.
    pub(crate) fn conflict_with(&self, reads: &Reads, since: Moment) -> bool {
        // The common case: nothing was written since.
        if self.history.back().is_none_or(|(last, _)| *last <= since) {
            return false;
        }
        let newer =
            |versions: &Vec<(Moment, Option<Json>)>| versions.last().is_some_and(|(at, _)| *at > since);
        reads.keys.iter().any(|key| self.documents.get(key).is_some_and(newer))
            || reads.ranges.iter().filter(|range| !range.is_empty()).any(|range| {
                self.documents.range::<str, _>(range.bounds()).any(|(_, versions)| newer(versions))
            })
    }

    /// Adds the writes of a play.
    pub(crate) fn write(&mut self, at: Moment, writes: &Writes) {
        for (key, value) in writes {
            self.bytes += size(key, value.as_ref());
            self.documents.entry(key.clone()).or_default().push((at, value.clone()));
        }
        self.history.push_back((at, writes.keys().cloned().collect()));
    }

    /// Removes the versions written up to a moment.
    pub(crate) fn forget(&mut self, until: Moment) {
        while self.history.front().is_some_and(|(at, _)| *at <= until) {
            let Some((at, keys)) = self.history.pop_front() else { return };
            for key in keys {
                let Some(versions) = self.documents.get_mut(&key) else { continue };
                let gone = versions.iter().take_while(|(written, _)| *written <= at).count();
                for (_, value) in versions.drain(..gone) {
                    self.bytes -= size(&key, value.as_ref());
                }
                if versions.is_empty() {
                    self.documents.remove(&key);
                }
            }
        }
    }

    /// Returns the bytes held.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Merges newer documents of a range over those of the file.
    pub(crate) fn merge_over<E>(
        newer: BTreeMap<Key, Option<Json>>,
        file: impl Iterator<Item = Result<(Key, Json), E>>,
        limit: usize,
    ) -> Result<Vec<(Key, Json)>, E> {
        let mut newer = newer.into_iter().peekable();
        let mut file = file.peekable();
        let mut found = Vec::new();
        while found.len() < limit {
            let from_file = match file.peek() {
                Some(Ok((key, _))) => newer.peek().is_none_or(|(other, _)| key < other),
                Some(Err(_)) => true,
                None => false,
            };
            if from_file {
                match file.next().transpose()? {
                    Some(document) => found.push(document),
                    None => break,
                }
                continue;
            }
            let Some((key, value)) = newer.next() else { break };
            // The file's version of this document is older.
            while file.next_if(|document| document.as_ref().is_ok_and(|(other, _)| *other == key)).is_some() {
            }
            found.extend(value.map(|value| (key, value)));
        }
        Ok(found)
    }
}

fn at_moment(versions: &[(Moment, Option<Json>)], at: Moment) -> Option<&Option<Json>> {
    versions.iter().rev().find(|(written, _)| *written <= at).map(|(_, value)| value)
}

fn size(key: &Key, value: Option<&Arc<str>>) -> usize {
    // The flat part bounds the number of versions: settling looks at each while the circle is locked.
    key.len() + value.map_or(0, |value| value.len()) + 1_024
}

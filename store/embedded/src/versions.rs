//! What a circle's file does not hold yet, or some snapshot may not see yet: multi-version concurrency control
//! with optimistic validation (Kung and Robinson, 1981: backward validation against what was committed since).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use circles_store::{Json, Key, KeyRange, Reads, Writes};

/// A moment in a circle's history: how many plays that wrote had been accepted.
pub type Moment = u64;

/// Values by key and moment, newest last. Holds all that was written after the oldest moment that anybody needs.
#[derive(Default)]
pub struct Versions {
    documents: BTreeMap<Key, Vec<(Moment, Option<Json>)>>,
    /// What was written when, oldest first, so that it can be let go of.
    history: VecDeque<(Moment, Vec<Key>)>,
    bytes: usize,
}

impl Versions {
    /// What a document was at a moment, if it was written in the time that is covered.
    pub fn get(&self, key: &str, at: Moment) -> Option<Option<Json>> {
        at_moment(self.documents.get(key)?, at).cloned()
    }

    /// Every document in a range that was written in the time that is covered, as it was at a moment.
    pub fn range(&self, range: &KeyRange, at: Moment) -> impl Iterator<Item = (&Key, &Option<Json>)> {
        let found = self.documents.range::<str, _>(range.bounds());
        found.filter_map(move |(key, versions)| Some((key, at_moment(versions, at)?)))
    }

    /// Whether anything that was read at a moment has been written since.
    pub fn overtake(&self, reads: &Reads, since: Moment) -> bool {
        // The common case, and the only one that costs a long-running circle nothing.
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

    /// Adds what a play wrote.
    pub fn write(&mut self, at: Moment, writes: &Writes) {
        for (key, value) in writes {
            self.bytes += size(key, value.as_ref());
            self.documents.entry(key.clone()).or_default().push((at, value.clone()));
        }
        self.history.push_back((at, writes.keys().cloned().collect()));
    }

    /// Lets go of what was written up to a moment.
    pub fn forget(&mut self, until: Moment) {
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

    /// Bytes held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Documents of a range at a moment: those of the file, with those that are newer laid over them.
    pub fn lay_over<E>(
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
            // The file's version of the same document is older.
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
    // Each is looked at when plays are settled, while nothing else is.
    key.len() + value.map_or(0, |value| value.len()) + 1_024
}

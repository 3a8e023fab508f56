//! Reads a circle's documents as they were at one version.

use std::{
    ops::Bound,
    sync::{Arc, Mutex, OnceLock},
};

use circles_api::CircleId;
use circles_store::{
    Error, Json, Key, KeyRange, Snapshot,
    sync::{get_mut, lock},
};
use fred::types::Value;

use crate::{
    batcher::{Batcher, Item},
    node::{Node, lua_count},
    scripts::READ,
    task_meta::unexpected,
};

/// Reads documents for the script threads of this process, in batches.
pub(crate) struct DocumentReader {
    node: Arc<Node>,
    reads: Batcher<ReadRequest, Value>,
}

impl DocumentReader {
    pub(crate) fn new(node: &Arc<Node>) -> Self {
        let reads = Batcher::new(&node.runtime, node.shards, {
            let node = node.clone();
            move |shard, batch: Vec<ReadRequest>| {
                let node = node.clone();
                let args = batch.into_iter().flat_map(|ReadRequest(args)| args).collect();
                async move { node.run(&READ, shard, args).await }
            }
        });
        Self { node: node.clone(), reads }
    }

    /// A snapshot of the circle that is taken by its first use.
    pub(crate) fn snapshot(self: &Arc<Self>, circle: CircleId) -> LazySnapshot {
        LazySnapshot { reader: self.clone(), circle, taken: Mutex::default() }
    }
}

/// One read, as `read.lua` takes it.
#[derive(Clone)]
struct ReadRequest([Value; 6]);

/// The script bounds its own work.
impl Item for ReadRequest {
    fn weight(&self) -> usize {
        0
    }
}

/// The snapshot of one run of a play.
pub(crate) struct LazySnapshot {
    reader: Arc<DocumentReader>,
    circle: CircleId,
    taken: Mutex<Option<Arc<CircleSnapshot>>>,
}

impl LazySnapshot {
    pub(crate) fn get(&self) -> Arc<CircleSnapshot> {
        let mut taken = lock(&self.taken);
        let take = || {
            Arc::new(CircleSnapshot {
                reader: self.reader.clone(),
                circle: self.circle,
                version: OnceLock::new(),
            })
        };
        taken.get_or_insert_with(take).clone()
    }

    /// Returns the version that the run read, if it read anything. The next run gets a newer snapshot.
    pub(crate) fn take_version(&mut self) -> Option<u64> {
        let taken = get_mut(&mut self.taken).take()?;
        taken.version.get()?.parse().ok()
    }
}

/// A circle's documents at the version of the first read.
pub(crate) struct CircleSnapshot {
    reader: Arc<DocumentReader>,
    circle: CircleId,
    version: OnceLock<String>,
}

impl CircleSnapshot {
    /// Reads from the shard. Returns whether there may be more than it hands out at once. Blocks a script's thread.
    fn read(&self, query: [Value; 4]) -> Result<(Vec<Option<String>>, bool), Error> {
        let DocumentReader { node, reads } = &*self.reader;
        let version = self.version.get().cloned().unwrap_or_default();
        let [verb, first, last, limit] = query;
        let read = ReadRequest([self.circle.to_string().into(), version.into(), verb, first, last, limit]);
        let shard = node.shard_of(&self.circle);
        let mut answer = loop {
            match node.block_on(reads.send(shard, read.clone()))? {
                Value::Array(answer) => break answer.into_iter(),
                // The script had done enough for one step.
                Value::String(_) => {}
                // The version is too old to be read.
                _ => return Err(Error::MustRetry),
            }
        };
        let (Some(version), Some(found)) = (answer.next(), answer.next()) else {
            return Err(unexpected("the reply to a read"));
        };
        let version = version.as_string().ok_or_else(|| unexpected("a version"))?;
        let _ = self.version.set(version);
        Ok((found.convert().map_err(|_| unexpected("documents"))?, answer.next().is_some()))
    }
}

impl Snapshot for CircleSnapshot {
    fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        let (found, _) = self.read(["get".into(), key.into(), "".into(), "".into()])?;
        Ok(found.into_iter().next().flatten().map(Into::into))
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let (mut first, last) = (lex_bound(&range.start, "-"), lex_bound(&range.end, "+"));
        let mut documents: Vec<(Key, Json)> = Vec::new();
        loop {
            let left = lua_count(limit - documents.len());
            let (found, has_more) =
                self.read(["scan".into(), first.into(), last.clone().into(), left.into()])?;
            let mut texts = found.into_iter().flatten();
            while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
                documents.push((key.into(), value.into()));
            }
            match documents.last() {
                Some((key, _)) if has_more && documents.len() < limit => first = format!("({key}"),
                _ => return Ok(documents),
            }
        }
    }
}

/// A bound as ZRANGEBYLEX takes it.
fn lex_bound(bound: &Bound<Key>, unbounded: &str) -> String {
    match bound {
        Bound::Included(key) => format!("[{key}"),
        Bound::Excluded(key) => format!("({key}"),
        Bound::Unbounded => unbounded.to_owned(),
    }
}

//! A circle's documents in Redis as they were at one version.

use std::sync::{Arc, OnceLock};

use circles_api::CircleId;
use fred::types::Value;

use super::{Shared, batch::Item, known::garbled, scripts::READ};
use circles_store::{Error, Json, Key, KeyRange, Snapshot};

/// Begins with the first read; what has changed since then cannot be read any more.
pub struct View {
    shared: Arc<Shared>,
    circle: CircleId,
    version: OnceLock<String>,
}

impl View {
    pub fn new(shared: &Arc<Shared>, circle: CircleId) -> Self {
        Self { shared: shared.clone(), circle, version: OnceLock::new() }
    }

    /// Which version it shows, if anything was read.
    pub fn version(&self) -> Option<u64> {
        self.version.get().and_then(|version| version.parse().ok())
    }

    /// Asks the shard; `true` if there may be more than it hands out at once. For threads of scripts: blocks.
    fn read(&self, what: [Value; 4]) -> Result<(Vec<Option<String>>, bool), Error> {
        let version = self.version.get().cloned().unwrap_or_default();
        let [verb, first, last, most] = what;
        let read = Read([self.circle.to_string().into(), version.into(), verb, first, last, most]);
        let shard = self.shared.shard_of(&self.circle);
        let mut answer = loop {
            match self.shared.block_on(self.shared.reads.send(shard, read.clone()))? {
                Value::Array(answer) => break answer.into_iter(),
                // A step with many reads leaves some to the next.
                Value::String(_) => {}
                _ => return Err(Error::MustRetry),
            }
        };
        let (Some(version), Some(found)) = (answer.next(), answer.next()) else {
            return Err(garbled("an answer"));
        };
        let version = version.as_string().ok_or_else(|| garbled("a version"))?;
        let _ = self.version.set(version);
        Ok((found.convert().map_err(|_| garbled("documents"))?, answer.next().is_some()))
    }
}

/// What is to be read, as the script takes it.
#[derive(Clone)]
pub struct Read([Value; 6]);

/// The script sees to it itself that it does not read too much.
impl Item for Read {
    fn weight(&self) -> usize {
        0
    }
}

impl Shared {
    /// Reads together; what each brings.
    pub(super) async fn read_all(&self, shard: u16, batch: Vec<Read>) -> Result<Vec<Value>, Error> {
        self.run(&READ, shard, batch.into_iter().flat_map(|Read(args)| args).collect()).await
    }
}

impl Snapshot for View {
    fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        let (found, _) = self.read(["get".into(), key.into(), "".into(), "".into()])?;
        Ok(found.into_iter().next().flatten().map(Into::into))
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let (mut first, last) = super::borders(range);
        let mut documents: Vec<(Key, Json)> = Vec::new();
        loop {
            let left = i64::try_from(limit - documents.len()).unwrap_or(i64::MAX);
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

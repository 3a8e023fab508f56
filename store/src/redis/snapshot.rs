//! A circle's documents in Redis as they were at one version.

use std::sync::{Arc, OnceLock};

use circles_api::CircleId;
use fred::types::Value;

use super::{Shared, known::garbled, scripts::READ};
use crate::{Error, Json, Key, KeyRange, Snapshot};

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

    /// Asks the shard. For threads of scripts: blocks.
    fn read(&self, what: Vec<Value>) -> Result<Vec<Option<String>>, Error> {
        let version = self.version.get().cloned().unwrap_or_default();
        let mut args = vec![Value::from(self.circle.to_string()), version.into()];
        args.extend(what);
        let shard = self.shared.shard_of(&self.circle);
        let asked = self.shared.run::<Value>(&READ, shard, args);
        match self.shared.block_on(asked)? {
            Value::Array(answer) => {
                let [version, found] = <[Value; 2]>::try_from(answer).map_err(|_| garbled("an answer"))?;
                let version = version.as_string().ok_or_else(|| garbled("a version"))?;
                let _ = self.version.set(version);
                found.convert().map_err(|_| garbled("documents"))
            }
            _ => Err(Error::Overtaken),
        }
    }
}

impl Snapshot for View {
    fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        let found = self.read(vec!["get".into(), key.into()])?;
        Ok(found.into_iter().next().flatten().map(Into::into))
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let (first, last) = super::borders(range);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = self.read(vec!["scan".into(), first.into(), last.into(), limit.into()])?;
        let mut texts = found.into_iter().flatten();
        let mut documents = Vec::new();
        while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
            documents.push((key.into(), value.into()));
        }
        Ok(documents)
    }
}

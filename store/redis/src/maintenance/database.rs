//! The agreements of the processes that share a Redis, and the check that they are still there.

use std::sync::Mutex;

use circles_store::{Error, sync::lock};
use uuid::Uuid;

use crate::{
    client::RedisClient,
    config::RedisConfig,
    node::{Node, shard_key},
    task_meta::unexpected,
};

/// The key of the agreed count of shards.
const SHARDS_KEY: &str = "circles:shards";
/// The key of the database's name. If the name is gone or another, so is everything else.
const DATABASE_KEY: &str = "circles:database";
/// The key of the format of all data.
const FORMAT_KEY: &str = "circles:format";
/// The format that this version reads and writes; `lua/shared.lua` describes it.
const DATA_FORMAT: &str = "2";

/// The agreements of all processes. The first one that connects decides.
pub(crate) struct Agreement {
    pub(crate) shards: u16,
    pub(crate) database: String,
}

impl Agreement {
    pub(crate) async fn reach(client: &RedisClient, config: &RedisConfig) -> Result<Self, Error> {
        let is_used = client.get(SHARDS_KEY).await?.is_some();
        let shards = client.agree(SHARDS_KEY, &config.shards.max(1).to_string()).await?;
        let shards = shards.parse().ok().filter(|shards| *shards > 0);
        let shards = shards.ok_or_else(|| unexpected("a count of shards"))?;
        agree_on_format(client, shards, is_used).await?;
        let database = client.agree(DATABASE_KEY, &Uuid::now_v7().to_string()).await?;
        Ok(Self { shards, database })
    }
}

/// Takes over the data of an earlier version, unless it has tasks under way, which that version stored differently.
async fn agree_on_format(client: &RedisClient, shards: u16, is_used: bool) -> Result<(), Error> {
    if is_used && client.get(FORMAT_KEY).await?.is_none() {
        for shard in 0..shards {
            if client.exists(&format!("{}:live", shard_key(shard))).await? {
                let sentence = "tasks of an earlier version are under way in this Redis: let that version end them, \
                                stop it, and start this one";
                return Err(Error::Unavailable(sentence.into()));
            }
        }
    }
    let format = client.agree(FORMAT_KEY, DATA_FORMAT).await?;
    if format != DATA_FORMAT {
        let sentence =
            format!("this Redis has data of format {format}; this version reads format {DATA_FORMAT}");
        return Err(Error::Unavailable(sentence.into()));
    }
    Ok(())
}

/// Notices that Redis has lost its data, as after a FLUSHALL, or where an empty Redis answers in its place.
pub(crate) struct DatabaseCheck {
    /// The name that the database had when it was last present.
    name: Mutex<String>,
}

impl DatabaseCheck {
    pub(crate) fn new(database: &str) -> Self {
        Self { name: Mutex::new(database.to_owned()) }
    }

    fn is(&self, name: Option<&str>) -> bool {
        name == Some(&**lock(&self.name))
    }

    /// Notes that the database is present under this name.
    pub(super) fn set_present(&self, name: String) {
        *lock(&self.name) = name;
    }

    /// Fails while Redis lacks what the processes agreed on. A new process could agree with others on something else.
    pub(super) async fn ensure_present(&self, node: &Node) -> Result<(), Error> {
        if self.is(node.client.get(DATABASE_KEY).await?.as_deref()) {
            return Ok(());
        }
        Err(Error::Unavailable("Redis has lost all data; its agreements are restored in a moment".into()))
    }

    /// Returns whether Redis answers and has lost its data.
    pub(super) async fn is_lost(&self, node: &Node) -> bool {
        matches!(node.client.get(DATABASE_KEY).await, Ok(found) if !self.is(found.as_deref()))
    }

    /// Restores what the processes agreed on. Returns the name of the database, or `None` if another process has agreed
    /// on another count of shards.
    pub(super) async fn restore(&self, node: &Node) -> Result<Option<String>, Error> {
        let shards = node.client.agree(SHARDS_KEY, &node.shards.to_string()).await?;
        if shards != node.shards.to_string() {
            tracing::error!(
                found = shards,
                expected = node.shards,
                "other processes agreed on another count of shards: restart this process"
            );
            return Ok(None);
        }
        node.client.agree(DATABASE_KEY, &node.database).await.map(Some)
    }
}

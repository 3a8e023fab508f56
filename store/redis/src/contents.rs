//! Notices when what lay in Redis has gone, as after a FLUSHALL or where another Redis answers in its place.

use std::sync::{Arc, Mutex, PoisonError};

use super::Shared;
use circles_store::Error;

/// How many shards there are.
pub const SHARDS: &str = "circles:shards";
/// What the database is called: gone, or another, everything else is as well.
pub const DATABASE: &str = "circles:database";

/// What is known of the contents of Redis.
pub struct Contents {
    /// What the database was called when they were looked at last.
    database: Mutex<String>,
}

impl Contents {
    pub fn of(database: &str) -> Self {
        Self { database: Mutex::new(database.to_owned()) }
    }

    fn are_of(&self, database: Option<&str>) -> bool {
        database == Some(&**self.database.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now_of(&self, database: String) {
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = database;
    }
}

impl Shared {
    /// Fails while Redis lacks what processes have agreed on: until it is there again, a new process could agree with
    /// others on something else.
    pub(super) async fn is_sound(&self) -> Result<(), Error> {
        if self.contents.are_of(self.link.value(DATABASE).await?.as_deref()) {
            return Ok(());
        }
        Err(Error::Unavailable(
            "everything that lay in Redis has gone; it is set up again in a moment".into(),
        ))
    }

    /// Sets up again what processes agree on, if it has gone, and lets go of the tasks that went with it.
    pub(super) async fn look_after_contents(self: &Arc<Self>) {
        // While Redis is away, nothing is known of its contents.
        if !matches!(self.link.value(DATABASE).await, Ok(found) if !self.contents.are_of(found.as_deref())) {
            return;
        }
        tracing::error!("everything that lay in Redis has gone: documents, records, and tasks under way");
        if let Err(error) = self.set_up_again().await {
            tracing::debug!(%error, "Redis cannot be set up again yet");
        }
    }

    async fn set_up_again(self: &Arc<Self>) -> Result<(), Error> {
        let shards = self.link.agree(SHARDS, &self.shards.to_string()).await?;
        if shards != self.shards.to_string() {
            tracing::error!(
                found = shards,
                expected = self.shards,
                "another count of shards was agreed on: restart this process"
            );
            return Ok(());
        }
        let database = self.link.agree(DATABASE, &self.database).await?;
        // Plays that run here for nobody end.
        self.clone().renew().await;
        self.show_presence(self.config.lease).await;
        self.contents.now_of(database);
        Ok(())
    }
}

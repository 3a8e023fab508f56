use std::sync::Arc;

use circles_store::{Error, Json, Key, KeyRange, Snapshot};

use crate::{
    circle_db::{CircleDb, SnapshotMoments},
    db::{Documents, catch_damage},
    versions::Versions,
};

/// A circle's documents at one moment.
pub(crate) struct CircleSnapshot {
    // The first field, so that it is dropped before the last handle on the database.
    documents: Arc<Documents>,
    db: Arc<CircleDb>,
    moments: SnapshotMoments,
}

impl CircleSnapshot {
    /// Returns a snapshot of the newest moment.
    pub(crate) fn new(db: &Arc<CircleDb>) -> Self {
        let (moments, documents) = db.add_snapshot();
        Self { documents, db: db.clone(), moments }
    }

    pub(crate) const fn db(&self) -> &Arc<CircleDb> {
        &self.db
    }

    pub(crate) const fn seen(&self) -> SnapshotMoments {
        self.moments
    }
}

impl Snapshot for CircleSnapshot {
    fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        match self.db.newer(self.moments, key)? {
            Some(newer) => Ok(newer),
            None => catch_damage(self.db.file().path(), || self.documents.get(key)),
        }
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let newer = self.db.newer_in(self.moments, range)?;
        catch_damage(self.db.file().path(), || {
            Versions::merge_over(newer, self.documents.scan(range)?, limit)
        })
    }
}

impl Drop for CircleSnapshot {
    fn drop(&mut self) {
        self.db.drop_snapshot(self.moments);
    }
}

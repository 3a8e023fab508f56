use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{
        file::{Documents, sound},
        versions::{Moment, Versions},
    },
    Open, State,
};
use circles_store::{Error, Json, Key, KeyRange, Snapshot};

/// A circle's documents at one moment.
pub struct View {
    // First, so that a file that is closed has nobody reading it any more.
    pub(super) documents: Arc<Documents>,
    pub(super) open: Arc<Open>,
    pub(super) at: Moment,
    pub(super) base: Moment,
}

impl View {
    pub const fn open(&self) -> &Arc<Open> {
        &self.open
    }

    fn check(&self, state: &State) -> Result<(), Error> {
        if state.failed.is_some() || self.base < state.oldest { Err(Error::MustRetry) } else { Ok(()) }
    }
}

impl Snapshot for View {
    fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        let newer = {
            let state = self.open.state();
            self.check(&state)?;
            state.versions.get(key, self.at)
        };
        newer.map_or_else(|| sound(self.open.file.path(), || self.documents.get(key)), Ok)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Json)>, Error> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let newer: BTreeMap<_, _> = {
            let state = self.open.state();
            self.check(&state)?;
            let found = state.versions.range(range, self.at);
            found.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        sound(self.open.file.path(), || Versions::lay_over(newer, self.documents.scan(range)?, limit))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let mut state = self.open.state();
        if let Some(count) = state.snapshots.get_mut(&self.base) {
            *count -= 1;
            if *count == 0 {
                state.snapshots.remove(&self.base);
                state.let_go();
            }
        }
    }
}

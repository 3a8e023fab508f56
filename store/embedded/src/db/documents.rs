use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use circles_store::{Error, Json, Key, KeyRange};
use redb::{ReadOnlyTable, StorageError};

use super::file_error::{file_error, note_broken};

/// The documents of a file at the time at which this was created.
pub(crate) struct Documents {
    pub(super) table: ReadOnlyTable<&'static str, &'static str>,
    pub(super) path: PathBuf,
    /// The file's flag, set when the disk fails.
    pub(super) broken: Arc<AtomicBool>,
}

impl Documents {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        let found = self.table.get(key).map_err(|cause| self.error(cause))?;
        Ok(found.map(|value| value.value().into()))
    }

    pub(crate) fn scan(
        &self,
        range: &KeyRange,
    ) -> Result<impl Iterator<Item = Result<(Key, Json), Error>>, Error> {
        let found = self.table.range::<&str>(range.bounds()).map_err(|cause| self.error(cause))?;
        Ok(found.map(|found| match found {
            Ok((key, value)) => Ok((key.value().into(), value.value().into())),
            Err(cause) => Err(self.error(cause)),
        }))
    }

    fn error(&self, cause: StorageError) -> Error {
        let cause = cause.into();
        note_broken(&self.broken, &cause);
        file_error(&self.path, cause)
    }
}

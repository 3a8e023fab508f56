use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use redb::{ReadOnlyTable, StorageError};

use circles_store::{Error, Json, Key, KeyRange};

/// The documents of a file as they were when this was made.
pub struct Documents {
    pub(super) table: ReadOnlyTable<&'static str, &'static str>,
    pub(super) path: PathBuf,
    /// Of the file, to be told when the disk fails.
    pub(super) broken: Arc<AtomicBool>,
}

impl Documents {
    pub fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        let found = self.table.get(key).map_err(|error| self.fault(error))?;
        Ok(found.map(|value| value.value().into()))
    }

    pub fn scan(&self, range: &KeyRange) -> Result<impl Iterator<Item = Result<(Key, Json), Error>>, Error> {
        let found = self.table.range::<&str>(range.bounds()).map_err(|error| self.fault(error))?;
        Ok(found.map(|found| match found {
            Ok((key, value)) => Ok((key.value().into(), value.value().into())),
            Err(error) => Err(self.fault(error)),
        }))
    }

    fn fault(&self, cause: StorageError) -> Error {
        let cause = cause.into();
        super::note(&self.broken, &cause);
        Error::File(format!("{}: {cause}", self.path.display()).into())
    }
}

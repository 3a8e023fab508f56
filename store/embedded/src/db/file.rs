use std::{
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use circles_api::{CircleId, types::Record};
use circles_store::Error;
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableError, WriteTransaction,
};

use super::{
    change::{self, Change, Retention},
    documents::Documents,
    file_error::{catch_damage, file_error, io_error, note_broken, open_error},
    private_path::{create_private_file, create_private_folder, make_private},
    tables::{
        BODIES, BY_CALLER, BY_END, DOCUMENTS, KEYS, META, OUTCOMES, RECORDS, SHARES, TASKS, UNFINISHED,
    },
};
use crate::{
    disk_space::is_storage_full,
    record_chain::RecordChain,
    task_row::{decode, encode},
};

/// The format that this version reads and writes; files of another format are refused.
const FORMAT: u64 = 1;
/// Bytes of redb's own cache for each open circle, besides the system's.
const CACHE_BYTES: usize = 4 << 20;

/// An open file.
pub(crate) struct DbFile {
    path: PathBuf,
    database: Database,
    retention: Retention,
    /// Set after an I/O error, when redb accepts nothing more before the file is opened again.
    broken: Arc<AtomicBool>,
    /// Set when the disk was full.
    disk_full: AtomicBool,
    /// The identity of the opened file, to notice that its path leads to another one.
    identity: FileIdentity,
}

impl DbFile {
    /// Opens or creates the file of a circle. Also returns the end of its chain of records. Blocks.
    pub(crate) fn open(
        path: &Path,
        circle: &CircleId,
        retention: Retention,
    ) -> Result<(Self, RecordChain), Error> {
        let failed = |cause: std::io::Error| io_error(path, &cause);
        if let Some(folder) = path.parent() {
            create_private_folder(folder).map_err(failed)?;
        }
        if !Self::exists(path)? {
            Self::create(path, circle, retention)?;
        }
        make_private(path);
        catch_damage(path, || {
            // `open`, not `create`: a file that lost its contents must not become an empty database.
            let database = Database::builder().set_cache_size(CACHE_BYTES).open(path);
            let database = database.map_err(|cause| open_error(path, cause))?;
            let identity = fs::metadata(path).map(|found| identity_of(&found)).map_err(failed)?;
            let file = Self::new(path, database, retention, identity);
            let chain = file.check(circle)?;
            Ok((file, chain))
        })
    }

    pub(super) fn new(path: &Path, database: Database, retention: Retention, identity: FileIdentity) -> Self {
        let (broken, disk_full) = (Arc::default(), AtomicBool::new(false));
        Self { path: path.to_owned(), database, retention, broken, disk_full, identity }
    }

    /// Creates the file under a temporary name first: a killed process may leave it half written.
    fn create(path: &Path, circle: &CircleId, retention: Retention) -> Result<(), Error> {
        let failed = |cause: std::io::Error| io_error(path, &cause);
        if path.file_name().is_none() {
            // A circle that is not served has the empty path, and no file is created for it.
            return Err(failed(std::io::ErrorKind::NotFound.into()));
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        // Two processes that start at once take turns, if the file system supports locks.
        let _ = folder.lock();
        if Self::exists(path)? {
            return Ok(());
        }
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        // redb itself would create a file that every user may read.
        let file = create_private_file(&temporary).map_err(failed)?;
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_file(file);
        let database = database.map_err(|cause| open_error(&temporary, cause))?;
        let identity = fs::metadata(&temporary).map(|found| identity_of(&found)).map_err(failed)?;
        let file = Self::new(&temporary, database, retention, identity);
        file.create_tables(circle)?;
        drop(file);
        fs::rename(&temporary, path).and_then(|()| folder.sync_all()).map_err(failed)
    }

    /// Returns whether the file exists; a circle that stored nothing has none. Blocks.
    pub(crate) fn exists(path: &Path) -> Result<bool, Error> {
        path.try_exists().map_err(|error| io_error(path, &error))
    }

    /// Returns whether the file certainly holds no unfinished task of the circle. It reads without opening for writing:
    /// opening and closing would wait for the disk five times. Blocks.
    pub(crate) fn has_no_unfinished(path: &Path, circle: &CircleId) -> bool {
        make_private(path);
        let checked = catch_damage(path, || {
            let check = || -> Result<bool, redb::Error> {
                let database = Database::builder().set_cache_size(CACHE_BYTES).open_read_only(path)?;
                let read = database.begin_read()?;
                let meta = read.open_table(META)?;
                let is = |name, value: &[u8]| {
                    meta.get(name).map(|found| found.is_some_and(|found| found.value() == value))
                };
                let is_circles =
                    is("format", &FORMAT.to_le_bytes())? && is("circle", circle.to_string().as_bytes())?;
                Ok(is_circles && read.open_table(UNFINISHED)?.is_empty()?)
            };
            // Opening the file reports errors.
            Ok(check().unwrap_or(false))
        });
        checked.unwrap_or(false)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Returns whether it has to be opened again before it can be read or written.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn create_tables(&self, circle: &CircleId) -> Result<(), Error> {
        self.write(|write| {
            let mut meta = write.open_table(META)?;
            meta.insert("format", FORMAT.to_le_bytes().as_slice())?;
            meta.insert("circle", circle.to_string().as_bytes())?;
            write.open_table(DOCUMENTS)?;
            write.open_table(TASKS)?;
            write.open_table(BODIES)?;
            write.open_table(OUTCOMES)?;
            write.open_table(UNFINISHED)?;
            write.open_table(BY_CALLER)?;
            write.open_table(BY_END)?;
            write.open_table(KEYS)?;
            write.open_table(SHARES)?;
            write.open_table(RECORDS)?;
            Ok(())
        })
    }

    /// Refuses a file of another format or circle. Returns the end of the chain of records.
    pub(super) fn check(&self, circle: &CircleId) -> Result<RecordChain, Error> {
        let (format, owner, last) = self.read(|read| {
            let meta = match read.open_table(META) {
                Err(TableError::TableDoesNotExist(_)) => return Ok((None, Vec::new(), None)),
                other => other?,
            };
            let format = number(meta.get("format")?.map(|value| value.value().to_vec()));
            let owner = meta.get("circle")?.map(|value| value.value().to_vec()).unwrap_or_default();
            let last = read.open_table(RECORDS)?.last()?.map(|(_, record)| decode(record.value()));
            Ok((Some(format), owner, last.transpose()?))
        })?;
        match format {
            None => return Err(file_error(&self.path, "is not the database of a circle")),
            Some(FORMAT) => {}
            Some(other) => {
                let cause = format!("has format {other}; this version reads format {FORMAT}");
                return Err(file_error(&self.path, cause));
            }
        }
        if owner != circle.to_string().as_bytes() {
            let owner = String::from_utf8_lossy(&owner).into_owned();
            let cause = format!("is the database of circle {owner}, not of {circle}");
            return Err(file_error(&self.path, cause));
        }
        Ok(RecordChain::after(*circle, last.as_ref()))
    }

    /// Returns the current documents.
    pub(crate) fn documents(&self) -> Result<Documents, Error> {
        let table = self.read(|read| Ok(read.open_table(DOCUMENTS)?))?;
        Ok(Documents { table, path: self.path.clone(), broken: self.broken.clone() })
    }

    /// Writes changes in order and in one commit. They are durable when it returns. Blocks.
    pub(crate) fn apply(&self, changes: &[Change], chain: &mut RecordChain) -> Result<(), Error> {
        let mut after = chain.clone();
        self.write(|write| {
            {
                let mut documents = write.open_table(DOCUMENTS)?;
                for (key, value) in changes.iter().flat_map(|change| &change.documents) {
                    match value {
                        Some(value) => documents.insert(&**key, &**value)?,
                        None => documents.remove(&**key)?,
                    };
                }
                let mut records = write.open_table(RECORDS)?;
                for record in changes.iter().filter_map(|change| change.record.as_ref()) {
                    let record =
                        after.seal(record).map_err(|error| redb::Error::Corrupted(error.to_string()))?;
                    records.insert(record.number.get(), encode(&record)?.as_slice())?;
                }
            }
            change::apply_to_tasks(write, changes, &self.retention)
        })?;
        *chain = after;
        Ok(())
    }

    /// Returns the bytes of the file. Fails if its path no longer leads to it. Blocks.
    pub(crate) fn len(&self) -> Result<u64, Error> {
        let found = fs::metadata(&self.path).map_err(|error| file_error(&self.path, error))?;
        if identity_of(&found) != self.identity {
            return Err(file_error(&self.path, "another file was put in its place while it was in use"));
        }
        Ok(found.len())
    }

    /// Returns up to `limit` provenance records after number `after`. Blocks.
    pub(crate) fn records(&self, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        self.read(|read| {
            let records = read.open_table(RECORDS)?;
            let found = records.range((Bound::Excluded(after), Bound::Unbounded))?.take(limit);
            found.map(|record| decode(record?.1.value())).collect()
        })
    }

    pub(super) fn read<T>(
        &self,
        body: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        catch_damage(&self.path, || {
            let read = self.database.begin_read().map_err(redb::Error::from);
            read.and_then(|read| body(&read)).map_err(|cause| self.error(&cause))
        })
    }

    fn write(&self, body: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>) -> Result<(), Error> {
        catch_damage(&self.path, || {
            let mut write = self.database.begin_write().map_err(|cause| self.error(&cause.into()))?;
            // Two-phase commit: with one phase redb relies on a checksum, which is no defence against scripts that
            // choose what is written. It also makes opening after a crash independent of the file's size.
            write.set_quick_repair(true);
            body(&write).map_err(|cause| self.error(&cause))?;
            write.commit().map_err(|cause| self.error(&cause.into()))
        })
    }

    fn error(&self, cause: &redb::Error) -> Error {
        note_broken(&self.broken, cause);
        match cause {
            redb::Error::Io(cause) if is_storage_full(cause) => {
                self.disk_full.store(true, Ordering::Relaxed);
                io_error(&self.path, cause)
            }
            // Later calls fail for the same reason until the file is opened again.
            redb::Error::PreviousIo if self.disk_full.load(Ordering::Relaxed) => {
                Error::StorageFull(format!("{}: {cause}", self.path.display()).into())
            }
            _ => file_error(&self.path, cause),
        }
    }
}

/// Tells a file from one that replaced it under the same name.
#[cfg(unix)]
pub(super) type FileIdentity = (u64, u64);
#[cfg(not(unix))]
pub(super) type FileIdentity = ();

#[cfg(unix)]
fn identity_of(found: &fs::Metadata) -> FileIdentity {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
const fn identity_of(_: &fs::Metadata) -> FileIdentity {}

fn number(bytes: Option<Vec<u8>>) -> u64 {
    bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, time::Duration};

    use circles_store::Quota;

    use super::*;

    #[test]
    fn database_is_private_even_if_it_was_readable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("circle/circle.db");
        let circle: CircleId =
            "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap();
        let retention = Retention { time: Duration::from_secs(1), quota: Quota::default() };
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for make_readable in [false, true] {
            if make_readable {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            }
            drop(DbFile::open(&path, &circle, retention).unwrap());
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(DbFile::has_no_unfinished(&path, &circle));
            assert_eq!(mode(&path), 0o600);
        }
    }
}

//! The file of one circle: a redb database with everything of the circle that outlives the process.

mod change;
mod documents;
#[cfg(test)]
mod power;
mod tasks;

use std::{
    fs,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use circles_api::{CircleId, types::Record};
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, TableError, WriteTransaction,
};

use super::{
    chain::Chain,
    room::is_lack,
    row::{decode, encode},
};
use circles_store::{Error, Quota};

pub use change::{Change, TaskChange};
use change::{apply_task, forget};
pub use documents::Documents;
pub use tasks::Shares;

/// What this version reads and writes. Another one is refused, never guessed at.
const FORMAT: u64 = 1;
/// redb's own cache, beside the system's. Each open circle may take as much.
const CACHE: usize = 4 << 20;
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const DOCUMENTS: TableDefinition<&str, &str> = TableDefinition::new("documents");
/// What lists show of a task.
const TASKS: TableDefinition<u128, &[u8]> = TableDefinition::new("tasks");
/// What a task runs; gone once it has run.
const BODIES: TableDefinition<u128, &[u8]> = TableDefinition::new("task_bodies");
const OUTCOMES: TableDefinition<u128, &[u8]> = TableDefinition::new("task_outcomes");
const UNFINISHED: TableDefinition<u128, ()> = TableDefinition::new("tasks_unfinished");
const BY_CALLER: TableDefinition<(&str, u128), ()> = TableDefinition::new("tasks_by_caller");
/// By the millisecond of the end, for forgetting the oldest first.
const BY_END: TableDefinition<(u64, u128), ()> = TableDefinition::new("tasks_by_end");
const KEYS: TableDefinition<(&str, &str), u128> = TableDefinition::new("idempotency_keys");
/// How many tasks are remembered for a caller, and how many bytes of what they left; for all guests under [`GUESTS`].
const SHARES: TableDefinition<&str, (u64, u64)> = TableDefinition::new("shares");
/// No caller's text.
const GUESTS: &str = "*";
const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("provenance");

/// How long and how many tasks of a circle are remembered after their end.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// How long.
    pub time: Duration,
    /// How many, for whom.
    pub quota: Quota,
}

/// The open file.
pub struct File {
    path: PathBuf,
    database: Database,
    retention: Retention,
    /// Set once redb takes nothing more before the file is opened again.
    broken: Arc<AtomicBool>,
    /// Set once nothing fits on the disk.
    lacks_room: AtomicBool,
    /// What the file system calls the file, which its path may come to lead past.
    identity: Identity,
}

impl File {
    /// Opens or makes the file of a circle and returns where its chain of records ends. Blocks.
    pub fn open(path: &Path, circle: &CircleId, retention: Retention) -> Result<(Self, Chain), Error> {
        let broken = |cause: std::io::Error| failure_of(path, &cause);
        if let Some(folder) = path.parent() {
            make_private_folder(folder).map_err(broken)?;
        }
        if !Self::exists(path)? {
            Self::make(path, circle, retention)?;
        }
        keep_private(path);
        sound(path, || {
            // Never made here: one that lost its contents is not one that never had any.
            let database = refusal(path, Database::builder().set_cache_size(CACHE).open(path))?;
            let identity = fs::metadata(path).map(|found| identity(&found)).map_err(broken)?;
            let file = Self::new(path, database, retention, identity);
            let chain = file.check(circle)?;
            Ok((file, chain))
        })
    }

    fn new(path: &Path, database: Database, retention: Retention, identity: Identity) -> Self {
        let (broken, lacks_room) = (Arc::default(), AtomicBool::new(false));
        Self { path: path.to_owned(), database, retention, broken, lacks_room, identity }
    }

    /// Makes the file under another name first: a process may be killed at any time, and a database that was
    /// begun and not finished is none.
    fn make(path: &Path, circle: &CircleId, retention: Retention) -> Result<(), Error> {
        let broken = |cause: std::io::Error| failure_of(path, &cause);
        if path.file_name().is_none() {
            // A circle that is not served has no place for a file, and nothing is made elsewhere.
            return Err(broken(std::io::ErrorKind::NotFound.into()));
        }
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::File::open(folder.unwrap_or(Path::new("."))).map_err(broken)?;
        // Two processes that start at once take turns, where the file system can tell them apart.
        let _ = folder.lock();
        if Self::exists(path)? {
            return Ok(());
        }
        match fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(broken(error)),
            _ => {}
        }
        // redb would make one that everybody may read.
        let file = private_file(&new).map_err(broken)?;
        let database = refusal(&new, Database::builder().set_cache_size(CACHE).create_file(file))?;
        let identity = fs::metadata(&new).map(|found| identity(&found)).map_err(broken)?;
        let file = Self::new(&new, database, retention, identity);
        file.begin(circle)?;
        drop(file);
        fs::rename(&new, path).and_then(|()| folder.sync_all()).map_err(broken)
    }

    /// Whether there is a file at all: what never wrote has none. Blocks.
    pub fn exists(path: &Path) -> Result<bool, Error> {
        path.try_exists().map_err(|error| failure_of(path, &error))
    }

    /// Whether it is certain that no task of the circle waits in the file to be taken up, by a look that leaves it
    /// as it is: to open and close it waits for the disk five times. Blocks.
    pub fn is_settled(path: &Path, circle: &CircleId) -> bool {
        keep_private(path);
        let looked = sound(path, || {
            let look = || -> Result<bool, redb::Error> {
                let read = Database::builder().set_cache_size(CACHE).open_read_only(path)?.begin_read()?;
                let meta = read.open_table(META)?;
                let is = |name, value: &[u8]| {
                    meta.get(name).map(|found| found.is_some_and(|found| found.value() == value))
                };
                let ours =
                    is("format", &FORMAT.to_le_bytes())? && is("circle", circle.to_string().as_bytes())?;
                Ok(ours && read.open_table(UNFINISHED)?.is_empty()?)
            };
            // Whatever is wrong with it is said when it is opened.
            Ok(look().unwrap_or(false))
        });
        looked.unwrap_or(false)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has to be opened again before anything can be read or written.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn begin(&self, circle: &CircleId) -> Result<(), Error> {
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

    /// Refuses what is not this circle's, and returns where its chain of records ends.
    fn check(&self, circle: &CircleId) -> Result<Chain, Error> {
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
            None => return Err(self.fault("is not the database of a circle")),
            Some(FORMAT) => {}
            Some(other) => {
                let sentence = format!("has format {other}; this version reads format {FORMAT}");
                return Err(self.fault(sentence));
            }
        }
        if owner != circle.to_string().as_bytes() {
            let owner = String::from_utf8_lossy(&owner).into_owned();
            return Err(self.fault(format!("is the database of circle {owner}, not of {circle}")));
        }
        Ok(Chain::after(*circle, last.as_ref()))
    }

    /// The documents as they are now.
    pub fn documents(&self) -> Result<Documents, Error> {
        let table = self.read(|read| Ok(read.open_table(DOCUMENTS)?))?;
        Ok(Documents { table, path: self.path.clone(), broken: self.broken.clone() })
    }

    /// Writes changes in their order and one step, and returns when they are on the disk.
    pub fn apply(&self, changes: &[Change], chain: &mut Chain) -> Result<(), Error> {
        let mut after = chain.clone();
        self.write(|write| {
            let mut ended = 0;
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
            for change in changes {
                if let Some(task) = &change.task {
                    apply_task(write, task, &self.retention)?;
                    ended += usize::from(matches!(task, TaskChange::Ended { .. }));
                }
                ended += change.sweeps;
            }
            if ended > 0 { forget(write, &self.retention, 2 * ended + 8) } else { Ok(()) }
        })?;
        *chain = after;
        Ok(())
    }

    /// How many bytes the file takes. Fails if it is no longer where it is looked for.
    pub fn len(&self) -> Result<u64, Error> {
        let found = fs::metadata(&self.path).map_err(|error| self.fault(error))?;
        if identity(&found) != self.identity {
            return Err(self.fault("another file was put in its place while it was in use"));
        }
        Ok(found.len())
    }

    /// Records of the circle's provenance behind number `after`, and the last of all.
    pub fn records(&self, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        self.read(|read| {
            let records = read.open_table(RECORDS)?;
            let found = records.range((Bound::Excluded(after), Bound::Unbounded))?.take(limit);
            found.map(|record| decode(record?.1.value())).collect()
        })
    }

    fn read<T>(&self, body: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, Error> {
        sound(&self.path, || {
            let read = self.database.begin_read().map_err(redb::Error::from);
            read.and_then(|read| body(&read)).map_err(|error| self.failure(&error))
        })
    }

    fn write(&self, body: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>) -> Result<(), Error> {
        sound(&self.path, || {
            let mut write = self.database.begin_write().map_err(|error| self.failure(&error.into()))?;
            // Two phases: scripts choose what is written, and the checksum that one phase relies on is not meant
            // to hold against that. It also makes opening after a crash independent of the file's size.
            write.set_quick_repair(true);
            body(&write).map_err(|error| self.failure(&error))?;
            write.commit().map_err(|error| self.failure(&error.into()))
        })
    }

    fn failure(&self, cause: &redb::Error) -> Error {
        note(&self.broken, cause);
        match cause {
            redb::Error::Io(cause) if is_lack(cause) => {
                self.lacks_room.store(true, Ordering::Relaxed);
                failure_of(&self.path, cause)
            }
            // What was refused before this file is opened again.
            redb::Error::PreviousIo if self.lacks_room.load(Ordering::Relaxed) => {
                Error::StorageFull(format!("{}: {cause}", self.path.display()).into())
            }
            _ => self.fault(cause),
        }
    }

    fn fault(&self, cause: impl std::fmt::Display) -> Error {
        Error::File(format!("{}: {cause}", self.path.display()).into())
    }
}

/// After a failure of the disk redb refuses everything until the file is opened again.
fn note(broken: &AtomicBool, cause: &redb::Error) {
    if matches!(cause, redb::Error::Io(_) | redb::Error::PreviousIo) {
        broken.store(true, Ordering::Relaxed);
    }
}

/// Does something with a file that may be damaged, on which redb panics in places.
pub fn sound<T>(path: &Path, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        let sentence = "the file is damaged; put a copy of it in its place";
        Err(Error::File(format!("{}: {sentence}", path.display()).into()))
    })
}

/// What went wrong with a file. Where the disk is full, or this process or the system is out of file descriptors or
/// memory, the file itself is well, and the call may be made again.
fn failure_of(path: &Path, cause: &std::io::Error) -> Error {
    use rustix::io::Errno;
    let passes = [Errno::MFILE, Errno::NFILE, Errno::NOMEM]
        .iter()
        .any(|errno| cause.raw_os_error() == Some(errno.raw_os_error()));
    let sentence = format!("{}: {cause}", path.display()).into();
    if is_lack(cause) {
        Error::StorageFull(sentence)
    } else if passes {
        Error::Unavailable(sentence)
    } else {
        Error::File(sentence)
    }
}

/// Says why a database was not opened.
fn refusal(path: &Path, opened: Result<Database, redb::DatabaseError>) -> Result<Database, Error> {
    opened.map_err(|error| {
        let cause = match error {
            redb::DatabaseError::Storage(redb::StorageError::Io(cause)) => return failure_of(path, &cause),
            redb::DatabaseError::DatabaseAlreadyOpen => "another process has this database open".to_owned(),
            other => other.to_string(),
        };
        Error::File(format!("{}: {cause}", path.display()).into())
    })
}

/// By which a file is known that was moved, or replaced by another of the same name.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = ();

#[cfg(unix)]
fn identity(found: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
const fn identity(_: &fs::Metadata) -> Identity {}

fn number(bytes: Option<Vec<u8>>) -> u64 {
    bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// A new file that nobody but its owner may read.
fn private_file(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Takes away what others may do with a file that is there: earlier versions let them read it.
fn keep_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        let Ok(found) = fs::metadata(path) else { return };
        if found.is_file()
            && found.permissions().mode() & 0o077 != 0
            && let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        {
            tracing::warn!(path = %path.display(), %error, "other users may read this database");
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// A folder that nobody but its owner may look into; one that is there stays as it is.
fn make_private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn database_is_private_also_one_that_was_readable() {
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
            drop(File::open(&path, &circle, retention).unwrap());
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(File::is_settled(&path, &circle));
            assert_eq!(mode(&path), 0o600);
        }
    }
}

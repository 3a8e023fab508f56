//! The file of one circle: a redb database with everything of the circle that outlives the process.

#[cfg(test)]
mod power;

use std::{
    fmt::Display,
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use circles_api::{CircleId, types::Record};
use redb::{
    Database, DatabaseError, ReadOnlyTable, ReadTransaction, ReadableDatabase as _, ReadableTable,
    ReadableTableMetadata as _, TableDefinition, TableError, WriteTransaction,
};

use super::{
    chain::{Chain, Ended},
    row::{Body, Row, decode, encode},
};
use crate::{Error, Json, Key, KeyRange, Outcome, Task, TaskFilter, TaskId, TaskPage};

/// What this version reads and writes. Another one is refused, never guessed at.
const FORMAT: u64 = 1;
/// redb's own cache, beside the system's. Each open circle may take as much.
const CACHE: usize = 4 << 20;
/// Rows that one listing looks through before it answers with what it has.
const LOOKS: usize = 10_000;

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
const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("provenance");

/// How long and how many tasks are remembered after their end.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// How long.
    pub time: Duration,
    /// How many.
    pub tasks: usize,
    /// How many bytes their outcomes may take.
    pub bytes: u64,
}

/// What one step of a circle's history puts into its file.
#[derive(Default)]
pub struct Change {
    pub documents: Vec<(Key, Option<Json>)>,
    pub task: Option<TaskChange>,
    /// For the circle's provenance.
    pub record: Option<Ended>,
}

/// What happens to the record of a task.
pub enum TaskChange {
    Accepted(Arc<Task>),
    /// It may have had outside effects from here on.
    Marked(TaskId),
    /// As `Marked`, of a play that has no record yet.
    MarkedPlay(Arc<Task>),
    /// It is to be run again in spite of its mark.
    Retried(TaskId),
    Ended {
        task: Arc<Task>,
        started_at: Option<SystemTime>,
        outcome: Outcome,
    },
}

/// The open file.
pub struct File {
    path: PathBuf,
    database: Database,
    retention: Retention,
}

impl TaskChange {
    fn task(&self) -> TaskId {
        match self {
            Self::Accepted(task) | Self::MarkedPlay(task) | Self::Ended { task, .. } => task.id,
            Self::Marked(id) | Self::Retried(id) => *id,
        }
    }
}

impl Change {
    /// Whether the file stays as it is.
    pub const fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.task.is_none() && self.record.is_none()
    }

    /// Roughly how many bytes it takes while it waits.
    pub fn size(&self) -> usize {
        let documents = self.documents.iter();
        let documents: usize = documents
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, |value| value.len()) + 64)
            .sum();
        let outcome = match &self.task {
            Some(TaskChange::Ended { outcome: Outcome::Succeeded(success), .. }) => 2 * success.output.len(),
            _ => 0,
        };
        256 + documents + outcome
    }
}

impl File {
    /// Opens or makes the file of a circle and returns where its chain of records ends. Blocks.
    pub fn open(path: &Path, circle: &CircleId, retention: Retention) -> Result<(Self, Chain), Error> {
        let broken = |cause: &std::io::Error| Error::File(format!("{}: {cause}", path.display()).into());
        if let Some(folder) = path.parent() {
            make_private_folder(folder).map_err(|error| broken(&error))?;
        }
        if !Self::exists(path) {
            Self::make(path, circle, retention)?;
        }
        let file = Self { path: path.to_owned(), database: database(path)?, retention };
        let chain = file.begin(circle)?;
        Ok((file, chain))
    }

    /// Makes the file under another name first: a process may be killed at any time, and a database that was
    /// begun and not finished is none.
    fn make(path: &Path, circle: &CircleId, retention: Retention) -> Result<(), Error> {
        let broken = |cause: std::io::Error| Error::File(format!("{}: {cause}", path.display()).into());
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
        if Self::exists(path) {
            return Ok(());
        }
        match fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(broken(error)),
            _ => {}
        }
        let file = Self { path: new.clone(), database: database(&new)?, retention };
        file.begin(circle)?;
        drop(file);
        fs::rename(&new, path).and_then(|()| folder.sync_all()).map_err(broken)
    }

    /// Whether there is a file at all: what never wrote has none.
    pub fn exists(path: &Path) -> bool {
        path.exists()
    }

    /// Whether it is certain that no task of the circle waits to be taken up, by a look that leaves the file as it
    /// is: to open and close it waits for the disk five times. What a crash left to be repaired is not certain.
    /// Blocks.
    pub fn is_settled(path: &Path, circle: &CircleId) -> Result<bool, Error> {
        let database = match Database::builder().set_cache_size(CACHE).open_read_only(path) {
            Ok(database) => database,
            Err(DatabaseError::RepairAborted) => return Ok(false),
            Err(error) => return Err(not_opened(path, error)),
        };
        let fault = |error: redb::Error| fault(path, error);
        let read = database.begin_read().map_err(|error| fault(error.into()))?;
        let meta = match read.open_table(META) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(false),
            opened => opened.map_err(|error| fault(error.into()))?,
        };
        check(&meta, circle).map_err(|cause| self::fault(path, cause))?;
        let unfinished = read.open_table(UNFINISHED).map_err(|error| fault(error.into()))?;
        unfinished.is_empty().map_err(|error| fault(error.into()))
    }

    fn begin(&self, circle: &CircleId) -> Result<Chain, Error> {
        let read = self.database.begin_read().map_err(|error| self.fault(error))?;
        match read.open_table(META) {
            Err(TableError::TableDoesNotExist(_)) => {
                drop(read);
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
                    write.open_table(RECORDS)?;
                    Ok(())
                })?;
                Ok(Chain::after(*circle, None))
            }
            Err(error) => Err(self.fault(error)),
            Ok(meta) => {
                check(&meta, circle).map_err(|cause| self.fault(cause))?;
                let records = read.open_table(RECORDS).map_err(|error| self.fault(error))?;
                let last = records.last().map_err(|error| self.fault(error))?;
                let last = last.map(|(_, record)| decode::<Record>(record.value())).transpose();
                Ok(Chain::after(*circle, last.map_err(|error| self.fault(error))?.as_ref()))
            }
        }
    }

    /// The documents as they are now.
    pub fn documents(&self) -> Result<Documents, Error> {
        let read = self.database.begin_read().map_err(|error| self.fault(error))?;
        let table = read.open_table(DOCUMENTS).map_err(|error| self.fault(error))?;
        Ok(Documents { table, path: self.path.clone() })
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
                    apply_task(write, task)?;
                    ended += usize::from(matches!(task, TaskChange::Ended { .. }));
                }
            }
            if ended > 0 { forget(write, &self.retention, 2 * ended + 8) } else { Ok(()) }
        })?;
        *chain = after;
        Ok(())
    }

    /// How many bytes the file takes.
    pub fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// A task that is remembered, and what it left.
    pub fn task(&self, id: TaskId) -> Result<Option<(Row, Option<Outcome>)>, Error> {
        self.read(|read| {
            let Some(row) = row(&read.open_table(TASKS)?, id)? else { return Ok(None) };
            let outcome = read.open_table(OUTCOMES)?.get(id.as_u128())?;
            let outcome = outcome.map(|outcome| decode(outcome.value())).transpose()?;
            Ok(Some((row, outcome)))
        })
    }

    /// The task that was called with this key within the time it is remembered.
    pub fn task_of_key(&self, caller: &str, key: &str) -> Result<Option<(Row, Option<Outcome>)>, Error> {
        let id = self.read(|read| Ok(read.open_table(KEYS)?.get((caller, key))?.map(|id| id.value())))?;
        let Some(id) = id else { return Ok(None) };
        let found = self.task(TaskId::from_u128(id))?;
        Ok(found.filter(|(row, _)| !row.is_forgotten(SystemTime::now(), self.retention.time)))
    }

    /// Tasks that had not ended, oldest first, with what they run.
    pub fn unfinished(&self) -> Result<Vec<(Row, Body)>, Error> {
        self.read(|read| {
            let (tasks, bodies) = (read.open_table(TASKS)?, read.open_table(BODIES)?);
            let mut found = Vec::new();
            for id in read.open_table(UNFINISHED)?.iter()? {
                let id = TaskId::from_u128(id?.0.value());
                let body = bodies.get(id.as_u128())?.map(|body| decode(body.value())).transpose()?;
                if let (Some(row), Some(body)) = (row(&tasks, id)?, body) {
                    found.push((row, body));
                }
            }
            Ok(found)
        })
    }

    /// A page of tasks.
    pub fn tasks(&self, filter: &TaskFilter) -> Result<TaskPage, Error> {
        self.read(|read| {
            let tasks = read.open_table(TASKS)?;
            let end = filter.before.map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_u128()));
            let mut page = TaskPage { tasks: Vec::new(), next: None };
            let mut looks = 0;
            let mut take = |row: Row| -> bool {
                looks += 1;
                let id = row.id;
                if filter.state.is_none_or(|state| state == row.state) {
                    page.tasks.push(row.view(None));
                }
                let full = page.tasks.len() >= filter.limit || looks >= LOOKS;
                page.next = full.then_some(id);
                !full
            };
            match &filter.caller {
                None => {
                    for found in tasks.range::<u128>((Bound::Unbounded, end))?.rev() {
                        if !take(decode(found?.1.value())?) {
                            break;
                        }
                    }
                }
                Some(caller) => {
                    let caller = caller.to_string();
                    let last = match end {
                        Bound::Excluded(id) => Bound::Excluded((caller.as_str(), id)),
                        _ => Bound::Included((caller.as_str(), u128::MAX)),
                    };
                    let first = Bound::Included((caller.as_str(), 0));
                    for found in read.open_table(BY_CALLER)?.range::<(&str, u128)>((first, last))?.rev() {
                        let id = TaskId::from_u128(found?.0.value().1);
                        if let Some(row) = row(&tasks, id)?
                            && !take(row)
                        {
                            break;
                        }
                    }
                }
            }
            Ok(page)
        })
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
        let read = self.database.begin_read().map_err(|error| self.fault(error))?;
        body(&read).map_err(|error| self.fault(error))
    }

    fn write(&self, body: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>) -> Result<(), Error> {
        let mut write = self.database.begin_write().map_err(|error| self.fault(error))?;
        // Two phases: scripts choose what is written, and the checksum that one phase relies on is not meant
        // to hold against that. It also makes opening after a crash independent of the file's size.
        write.set_quick_repair(true);
        body(&write).map_err(|error| self.fault(error))?;
        write.commit().map_err(|error| self.fault(error))
    }

    fn fault(&self, cause: impl Display) -> Error {
        fault(&self.path, cause)
    }
}

fn fault(path: &Path, cause: impl Display) -> Error {
    Error::File(format!("{}: {cause}", path.display()).into())
}

/// Whether this version reads a file, and it is this circle's; an error is what is said of it.
fn check(meta: &ReadOnlyTable<&'static str, &'static [u8]>, circle: &CircleId) -> Result<(), String> {
    let get = |name| match meta.get(name) {
        Ok(value) => Ok(value.map(|value| value.value().to_vec())),
        Err(error) => Err(error.to_string()),
    };
    let format = number(get("format")?);
    if format != FORMAT {
        return Err(format!("has format {format}; this version reads format {FORMAT}"));
    }
    let owner = get("circle")?.unwrap_or_default();
    if owner != circle.to_string().as_bytes() {
        let owner = String::from_utf8_lossy(&owner);
        return Err(format!("is the database of circle {owner}, not of {circle}"));
    }
    Ok(())
}

/// Opens a database, or makes an empty one, which is not safe from crashes until it is made.
fn database(path: &Path) -> Result<Database, Error> {
    Database::builder().set_cache_size(CACHE).create(path).map_err(|error| not_opened(path, error))
}

fn not_opened(path: &Path, error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen => fault(path, "another process has this database open"),
        other => fault(path, other),
    }
}

/// The documents of a file as they were when this was made.
pub struct Documents {
    table: ReadOnlyTable<&'static str, &'static str>,
    path: PathBuf,
}

impl Documents {
    pub fn get(&self, key: &str) -> Result<Option<Json>, Error> {
        let found = self.table.get(key).map_err(|error| self.fault(&error))?;
        Ok(found.map(|value| value.value().into()))
    }

    pub fn scan(&self, range: &KeyRange) -> Result<impl Iterator<Item = Result<(Key, Json), Error>>, Error> {
        let found = self.table.range::<&str>(range.bounds()).map_err(|error| self.fault(&error))?;
        Ok(found.map(|found| match found {
            Ok((key, value)) => Ok((key.value().into(), value.value().into())),
            Err(error) => Err(self.fault(&error)),
        }))
    }

    fn fault(&self, cause: &dyn Display) -> Error {
        fault(&self.path, cause)
    }
}

fn row(tasks: &impl ReadableTable<u128, &'static [u8]>, id: TaskId) -> Result<Option<Row>, redb::Error> {
    let found = tasks.get(id.as_u128())?;
    found.map(|row| decode(row.value())).transpose()
}

fn apply_task(write: &WriteTransaction, change: &TaskChange) -> Result<(), redb::Error> {
    let mut tasks = write.open_table(TASKS)?;
    // What threads ask for at the same time comes in any order, and what has ended stays ended.
    if row(&tasks, change.task())?.is_some_and(|row| row.ended_ms.is_some()) {
        return Ok(());
    }
    match change {
        TaskChange::Accepted(task) => {
            let id = task.id.as_u128();
            let row = Row::accepted(task);
            write.open_table(BODIES)?.insert(id, encode(&Body::of(task))?.as_slice())?;
            write.open_table(UNFINISHED)?.insert(id, ())?;
            introduce(write, &row)?;
            tasks.insert(id, encode(&row)?.as_slice())?;
        }
        TaskChange::MarkedPlay(task) => {
            let mut row = Row::accepted(task);
            row.marked = true;
            write.open_table(BODIES)?.insert(task.id.as_u128(), encode(&Body::of(task))?.as_slice())?;
            write.open_table(UNFINISHED)?.insert(task.id.as_u128(), ())?;
            introduce(write, &row)?;
            tasks.insert(task.id.as_u128(), encode(&row)?.as_slice())?;
        }
        TaskChange::Marked(id) | TaskChange::Retried(id) => {
            let Some(mut row) = row(&tasks, *id)? else { return Ok(()) };
            row.marked = matches!(change, TaskChange::Marked(_));
            row.retries = row.retries.saturating_sub(u8::from(!row.marked));
            tasks.insert(id.as_u128(), encode(&row)?.as_slice())?;
        }
        TaskChange::Ended { task, started_at, outcome } => {
            let id = task.id.as_u128();
            let outcome_bytes = encode(outcome)?;
            let row = Row::accepted(task).ended(*started_at, outcome, outcome_bytes.len());
            write.open_table(BODIES)?.remove(id)?;
            write.open_table(UNFINISHED)?.remove(id)?;
            write.open_table(OUTCOMES)?.insert(id, outcome_bytes.as_slice())?;
            write.open_table(BY_END)?.insert((row.ended_ms.unwrap_or(0), id), ())?;
            introduce(write, &row)?;
            count(write, |bytes| bytes.saturating_add(row.bytes))?;
            tasks.insert(id, encode(&row)?.as_slice())?;
        }
    }
    Ok(())
}

/// Makes a task to be found by its caller and by its key.
fn introduce(write: &WriteTransaction, row: &Row) -> Result<(), redb::Error> {
    let (caller, id) = (row.caller.to_string(), row.id.as_u128());
    write.open_table(BY_CALLER)?.insert((caller.as_str(), id), ())?;
    if let Some(key) = &row.key {
        write.open_table(KEYS)?.insert((caller.as_str(), &**key), id)?;
    }
    Ok(())
}

/// Forgets the tasks that ended longest ago, as far as they are too old or too many; at most so many at once.
fn forget(write: &WriteTransaction, retention: &Retention, most: usize) -> Result<(), redb::Error> {
    let mut by_end = write.open_table(BY_END)?;
    let mut tasks = write.open_table(TASKS)?;
    let oldest = millis(SystemTime::now() - retention.time);
    let mut bytes = count(write, |bytes| bytes)?;
    for _ in 0..most {
        let Some((ended, id)) = by_end.first()?.map(|(first, _)| first.value()) else { break };
        if ended > oldest && by_end.len()? <= retention.tasks as u64 && bytes <= retention.bytes {
            break;
        }
        by_end.remove((ended, id))?;
        write.open_table(OUTCOMES)?.remove(id)?;
        let Some(row) = tasks.remove(id)?.map(|row| decode::<Row>(row.value())).transpose()? else {
            continue;
        };
        let caller = row.caller.to_string();
        write.open_table(BY_CALLER)?.remove((caller.as_str(), id))?;
        if let Some(key) = &row.key {
            let mut keys = write.open_table(KEYS)?;
            let own = keys.get((caller.as_str(), &**key))?.is_some_and(|of| of.value() == id);
            if own {
                keys.remove((caller.as_str(), &**key))?;
            }
        }
        bytes = count(write, |bytes| bytes.saturating_sub(row.bytes))?;
    }
    Ok(())
}

/// Changes how many bytes the outcomes take, and returns it.
fn count(write: &WriteTransaction, change: impl FnOnce(u64) -> u64) -> Result<u64, redb::Error> {
    let mut meta = write.open_table(META)?;
    let before = number(meta.get("task_bytes")?.map(|value| value.value().to_vec()));
    let after = change(before);
    if after != before {
        meta.insert("task_bytes", after.to_le_bytes().as_slice())?;
    }
    Ok(after)
}

fn number(bytes: Option<Vec<u8>>) -> u64 {
    bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// A folder that nobody but its owner may look into; one that is there stays as it is.
fn make_private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

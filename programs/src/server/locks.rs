//! Locks that keep other servers off this server's files.

use std::{
    ffi::OsString,
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf, absolute},
};

use circles_config::{CircleConfig, make_folder, make_private_folder};
use circles_daemon::{Lock, LockError, Sharing};

const PROGRAM: &str = "circles-server";
/// The name of the lock file in a data directory.
const LOCK_FILE: &str = "circles.lock";

/// The locks of a running server.
#[must_use]
pub(crate) struct Locks {
    _held: Vec<Lock>,
}

impl Locks {
    /// Locks the data directory and each database. With a Redis, servers and workers may share a data directory, and
    /// databases are not used.
    ///
    /// # Errors
    ///
    /// If another process holds a lock. The error names the files and the process.
    pub(crate) fn take(data_dir: &Path, circles: &[CircleConfig], with_redis: bool) -> Result<Self, String> {
        make_private_folder(data_dir).map_err(|error| format!("--data-dir {error}"))?;
        let data_dir =
            data_dir.canonicalize().map_err(|error| format!("--data-dir {}: {error}", data_dir.display()))?;
        let sharing = if with_redis { Sharing::Shared } else { Sharing::Exclusive };
        let lock = Lock::take(&data_dir.join(LOCK_FILE), sharing, PROGRAM);
        let lock = lock.map_err(|error| {
            let hint = match error {
                LockError::Held(_) if with_redis => "; only servers and workers with --redis-url share one",
                LockError::Held(_) => "; end that process, or name another directory",
                LockError::Io(..) => "",
            };
            format!("--data-dir {}: {error}{hint}", data_dir.display())
        })?;
        let mut held = vec![lock];
        if !with_redis {
            for circle in circles {
                held.extend(lock_database(&data_dir, circle)?);
            }
        }
        Ok(Self { _held: held })
    }
}

/// Locks one database. The lock of the data directory covers databases in it, unless a server with another data
/// directory has locked such a database by its path.
fn lock_database(data_dir: &Path, circle: &CircleConfig) -> Result<Vec<Lock>, String> {
    let in_use =
        |error: LockError| format!("the database {} of {}: {error}", circle.db_path.display(), circle.id);
    let path = absolute(&circle.db_path).unwrap_or_else(|_| circle.db_path.clone());
    let lock_file = beside(&path);
    if path.starts_with(data_dir) {
        // Without a lock file no server has locked it. None is created, to save a file for each circle.
        return match File::open(&lock_file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            _ => Lock::take(&lock_file, Sharing::Exclusive, PROGRAM).map(|lock| vec![lock]).map_err(in_use),
        };
    }
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut held = vec![Lock::take(&lock_file, Sharing::Exclusive, PROGRAM).map_err(in_use)?];
    // The database may lie in the data directory of another server.
    for folder in path.ancestors().skip(1) {
        let lock_file = folder.join(LOCK_FILE);
        if lock_file.exists() {
            held.push(Lock::take(&lock_file, Sharing::Shared, PROGRAM).map_err(in_use)?);
        }
    }
    Ok(held)
}

fn beside(database: &Path) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(".lock");
    path.into()
}

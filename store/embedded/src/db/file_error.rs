//! Errors of a circle's file.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use circles_store::Error;

use crate::disk_space::is_storage_full;

/// Works on a file that may be damaged: redb panics on some damage, which becomes an error.
pub(crate) fn catch_damage<T>(path: &Path, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(file_error(path, "the file is damaged; put a copy of it in its place")))
}

pub(super) fn file_error(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::File(format!("{}: {cause}", path.display()).into())
}

/// Returns the error for an I/O error of a file. If the disk is full, or the process or the system lacks file
/// descriptors or memory, the file itself is sound, and the call may be made again.
pub(super) fn io_error(path: &Path, cause: &std::io::Error) -> Error {
    use rustix::io::Errno;
    let is_temporary = [Errno::MFILE, Errno::NFILE, Errno::NOMEM]
        .iter()
        .any(|errno| cause.raw_os_error() == Some(errno.raw_os_error()));
    let message = format!("{}: {cause}", path.display()).into();
    if is_storage_full(cause) {
        Error::StorageFull(message)
    } else if is_temporary {
        Error::Unavailable(message)
    } else {
        Error::File(message)
    }
}

/// Returns the error for a database that could not be opened.
pub(super) fn open_error(path: &Path, cause: redb::DatabaseError) -> Error {
    match cause {
        redb::DatabaseError::Storage(redb::StorageError::Io(cause)) => io_error(path, &cause),
        redb::DatabaseError::DatabaseAlreadyOpen => {
            file_error(path, "another process has this database open")
        }
        other => file_error(path, other),
    }
}

/// Notes an I/O error: after one, redb refuses everything until the file is opened again.
pub(super) fn note_broken(broken: &AtomicBool, cause: &redb::Error) {
    if matches!(cause, redb::Error::Io(_) | redb::Error::PreviousIo) {
        broken.store(true, Ordering::Relaxed);
    }
}

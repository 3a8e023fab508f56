//! How much of the disk the files of a circle take.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use cap_std::fs::Dir;

use super::files::FileError;
use circles_store::sync::lock;

/// Bytes that a file or directory takes besides its content: file systems commonly allocate blocks of this size.
const BLOCK: u64 = 4 << 10;

/// Keeps the files of a circle within a number of bytes. It counts them again only when its own account says that they
/// are too many. Workers in other processes keep accounts of their own.
#[derive(Default)]
pub(crate) struct DiskUsage(Mutex<Account>);

#[derive(Default)]
struct Account {
    /// Bytes at the last count, and all that was written since. Unknown at first, which counts as too many.
    counted: Option<u64>,
    /// Bytes that are being written, and may or may not be on the disk yet.
    pending: u64,
    /// Bytes written since the start. A count may have missed what was written meanwhile.
    written: u64,
}

/// Space on the disk for a write to come. Dropped, it counts as taken, even if the write failed.
pub(crate) struct DiskReservation {
    usage: Arc<DiskUsage>,
    bytes: u64,
}

impl Drop for DiskReservation {
    fn drop(&mut self) {
        let mut account = lock(&self.usage.0);
        account.pending = account.pending.saturating_sub(self.bytes);
        account.written = account.written.saturating_add(self.bytes);
        account.counted = account.counted.map(|counted| counted.saturating_add(self.bytes));
    }
}

impl DiskUsage {
    /// Reserves space for so many more files and bytes within `max_bytes`; `None` if there is too little. `count`
    /// returns the bytes that all files take now.
    pub(crate) fn reserve<E>(
        self: &Arc<Self>,
        files: u64,
        bytes: u64,
        max_bytes: u64,
        count: impl FnOnce() -> Result<u64, E>,
    ) -> Result<Option<DiskReservation>, E> {
        let wanted = files.saturating_mul(BLOCK).saturating_add(bytes);
        if let Some(reserved) = self.try_reserve(wanted, max_bytes) {
            return Ok(Some(reserved));
        }
        let before = lock(&self.0).written;
        let counted = count()?;
        {
            // The count may have missed what others wrote meanwhile; what they are writing is pending.
            let mut account = lock(&self.0);
            let missed = account.written.saturating_sub(before);
            account.counted = Some(counted.saturating_add(missed));
        }
        Ok(self.try_reserve(wanted, max_bytes))
    }

    fn try_reserve(self: &Arc<Self>, wanted: u64, max_bytes: u64) -> Option<DiskReservation> {
        let mut account = lock(&self.0);
        let taken = account.counted?.checked_add(account.pending)?.checked_add(wanted)?;
        if taken > max_bytes {
            return None;
        }
        account.pending += wanted;
        Some(DiskReservation { usage: self.clone(), bytes: wanted })
    }
}

/// The bytes that the files below a directory take. Files that lie too deep to be counted count as too many bytes.
pub(crate) fn count<E: From<FileError>>(
    root: &Dir,
    mut look: impl FnMut() -> Result<(), E>,
) -> Result<u64, E> {
    let (mut used, mut left) = (0_u64, vec![PathBuf::from(".")]);
    while let Some(path) = left.pop() {
        let entries = match root.read_dir(&path).map_err(FileError::from) {
            Ok(entries) => entries,
            // A directory that has gone meanwhile takes nothing, nor does anything in its place.
            Err(FileError::NotFound | FileError::NotADirectory | FileError::Outside) => continue,
            Err(FileError::Path) => return Ok(u64::MAX),
            Err(other) => return Err(other.into()),
        };
        for entry in entries {
            look()?;
            let entry = entry.map_err(FileError::from)?;
            // A file that has gone meanwhile takes nothing.
            let Ok(metadata) = entry.metadata() else { continue };
            used = used.saturating_add(BLOCK).saturating_add(metadata.len());
            if metadata.is_dir() {
                left.push(path.join(entry.file_name()));
            }
        }
    }
    Ok(used)
}

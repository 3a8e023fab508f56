//! Opens files to read, whatever a path leads to.

use std::path::Path;

use cap_std::fs::{Dir, File, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

use super::files::FileError;

/// Opens a regular file to read, and does not wait at a pipe.
pub(crate) fn open_to_read(dir: &Dir, path: impl AsRef<Path>) -> Result<(File, Metadata), FileError> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(non_blocking());
    let file = dir.open_with(path, &options)?;
    let metadata = file.metadata()?;
    check_regular(&metadata)?;
    Ok((file, metadata))
}

pub(crate) const fn non_blocking() -> i32 {
    OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed()
}

pub(crate) fn check_regular(metadata: &Metadata) -> Result<(), FileError> {
    match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => Ok(()),
        (_, true) => Err(FileError::IsADirectory),
        _ => Err(FileError::Special),
    }
}

/// Refuses hard links, each of which may be the second name of a file outside. Scripts cannot create any.
pub(crate) fn check_single_link(metadata: &Metadata) -> Result<(), FileError> {
    if metadata.nlink() > 1 { Err(FileError::Linked) } else { Ok(()) }
}

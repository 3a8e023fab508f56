//! The files of a circle.

use std::{io, path::PathBuf};

use cap_std::fs::{Dir, File, Metadata, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

/// The files below one directory.
pub struct Files {
    root: Option<PathBuf>,
}

impl Files {
    pub const fn new(root: Option<PathBuf>) -> Self {
        Self { root }
    }
}

/// Opens a file to read; nothing but a regular one, and without waiting for anybody to write to a pipe.
pub fn open_to_read(dir: &Dir, path: &str) -> io::Result<(File, Metadata)> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed());
    let file = dir.open_with(path, &options)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok((file, metadata))
}

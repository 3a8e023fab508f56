//! The script library of a circle: sources below one directory.

use std::{
    io::{self, ErrorKind, Read},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, MetadataExt},
};

use super::{files::FileError, open::open_to_read};
use crate::play::{Play, Stop};

/// Bytes of a script's name.
pub(crate) const NAME_BYTES: usize = 128;
/// A change this old has another time than the next one: clocks of file systems are coarse.
const SETTLED: Duration = Duration::from_secs(2);

/// Why a library cannot answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LibraryError {
    /// There is no script of this name, or no script can have it.
    #[error("there is no such script in the library")]
    NotFound,
    /// The library's folder is required and missing.
    #[error("its folder is missing")]
    Absent,
    /// The script is longer than `script_bytes`.
    #[error("it is longer than script_bytes allows")]
    TooLarge,
    /// The play that reads the script was stopped.
    #[error("it takes more time or memory to compile than a play may use")]
    Stopped(Stop),
    /// The script exists and cannot be read.
    #[error("it cannot be read: {}", .0.kind())]
    Io(#[from] io::Error),
}

impl From<Stop> for LibraryError {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl LibraryError {
    /// Returns whether it may be gone a moment later, since it says nothing of the library: this process, or the
    /// system, is out of file descriptors or memory.
    pub(crate) fn is_transient(&self) -> bool {
        use rustix::io::Errno;
        let Self::Io(error) = self else { return false };
        [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN, Errno::INTR]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
    }
}

/// The scripts below one directory. Each read opens the directory, so a library can be put in place, or replaced, at
/// any time, and an idle circle holds no file open.
pub(crate) struct Library {
    root: Option<PathBuf>,
    /// True if nothing may run while the directory is missing.
    required: bool,
    id: LibraryId,
}

/// Identifies a library among those of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LibraryId(u64);

/// The answer to a read of a script.
pub(crate) enum LibraryRead {
    /// It still has the known version.
    Unchanged,
    /// The source, and its version.
    Source(String, Version),
}

/// The version of a file. While its times are too young to tell two versions apart, the content decides.
pub(crate) struct Version {
    stamp: Stamp,
    /// True if a later change is sure to show in the stamp. Until then the source is read each time.
    is_settled: bool,
}

/// Metadata that changes when a file is replaced or written to. The inode's own time of change is part of it, which
/// no program can set back.
#[derive(PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        let stamp = Stamp {
            file: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let changed = Duration::from_secs(u64::try_from(stamp.changed.0).unwrap_or(0));
        let since_change = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed);
        Self { stamp, is_settled: since_change.is_ok_and(|since| since > SETTLED) }
    }

    /// Returns whether a file with this version has the same content as one with the `other` version, for certain.
    fn is_surely(&self, other: &Self) -> bool {
        other.is_settled && self.stamp == other.stamp
    }
}

impl Library {
    /// The library below `root`. If it is `required`, nothing may run while the directory is missing.
    pub(crate) fn new(root: Option<PathBuf>, required: bool) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self { root, required, id: LibraryId(NEXT_ID.fetch_add(1, Ordering::Relaxed)) }
    }

    pub(crate) const fn id(&self) -> LibraryId {
        self.id
    }

    /// The library's directory; `None` if there is none, which is an empty library.
    pub(super) fn open(&self) -> io::Result<Option<Dir>> {
        let Some(root) = &self.root else { return Ok(None) };
        match Dir::open_ambient_dir(root, ambient_authority()) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns whether there is a script of this name. Anything but its certain absence is an error.
    pub(crate) fn contains(&self, name: &str) -> Result<bool, LibraryError> {
        match self.open()? {
            None if self.required => Err(LibraryError::Absent),
            None => Ok(false),
            Some(root) => match root.symlink_metadata(format!("{name}.rhai")) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// The script of this name as it stands now, unless it still has the `known` version.
    pub(crate) fn read(
        &self,
        play: &Play,
        name: &str,
        known: Option<&Version>,
    ) -> Result<LibraryRead, LibraryError> {
        if !is_name(name) {
            return Err(LibraryError::NotFound);
        }
        let Some(root) = self.open()? else { return Err(LibraryError::NotFound) };
        let (mut file, metadata) = match open_to_read(&root, format!("{name}.rhai")) {
            Ok(opened) => opened,
            Err(FileError::Other(error)) => return Err(error.into()),
            // A script cannot tell a missing file from one that it may not reach.
            Err(_) => return Err(LibraryError::NotFound),
        };
        let version = Version::of(&metadata);
        if known.is_some_and(|known| version.is_surely(known)) {
            return Ok(LibraryRead::Unchanged);
        }
        let max_bytes = play.limits.script_bytes;
        let expected = version.stamp.bytes.min(max_bytes as u64);
        play.meter.charge(usize::try_from(expected).unwrap_or(usize::MAX))?;
        Ok(LibraryRead::Source(read_text(&mut file, max_bytes)?, version))
    }
}

fn read_text(file: &mut impl Read, max_bytes: usize) -> Result<String, LibraryError> {
    let mut source = String::new();
    file.take(max_bytes as u64 + 1).read_to_string(&mut source)?;
    if source.len() > max_bytes { Err(LibraryError::TooLarge) } else { Ok(source) }
}

/// Returns whether a text can name a library script: parts of letters, digits, `_`, `-` and `.`, none of which begins
/// with `-` or `.`, with `/` between them.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES && name.split('/').all(is_part)
}

/// Returns whether a text can be a part of a name.
pub(crate) fn is_part(part: &str) -> bool {
    part.bytes().enumerate().all(|(index, byte)| {
        byte.is_ascii_alphanumeric() || byte == b'_' || (index > 0 && (byte == b'.' || byte == b'-'))
    }) && !part.is_empty()
}

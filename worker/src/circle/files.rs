//! The files of a circle: everything below one directory, and nothing else.
//!
//! cap-std resolves paths below a handle on that directory, on Linux in one step of the kernel (`openat2`,
//! `RESOLVE_BENEATH`), so no path can change between check and use. A file is written under a temporary name and then
//! renamed, so readers see all of it or nothing, and nothing is ever written through a link.

use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use cap_std::{
    ambient_authority,
    fs::{
        Dir, DirBuilder, DirBuilderExt as _, File, MetadataExt as _, OpenOptions, OpenOptionsExt as _,
        Permissions, PermissionsExt as _,
    },
};
use uuid::Uuid;

use super::{
    disk_usage::{self, DiskReservation, DiskUsage},
    open::{check_regular, check_single_link, non_blocking, open_to_read},
    resources::{ResourceError, Stat},
};
use crate::play::{Play, Stop};
use circles_store::sync::lock;

/// Bytes of a path, all parts together.
const PATH_BYTES: usize = 1_024;
/// Files are for their circle alone.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// The prefix of files that are being written. Scripts neither see nor create such files.
const UNFINISHED: &str = ".circles-";
/// Bytes that may take the disk so long that other plays should run meanwhile.
const SLOW_BYTES: usize = 1 << 20;
/// Bytes read between looks at the clock.
const READ_CHUNK: u64 = 256 << 10;

/// The files below one directory. Each operation opens the directory, so it may appear later, and idle circles hold no
/// file open.
pub(crate) struct Files {
    root: Option<PathBuf>,
    usage: Arc<DiskUsage>,
    /// Bytes that are being added to files, by their device and inode.
    growing: Mutex<HashMap<(u64, u64), u64>>,
}

/// Why an operation on files failed, in words that name nothing of the machine.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("this circle has no files")]
    NoFiles,
    #[error("no such file or directory")]
    NotFound,
    #[error("it leads out of the circle's files")]
    Outside,
    #[error("not a path: names with `/` between them, no `..` among them, {PATH_BYTES} bytes at most")]
    Path,
    #[error("it exists already")]
    Exists,
    #[error("it is a directory")]
    IsADirectory,
    #[error("a part of the path is not a directory")]
    NotADirectory,
    #[error("the directory is not empty")]
    NotEmpty,
    #[error("neither a file nor a directory")]
    Special,
    #[error("the file has a second name, which may lie elsewhere")]
    Linked,
    /// By the kind of error, which says nothing of where.
    #[error("{}", .0.kind())]
    Other(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound,
            // cap-std's own refusal comes from no system call.
            ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Self::Outside,
            ErrorKind::InvalidFilename => Self::Path,
            ErrorKind::AlreadyExists => Self::Exists,
            ErrorKind::IsADirectory => Self::IsADirectory,
            ErrorKind::NotADirectory => Self::NotADirectory,
            ErrorKind::DirectoryNotEmpty => Self::NotEmpty,
            // The answer to opening a socket, or a pipe without a reader.
            _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => Self::Special,
            _ => Self::Other(error),
        }
    }
}

type FileResult<T> = Result<T, FileError>;

impl Files {
    pub(crate) fn new(root: Option<PathBuf>) -> Self {
        Self { root, usage: Arc::default(), growing: Mutex::default() }
    }

    /// Reserves space for so many more files and bytes within `max_bytes`; `None` if there is too little. Counting
    /// takes long for many files, so `look` is called meanwhile.
    pub(crate) fn reserve<E: From<FileError>>(
        &self,
        files: u64,
        bytes: u64,
        max_bytes: u64,
        look: impl FnMut() -> Result<(), E>,
    ) -> Result<Option<DiskReservation>, E> {
        self.usage.reserve(files, bytes, max_bytes, || match self.dir() {
            Err(FileError::NotFound) => Ok(0),
            root => disk_usage::count(&root?, look),
        })
    }

    /// Returns whether the circle may have files at all.
    pub(crate) const fn is_enabled(&self) -> bool {
        self.root.is_some()
    }

    /// Opens a file to read, and returns its length.
    pub(crate) fn open(&self, path: &str) -> FileResult<(File, u64)> {
        let path = checked(path)?;
        let (file, metadata) = open_to_read(&self.dir()?, path)?;
        check_single_link(&metadata)?;
        Ok((file, metadata.len()))
    }

    /// Puts a file with this content in place of the file of that name, but not of a directory.
    pub(crate) fn write(&self, path: &str, content: &[u8]) -> FileResult<()> {
        let path = checked(path)?;
        let name = path.file_name().ok_or(FileError::Path)?;
        let dir = self.dir_or_create()?;
        // A handle on the directory: it may be renamed meanwhile.
        let dir = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => dir.open_dir(parent)?,
            None => dir,
        };
        let unfinished = format!("{UNFINISHED}{}", Uuid::now_v7());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(PRIVATE_FILE);
        let written = dir
            .open_with(&unfinished, &options)
            .and_then(|mut file| file.write_all(content))
            .and_then(|()| dir.rename(&unfinished, &dir, name));
        if written.is_err() {
            // Scripts cannot see the remains; a file that cannot be removed only takes space.
            let _ = dir.remove_file(&unfinished);
        }
        Ok(written?)
    }

    /// Adds to the end of a file, and creates the file if there is none. `may_grow_to` decides whether a length is
    /// allowed; false if it is not.
    pub(crate) fn append(
        &self,
        path: &str,
        content: &[u8],
        may_grow_to: impl FnOnce(u64) -> bool,
    ) -> FileResult<bool> {
        let path = checked(path)?;
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(PRIVATE_FILE).custom_flags(non_blocking());
        let mut file = self.dir_or_create()?.open_with(path, &options)?;
        let metadata = file.metadata()?;
        check_regular(&metadata)?;
        check_single_link(&metadata)?;
        if metadata.mode() & 0o077 != 0 {
            // On another owner's volume this fails, and the text is written all the same.
            let _ = file.set_permissions(Permissions::from_mode(PRIVATE_FILE));
        }
        let file_id = (metadata.dev(), metadata.ino());
        {
            let mut growing = lock(&self.growing);
            let others = growing.get(&file_id).copied().unwrap_or(0);
            // Read under the lock: the length holds what others have written, but not what they are writing.
            let length = file.metadata()?.len().saturating_add(others);
            if !may_grow_to(length.saturating_add(content.len() as u64)) {
                return Ok(false);
            }
            growing.insert(file_id, others + content.len() as u64);
        }
        let written = file.write_all(content);
        {
            let mut growing = lock(&self.growing);
            let others = growing.get(&file_id).map_or(0, |bytes| bytes.saturating_sub(content.len() as u64));
            if others > 0 {
                growing.insert(file_id, others);
            } else {
                growing.remove(&file_id);
            }
        }
        written?;
        Ok(true)
    }

    /// Passes the names in a directory to `take`, in no order, until it fails. Names that are not UTF-8 are left out,
    /// since no script could use them.
    pub(crate) fn list<E: From<FileError>>(
        &self,
        path: &str,
        mut take: impl FnMut(String) -> Result<(), E>,
    ) -> Result<(), E> {
        let at_root = path.is_empty() || path == ".";
        let dir = match self.dir() {
            Err(FileError::NotFound) if at_root => return Ok(()),
            dir => dir?,
        };
        let entries = if at_root { dir.entries() } else { dir.read_dir(checked(path)?) };
        for entry in entries.map_err(FileError::from)? {
            let name = entry.map_err(FileError::from)?.file_name().into_string();
            if let Ok(name) = name
                && !name.starts_with(UNFINISHED)
            {
                take(name)?;
            }
        }
        Ok(())
    }

    /// Creates a directory and its missing parents.
    pub(crate) fn create_dir(&self, path: &str) -> FileResult<()> {
        let path = checked(path)?;
        let mut builder = DirBuilder::new();
        Ok(self.dir_or_create()?.create_dir_with(path, builder.recursive(true).mode(PRIVATE_FOLDER))?)
    }

    /// Removes a file, an empty directory or a link.
    pub(crate) fn remove(&self, path: &str) -> FileResult<()> {
        let path = checked(path)?;
        let dir = self.dir()?;
        let is_dir = dir.symlink_metadata(path)?.is_dir();
        let removed = if is_dir { dir.remove_dir(path) } else { dir.remove_file(path) };
        Ok(removed?)
    }

    /// Gives a file or directory another name, in place of a file of that name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> FileResult<()> {
        let (from, to) = (checked(from)?, checked(to)?);
        let dir = self.dir()?;
        Ok(dir.rename(from, &dir, to)?)
    }

    pub(crate) fn stat(&self, path: &str) -> FileResult<Stat> {
        let path = checked(path)?;
        let metadata = self.dir()?.metadata(path)?;
        let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
        Ok(Stat { bytes: metadata.len(), is_dir: metadata.is_dir(), modified })
    }

    fn dir(&self) -> FileResult<Dir> {
        let root = self.root.as_ref().ok_or(FileError::NoFiles)?;
        Ok(Dir::open_ambient_dir(root, ambient_authority())?)
    }

    /// The directory; created if it is missing.
    fn dir_or_create(&self) -> FileResult<Dir> {
        match self.dir() {
            Err(FileError::NotFound) => {
                let root = self.root.as_ref().ok_or(FileError::NoFiles)?;
                std::fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(root)?;
                self.dir()
            }
            dir => dir,
        }
    }
}

/// A path that a script names. Forbidden parts are refused here, so that the answer does not depend on the disk.
fn checked(path: &str) -> FileResult<&Path> {
    let is_allowed = |part: &str| !part.is_empty() && part != ".." && !part.starts_with(UNFINISHED);
    // No name of a file ends with a slash.
    let is_allowed =
        path.len() <= PATH_BYTES && !path.contains('\0') && path.split('/').all(is_allowed) && path != ".";
    is_allowed.then(|| Path::new(path)).ok_or(FileError::Path)
}

/// Reads a file of so many bytes, within the limits of a play.
pub(crate) fn read(play: &Play, file: File, bytes: u64) -> Result<Vec<u8>, ResourceError> {
    let max_bytes = play.limits.file_bytes;
    let too_long = || ResourceError::Stopped(play.meter.stop(Stop::Limit("file_bytes")));
    if bytes > max_bytes {
        return Err(too_long());
    }
    let expected = usize::try_from(bytes).unwrap_or(usize::MAX);
    play.meter.charge(expected)?;
    mark_slow(play, expected);
    let mut content = Vec::with_capacity(expected);
    // The file may have grown since its length was read.
    let mut file = file.take(max_bytes + 1);
    loop {
        let chunk = (&mut file).take(READ_CHUNK).read_to_end(&mut content);
        if chunk.map_err(FileError::from)? == 0 {
            return Ok(content);
        }
        if content.len() as u64 > max_bytes {
            return Err(too_long());
        }
        play.meter.charge(0)?;
        play.meter.check()?;
    }
}

/// Lets other plays run if the disk may take long over so many bytes.
pub(crate) fn mark_slow(play: &Play, bytes: usize) {
    if bytes >= SLOW_BYTES {
        play.meter.mark_slow();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// Counts the files below a directory with two subdirectories, and changes both while the first is counted.
    fn reserved_while(change: impl Fn(&Path)) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("files");
        for name in ["one", "two"] {
            fs::create_dir_all(root.join(name)).unwrap();
            fs::write(root.join(name).join("file"), "text").unwrap();
        }
        let mut looks = 0;
        let look = || {
            looks += 1;
            if looks == 3 {
                ["one", "two"].iter().for_each(|name| change(&root.join(name)));
            }
            Ok::<_, FileError>(())
        };
        Files::new(Some(root.clone())).reserve(1, 4, 1 << 20, look).unwrap().is_some()
    }

    #[test]
    fn files_removed_during_count_take_no_space() {
        assert!(reserved_while(|path| fs::remove_dir_all(path).unwrap()));
        assert!(reserved_while(|path| {
            fs::remove_dir_all(path).unwrap();
            fs::write(path, "a file now").unwrap();
        }));
        assert!(reserved_while(|path| {
            fs::rename(path, path.with_extension("gone")).unwrap();
            symlink(std::env::temp_dir(), path).unwrap();
        }));
    }

    #[test]
    fn reserved_disk_space_is_not_reserved_twice() {
        const MAX_BYTES: u64 = 64 << 10;
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(Some(directory.path().to_owned()));
        let reserve = |bytes| files.reserve(1, bytes, MAX_BYTES, || Ok::<_, FileError>(())).unwrap();
        // The first reservation's file is not on the disk when the second one counts all files.
        let first = reserve(40 << 10).unwrap();
        assert!(reserve(40 << 10).is_none());
        files.write("first", &[0; 40 << 10]).unwrap();
        drop(first);
        assert!(reserve(40 << 10).is_none());
        files.remove("first").unwrap();
        assert!(reserve(40 << 10).is_some());
    }

    #[test]
    fn bytes_written_during_count_are_counted() {
        const MAX_BYTES: u64 = 64 << 10;
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("seen")).unwrap();
        let files = Files::new(Some(directory.path().to_owned()));
        let reserve = |bytes| files.reserve(1, bytes, MAX_BYTES, || Ok::<_, FileError>(())).unwrap();
        let first = std::cell::RefCell::new(Some(reserve(30 << 10).unwrap()));
        // Another play counts, and the first one's file appears where the count has passed already.
        let look = || {
            if let Some(first) = first.take() {
                files.write("seen/first", &[0; 30 << 10]).unwrap();
                fs::rename(directory.path().join("seen"), directory.path().join("seen-before")).unwrap();
                drop(first);
            }
            Ok::<_, FileError>(())
        };
        let second = files.reserve(1, 30 << 10, MAX_BYTES, look).unwrap();
        assert!(second.is_none(), "two times 34 KiB do not fit");
    }

    #[test]
    fn concurrent_appends_stay_within_file_limit() {
        const MAX_BYTES: u64 = 1 << 20;
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(Some(directory.path().to_owned()));
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    while files.append("log", &[0; 100_000], |length| length <= MAX_BYTES).unwrap() {}
                });
            }
        });
        let length = fs::metadata(directory.path().join("log")).unwrap().len();
        assert!((900_000..=MAX_BYTES).contains(&length), "{length}");
    }
}

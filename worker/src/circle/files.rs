//! The files of a circle: everything below one directory, and nothing else.
//!
//! Paths are resolved by cap-std below a handle on that directory, on Linux by the kernel in one step
//! (`openat2`, `RESOLVE_BENEATH`), so what is checked is what is opened. A file is written under a name of
//! its own and then renamed, so readers see all of it or nothing, and nothing is ever written through a link.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use cap_std::{
    ambient_authority,
    fs::{
        Dir, DirBuilder, DirBuilderExt as _, File, Metadata, MetadataExt as _, OpenOptions,
        OpenOptionsExt as _, Permissions, PermissionsExt as _,
    },
};
use rustix::fs::OFlags;
use uuid::Uuid;

/// Bytes of a path, all parts together.
const PATH_BYTES: usize = 1_024;
/// What scripts write is for their circle alone.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// How files are called that are being written. Scripts see none, and make none.
const UNFINISHED: &str = ".circles-";
/// Bytes that a file or directory takes beside its content; file systems commonly give out blocks of this
/// size.
const BLOCK: u64 = 4 << 10;

/// The files below one directory, which is opened for each operation: it may appear, and circles that nobody
/// plays in hold nothing open.
pub struct Files {
    root: Option<PathBuf>,
    usage: Arc<Mutex<Usage>>,
    /// Bytes that are being added to files, by their device and inode.
    growing: Mutex<HashMap<(u64, u64), u64>>,
}

/// The room that files take, at most. Only when that is too much are they counted again. Workers in other processes
/// keep accounts of their own.
#[derive(Default)]
struct Usage {
    /// What was counted, and all that was written since. Unknown at first, which is too much.
    counted: Option<u64>,
    /// What is being written, and may or may not be on the disk yet.
    pending: u64,
    /// What was written since the start. Its growth during a count is what the count may have missed.
    written: u64,
}

/// Room on the disk for what is about to be written. Dropped, it counts as taken, also if the write failed.
pub struct Reservation {
    usage: Arc<Mutex<Usage>>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut usage = lock(&self.usage);
        usage.pending = usage.pending.saturating_sub(self.bytes);
        usage.written = usage.written.saturating_add(self.bytes);
        usage.counted = usage.counted.map(|counted| counted.saturating_add(self.bytes));
    }
}

/// No code that can panic runs under these locks, so a poisoned one still holds sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why an operation on files did not succeed, in words that name nothing of the machine.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    #[error("this circle has no files")]
    NoFiles,
    #[error("no such file or directory")]
    NotFound,
    #[error("it leads out of the circle's files")]
    Outside,
    #[error("not a path: names with `/` between them, no `..` among them, {PATH_BYTES} bytes at most")]
    Path,
    #[error("there is such a file already")]
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

impl From<io::Error> for FileFault {
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
            // What opening a socket, or a pipe that nobody reads, is answered with.
            _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => Self::Special,
            _ => Self::Other(error),
        }
    }
}

/// What is known of a file or directory.
pub struct Stat {
    pub bytes: u64,
    pub is_dir: bool,
    pub modified: Option<SystemTime>,
}

type Done<T> = Result<T, FileFault>;

impl Files {
    pub fn new(root: Option<PathBuf>) -> Self {
        Self { root, usage: Arc::default(), growing: Mutex::default() }
    }

    /// Reserves room for so many files and bytes more within `most` bytes; `None` if there is none. To count takes
    /// long where there is much, so `look` is called meanwhile.
    pub fn reserve<E: From<FileFault>>(
        &self,
        files: u64,
        bytes: u64,
        most: u64,
        look: impl FnMut() -> Result<(), E>,
    ) -> Result<Option<Reservation>, E> {
        let wanted = files.saturating_mul(BLOCK).saturating_add(bytes);
        if let Some(reserved) = self.take_room(wanted, most) {
            return Ok(Some(reserved));
        }
        let before = lock(&self.usage).written;
        let counted = self.count(look)?;
        {
            // What others wrote meanwhile may have been missed; what they are writing is pending.
            let mut usage = lock(&self.usage);
            let missed = usage.written.saturating_sub(before);
            usage.counted = Some(counted.saturating_add(missed));
        }
        Ok(self.take_room(wanted, most))
    }

    fn take_room(&self, wanted: u64, most: u64) -> Option<Reservation> {
        let mut usage = lock(&self.usage);
        let taken = usage.counted?.checked_add(usage.pending)?.checked_add(wanted)?;
        if taken > most {
            return None;
        }
        usage.pending += wanted;
        Some(Reservation { usage: self.usage.clone(), bytes: wanted })
    }

    /// Bytes that the files take. What cannot be counted, since it lies too deep, counts as too much.
    fn count<E: From<FileFault>>(&self, mut look: impl FnMut() -> Result<(), E>) -> Result<u64, E> {
        let root = match self.dir() {
            Err(FileFault::NotFound) => return Ok(0),
            root => root?,
        };
        let (mut used, mut left) = (0_u64, vec![PathBuf::from(".")]);
        while let Some(path) = left.pop() {
            let entries = match root.read_dir(&path).map_err(FileFault::from) {
                Ok(entries) => entries,
                // One that has gone meanwhile takes nothing, nor does what is there in its place.
                Err(FileFault::NotFound | FileFault::NotADirectory | FileFault::Outside) => continue,
                Err(FileFault::Path) => return Ok(u64::MAX),
                Err(other) => return Err(other.into()),
            };
            for entry in entries {
                look()?;
                let entry = entry.map_err(FileFault::from)?;
                // One that has gone meanwhile takes nothing.
                let Ok(metadata) = entry.metadata() else { continue };
                used = used.saturating_add(BLOCK).saturating_add(metadata.len());
                if metadata.is_dir() {
                    left.push(path.join(entry.file_name()));
                }
            }
        }
        Ok(used)
    }

    /// Whether the circle may have files at all.
    pub const fn are_there(&self) -> bool {
        self.root.is_some()
    }

    /// Opens a file to read; and how long it is now.
    pub fn open(&self, path: &str) -> Done<(File, u64)> {
        let path = checked(path)?;
        let (file, metadata) = open_to_read(&self.dir()?, path)?;
        alone(&metadata)?;
        Ok((file, metadata.len()))
    }

    /// Puts a file with this content in place of whatever has the name, but not of a directory.
    pub fn write(&self, path: &str, content: &[u8]) -> Done<()> {
        let path = checked(path)?;
        let name = path.file_name().ok_or(FileFault::Path)?;
        let dir = self.made()?;
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
            // What is left cannot be seen by scripts; one that cannot be removed only takes room.
            let _ = dir.remove_file(&unfinished);
        }
        Ok(written?)
    }

    /// Adds to the end of a file, which is made if there is none. `may_grow_to` says whether a length will
    /// do.
    pub fn append(&self, path: &str, content: &[u8], may_grow_to: impl FnOnce(u64) -> bool) -> Done<bool> {
        let path = checked(path)?;
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(PRIVATE_FILE).custom_flags(without_waiting());
        let mut file = self.made()?.open_with(path, &options)?;
        let metadata = file.metadata()?;
        regular(&metadata)?;
        alone(&metadata)?;
        if metadata.mode() & 0o077 != 0 {
            // On a volume of somebody else's that cannot be done, and the text is written all the same.
            let _ = file.set_permissions(Permissions::from_mode(PRIVATE_FILE));
        }
        let file_id = (metadata.dev(), metadata.ino());
        {
            let mut growing = lock(&self.growing);
            let others = growing.get(&file_id).copied().unwrap_or(0);
            // Read under the lock: what others have written is in the length, what they are writing is not.
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

    /// Shows the names in a directory, in no order, until `take` has enough. Names that are not UTF-8 are
    /// left out: no script could say them.
    pub fn list<E: From<FileFault>>(
        &self,
        path: &str,
        mut take: impl FnMut(String) -> Result<(), E>,
    ) -> Result<(), E> {
        let at_root = path.is_empty() || path == ".";
        let dir = match self.dir() {
            Err(FileFault::NotFound) if at_root => return Ok(()),
            dir => dir?,
        };
        let entries = if at_root { dir.entries() } else { dir.read_dir(checked(path)?) };
        for entry in entries.map_err(FileFault::from)? {
            let name = entry.map_err(FileFault::from)?.file_name().into_string();
            if let Ok(name) = name
                && !name.starts_with(UNFINISHED)
            {
                take(name)?;
            }
        }
        Ok(())
    }

    /// Makes a directory and those that it lies in, where there are none.
    pub fn make_dir(&self, path: &str) -> Done<()> {
        let path = checked(path)?;
        let mut builder = DirBuilder::new();
        Ok(self.made()?.create_dir_with(path, builder.recursive(true).mode(PRIVATE_FOLDER))?)
    }

    /// Removes a file or an empty directory; of a link, the link.
    pub fn remove(&self, path: &str) -> Done<()> {
        let path = checked(path)?;
        let dir = self.dir()?;
        let is_dir = dir.symlink_metadata(path)?.is_dir();
        let removed = if is_dir { dir.remove_dir(path) } else { dir.remove_file(path) };
        Ok(removed?)
    }

    /// Gives a file or directory another name; a file of that name gives way.
    pub fn rename(&self, from: &str, to: &str) -> Done<()> {
        let (from, to) = (checked(from)?, checked(to)?);
        let dir = self.dir()?;
        Ok(dir.rename(from, &dir, to)?)
    }

    pub fn stat(&self, path: &str) -> Done<Stat> {
        let path = checked(path)?;
        let metadata = self.dir()?.metadata(path)?;
        let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
        Ok(Stat { bytes: metadata.len(), is_dir: metadata.is_dir(), modified })
    }

    fn dir(&self) -> Done<Dir> {
        let root = self.root.as_ref().ok_or(FileFault::NoFiles)?;
        Ok(Dir::open_ambient_dir(root, ambient_authority())?)
    }

    /// The directory; made if there is none.
    fn made(&self) -> Done<Dir> {
        match self.dir() {
            Err(FileFault::NotFound) => {
                let root = self.root.as_ref().ok_or(FileFault::NoFiles)?;
                std::fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(root)?;
                self.dir()
            }
            dir => dir,
        }
    }
}

/// A path that a script names. What it may not hold is refused here already, so that the answer is the same
/// whatever lies on the disk.
fn checked(path: &str) -> Done<&Path> {
    let sound = |part: &str| !part.is_empty() && part != ".." && !part.starts_with(UNFINISHED);
    // No name of a file ends with a slash.
    let sound = path.len() <= PATH_BYTES && !path.contains('\0') && path.split('/').all(sound) && path != ".";
    sound.then(|| Path::new(path)).ok_or(FileFault::Path)
}

/// Opens a file to read; nothing but a regular one, and without waiting for anybody to write to a pipe.
pub fn open_to_read(dir: &Dir, path: impl AsRef<Path>) -> Done<(File, Metadata)> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(without_waiting());
    let file = dir.open_with(path, &options)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    Ok((file, metadata))
}

const fn without_waiting() -> i32 {
    OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed()
}

fn regular(metadata: &Metadata) -> Done<()> {
    match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => Ok(()),
        (_, true) => Err(FileFault::IsADirectory),
        _ => Err(FileFault::Special),
    }
}

/// A hard link may be the second name of a file outside. Scripts cannot make any, so whoever did can do
/// without.
fn alone(metadata: &Metadata) -> Done<()> {
    if metadata.nlink() > 1 { Err(FileFault::Linked) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// Counts the files below a directory that holds two of its own, of which both are changed while the first
    /// is looked through.
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
            Ok::<_, FileFault>(())
        };
        Files::new(Some(root.clone())).reserve(1, 4, 1 << 20, look).unwrap().is_some()
    }

    #[test]
    fn what_goes_while_it_is_counted_takes_no_room() {
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
    fn room_reserved_by_one_is_not_given_to_another() {
        const MOST: u64 = 64 << 10;
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(Some(directory.path().to_owned()));
        let reserve = |bytes| files.reserve(1, bytes, MOST, || Ok::<_, FileFault>(())).unwrap();
        // What the first is about to write is not on the disk when the second has all files counted.
        let first = reserve(40 << 10).unwrap();
        assert!(reserve(40 << 10).is_none());
        files.write("first", &[0; 40 << 10]).unwrap();
        drop(first);
        assert!(reserve(40 << 10).is_none());
        files.remove("first").unwrap();
        assert!(reserve(40 << 10).is_some());
    }

    #[test]
    fn bytes_written_during_a_count_are_not_forgotten() {
        const MOST: u64 = 64 << 10;
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("seen")).unwrap();
        let files = Files::new(Some(directory.path().to_owned()));
        let reserve = |bytes| files.reserve(1, bytes, MOST, || Ok::<_, FileFault>(())).unwrap();
        let first = std::cell::RefCell::new(Some(reserve(30 << 10).unwrap()));
        // Another play counts, and the first one's file is made where the count has been already.
        let look = || {
            if let Some(first) = first.take() {
                files.write("seen/first", &[0; 30 << 10]).unwrap();
                fs::rename(directory.path().join("seen"), directory.path().join("seen-before")).unwrap();
                drop(first);
            }
            Ok::<_, FileFault>(())
        };
        let second = files.reserve(1, 30 << 10, MOST, look).unwrap();
        assert!(second.is_none(), "two times 34 KiB do not fit");
    }

    #[test]
    fn appends_at_a_time_stay_within_a_files_length() {
        const MOST: u64 = 1 << 20;
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(Some(directory.path().to_owned()));
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    while files.append("log", &[0; 100_000], |length| length <= MOST).unwrap() {}
                });
            }
        });
        let length = fs::metadata(directory.path().join("log")).unwrap().len();
        assert!((900_000..=MOST).contains(&length), "{length}");
    }
}

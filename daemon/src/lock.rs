use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
    process,
};

/// Longest line read from a lock file: a process id and two names.
const MAX_LINE_BYTES: u64 = 512;

/// The number of processes that may hold a lock at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One.
    Exclusive,
    /// Any number, while no process holds it exclusively.
    Shared,
}

/// A lock on the files at a path. It ends with this value or with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    /// `None` if the file system has no locks, or if a shared lock could not create its file.
    _file: Option<File>,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it.
    Held(Option<Holder>),
    /// The lock file cannot be opened or locked.
    Io(PathBuf, io::Error),
}

/// A process that holds a lock, as it describes itself in the lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pid: u32,
    host: String,
    program: String,
}

impl Lock {
    /// Takes the lock of the file at `path` without waiting, and writes this process and its program's name there. A
    /// missing file is created; the folder must exist.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] if another process holds it in a way that excludes this one.
    pub fn take(path: &Path, sharing: Sharing, program: &str) -> Result<Self, LockError> {
        let io = |cause| LockError::Io(path.to_owned(), cause);
        let mut file = match open(path) {
            Ok(file) => file,
            // A worker may be given a data directory that it can only read.
            Err(error) if sharing == Sharing::Shared && is_read_only(&error) => match File::open(path) {
                Ok(file) => file,
                Err(_) => return Ok(Self { _file: None }),
            },
            Err(error) => return Err(io(error)),
        };
        let locked = match sharing {
            Sharing::Exclusive => file.try_lock(),
            Sharing::Shared => file.try_lock_shared(),
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(Holder::read(file))),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                let path = path.display();
                tracing::warn!(%path, "this file system has no locks; a second process would go unnoticed");
                return Ok(Self { _file: None });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        // The text is for people; the lock holds without it.
        let _ = file.set_len(0).and_then(|()| file.write_all(Holder::this(program).line().as_bytes()));
        Ok(Self { _file: Some(file) })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

impl Holder {
    fn this(program: &str) -> Self {
        Self { pid: process::id(), host: host_name(), program: program.to_owned() }
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.pid, self.program, self.host)
    }

    /// The process that a lock file names, unless it has ended. A shared lock names the last process that took it.
    fn read(file: File) -> Option<Self> {
        let mut line = String::new();
        file.take(MAX_LINE_BYTES).read_to_string(&mut line).ok()?;
        let holder = Self::parse(&line)?;
        let is_here = holder.host == host_name();
        let has_ended =
            Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{}", holder.pid)).exists();
        (!is_here || !has_ended).then_some(holder)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_suffix('\n')?.splitn(3, ' ');
        let pid = words.next()?.parse().ok()?;
        let (program, host) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self { pid, host, program })
    }
}

/// The host name of this machine or container.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}", self.program, self.pid)?;
        if self.host != host_name() {
            write!(f, " of host {}", self.host)?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(Some(holder)) => write!(f, "already in use by {holder}"),
            Self::Held(None) => f.write_str("already in use by another process"),
            Self::Io(path, error) => write!(f, "cannot lock {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for LockError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(error: &LockError) -> String {
        assert!(matches!(error, LockError::Held(_)), "{error}");
        error.to_string()
    }

    #[test]
    fn lock_is_exclusive_and_names_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = Lock::take(&path, Sharing::Exclusive, "first").unwrap();
        let expected = format!("already in use by first (process {})", process::id());
        for sharing in [Sharing::Exclusive, Sharing::Shared] {
            assert_eq!(held_by(&Lock::take(&path, sharing, "second").unwrap_err()), expected);
        }
        drop(first);
        Lock::take(&path, Sharing::Exclusive, "second").unwrap();
    }

    #[test]
    fn shared_lock_excludes_only_an_exclusive_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let shared = [(); 2].map(|()| Lock::take(&path, Sharing::Shared, "worker").unwrap());
        let held = held_by(&Lock::take(&path, Sharing::Exclusive, "server").unwrap_err());
        assert!(held.contains("worker (process "), "{held}");
        drop(shared);
        Lock::take(&path, Sharing::Exclusive, "server").unwrap();
    }

    #[test]
    fn unknown_or_ended_holder_is_not_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        for text in ["", "\n", "server 7 here\n", "7\n", &format!("{} server {}\n", u32::MAX, host_name())] {
            fs::write(&path, text).unwrap();
            let held = File::options().write(true).open(&path).unwrap();
            held.lock().unwrap();
            let said = held_by(&Lock::take(&path, Sharing::Exclusive, "second").unwrap_err());
            assert_eq!(said, "already in use by another process", "{text:?}");
        }
        let elsewhere = Holder { pid: 7, host: "elsewhere".into(), program: "circles-server".into() };
        assert_eq!(Holder::parse(&elsewhere.line()), Some(elsewhere.clone()));
        assert_eq!(elsewhere.to_string(), "circles-server (process 7 of host elsewhere)");
    }

    #[cfg(unix)]
    #[test]
    fn lock_file_is_private() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let _lock = Lock::take(&path, Sharing::Exclusive, "server").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

//! Files with one secret key: 64 hex digits and a line feed, readable by their owner alone.
//!
//! The server keeps the keys of its circles in them, the command line its user's key.
//!
//! **Invariants.** A key is never in a file that other users can read, not even for a moment. A file is complete
//! or does not exist. A key is overwritten only on request.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process,
};

use crate::{InvalidKey, SecretKey};

/// Why a key was not read or written. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{path}: {cause}")]
    Io {
        /// The file, or a directory on the way to it.
        path: PathBuf,
        /// The operating system's error.
        cause: io::Error,
    },
    /// Other users could have read the key.
    #[error("{path} can be read by others; if the key is still safe: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The path leads to a directory.
    #[error("{path} is a directory; expected a file, such as {}", .path.join("circles.key").display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The file does not hold a key.
    #[error("{path}: {cause}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why its text is no key.
        cause: InvalidKey,
    },
    /// The file exists, and overwriting was not requested.
    #[error("{path}: this key file already exists")]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the key in a file.
///
/// # Errors
///
/// Fails also if other users can read the file: the key may be known to them.
pub fn read(path: &Path) -> Result<SecretKey, Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(Error::Directory { path: path.to_owned() });
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::Exposed { path: path.to_owned() });
    }
    let mut text = String::new();
    // A key is 65 bytes; a longer text is none.
    file.take(128).read_to_string(&mut text).map_err(io)?;
    text.trim_end().parse().map_err(|cause| Error::Invalid { path: path.to_owned(), cause })
}

/// Writes a key to a file and creates the missing directories on its path. Replaces an existing file only with
/// `overwrite`.
///
/// # Errors
///
/// Returns [`Error::Exists`] for an existing file without `overwrite`.
pub fn write(path: &Path, key: &SecretKey, overwrite: bool) -> Result<(), Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    // A path that ends with / or .. can only lead to a directory, even if nothing exists there yet.
    if path.is_dir() || path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Error::Directory { path: path.to_owned() });
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_directory(directory)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = directory.join(format!(".{name}.{}", process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io)?;
    let written = writeln!(file, "{}", key.to_hex()).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| match overwrite {
        true => fs::rename(&draft, path),
        // Unlike a rename, a link fails if the file exists.
        false => fs::hard_link(&draft, path),
    });
    // A rename has removed it already.
    let _ = fs::remove_file(&draft);
    placed.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
        _ => io(cause),
    })
}

fn create_directory(directory: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|cause| {
        let cause = match cause.kind() {
            // A file is on the path, and the system's message for that sounds like success.
            ErrorKind::AlreadyExists => ErrorKind::NotADirectory.into(),
            _ => cause,
        };
        Error::Io { path: directory.to_owned(), cause }
    })
}

/// Reads the key in a file, or creates the file with a new key. If several processes try at once, one creates it
/// and all read the same key. `created` is called if it was this process.
///
/// # Errors
///
/// Fails as [`read()`] and [`write()`] do.
pub fn read_or_create(path: &Path, created: impl FnOnce()) -> Result<SecretKey, Error> {
    match read(path) {
        Err(Error::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let key = SecretKey::generate()
        .map_err(|cause| Error::Io { path: path.to_owned(), cause: io::Error::other(cause) })?;
    match write(path, &key, false) {
        Ok(()) => {
            created();
            Ok(key)
        }
        Err(Error::Exists { .. }) => read(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_file_is_overwritten_only_on_request() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/key");
        let (first, second) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        write(&path, &first, false).unwrap();
        assert!(matches!(write(&path, &second, false), Err(Error::Exists { .. })));
        assert_eq!(read(&path).unwrap(), first);
        write(&path, &second, true).unwrap();
        assert_eq!(read(&path).unwrap(), second);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn key_file_is_created_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let mut created = 0;
        let first = read_or_create(&path, || created += 1).unwrap();
        assert_eq!(read_or_create(&path, || created += 1).unwrap(), first);
        assert_eq!(created, 1);
    }

    #[test]
    fn key_file_readable_by_others_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write(&path, &SecretKey::generate().unwrap(), false).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("chmod 600"));
        assert!(read_or_create(&path, || ()).is_err());
    }

    #[test]
    fn directory_is_refused_as_key_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let key = SecretKey::generate().unwrap();
        for place in [path.to_owned(), path.join("new/"), path.join("new/.."), PathBuf::from("/")] {
            for overwrite in [false, true] {
                let error = write(&place, &key, overwrite).unwrap_err();
                assert!(matches!(error, Error::Directory { .. }), "{place:?}: {error}");
            }
        }
        assert!(matches!(read(path), Err(Error::Directory { .. })));
        assert!(matches!(read_or_create(path, || ()), Err(Error::Directory { .. })));
        assert_eq!(fs::read_dir(path).unwrap().count(), 0, "nothing was created");
        fs::write(path.join("file"), "").unwrap();
        let error = write(&path.join("file/key"), &key, false).unwrap_err().to_string();
        assert_eq!(error, format!("{}: not a directory", path.join("file").display()));
    }

    #[test]
    fn file_without_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for text in ["", "hello", &"0".repeat(64), &"1".repeat(100_000)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(read(&path), Err(Error::Invalid { .. })), "{text}");
        }
    }
}

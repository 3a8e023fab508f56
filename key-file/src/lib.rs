//! Secret keys in files: 64 hex digits and a line's end, in a file that only its owner can read.
//!
//! Apart from `circles-auth`, which knows no files, and shared by the server (its circle's key) and the command
//! line (its user's).
//!
//! **Invariants.** A key is never in a file that others can read, not even for a moment. A file is whole or not
//! there. A key is overwritten only on demand.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process,
};

use circles_auth::{InvalidKey, SecretKey};

/// Why a key was not read or written. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system says so.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Somebody else could have read the key.
    #[error("{path} can be read by others; if the key is still safe: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// A directory stands where the file should.
    #[error("{path} is a directory; expected a file, such as {}", .path.join("circles.key").display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// What stands in the file is no key.
    #[error("{path}: {cause}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What a key is.
        cause: InvalidKey,
    },
    /// A key stands there already, and was not to be overwritten.
    #[error("{path}: there is a key already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the key in a file.
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
    // A key is 65 bytes; whatever is longer is none.
    file.take(128).read_to_string(&mut text).map_err(io)?;
    text.trim_end().parse().map_err(|cause| Error::Invalid { path: path.to_owned(), cause })
}

/// Writes a key to a file, and makes the folders to it; over a key that is there only if told to.
pub fn write(path: &Path, key: &SecretKey, overwrite: bool) -> Result<(), Error> {
    let io = |cause| Error::Io { path: path.to_owned(), cause };
    // A path that ends with / or .. can only be one, even where nothing is yet.
    if path.is_dir() || path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Error::Directory { path: path.to_owned() });
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|cause| {
        match cause.kind() {
            // A file stands on the way to it, which the system says in a way that sounds like success.
            ErrorKind::AlreadyExists => {
                Error::Io { path: directory.to_owned(), cause: ErrorKind::NotADirectory.into() }
            }
            _ => Error::Io { path: directory.to_owned(), cause },
        }
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = directory.join(format!(".{name}.{}", process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io)?;
    let written = writeln!(file, "{}", key.to_hex()).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| match overwrite {
        true => fs::rename(&draft, path),
        // Unlike a rename, a link fails where something stands.
        false => fs::hard_link(&draft, path),
    });
    // Gone already if it was renamed.
    let _ = fs::remove_file(&draft);
    placed.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
        _ => io(cause),
    })
}

/// Reads the key in a file, or makes one there. Of several that try at once, one makes it and all read it.
/// `made` is called if it was this one.
pub fn read_or_make(path: &Path, made: impl FnOnce()) -> Result<SecretKey, Error> {
    match read(path) {
        Err(Error::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let key = SecretKey::generate()
        .map_err(|cause| Error::Io { path: path.to_owned(), cause: io::Error::other(cause) })?;
    match write(path, &key, false) {
        Ok(()) => {
            made();
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
    fn a_key_comes_back_and_is_not_overwritten_unasked() {
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
    fn a_key_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let mut made = 0;
        let first = read_or_make(&path, || made += 1).unwrap();
        assert_eq!(read_or_make(&path, || made += 1).unwrap(), first);
        assert_eq!(made, 1);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_cure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write(&path, &SecretKey::generate().unwrap(), false).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("chmod 600"));
        assert!(read_or_make(&path, || ()).is_err());
    }

    #[test]
    fn directories_are_no_key_files() {
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
        assert!(matches!(read_or_make(path, || ()), Err(Error::Directory { .. })));
        assert_eq!(fs::read_dir(path).unwrap().count(), 0, "nothing was made");
        fs::write(path.join("file"), "").unwrap();
        let error = write(&path.join("file/key"), &key, false).unwrap_err().to_string();
        assert_eq!(error, format!("{}: not a directory", path.join("file").display()));
    }

    #[test]
    fn what_is_no_key_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for text in ["", "hello", &"0".repeat(64), &"1".repeat(100_000)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(read(&path), Err(Error::Invalid { .. })), "{text}");
        }
    }
}

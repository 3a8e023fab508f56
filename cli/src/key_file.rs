//! The secret key of the person at the command line: 64 hex digits and a line's end, for the owner's eyes only.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use circles_client::SecretKey;

use crate::trouble::Trouble;

/// The key in the file that was named, or in the default one, which is made if it is not there.
pub fn read_or_make(named: Option<&Path>) -> Result<SecretKey, Trouble> {
    if let Some(path) = named {
        return read(path);
    }
    let path = default_path()?;
    if !path.exists() {
        let key =
            SecretKey::generate().map_err(|error| Trouble::Usage(format!("no random bytes: {error}")))?;
        match write(&path, &key, false) {
            Ok(()) => crate::show::note(&format!("made a key for you: {}", path.display())),
            // Another command of the same person may have been faster.
            Err(_) if path.exists() => {}
            Err(trouble) => return Err(trouble),
        }
    }
    read(&path)
}

/// `circles.key` in `CIRCLES_CONFIG_DIR`, or in the user's configuration directory.
pub fn default_path() -> Result<PathBuf, Trouble> {
    let directory = match env::var_os("CIRCLES_CONFIG_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => directories::ProjectDirs::from("", "", "circles")
            .ok_or_else(|| Trouble::Usage("no home directory: set CIRCLES_CONFIG_DIR or --key".into()))?
            .config_dir()
            .to_owned(),
    };
    Ok(directory.join("circles.key"))
}

/// Writes a key to a file that only its owner can read; over one that is there only if `force` says so. The
/// file is whole or not there at any moment.
pub fn write(path: &Path, key: &SecretKey, force: bool) -> Result<(), Trouble> {
    let sentence = |error: std::io::Error| Trouble::Usage(format!("{}: {error}", path.display()));
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(sentence)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = directory.join(format!(".{name}.{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(sentence)?;
    let written = writeln!(file, "{}", key.to_hex()).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| match force {
        true => fs::rename(&draft, path),
        // Unlike a rename, a link fails where something stands.
        false => fs::hard_link(&draft, path),
    });
    let _ = fs::remove_file(&draft);
    placed.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Trouble::Usage(format!("{}: there is a key already; --force overwrites it", path.display()))
        }
        _ => sentence(error),
    })
}

fn read(path: &Path) -> Result<SecretKey, Trouble> {
    let sentence = |error: &dyn std::fmt::Display| Trouble::Usage(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(|error| sentence(&error))?;
    let mode = file.metadata().map_err(|error| sentence(&error))?.permissions().mode();
    if mode & 0o077 != 0 {
        let text = format!("others can read this key; if it is still safe: chmod 600 {}", path.display());
        return Err(sentence(&text));
    }
    let mut text = String::new();
    // A key is 65 bytes; whatever is longer is none.
    file.take(128).read_to_string(&mut text).map_err(|error| sentence(&error))?;
    text.trim_end().parse().map_err(|error| sentence(&error))
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
        assert!(matches!(write(&path, &second, false), Err(Trouble::Usage(_))));
        assert_eq!(read(&path).unwrap(), first);
        write(&path, &second, true).unwrap();
        assert_eq!(read(&path).unwrap(), second);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_cure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write(&path, &SecretKey::generate().unwrap(), false).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let Err(Trouble::Usage(sentence)) = read(&path) else { panic!("it was read") };
        assert!(sentence.contains("chmod 600"), "{sentence}");
    }

    #[test]
    fn what_is_no_key_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for text in ["", "hello", &"0".repeat(64), &"1".repeat(1_000)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(read(&path), Err(Trouble::Usage(_))), "{text}");
        }
    }
}

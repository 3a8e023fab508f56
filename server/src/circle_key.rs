use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use circles_auth::SecretKey;

/// The key pair of the circle that a server makes for itself.
const FILE: &str = "circle.key";

/// Reads the key in a data directory, or makes one there, for its owner's eyes only. An error is one sentence.
pub fn load_or_make(directory: &Path) -> Result<SecretKey, String> {
    let path = directory.join(FILE);
    let sentence = |error: io::Error| format!("--data-dir: {}: {error}", path.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(sentence)?;
    match File::open(&path) {
        Ok(file) => read(file, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(directory, &path).map_err(sentence),
        Err(error) => Err(sentence(error)),
    }
}

fn read(file: File, path: &Path) -> Result<SecretKey, String> {
    let sentence = |error: io::Error| format!("--data-dir: {}: {error}", path.display());
    let mode = file.metadata().map_err(sentence)?.permissions().mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(format!(
            "--data-dir: {path} can be read by others; if the key is still safe: chmod 600 {path}"
        ));
    }
    let mut text = String::new();
    // A key is 65 bytes; whatever is longer is none.
    file.take(128).read_to_string(&mut text).map_err(sentence)?;
    text.trim_end().parse().map_err(|error| format!("--data-dir: {}: {error}", path.display()))
}

/// Written beside and renamed, so that a crash leaves a whole key or none; not over one that somebody else
/// made in the meantime.
fn make(directory: &Path, path: &Path) -> io::Result<SecretKey> {
    let key = SecretKey::generate().map_err(io::Error::other)?;
    let draft = directory.join(format!("{FILE}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = writeln!(file, "{}", key.to_hex()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    linked?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("a/b");
        let first = load_or_make(&data).unwrap();
        assert_eq!(load_or_make(&data).unwrap(), first);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_key_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        for text in [String::new(), "x".repeat(64), "0".repeat(64), "1".repeat(100_000)] {
            fs::write(&path, &text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(load_or_make(directory.path()).unwrap_err().contains("64 lower-case hex digits"));
        }
    }
}

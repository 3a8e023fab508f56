//! Folders and files that only this user may enter or read, also those that were there before.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::{CircleConfig, entry::KEYS, paths::resolve};

const OTHERS: u32 = 0o077;
/// In a folder that many write to, such as `/tmp`, only owners remove files.
const STICKY: u32 = 0o1000;
/// Endings that the path of a database gets in the paths of the files that go with it.
const BESIDE_DATABASES: [&str; 4] = ["", ".key", ".lock", ".new"];

/// Makes the folders that the circles' things lie in, where they are missing, and takes away what other users may do
/// with those that are there.
///
/// A folder that was named in the config and that holds other things, as a home directory would, stays as it is: what
/// lies in it is private by itself. So does a library that was there before, as others may be there to edit it.
///
/// # Errors
///
/// A sentence with the path.
pub fn make_folders(circles: &[CircleConfig], data_dir: &Path) -> Result<(), String> {
    let data_dir = resolve(data_dir);
    close_one(&data_dir.join(KEYS));
    let (mut ours, mut databases) = (Ours::default(), BTreeSet::new());
    for circle in circles {
        ours.add(circle);
        databases.extend(circle.db_path.parent().filter(|folder| !folder.as_os_str().is_empty()));
    }
    for folder in databases {
        let was_there = folder.exists();
        make_folder(folder)?;
        if was_there && (is_below(folder, &data_dir) || ours.holds_all_of(folder)) {
            close(folder, &data_dir);
        }
    }
    for circle in circles {
        make_private(&circle.files_path, &data_dir)?;
        make_folder(&circle.rhai_path)?;
        if is_below(&circle.rhai_path, &data_dir) {
            close(&circle.rhai_path, &data_dir);
        }
        make_file_private(&circle.db_path);
    }
    Ok(())
}

/// Makes a folder that only this user enters. One that is there becomes such a folder, if it is this user's.
///
/// # Errors
///
/// A sentence with the path.
pub fn make_private_folder(path: &Path) -> Result<(), String> {
    // A shell leaves it as it is in `--data-dir=~/circles`, and it would become a folder of that name.
    if path.starts_with("~") {
        return Err(format!("{}: `~` does not stand for a home directory here", path.display()));
    }
    make_folder(path)?;
    close_one(path);
    Ok(())
}

fn make_private(path: &Path, data_dir: &Path) -> Result<(), String> {
    make_folder(path)?;
    close(path, data_dir);
    Ok(())
}

/// Makes a folder, and those around it, for this user alone. One that is there stays as it is.
///
/// # Errors
///
/// A sentence with the path.
pub fn make_folder(path: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| format!("{} cannot be made: {error}", path.display()))
}

fn is_below(path: &Path, data_dir: &Path) -> bool {
    resolve(path).starts_with(data_dir)
}

/// Closes a folder, and those around it up to the data directory.
fn close(path: &Path, data_dir: &Path) {
    close_one(path);
    let path = resolve(path);
    path.ancestors()
        .take_while(|folder| *folder != data_dir && folder.starts_with(data_dir))
        .for_each(close_one);
}

fn close_one(path: &Path) {
    let Ok(found) = fs::metadata(path) else { return };
    let mode = found.permissions().mode();
    if mode & OTHERS != 0 && mode & STICKY == 0 && path.parent().is_some() {
        change(path, mode & 0o700);
    }
}

fn make_file_private(path: &Path) {
    let Ok(found) = fs::metadata(path) else { return };
    if found.is_file() && found.permissions().mode() & OTHERS != 0 {
        change(path, 0o600);
    }
}

/// The operator is told where that cannot be done, as on a volume of somebody else's: to refuse would be of no use.
fn change(path: &Path, mode: u32) {
    match fs::set_permissions(path, Permissions::from_mode(mode)) {
        Ok(()) => tracing::info!(path = %path.display(), "other users could look into it; now they cannot"),
        Err(error) => tracing::warn!(path = %path.display(), %error, "other users may look into it"),
    }
}

/// Names known to be circles' own, by the folder that they lie in.
#[derive(Default)]
struct Ours(BTreeMap<PathBuf, BTreeSet<OsString>>);

impl Ours {
    fn add(&mut self, circle: &CircleConfig) {
        for suffix in BESIDE_DATABASES {
            let mut path = circle.db_path.clone().into_os_string();
            path.push(suffix);
            self.insert(Path::new(&path));
        }
        self.insert(&circle.files_path);
        self.insert(&circle.rhai_path);
    }

    fn insert(&mut self, path: &Path) {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            self.0.entry(folder.to_owned()).or_default().insert(name.to_owned());
        }
    }

    /// Whether a folder holds nothing else; the first thing that is not circles' own ends the look.
    fn holds_all_of(&self, folder: &Path) -> bool {
        let empty = BTreeSet::new();
        let names = self.0.get(folder).unwrap_or(&empty);
        let look = || -> io::Result<bool> {
            for entry in fs::read_dir(folder)? {
                if !names.contains(&entry?.file_name()) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        look().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use circles_auth::PublicKey;

    use super::*;

    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn open_folder(path: &Path) {
        fs::create_dir_all(path).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }

    fn open_file(path: &Path) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }

    fn root() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        (directory, path)
    }

    #[test]
    fn new_folders_are_private() {
        let (_directory, root) = root();
        let data = root.join("data");
        let circle = CircleConfig::plain(KEY.parse::<PublicKey>().unwrap(), &data);
        make_folders(std::slice::from_ref(&circle), &data).unwrap();
        for folder in [&data, &data.join(KEY), &circle.rhai_path, &circle.files_path] {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }

    #[test]
    fn existing_data_becomes_private() {
        let (_directory, root) = root();
        let data = root.join("data");
        let circle = CircleConfig::plain(KEY.parse::<PublicKey>().unwrap(), &data);
        let folders = [&data.join(KEY), &data.join(KEYS), &circle.rhai_path, &circle.files_path];
        folders.into_iter().for_each(|folder| open_folder(folder));
        open_folder(&data);
        open_file(&circle.db_path);
        make_private_folder(&data).unwrap();
        make_folders(std::slice::from_ref(&circle), &data).unwrap();
        for folder in [&data, &data.join(KEY), &data.join(KEYS), &circle.rhai_path, &circle.files_path] {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
        assert_eq!(mode(&circle.db_path), 0o600);
    }

    #[test]
    fn existing_folder_with_foreign_files_stays_open() {
        let (_directory, root) = root();
        let (mine, shared) = (root.join("mine"), root.join("shared"));
        let mut circles = [&mine, &shared].map(|folder| CircleConfig {
            db_path: folder.join("a.db"),
            rhai_path: root.join("library"),
            files_path: root.join("files"),
            ..CircleConfig::plain(KEY.parse::<PublicKey>().unwrap(), &root.join("data"))
        });
        circles[1].db_path.set_file_name("b.db");
        for folder in [&mine, &shared, &circles[0].rhai_path, &circles[0].files_path] {
            open_folder(folder);
        }
        for file in ["mine/a.db", "mine/a.db.key", "shared/b.db", "shared/notes.txt"] {
            open_file(&root.join(file));
        }
        make_folders(&circles, &root.join("data")).unwrap();
        assert_eq!((mode(&mine), mode(&root.join("mine/a.db"))), (0o700, 0o600));
        assert_eq!((mode(&shared), mode(&root.join("shared/b.db"))), (0o755, 0o600));
        assert_eq!(mode(&root.join("shared/notes.txt")), 0o644);
        assert_eq!((mode(&circles[0].rhai_path), mode(&circles[0].files_path)), (0o755, 0o700));
    }

    #[test]
    fn folder_that_everyone_writes_to_stays_open() {
        let (_directory, root) = root();
        let folder = root.join("tmp");
        open_folder(&folder);
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        make_private_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o1777);
    }
}

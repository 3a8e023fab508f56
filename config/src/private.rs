//! Makes folders and files private to the server's user, also existing ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    circle::CircleConfig,
    paths::{KEYS_FOLDER, resolve},
};

/// The permissions of the group and of all other users.
const OTHER_USERS: u32 = 0o077;
/// Marks folders shared by many users, such as `/tmp`, in which only a file's owner removes it.
const STICKY_BIT: u32 = 0o1000;
/// The suffixes of a database and of the files that belong to it.
const DATABASE_SUFFIXES: [&str; 4] = ["", ".key", ".lock", ".new"];

/// Creates the missing folders of circles, and removes the permissions of other users on the existing ones.
///
/// An existing folder outside of the data directory that also holds other files, such as a home directory, keeps its
/// permissions: the circle's files in it are private themselves. An existing library there keeps them as well, since
/// other users may edit it.
///
/// # Errors
///
/// Names the path of a folder that cannot be created.
pub fn make_folders(circles: &[CircleConfig], data_dir: &Path) -> Result<(), String> {
    let data_dir = resolve(data_dir);
    make_private(&data_dir.join(KEYS_FOLDER));
    let (mut own, mut databases) = (OwnFiles::default(), BTreeSet::new());
    for circle in circles {
        own.add(circle);
        databases.extend(circle.db_path.parent().filter(|folder| !folder.as_os_str().is_empty()));
    }
    for folder in databases {
        let existed = folder.exists();
        make_folder(folder)?;
        if existed && (is_below(folder, &data_dir) || own.contains_all_of(folder)) {
            make_private_within(folder, &data_dir);
        }
    }
    for circle in circles {
        make_folder(&circle.files_path)?;
        make_private_within(&circle.files_path, &data_dir);
        make_folder(&circle.rhai_path)?;
        if is_below(&circle.rhai_path, &data_dir) {
            make_private_within(&circle.rhai_path, &data_dir);
        }
        make_file_private(&circle.db_path);
    }
    Ok(())
}

/// Creates a folder that other users cannot enter, or makes an existing one private if it belongs to this user.
///
/// # Errors
///
/// Names the path.
pub fn make_private_folder(path: &Path) -> Result<(), String> {
    // A shell does not expand the `~` of `--data-dir=~/circles`; it would become a folder of that name.
    if path.starts_with("~") {
        return Err(format!("{}: ~ is not expanded here: expected the path in full", path.display()));
    }
    make_folder(path)?;
    make_private(path);
    Ok(())
}

/// Creates a folder and its parents for this user alone. Existing ones stay as they are.
///
/// # Errors
///
/// Names the path.
pub fn make_folder(path: &Path) -> Result<(), String> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|error| format!("{}: cannot create this folder: {error}", path.display()))
}

fn is_below(path: &Path, data_dir: &Path) -> bool {
    resolve(path).starts_with(data_dir)
}

/// Makes a folder and its parents up to the data directory private.
fn make_private_within(path: &Path, data_dir: &Path) {
    make_private(path);
    let path = resolve(path);
    path.ancestors()
        .take_while(|folder| *folder != data_dir && folder.starts_with(data_dir))
        .for_each(make_private);
}

fn make_private(path: &Path) {
    let Ok(found) = fs::metadata(path) else { return };
    let mode = found.permissions().mode();
    if mode & OTHER_USERS != 0 && mode & STICKY_BIT == 0 && path.parent().is_some() {
        set_mode(path, mode & 0o700);
    }
}

fn make_file_private(path: &Path) {
    let Ok(found) = fs::metadata(path) else { return };
    if found.is_file() && found.permissions().mode() & OTHER_USERS != 0 {
        set_mode(path, 0o600);
    }
}

/// Logs a failure, as on a volume of another user, instead of ending the start: the operator decides.
fn set_mode(path: &Path, mode: u32) {
    match fs::set_permissions(path, Permissions::from_mode(mode)) {
        Ok(()) => tracing::info!(path = %path.display(), "removed the permissions of other users"),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot remove the permissions of other users")
        }
    }
}

/// The names of circles' files and folders, by their parent folder.
#[derive(Default)]
struct OwnFiles(BTreeMap<PathBuf, BTreeSet<OsString>>);

impl OwnFiles {
    fn add(&mut self, circle: &CircleConfig) {
        for suffix in DATABASE_SUFFIXES {
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

    /// Returns whether a folder contains nothing else. Stops reading at the first other name.
    fn contains_all_of(&self, folder: &Path) -> bool {
        let empty = BTreeSet::new();
        let names = self.0.get(folder).unwrap_or(&empty);
        let only_own = || -> io::Result<bool> {
            for entry in fs::read_dir(folder)? {
                if !names.contains(&entry?.file_name()) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        only_own().unwrap_or(false)
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
        let circle = CircleConfig::with_defaults(KEY.parse::<PublicKey>().unwrap(), &data);
        make_folders(std::slice::from_ref(&circle), &data).unwrap();
        for folder in [&data, &data.join(KEY), &circle.rhai_path, &circle.files_path] {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }

    #[test]
    fn existing_data_becomes_private() {
        let (_directory, root) = root();
        let data = root.join("data");
        let circle = CircleConfig::with_defaults(KEY.parse::<PublicKey>().unwrap(), &data);
        let folders = [&data.join(KEY), &data.join(KEYS_FOLDER), &circle.rhai_path, &circle.files_path];
        folders.into_iter().for_each(|folder| open_folder(folder));
        open_folder(&data);
        open_file(&circle.db_path);
        make_private_folder(&data).unwrap();
        make_folders(std::slice::from_ref(&circle), &data).unwrap();
        for folder in [&data, &data.join(KEY), &data.join(KEYS_FOLDER), &circle.rhai_path, &circle.files_path]
        {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
        assert_eq!(mode(&circle.db_path), 0o600);
    }

    #[test]
    fn existing_folder_with_other_files_stays_open() {
        let (_directory, root) = root();
        let (mine, shared) = (root.join("mine"), root.join("shared"));
        let mut circles = [&mine, &shared].map(|folder| CircleConfig {
            db_path: folder.join("a.db"),
            rhai_path: root.join("library"),
            files_path: root.join("files"),
            ..CircleConfig::with_defaults(KEY.parse::<PublicKey>().unwrap(), &root.join("data"))
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
    fn sticky_folder_stays_open() {
        let (_directory, root) = root();
        let folder = root.join("tmp");
        open_folder(&folder);
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        make_private_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o1777);
    }
}

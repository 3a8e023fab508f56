use std::{
    collections::BTreeMap,
    fmt,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use circles_auth::PublicKey;
use circles_store::Access;

use crate::Limits;

/// A circle and everything that is set about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircleConfig {
    /// What people call it.
    pub id: String,
    /// Its name, and its owner's.
    pub key: PublicKey,
    /// The port of its own listener, where 0 is a free one; without it, the shared listener serves it.
    pub port: Option<u16>,
    /// The file of its database.
    pub db_path: PathBuf,
    /// The folder of its script library.
    pub rhai_path: PathBuf,
    /// The folder that its scripts read and write.
    pub files_path: PathBuf,
    /// Who may play and run.
    pub access: Access,
    /// What one play may use.
    pub limits: Limits,
    /// What its scripts may ask for by name.
    pub secrets: Secrets,
    /// The workers that its tasks are for, with Redis; without one, those of no pool.
    pub pool: Option<String>,
}

impl CircleConfig {
    /// A circle of which nothing but the key is said: open to everyone, its things under `data_dir`.
    pub fn plain(key: PublicKey, data_dir: &Path) -> Self {
        Self {
            id: key.to_string(),
            key,
            port: None,
            db_path: default_path(data_dir, key, "circle.db"),
            rhai_path: default_path(data_dir, key, "scripts"),
            files_path: default_path(data_dir, key, "files"),
            access: Access::default(),
            limits: Limits::default(),
            secrets: Secrets::default(),
            pool: None,
        }
    }

    /// Makes the folders that its things lie in, where they are missing; an error is a sentence.
    pub fn make_folders(&self) -> Result<(), String> {
        let database = self.db_path.parent().filter(|folder| !folder.as_os_str().is_empty());
        database.into_iter().chain([&*self.rhai_path, &*self.files_path]).try_for_each(make_folder)
    }
}

/// A folder that only this user enters, unless it is there already.
fn make_folder(path: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| format!("{} cannot be made: {error}", path.display()))
}

/// Where a circle's things lie unless it is said otherwise: its `circle.db`, `scripts` and `files`.
pub fn default_path(data_dir: &Path, key: impl fmt::Display, name: &str) -> PathBuf {
    data_dir.join(key.to_string()).join(name)
}

/// Secrets by name; `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// The secret of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(secrets: I) -> Self {
        Self(secrets.into_iter().collect())
    }
}

impl From<Secrets> for BTreeMap<String, String> {
    fn from(secrets: Secrets) -> Self {
        secrets.0
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use circles_auth::{Access, PublicKey};

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

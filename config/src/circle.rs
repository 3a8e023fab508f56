use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use circles_auth::{Access, PublicKey};

use crate::limits::Limits;

/// A circle with all its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircleConfig {
    /// Its name for people.
    pub id: String,
    /// Its public key, which is also its owner's.
    pub key: PublicKey,
    /// The port of its own listener, where 0 is a free one; without it, the shared listener serves it.
    pub port: Option<u16>,
    /// The file of its database.
    pub db_path: PathBuf,
    /// The folder of its script library.
    pub rhai_path: PathBuf,
    /// The folder that its scripts read and write.
    pub files_path: PathBuf,
    /// The callers that may play and run.
    pub access: Access,
    /// The limits of its plays.
    pub limits: Limits,
    /// The secrets that its scripts may read.
    pub secrets: Secrets,
    /// The workers for its tasks, with Redis; without it, the workers of no pool.
    pub pool: Option<String>,
}

impl CircleConfig {
    /// Returns a circle with default settings: open to everyone, its data under `data_dir`.
    pub fn with_defaults(key: PublicKey, data_dir: &Path) -> Self {
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

/// Returns the default path of a circle's `circle.db`, `scripts` or `files`.
pub fn default_path(data_dir: &Path, key: impl fmt::Display, name: &str) -> PathBuf {
    data_dir.join(key.to_string()).join(name)
}

/// Secrets by name; `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Returns the secret of a name.
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

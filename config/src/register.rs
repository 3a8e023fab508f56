//! Remembers what circles of the config had when they were served last: a start that finds nothing of it says so.
//!
//! It stands in the data directory. Without it, a config that is reached by another way, or a volume that is not
//! there, would silently become an empty circle.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
};

use circles_auth::PublicKey;
use serde::{Deserialize, Serialize};

use crate::CircleConfig;

const NAME: &str = "circles.known";
/// Ten thousand circles with long paths take a tenth of this.
const LONGEST: u64 = 64 << 20;

/// The things remembered, by the id of the circle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Register(BTreeMap<String, Known>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    public_key: String,
    db_path: PathBuf,
    /// Whether a database was there.
    had_database: bool,
}

impl Register {
    /// Reads what the data directory remembers; nothing if that cannot be read.
    pub fn read(data_dir: &Path) -> Self {
        let path = data_dir.join(NAME);
        let mut text = String::new();
        let read = fs::File::open(&path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        match read {
            Ok(_) => serde_json::from_str(&text).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "not what this version writes; written again");
                Self::default()
            }),
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "cannot be read");
                }
                Self::default()
            }
        }
    }

    /// A sentence for a circle that had a key, or a database, and is about to get a new one.
    pub fn loss(&self, circle: &CircleConfig, new_key: Option<&Path>, with_database: bool) -> Option<String> {
        let known = self.0.get(&circle.id)?;
        let id = &circle.id;
        if let Some(path) = new_key {
            return Some(format!(
                "the circle {id} had the key {} and its database at {}; none is at {}, so this start makes a new key: \
                 whoever had access to the old circle has to be told",
                known.public_key,
                known.db_path.display(),
                path.display()
            ));
        }
        let (was, is) = (known.db_path.display(), circle.db_path.display());
        if !with_database || circle.db_path.exists() {
            return None;
        }
        if known.db_path != circle.db_path {
            Some(format!("the circle {id} had its database at {was}; this start begins an empty one at {is}"))
        } else if known.had_database {
            Some(format!(
                "the database of the circle {id} is no longer at {was}; this start begins an empty one"
            ))
        } else {
            None
        }
    }

    /// Takes up what circles have now.
    pub fn note<'a>(&mut self, circles: impl IntoIterator<Item = &'a CircleConfig>) {
        for circle in circles {
            let key: PublicKey = circle.key;
            let known = Known {
                public_key: key.to_string(),
                db_path: circle.db_path.clone(),
                had_database: circle.db_path.exists(),
            };
            self.0.insert(circle.id.clone(), known);
        }
    }

    /// Keeps it in the data directory; a failure is only logged.
    pub fn write(&self, data_dir: &Path) {
        let path = data_dir.join(NAME);
        let draft = data_dir.join(format!("{NAME}.{}", process::id()));
        let write = || {
            let text = serde_json::to_string_pretty(self)?;
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        if let Err(error) = write() {
            let _ = fs::remove_file(&draft);
            tracing::warn!(path = %path.display(), %error, "cannot be written");
        }
    }
}

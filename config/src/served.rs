//! Records in the data directory which key and database each circle of the config had when it was last served.
//!
//! Without the record, a config found by another path, or a missing volume, would silently begin an empty circle.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
};

use serde::{Deserialize, Serialize};

use crate::circle::CircleConfig;

const FILE_NAME: &str = "circles.known";
/// The record's size at most; ten thousand circles with long paths take a tenth of it.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// The circles by their id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ServedCircles(BTreeMap<String, ServedCircle>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ServedCircle {
    public_key: String,
    db_path: PathBuf,
    had_database: bool,
}

/// Records the current keys and databases of a config's circles, for [`Plan::losses`](crate::Plan::losses).
pub fn remember(circles: &[CircleConfig], data_dir: &Path) {
    let mut served = ServedCircles::read(data_dir);
    let before = served.clone();
    served.update(circles);
    if served != before {
        served.write(data_dir);
    }
}

impl ServedCircles {
    /// Reads the record of a data directory; returns an empty one if that fails.
    pub(crate) fn read(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE_NAME);
        let mut text = String::new();
        let read =
            fs::File::open(&path).and_then(|file| file.take(MAX_RECORD_BYTES).read_to_string(&mut text));
        match read {
            Ok(_) => serde_json::from_str(&text).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "replacing an invalid record of served circles");
                Self::default()
            }),
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "cannot read the record of served circles");
                }
                Self::default()
            }
        }
    }

    /// Returns a warning for a circle that had a key or a database and is about to get a new one.
    pub(crate) fn loss(
        &self,
        circle: &CircleConfig,
        new_key: Option<&Path>,
        with_database: bool,
    ) -> Option<String> {
        let served = self.0.get(&circle.id)?;
        let id = &circle.id;
        if let Some(path) = new_key {
            return Some(format!(
                "circle {id} had the key {} and its database at {}; there is no key at {}, so the server creates a \
                 new one: tell the peers of the old circle the new key",
                served.public_key,
                served.db_path.display(),
                path.display()
            ));
        }
        let (before, now) = (served.db_path.display(), circle.db_path.display());
        if !with_database || circle.db_path.exists() {
            return None;
        }
        if served.db_path != circle.db_path {
            Some(format!("circle {id} had its database at {before}; the server begins an empty one at {now}"))
        } else if served.had_database {
            Some(format!(
                "the database of circle {id} is missing at {before}; the server begins an empty one"
            ))
        } else {
            None
        }
    }

    fn update(&mut self, circles: &[CircleConfig]) {
        for circle in circles {
            let served = ServedCircle {
                public_key: circle.key.to_string(),
                db_path: circle.db_path.clone(),
                had_database: circle.db_path.exists(),
            };
            self.0.insert(circle.id.clone(), served);
        }
    }

    /// Writes the record; a failure is only logged.
    fn write(&self, data_dir: &Path) {
        let path = data_dir.join(FILE_NAME);
        let draft = data_dir.join(format!("{FILE_NAME}.{}", process::id()));
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
            tracing::warn!(path = %path.display(), %error, "cannot write the record of served circles");
        }
    }
}

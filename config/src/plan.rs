use std::path::{Path, PathBuf};

use circles_auth::{SecretKey, key_file};

use crate::{CircleConfig, Faults, Surroundings, fault::Place, read::plan_of, register::Register};

/// A config without a fault, of which nothing was made yet.
#[must_use]
pub struct Plan<'a> {
    pub(crate) text: String,
    pub(crate) path: PathBuf,
    pub(crate) around: Surroundings<'a>,
    pub(crate) data_dir: PathBuf,
    pub(crate) circles: Vec<CircleConfig>,
    pub(crate) new_keys: Vec<NewKey>,
}

/// A key that no file holds yet.
pub struct NewKey {
    /// The circle's number in the file.
    pub circle: usize,
    pub at: Place,
    pub path: PathBuf,
    pub key: SecretKey,
}

impl Plan<'_> {
    /// The circles as they will be.
    pub fn circles(&self) -> &[CircleConfig] {
        &self.circles
    }

    /// A sentence for each circle that had a key, or a database, when it was served last with this data directory,
    /// and that is about to get a new one. Databases are left out where circles have none, as with Redis.
    pub fn losses(&self, with_databases: bool) -> Vec<String> {
        let known = Register::read(&self.data_dir);
        let new_key = |index| self.new_keys.iter().find(|new| new.circle == index).map(|new| &*new.path);
        let circles = self.circles.iter().enumerate();
        circles.filter_map(|(index, circle)| known.loss(circle, new_key(index), with_databases)).collect()
    }

    /// Makes and keeps the keys of circles that have none yet.
    ///
    /// # Errors
    ///
    /// A key that cannot be kept.
    pub fn carry_out(self) -> Result<Vec<CircleConfig>, Faults> {
        for new in &self.new_keys {
            if let Some(folder) = new.path.parent().filter(|folder| folder.starts_with(&self.data_dir)) {
                let made = crate::make_private_folder(folder);
                made.map_err(|problem| Faults::new(&self.path, vec![new.at.fault(problem)]))?;
            }
            match key_file::write(&new.path, &new.key, false) {
                Ok(()) => {}
                // Another server made one in this very moment, which holds from now on.
                Err(key_file::Error::Exists { .. }) => {
                    return plan_of(self.text, &self.path, self.around)?.carry_out();
                }
                Err(error) => {
                    let problem = format!("its new key cannot be kept: {error}");
                    return Err(Faults::new(&self.path, vec![new.at.fault(problem)]));
                }
            }
        }
        Ok(self.circles)
    }
}

/// Remembers in the data directory what circles of a config have now, for [`Plan::losses`].
pub fn remember(circles: &[CircleConfig], data_dir: &Path) {
    let mut known = Register::read(data_dir);
    let before = known.clone();
    known.note(circles);
    if known != before {
        known.write(data_dir);
    }
}

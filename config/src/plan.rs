use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use circles_auth::key_file::{self, Error as KeyFileError};

use crate::{
    circle::CircleConfig,
    environment::Environment,
    fault::{Faults, Pointer},
    private::make_private_folder,
    read::{self, Parsed},
    served::ServedCircles,
};

/// The size of a config at most; a hundred thousand circles with all their fields take less.
const MAX_CONFIG_BYTES: u64 = 64 << 20;

/// A config without a fault, before any of its keys is written.
#[must_use]
pub struct Plan<'a> {
    text: String,
    path: PathBuf,
    environment: Environment<'a>,
    parsed: Parsed,
}

/// Reads a config file, and writes the keys of circles that have none yet.
///
/// # Errors
///
/// Returns all faults of the file.
pub fn read(path: &Path, environment: Environment<'_>) -> Result<Vec<CircleConfig>, Faults> {
    plan(path, environment)?.apply()
}

/// Reads a config file without writing anything.
///
/// # Errors
///
/// Returns all faults of the file.
pub fn plan<'a>(path: &Path, environment: Environment<'a>) -> Result<Plan<'a>, Faults> {
    let text = text_of(path).map_err(|problem| Faults::new(path, vec![Pointer::default().fault(problem)]))?;
    Plan::new(text, path, environment)
}

/// Like [`read()`], with the text of the file that is or would be at `path`.
///
/// # Errors
///
/// Returns all faults of the text.
pub fn parse(text: &str, path: &Path, environment: Environment<'_>) -> Result<Vec<CircleConfig>, Faults> {
    Plan::new(text.to_owned(), path, environment)?.apply()
}

fn text_of(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        return Err(format!("expected at most {MAX_CONFIG_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| format!("expected UTF-8: {}", error.utf8_error()))
}

impl<'a> Plan<'a> {
    fn new(text: String, path: &Path, environment: Environment<'a>) -> Result<Self, Faults> {
        let parsed = read::parse(&text, path, environment).map_err(|faults| Faults::new(path, faults))?;
        Ok(Self { text, path: path.to_owned(), environment, parsed })
    }

    /// Returns the circles as [`apply`](Self::apply) will leave them.
    pub fn circles(&self) -> &[CircleConfig] {
        &self.parsed.circles
    }

    /// Returns a warning for each circle that had a key or a database when it was last served with this data
    /// directory, and that is about to get a new one. `with_databases` is false if circles have no databases, as
    /// with Redis.
    pub fn losses(&self, with_databases: bool) -> Vec<String> {
        let Parsed { data_dir, circles, new_keys } = &self.parsed;
        let served = ServedCircles::read(data_dir);
        let new_key = |index| new_keys.iter().find(|new| new.circle == index).map(|new| &*new.path);
        let circles = circles.iter().enumerate();
        circles.filter_map(|(index, circle)| served.loss(circle, new_key(index), with_databases)).collect()
    }

    /// Writes the keys of circles that have none yet.
    ///
    /// # Errors
    ///
    /// Names the first key that cannot be written.
    pub fn apply(self) -> Result<Vec<CircleConfig>, Faults> {
        let Parsed { data_dir, circles, new_keys } = self.parsed;
        for new in &new_keys {
            let fault = |problem: String| Faults::new(&self.path, vec![new.at.fault(problem)]);
            if let Some(folder) = new.path.parent().filter(|folder| folder.starts_with(&data_dir)) {
                make_private_folder(folder).map_err(fault)?;
            }
            match key_file::write(&new.path, &new.key, false) {
                Ok(()) => {}
                // Another server has just created this key, which is now the circle's.
                Err(KeyFileError::Exists { .. }) => {
                    return Self::new(self.text, &self.path, self.environment)?.apply();
                }
                Err(error) => return Err(fault(format!("cannot write its new key: {error}"))),
            }
        }
        Ok(circles)
    }
}

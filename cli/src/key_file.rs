//! The user's secret key.

use std::path::{Path, PathBuf};

use circles_client::SecretKey;

use crate::error::CliError;

/// Reads the key in the named file, or in the default one, which it creates if it does not exist.
pub(crate) fn read_or_create(named: Option<&Path>) -> Result<SecretKey, CliError> {
    let key = match named {
        Some(path) => circles_auth::key_file::read(path),
        None => {
            let path = default_path()?;
            let created = || crate::show::note(&format!("made a key for you: {}", path.display()));
            circles_auth::key_file::read_or_create(&path, created)
        }
    };
    key.map_err(|error| CliError::Usage(format!("key file {error}")))
}

/// Returns the path of `circles.key` in `CIRCLES_CONFIG_DIR`, or in the user's configuration directory.
pub(crate) fn default_path() -> Result<PathBuf, CliError> {
    const VARIABLE: &str = "CIRCLES_CONFIG_DIR";
    let directory = match circles_daemon::variable(VARIABLE) {
        Some(directory) => circles_daemon::path(directory.into())
            .map_err(|problem| CliError::Usage(format!("{VARIABLE}: {problem}")))?,
        None => directories::ProjectDirs::from("", "", "circles")
            .ok_or_else(|| {
                CliError::Usage("no home directory found; set CIRCLES_CONFIG_DIR or --key".into())
            })?
            .config_dir()
            .to_owned(),
    };
    Ok(directory.join("circles.key"))
}

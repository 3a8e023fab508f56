//! Where the secret key of the person at the command line is.

use std::path::{Path, PathBuf};

use circles_client::SecretKey;

use crate::trouble::Trouble;

/// The key in the file that was named, or in the default one, which is made if it is not there.
pub fn read_or_make(named: Option<&Path>) -> Result<SecretKey, Trouble> {
    let key = match named {
        Some(path) => circles_auth::key_file::read(path),
        None => {
            let path = default_path()?;
            let made = || crate::show::note(&format!("made a key for you: {}", path.display()));
            circles_auth::key_file::read_or_create(&path, made)
        }
    };
    key.map_err(|error| Trouble::Usage(error.to_string()))
}

/// `circles.key` in `CIRCLES_CONFIG_DIR`, or in the user's configuration directory.
pub fn default_path() -> Result<PathBuf, Trouble> {
    const VARIABLE: &str = "CIRCLES_CONFIG_DIR";
    let directory = match circles_daemon::variable(VARIABLE) {
        Some(directory) => circles_daemon::path(directory.into())
            .map_err(|problem| Trouble::Usage(format!("{VARIABLE}: {problem}")))?,
        None => directories::ProjectDirs::from("", "", "circles")
            .ok_or_else(|| Trouble::Usage("no home directory: set CIRCLES_CONFIG_DIR or --key".into()))?
            .config_dir()
            .to_owned(),
    };
    Ok(directory.join("circles.key"))
}

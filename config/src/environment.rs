use std::{ffi::OsString, path::Path};

/// The inputs of a config besides its file.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The folder for data without a path of its own in the file.
    pub data_dir: &'a Path,
    /// Returns the value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Creates a key for each circle without one. Only servers do: a key that a worker created would be another one.
    pub creates_keys: bool,
}

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf, absolute},
};

use circles_key_file as key_file;
use serde_json::Value;

use crate::{
    circle::CircleConfig,
    compare::compare,
    entry::Entry,
    fault::{Fault, Faults, Place},
    json::Strict,
    object::expected,
    paths::resolve,
};

/// What a config file is read in.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Where things lie for which the file names no place.
    pub data_dir: &'a Path,
    /// The environment: a variable's value by its name.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// Whether a circle without a key gets one. Made at two places, keys would not be the same.
    pub makes_keys: bool,
}

/// Reads a config file, and makes and keeps the keys of circles that have none yet.
pub fn read(path: &Path, around: Surroundings<'_>) -> Result<Vec<CircleConfig>, Faults> {
    let text = fs::read_to_string(path)
        .map_err(|error| Faults::new(path, vec![Place::default().fault(error.to_string())]))?;
    parse(&text, path, around)
}

/// Like [`read`], with the file's text at hand; relative paths begin where `path` lies.
pub fn parse(text: &str, path: &Path, around: Surroundings<'_>) -> Result<Vec<CircleConfig>, Faults> {
    circles(text, path, around).map_err(|faults| Faults::new(path, faults))
}

fn circles(text: &str, path: &Path, around: Surroundings<'_>) -> Result<Vec<CircleConfig>, Vec<Fault>> {
    let root = Place::default();
    let file = resolved(path).map_err(|problem| vec![root.fault(problem)])?;
    let data_dir = resolved(around.data_dir).map_err(|problem| vec![root.fault(problem)])?;
    let around = Surroundings { data_dir: &data_dir, ..around };
    let directory = file.parent().unwrap_or(&file).to_owned();

    // Some editors begin a text with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Strict(value) = serde_json::from_str(text).map_err(|error| vec![root.fault(error.to_string())])?;
    let list = match value {
        Value::Array(list) if !list.is_empty() => list,
        other => return Err(vec![expected(&root, "a list of circles, at least one", &other)]),
    };
    let mut faults = Vec::new();
    let mut entries = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        entries.extend(Entry::read(value, root.child(index), &directory, &around, &mut faults));
    }
    faults.extend(compare(&entries, &file, &data_dir));
    if !faults.is_empty() {
        faults.sort_by_key(circle_of);
        return Err(faults);
    }
    for entry in &entries {
        let (Some(path), Some(key)) = (&entry.key.path, &entry.key.new) else { continue };
        match key_file::write(path, key, false) {
            Ok(()) => {}
            // Somebody made one in this very moment, which holds from now on.
            Err(key_file::Error::Exists { .. }) => return circles(text, &file, around),
            Err(error) => return Err(vec![entry.at.fault(format!("its new key cannot be kept: {error}"))]),
        }
    }
    Ok(entries.into_iter().filter_map(Entry::finish).collect())
}

fn resolved(path: &Path) -> Result<PathBuf, String> {
    absolute(path).map(|path| resolve(&path)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Which circle a fault is of.
fn circle_of(fault: &Fault) -> Option<usize> {
    fault.place.split('/').nth(1)?.parse().ok()
}

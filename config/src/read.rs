//! From the text of a config to its circles.

use std::path::{Path, PathBuf, absolute};

use circles_auth::SecretKey;
use serde_json::Value;

use crate::{
    circle::CircleConfig,
    compare::compare,
    entry::Entry,
    environment::Environment,
    fault::{Fault, Pointer},
    json::Strict,
    object::expected,
    paths::resolve,
};

/// The circles of a config without a fault.
pub(crate) struct Parsed {
    /// Absolute and without links.
    pub data_dir: PathBuf,
    pub circles: Vec<CircleConfig>,
    pub new_keys: Vec<NewKey>,
}

/// A key that is not in its file yet.
pub(crate) struct NewKey {
    /// The circle's index in the file.
    pub circle: usize,
    pub at: Pointer,
    pub path: PathBuf,
    pub key: SecretKey,
}

/// Parses the text of the config at `path`. Relative paths begin in its folder, in which links are not followed:
/// their targets may change from one start to the next.
pub(crate) fn parse(text: &str, path: &Path, environment: Environment<'_>) -> Result<Parsed, Vec<Fault>> {
    let root = Pointer::default();
    let file = absolute_path(path)?;
    let data_dir = resolve(&absolute_path(environment.data_dir)?);
    let environment = Environment { data_dir: &data_dir, ..environment };
    let directory = file.parent().unwrap_or(&file);

    let mut faults = Vec::new();
    let list = list(text)?;
    let mut entries = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        entries.extend(Entry::read(value, root.child(index), directory, &environment, &mut faults));
    }
    // Scripts must reach the file neither by its given path nor by its real one.
    let given = resolve(directory).join(file.file_name().unwrap_or_default());
    faults.extend(compare(&entries, &[&given, &resolve(&file)], &data_dir));
    if !faults.is_empty() {
        faults.sort_by_key(circle_index);
        return Err(faults);
    }
    let new_key = |(circle, entry): (usize, &mut Entry)| {
        let (path, key) = (entry.key.path.clone()?, entry.key.new.take()?);
        Some(NewKey { circle, at: entry.at.clone(), path, key })
    };
    let new_keys = entries.iter_mut().enumerate().filter_map(new_key).collect();
    let circles = entries.into_iter().filter_map(Entry::finish).collect();
    Ok(Parsed { data_dir, circles, new_keys })
}

fn list(text: &str) -> Result<Vec<Value>, Vec<Fault>> {
    let root = Pointer::default();
    // Some editors put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(vec![root.fault("expected a list of circles, at least one; the file is empty")]);
    }
    let Strict(value) = serde_json::from_str(text).map_err(|error| vec![root.fault(error.to_string())])?;
    match value {
        Value::Array(list) if !list.is_empty() => Ok(list),
        other => Err(vec![expected(&root, "a list of circles, at least one", &other)]),
    }
}

fn absolute_path(path: &Path) -> Result<PathBuf, Vec<Fault>> {
    absolute(path).map_err(|error| vec![Pointer::default().fault(format!("{}: {error}", path.display()))])
}

/// The index of the circle with the fault.
fn circle_index(fault: &Fault) -> Option<usize> {
    fault.pointer.split('/').nth(1)?.parse().ok()
}

use std::{
    ffi::OsString,
    fs,
    io::Read as _,
    path::{Path, PathBuf, absolute},
};

use serde_json::Value;

use crate::{
    circle::CircleConfig,
    compare::compare,
    entry::Entry,
    fault::{Fault, Faults, Place},
    json::Strict,
    object::expected,
    paths::resolve,
    plan::{NewKey, Plan},
};

/// Bytes of a config, at most: a hundred thousand circles with all their fields take less.
const LONGEST: u64 = 64 << 20;

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
    plan(path, around)?.carry_out()
}

/// Reads a config file, and makes nothing yet.
pub fn plan<'a>(path: &Path, around: Surroundings<'a>) -> Result<Plan<'a>, Faults> {
    let text = text_of(path).map_err(|problem| Faults::new(path, vec![Place::default().fault(problem)]))?;
    plan_of(text, path, around)
}

fn text_of(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("expected at most {LONGEST} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| format!("expected UTF-8: {}", error.utf8_error()))
}

/// Like [`read`], with the file's text at hand; relative paths begin in the folder of `path`, in which links are not
/// followed: what they lead to may change from one start to the next.
pub fn parse(text: &str, path: &Path, around: Surroundings<'_>) -> Result<Vec<CircleConfig>, Faults> {
    plan_of(text.to_owned(), path, around)?.carry_out()
}

pub(crate) fn plan_of<'a>(text: String, path: &Path, around: Surroundings<'a>) -> Result<Plan<'a>, Faults> {
    let found = circles(&text, path, around).map_err(|faults| Faults::new(path, faults))?;
    let (data_dir, circles, new_keys) = found;
    Ok(Plan { text, path: path.to_owned(), around, data_dir, circles, new_keys })
}

type Found = (PathBuf, Vec<CircleConfig>, Vec<NewKey>);

fn circles(text: &str, path: &Path, around: Surroundings<'_>) -> Result<Found, Vec<Fault>> {
    let root = Place::default();
    let file = absolute(path).map_err(|error| vec![root.fault(format!("{}: {error}", path.display()))])?;
    let data_dir = absolute(around.data_dir)
        .map_err(|error| vec![root.fault(format!("{}: {error}", around.data_dir.display()))])?;
    let data_dir = resolve(&data_dir);
    let around = Surroundings { data_dir: &data_dir, ..around };
    let directory = file.parent().unwrap_or(&file);

    // Some editors put this mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(vec![root.fault("expected a list of circles, at least one; the file is empty")]);
    }
    let Strict(value) = serde_json::from_str(text).map_err(|error| vec![root.fault(error.to_string())])?;
    let list = match value {
        Value::Array(list) if !list.is_empty() => list,
        other => return Err(vec![expected(&root, "a list of circles, at least one", &other)]),
    };
    let mut faults = Vec::new();
    let mut entries = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        entries.extend(Entry::read(value, root.child(index), directory, &around, &mut faults));
    }
    // Scripts must reach the file neither by the name that was given nor where it lies.
    faults.extend(compare(
        &entries,
        &[&resolve(directory).join(file.file_name().unwrap_or_default()), &resolve(&file)],
        &data_dir,
    ));
    if !faults.is_empty() {
        faults.sort_by_key(circle_of);
        return Err(faults);
    }
    let new_key = |(circle, entry): (usize, &mut Entry)| {
        let (path, key) = (entry.key.path.clone()?, entry.key.new.take()?);
        Some(NewKey { circle, at: entry.at.clone(), path, key })
    };
    let new_keys = entries.iter_mut().enumerate().filter_map(new_key).collect();
    Ok((data_dir, entries.into_iter().filter_map(Entry::finish).collect(), new_keys))
}

/// Which circle a fault is of.
fn circle_of(fault: &Fault) -> Option<usize> {
    fault.place.split('/').nth(1)?.parse().ok()
}

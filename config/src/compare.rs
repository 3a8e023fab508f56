//! What is wrong with circles only beside each other.

use std::path::Path;

use crate::{
    entry::Entry,
    fault::{Fault, Place},
};

/// Compares each circle with those before it, and what its scripts can write with what they must not.
pub fn compare(entries: &[Entry], file: &Path, data_dir: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        for earlier in entries.iter().take(index) {
            faults.extend(twice(entry, earlier, data_dir));
        }
        if let Some(files) = &entry.files_path {
            faults.extend(exposed(files, &entry.at, entries, file, data_dir));
        }
    }
    faults
}

/// What only one circle can have.
fn twice(entry: &Entry, earlier: &Entry, data_dir: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Circles of one key have all their default paths in common, which says nothing new.
    let shared = entry.key.public.filter(|key| earlier.key.public == Some(*key));
    let follows = |path: &Path| shared.is_some_and(|key| path.starts_with(data_dir.join(key.to_string())));
    if let (Some(id), Some(other)) = (&entry.id, &earlier.id)
        && id == other
    {
        faults.push(entry.at.child("id").fault(format!("{id} is the id of {} too", earlier.at)));
    }
    if let Some(key) = shared {
        let at = entry.key.field.map_or_else(|| entry.at.clone(), |field| entry.at.child(field));
        faults.push(at.fault(format!("{key} is the key of {} too", earlier.at)));
    }
    if let (Some(path), Some(other)) = (&entry.db_path, &earlier.db_path)
        && path == other
        && !follows(path)
    {
        let problem = format!("{} is the database of {} too", path.display(), earlier.at);
        faults.push(entry.at.child("db_path").fault(problem));
    }
    if let (Some(path), Some(other)) = (&entry.files_path, &earlier.files_path)
        && (path.starts_with(other) || other.starts_with(path))
        && !follows(path)
    {
        let how = if path == other {
            "is"
        } else if path.starts_with(other) {
            "lies in"
        } else {
            "holds"
        };
        let problem = format!("{} {how} the files_path of {}", path.display(), earlier.at);
        faults.push(entry.at.child("files_path").fault(problem));
    }
    faults
}

/// What scripts could read or change that is not theirs, with this folder as their files.
fn exposed(files: &Path, at: &Place, entries: &[Entry], file: &Path, data_dir: &Path) -> Vec<Fault> {
    let at = at.child("files_path");
    let within =
        |what: String| at.fault(format!("{} holds {what}; scripts could change it", files.display()));
    let mut faults = Vec::new();
    for (path, what) in [(file, "this file"), (data_dir, "the data directory")] {
        if path.starts_with(files) {
            faults.push(within(what.to_owned()));
        }
    }
    for entry in entries {
        let places =
            [("db_path", &entry.db_path), ("rhai_path", &entry.rhai_path), ("key file", &entry.key.path)];
        for (name, path) in places {
            if path.as_deref().is_some_and(|path| path.starts_with(files)) {
                faults.push(within(format!("the {name} of {}", entry.at)));
            }
        }
        if let Some(library) = &entry.rhai_path
            && files != library
            && files.starts_with(library)
        {
            let problem =
                format!("{} lies in the rhai_path of {}; scripts could add to it", files.display(), entry.at);
            faults.push(at.fault(problem));
        }
    }
    faults
}

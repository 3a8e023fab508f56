//! Finds the faults that only show when circles are compared with each other.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    path::Path,
};

use circles_auth::PublicKey;

use crate::{
    entry::Entry,
    fault::{Fault, Pointer},
};

/// Compares each circle with those before it, and the files of its scripts with the files that scripts must not
/// change. `config` is the config file, by its given path and by its real one.
pub(crate) fn compare(entries: &[Entry], config: &[&Path; 2], data_dir: &Path) -> Vec<Fault> {
    let index = Index::new(entries);
    let mut faults = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let related = index.related(entry);
        for (_, earlier) in related.range(..number) {
            faults.extend(duplicates(entry, earlier, data_dir));
        }
        faults.extend(database_clash(entry, config));
        if let Some(files) = &entry.files_path {
            faults.extend(exposed(files, &entry.at, related.into_values(), config, data_dir));
        }
    }
    faults
}

/// Circles with their index in the file.
type Numbered<'a> = Vec<(usize, &'a Entry)>;

/// The circles by the values that two of them may share. Comparing ten thousand circles pairwise would take minutes.
#[derive(Default)]
struct Index<'a> {
    ids: HashMap<&'a str, Numbered<'a>>,
    keys: HashMap<PublicKey, Numbered<'a>>,
    /// By each path of the circle. Sorted, so that the paths inside a folder directly follow it.
    paths: BTreeMap<&'a Path, Numbered<'a>>,
}

impl<'a> Index<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let mut index = Self::default();
        for numbered in entries.iter().enumerate() {
            let (_, entry) = numbered;
            if let Some(id) = &entry.id {
                index.ids.entry(id).or_default().push(numbered);
            }
            if let Some(key) = entry.key.public {
                index.keys.entry(key).or_default().push(numbered);
            }
            let paths = [&entry.db_path, &entry.rhai_path, &entry.files_path, &entry.key.path];
            for path in paths.into_iter().flatten() {
                index.paths.entry(path).or_default().push(numbered);
            }
        }
        index
    }

    /// Returns the circles that may share something with this one, itself included, by their index.
    fn related(&self, entry: &Entry) -> BTreeMap<usize, &'a Entry> {
        let id = entry.id.as_deref().and_then(|id| self.ids.get(id));
        let key = entry.key.public.and_then(|key| self.keys.get(&key));
        let database = entry.db_path.as_deref().and_then(|path| self.paths.get(path));
        let files = entry.files_path.as_deref();
        let around = files.into_iter().flat_map(Path::ancestors).filter_map(|path| self.paths.get(path));
        let inside = files.into_iter().flat_map(|files| {
            let following = self.paths.range::<Path, _>((Bound::Included(files), Bound::Unbounded));
            following.take_while(move |(path, _)| path.starts_with(files)).map(|(_, entries)| entries)
        });
        let equal = [id, key, database].into_iter().flatten();
        equal.chain(around).chain(inside).flatten().copied().collect()
    }
}

/// Finds values that must be unique and that an earlier circle has too.
fn duplicates(entry: &Entry, earlier: &Entry, data_dir: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Circles with the same key share all default paths; reporting those would only repeat the key's fault.
    let shared = entry.key.public.filter(|key| earlier.key.public == Some(*key));
    let is_default = |path: &Path| shared.is_some_and(|key| path.starts_with(data_dir.join(key.to_string())));
    if let (Some(id), Some(other)) = (&entry.id, &earlier.id)
        && id == other
    {
        faults.push(entry.at.child("id").fault(format!("duplicate id {id}: already used by {}", earlier.at)));
    }
    if let Some(key) = shared {
        let at = entry.key.field.map_or_else(|| entry.at.clone(), |field| entry.at.child(field));
        faults.push(at.fault(format!("duplicate key {key}: already used by {}", earlier.at)));
    }
    if let (Some(path), Some(other)) = (&entry.db_path, &earlier.db_path)
        && path == other
        && !is_default(path)
    {
        let problem = format!("duplicate database {}: already used by {}", path.display(), earlier.at);
        faults.push(entry.at.child("db_path").fault(problem));
    }
    if let (Some(path), Some(other)) = (&entry.files_path, &earlier.files_path)
        && (path.starts_with(other) || other.starts_with(path))
        && !is_default(path)
    {
        let relation = if path == other {
            "is"
        } else if path.starts_with(other) {
            "is inside"
        } else {
            "contains"
        };
        let problem = format!("{} {relation} the files_path of {}", path.display(), earlier.at);
        faults.push(entry.at.child("files_path").fault(problem));
    }
    faults
}

/// Finds a database at the path of another file of the circle, or of the config.
fn database_clash(entry: &Entry, config: &[&Path; 2]) -> Option<Fault> {
    let database = entry.db_path.as_deref()?;
    let other = if config.contains(&database) {
        "this config file"
    } else if entry.key.path.as_deref() == Some(database) {
        "the key file"
    } else if entry.rhai_path.as_deref() == Some(database) {
        "the rhai_path"
    } else {
        return None;
    };
    Some(entry.at.child("db_path").fault(format!("{} is {other} too", database.display())))
}

/// Finds files that scripts must not change inside the folder that they may write to.
fn exposed<'a>(
    files: &Path,
    at: &Pointer,
    entries: impl Iterator<Item = &'a Entry>,
    config: &[&Path; 2],
    data_dir: &Path,
) -> Vec<Fault> {
    let at = at.child("files_path");
    let contains =
        |what: String| at.fault(format!("{} contains {what}; scripts could change it", files.display()));
    let mut faults = Vec::new();
    if config.iter().any(|path| path.starts_with(files)) {
        faults.push(contains("this config file".to_owned()));
    }
    if data_dir.starts_with(files) {
        faults.push(contains("the data directory".to_owned()));
    }
    for entry in entries {
        let paths =
            [("db_path", &entry.db_path), ("rhai_path", &entry.rhai_path), ("key file", &entry.key.path)];
        for (name, path) in paths {
            if path.as_deref().is_some_and(|path| path.starts_with(files)) {
                faults.push(contains(format!("the {name} of {}", entry.at)));
            }
        }
        if let Some(library) = &entry.rhai_path
            && files != library
            && files.starts_with(library)
        {
            let problem = format!(
                "{} is inside the rhai_path of {}; scripts could add to it",
                files.display(),
                entry.at
            );
            faults.push(at.fault(problem));
        }
    }
    faults
}

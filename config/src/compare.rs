//! What is wrong with circles only beside each other.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    path::Path,
};

use circles_auth::PublicKey;

use crate::{
    entry::Entry,
    fault::{Fault, Place},
};

/// Compares each circle with those before it, and what its scripts can write with what they must not. `file` is the
/// config, as it was named and where it lies.
pub fn compare(entries: &[Entry], file: &[&Path; 2], data_dir: &Path) -> Vec<Fault> {
    let index = Index::new(entries);
    let mut faults = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let beside = index.beside(entry);
        for (_, earlier) in beside.range(..number) {
            faults.extend(twice(entry, earlier, data_dir));
        }
        faults.extend(taken(entry, file));
        if let Some(files) = &entry.files_path {
            faults.extend(exposed(files, &entry.at, beside.into_values(), file, data_dir));
        }
    }
    faults
}

/// Circles with their number in the file.
type Numbered<'a> = Vec<(usize, &'a Entry)>;

/// The circles by what two of them may have in common. With ten thousand, to compare each with each takes minutes.
#[derive(Default)]
struct Index<'a> {
    ids: HashMap<&'a str, Numbered<'a>>,
    keys: HashMap<PublicKey, Numbered<'a>>,
    /// By the path of anything that is theirs. What lies in a folder stands right behind it.
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

    /// Those that may have something in common with this one, itself among them, by their number.
    fn beside(&self, entry: &Entry) -> BTreeMap<usize, &'a Entry> {
        let id = entry.id.as_deref().and_then(|id| self.ids.get(id));
        let key = entry.key.public.and_then(|key| self.keys.get(&key));
        let database = entry.db_path.as_deref().and_then(|path| self.paths.get(path));
        let files = entry.files_path.as_deref();
        let around = files.into_iter().flat_map(Path::ancestors).filter_map(|path| self.paths.get(path));
        let within = files.into_iter().flat_map(|files| {
            let behind = self.paths.range::<Path, _>((Bound::Included(files), Bound::Unbounded));
            behind.take_while(move |(path, _)| path.starts_with(files)).map(|(_, entries)| entries)
        });
        let alike = [id, key, database].into_iter().flatten();
        alike.chain(around).chain(within).flatten().copied().collect()
    }
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

/// A database where something else of the same circle, or the config, is.
fn taken(entry: &Entry, file: &[&Path; 2]) -> Option<Fault> {
    let database = entry.db_path.as_deref()?;
    let what = if file.contains(&database) {
        "this file"
    } else if entry.key.path.as_deref() == Some(database) {
        "the key file"
    } else if entry.rhai_path.as_deref() == Some(database) {
        "the rhai_path"
    } else {
        return None;
    };
    Some(entry.at.child("db_path").fault(format!("{} is {what} too", database.display())))
}

/// What scripts could read or change that is not theirs, with this folder as their files.
fn exposed<'a>(
    files: &Path,
    at: &Place,
    entries: impl Iterator<Item = &'a Entry>,
    file: &[&Path; 2],
    data_dir: &Path,
) -> Vec<Fault> {
    let at = at.child("files_path");
    let within =
        |what: String| at.fault(format!("{} holds {what}; scripts could change it", files.display()));
    let mut faults = Vec::new();
    if file.iter().any(|path| path.starts_with(files)) {
        faults.push(within("this file".to_owned()));
    }
    if data_dir.starts_with(files) {
        faults.push(within("the data directory".to_owned()));
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

//! The files of a document, read once before the other steps.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{error::Faults, json};

/// The most files of one document; real ones have a dozen.
const MAX_FILES: usize = 1_000;
/// The most bytes of one file.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A document and the files it refers to.
#[derive(Debug)]
pub(crate) struct Files {
    files: Vec<File>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name in faults.
    pub(crate) name: String,
    pub(crate) root: Value,
    /// The part of each reference before `#`, with the file that it names.
    links: BTreeMap<String, usize>,
    /// The pointers of `$anchor`s and `$id`s.
    pub(crate) anchors: BTreeMap<String, String>,
}

impl Files {
    /// A text without files.
    pub(crate) fn of_text(text: &str, faults: &mut Faults) -> Option<Self> {
        let root = json::read("", text, faults)?;
        Some(Self { files: vec![File::new(String::new(), root)] })
    }

    /// The file at `path` and the files that it refers to. A file is searched for next to the file that refers to it,
    /// then in `root`.
    pub(crate) fn of_path(path: &Path, root: Option<&Path>, faults: &mut Faults) -> Option<Self> {
        let name = path.display().to_string();
        let text = match read(path) {
            Ok(text) => text,
            Err(problem) => {
                faults.fatal(&name, "", problem);
                return None;
            }
        };
        let first = File::new(name.clone(), json::read(&name, &text, faults)?);
        let mut loader = Loader { root, known: BTreeMap::new(), files: vec![first] };
        loader.known.insert(identity(path), 0);
        let mut queue = VecDeque::from([(0, path.to_owned())]);
        while let Some((index, path)) = queue.pop_front() {
            loader.links(index, &path, &mut queue, faults);
        }
        Some(Self { files: loader.files })
    }

    /// The file that a reference in file `from` names before its `#`.
    pub(crate) fn linked(&self, from: usize, link: &str) -> Option<usize> {
        if link.is_empty() { Some(from) } else { self.get(from)?.links.get(link).copied() }
    }

    pub(crate) fn get(&self, file: usize) -> Option<&File> {
        self.files.get(file)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    pub(crate) fn name(&self, file: usize) -> &str {
        self.get(file).map_or("", |file| file.name.as_str())
    }
}

impl File {
    fn new(name: String, root: Value) -> Self {
        let mut anchors = BTreeMap::new();
        anchors_of(&root, "", &mut anchors);
        Self { name, root, links: BTreeMap::new(), anchors }
    }
}

struct Loader<'a> {
    root: Option<&'a Path>,
    known: BTreeMap<PathBuf, usize>,
    files: Vec<File>,
}

impl Loader<'_> {
    /// Reads the files that one file refers to. A file that cannot be read is noted when its reference is followed.
    fn links(
        &mut self,
        index: usize,
        path: &Path,
        queue: &mut VecDeque<(usize, PathBuf)>,
        faults: &mut Faults,
    ) {
        let mut links = Vec::new();
        if let Some(file) = self.files.get(index) {
            links_of(&file.root, &mut links);
        }
        links.sort_unstable();
        links.dedup();
        for link in links {
            let beside = path.parent().map(|parent| parent.join(&link));
            let candidates = [beside, self.root.map(|root| root.join(&link))];
            let Some(path) = candidates.into_iter().flatten().find(|path| path.is_file()) else { continue };
            let target = self.known.get(&identity(&path)).copied();
            let Some(target) = target.or_else(|| self.read(&path, queue, faults)) else { continue };
            if let Some(file) = self.files.get_mut(index) {
                file.links.insert(link, target);
            }
        }
    }

    fn read(
        &mut self,
        path: &Path,
        queue: &mut VecDeque<(usize, PathBuf)>,
        faults: &mut Faults,
    ) -> Option<usize> {
        if self.files.len() >= MAX_FILES {
            return None;
        }
        let name = path.display().to_string();
        let text = match read(path) {
            Ok(text) => text,
            Err(problem) => {
                faults.add(&name, "", problem);
                return None;
            }
        };
        let index = self.files.len();
        self.files.push(File::new(name.clone(), json::read(&name, &text, faults)?));
        self.known.insert(identity(path), index);
        queue.push_back((index, path.to_owned()));
        Some(index)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let length = fs::metadata(path).map_err(told)?.len();
    if length > MAX_FILE_BYTES {
        return Err(format!("too large: {length} bytes, at most {MAX_FILE_BYTES}"));
    }
    let text = fs::read_to_string(path).map_err(told)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Collects the part before `#` of each reference in a value, except URLs.
fn links_of(value: &Value, links: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let file = reference.split('#').next().unwrap_or_default();
                if !file.is_empty() && !is_remote(file) {
                    links.push(file.to_owned());
                }
            }
            members.values().for_each(|value| links_of(value, links));
        }
        Value::Array(items) => items.iter().for_each(|value| links_of(value, links)),
        _ => {}
    }
}

/// Tells whether a reference is a URL.
pub(crate) fn is_remote(link: &str) -> bool {
    link.contains("://") || link.starts_with("urn:")
}

fn anchors_of(value: &Value, pointer: &str, anchors: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            let text = |key| members.get(key).and_then(Value::as_str);
            if let Some(anchor) = text("$anchor").or_else(|| text("$dynamicAnchor")) {
                anchors.entry(format!("#{anchor}")).or_insert_with(|| pointer.to_owned());
            }
            if let Some(id) = text("$id") {
                anchors.entry(id.trim_end_matches('#').to_owned()).or_insert_with(|| pointer.to_owned());
            }
            for (key, value) in members {
                if value.is_object() || value.is_array() {
                    anchors_of(value, &json::step(pointer, key), anchors);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                if value.is_object() || value.is_array() {
                    anchors_of(value, &json::step(pointer, index), anchors);
                }
            }
        }
        _ => {}
    }
}

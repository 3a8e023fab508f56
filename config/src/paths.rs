//! Where paths lead, also those to what does not exist yet.

use std::path::{Component, Path, PathBuf};

/// The path without links and detours, as far as it exists; two paths to one place become one.
pub fn resolve(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let Some(parent) = path.parent() else { return path.to_owned() };
    let parent = resolve(parent);
    match path.components().next_back() {
        Some(Component::Normal(name)) => parent.join(name),
        Some(Component::ParentDir) => parent.parent().unwrap_or(&parent).to_owned(),
        _ => parent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_one_place_are_one_path() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        for (path, expected) in [
            ("link/new/file", "real/new/file"),
            ("real/./new", "real/new"),
            ("link/../real/x", "real/x"),
            ("none/../real/x", "real/x"),
            ("none/deep/../../y", "y"),
        ] {
            assert_eq!(resolve(&root.join(path)), root.join(expected), "{path}");
        }
        assert_eq!(resolve(Path::new("/../../nowhere")), Path::new("/nowhere"));
    }
}

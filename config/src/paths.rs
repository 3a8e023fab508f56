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

/// A path as it is said relative to a folder. What begins with `..` leaves the folder by its name: where the folder is
/// a link, it leads to another place each time the link is switched.
pub fn join(folder: &Path, path: &Path) -> PathBuf {
    let (mut at, mut rest) = (folder.to_owned(), path.strip_prefix(".").unwrap_or(path));
    let is_named = |folder: &Path| matches!(folder.components().next_back(), Some(Component::Normal(_)));
    while let Ok(after) = rest.strip_prefix("..")
        && is_named(&at)
    {
        at.pop();
        rest = after;
    }
    if at == folder { folder.join(path) } else { at.join(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_of_folder_is_found_by_its_name() {
        for (path, expected) in [
            ("x", "/a/link/x"),
            (".", "/a/link/."),
            ("../x", "/a/x"),
            ("./../x", "/a/x"),
            ("../../../x", "/../x"),
            ("x/../y", "/a/link/x/../y"),
            ("/x", "/x"),
        ] {
            assert_eq!(join(Path::new("/a/link"), Path::new(path)).as_os_str(), expected, "{path}");
        }
    }

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

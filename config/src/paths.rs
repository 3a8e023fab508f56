//! Resolves paths, also those of files that do not exist yet.

use std::path::{Component, Path, PathBuf};

/// The folder of the data directory with the keys created for circles without a `db_path`.
pub(crate) const KEYS_FOLDER: &str = "keys";

/// Removes links, `.` and `..` from a path, as far as it exists, so that two paths to one file become equal.
pub(crate) fn resolve(path: &Path) -> PathBuf {
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

/// Joins a folder and a relative path. A leading `..` removes the last name of the folder without following it: the
/// folder may be a link, and its target may change from one start to the next.
pub(crate) fn join(folder: &Path, path: &Path) -> PathBuf {
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
    fn join_does_not_follow_links_of_the_folder() {
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
    fn paths_to_one_file_resolve_to_one_path() {
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

use std::{collections::BTreeSet, fs, path::Path};

use super::Source;
use crate::run::Result;

/// Folders whose contents are not committed; `.gitignore` names them too.
const FOREIGN: [&str; 5] = [".git", "target", "node_modules", ".circles", "__pycache__"];

/// The repository's files, found without git so that an unpacked archive can be checked too.
pub(crate) struct Tree {
    /// Every file and folder, relative to the root.
    pub paths: BTreeSet<String>,
    /// The files that hold text, in order of their paths.
    pub sources: Vec<Source>,
}

/// Reads the tree below a folder.
pub(crate) fn read(root: &Path) -> Result<Tree> {
    let mut tree = Tree { paths: BTreeSet::new(), sources: Vec::new() };
    visit(root, "", &mut tree).map_err(|error| format!("{}: {error}", root.display()))?;
    tree.sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(tree)
}

fn visit(directory: &Path, prefix: &str, tree: &mut Tree) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if FOREIGN.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            visit(&entry.path(), &format!("{path}/"), tree)?;
        } else if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
            tree.sources.push(Source { path: path.clone(), text });
        }
        tree.paths.insert(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_and_binary_files_are_skipped() {
        let directory = tempfile::tempdir().unwrap();
        for (path, bytes) in [
            ("api/src/lib.rs", &b"//! Here."[..]),
            ("target/debug/junk.rs", b"junk"),
            ("logo.png", b"\x89PNG\xff"),
        ] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let tree = read(directory.path()).unwrap();
        let paths: Vec<_> = tree.paths.iter().map(String::as_str).collect();
        assert_eq!(paths, ["api", "api/src", "api/src/lib.rs", "logo.png"]);
        assert_eq!(tree.sources, [Source { path: "api/src/lib.rs".into(), text: "//! Here.".into() }]);
    }
}

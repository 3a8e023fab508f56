//! Finds the scripts of a library.

use cap_std::fs::{Dir, MetadataExt as _};

use super::library::{Library, LibraryError, NAME_BYTES, is_name, is_part};
use crate::play::Play;

/// Scripts that are listed, at most.
const MAX_LISTED: usize = 1_000;
/// Names that are looked at for them, at most: a library is no place for much else.
const MAX_ENTRIES: usize = 20_000;
/// The extension of a library's files.
const EXTENSION: &str = ".rhai";

impl Library {
    /// The names of the scripts, sorted, the first thousand. May block on the disk.
    pub(crate) fn names(&self, play: &Play) -> Result<Vec<String>, LibraryError> {
        let Some(root) = self.open()? else { return Ok(Vec::new()) };
        let mut walk = Walk { root: &root, parents: Vec::new(), left: MAX_ENTRIES, found: Vec::new(), play };
        walk.directory("")?;
        let mut names = walk.found;
        names.sort_unstable();
        names.truncate(MAX_LISTED);
        Ok(names)
    }
}

/// Walks through one directory, and through links as long as they stay in the library.
struct Walk<'a> {
    root: &'a Dir,
    /// The directories above the current one: a link to one of them has nothing new.
    parents: Vec<(u64, u64)>,
    /// Entries that the walk may still look at.
    left: usize,
    found: Vec<String>,
    play: &'a Play,
}

impl Walk<'_> {
    /// Walks through a directory. `prefix` is its path below the root and ends with `/`; the root's is empty.
    fn directory(&mut self, prefix: &str) -> Result<(), LibraryError> {
        let path = if prefix.is_empty() { "." } else { prefix };
        // The path from the root decides, here and when a script is run, whether a link leads out of the library.
        let dir = self.root.open_dir(path)?;
        let metadata = dir.dir_metadata()?;
        let id = (metadata.dev(), metadata.ino());
        if self.parents.contains(&id) {
            return Ok(());
        }
        self.parents.push(id);
        for entry in dir.entries()? {
            let entry = entry?;
            self.play.meter.check_at_tick()?;
            let Some(left) = self.left.checked_sub(1) else { break };
            self.left = left;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_part(name)) else { continue };
            let kind = entry.file_type()?;
            let inner = format!("{prefix}{name}/");
            // A directory that cannot be entered, or goes away meanwhile, does not hide the others.
            let is_dir = kind.is_dir() || kind.is_symlink() && self.root.metadata(&inner).is_ok();
            if is_dir && inner.len() < NAME_BYTES {
                let depth = self.parents.len();
                let walked = self.directory(&inner);
                self.parents.truncate(depth);
                match walked {
                    Err(LibraryError::Io(_)) | Ok(()) => {}
                    Err(error) => return Err(error),
                }
            } else if let Some(name) = name.strip_suffix(EXTENSION) {
                let name = format!("{prefix}{name}");
                self.found.extend(is_name(&name).then_some(name));
            }
        }
        Ok(())
    }
}

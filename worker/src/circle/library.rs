//! The scripts of a circle's library: found below one directory, compiled once.

use std::{
    io::{self, Read},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, MetadataExt},
};
use quick_cache::{Weighter, sync::Cache};
use rhai::{Engine, ParseError};

use super::files::{FileFault, open_to_read};
use crate::{Limits, cache::Script};

/// Scripts of one library that are kept compiled, at most.
const SCRIPTS: usize = 1_000;
/// Bytes of source whose compiled form is kept, at most.
const SOURCE_BYTES: u64 = 4 << 20;
/// Bytes of a script's name.
const NAME_BYTES: usize = 128;
/// How old a change must be for its time to tell it from a later one: clocks of file systems are coarse.
const SETTLED: Duration = Duration::from_secs(2);

/// Why a library script cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LibraryFault {
    /// There is none of this name, or the name is none.
    #[error("there is no such script in the library")]
    NotFound,
    /// The library is not where it has to be.
    #[error("its folder is not there")]
    Absent,
    /// It is longer than `script_bytes`.
    #[error("it is longer than script_bytes allows")]
    TooLarge,
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] ParseError),
    /// It is there and cannot be read.
    #[error("it cannot be read: {}", .0.kind())]
    Io(#[from] io::Error),
}

/// The scripts below one directory. The directory is opened for each look, so that a library can be put in
/// place, or replaced, at any time, and a circle nobody plays in holds nothing open.
pub struct Library {
    root: Option<PathBuf>,
    /// Whether nothing may run while it is not there.
    required: bool,
    scripts: Cache<Box<str>, Arc<Loaded>, BySource>,
}

/// A script as it was read.
struct Loaded {
    script: Arc<Script>,
    stamp: Stamp,
    /// Whether a later change is sure to show in the stamp. Until then the source is read again each time.
    settled: AtomicBool,
    bytes: u64,
}

/// What changes when a file is replaced or written to. The inode's own time of change is among it, which
/// nobody can set back; the content decides where the times are too young to tell.
#[derive(PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the last change lies so far back that the next one has another time.
    fn is_settled(&self) -> bool {
        let changed = u64::try_from(self.changed.0).unwrap_or(0);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(changed));
        since.is_ok_and(|since| since > SETTLED)
    }
}

#[derive(Clone)]
struct BySource;

impl Weighter<Box<str>, Arc<Loaded>> for BySource {
    fn weight(&self, name: &Box<str>, loaded: &Arc<Loaded>) -> u64 {
        loaded.bytes + name.len() as u64 + SOURCE_BYTES / SCRIPTS as u64
    }
}

impl Library {
    pub fn new(root: Option<PathBuf>, required: bool) -> Self {
        Self { root, required, scripts: Cache::with_weighter(SCRIPTS, SOURCE_BYTES, BySource) }
    }

    /// The library's directory; `None` if there is none, which is an empty library.
    pub fn open(&self) -> io::Result<Option<Dir>> {
        let Some(root) = &self.root else { return Ok(None) };
        match Dir::open_ambient_dir(root, ambient_authority()) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether nothing may run while the directory is not there.
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// The script of this name as it stands now, compiled by an engine with these limits.
    pub fn script(&self, engine: &Engine, limits: &Limits, name: &str) -> Result<Arc<Script>, LibraryFault> {
        if !is_name(name) {
            return Err(LibraryFault::NotFound);
        }
        let Some(root) = self.open()? else { return Err(LibraryFault::NotFound) };
        let (mut file, metadata) = match open_to_read(&root, format!("{name}.rhai")) {
            Ok(opened) => opened,
            // What there is not and what may not be reached are one to a script.
            Err(FileFault::Other(kind)) => return Err(io::Error::from(kind).into()),
            Err(_) => return Err(LibraryFault::NotFound),
        };
        let stamp = Stamp::of(&metadata);
        let known = self.scripts.get(name);
        if let Some(known) = &known
            && known.stamp == stamp
            && known.settled.load(Ordering::Relaxed)
        {
            return Ok(known.script.clone());
        }
        let settled = stamp.is_settled();
        let source = read(&mut file, limits.script_bytes)?;
        let bytes = source.len() as u64;
        let script = match known {
            Some(known) if known.script.is_of(&source) => known.script.clone(),
            _ => {
                let mut script = Script::compile(engine, &source)?;
                script.ast.set_source(name);
                Arc::new(script)
            }
        };
        let loaded = Loaded { script: script.clone(), stamp, settled: AtomicBool::new(settled), bytes };
        self.scripts.insert(name.into(), Arc::new(loaded));
        Ok(script)
    }
}

fn read(file: &mut impl Read, most: usize) -> Result<String, LibraryFault> {
    let mut source = String::new();
    file.take(most as u64 + 1).read_to_string(&mut source)?;
    if source.len() > most { Err(LibraryFault::TooLarge) } else { Ok(source) }
}

/// Whether a text can name a library script: parts of letters, digits, `_`, `-` and `.`, none of which begins
/// with `-` or `.`, with `/` between them.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES && name.split('/').all(is_part)
}

/// Whether a text can be a part of a name.
pub fn is_part(part: &str) -> bool {
    part.bytes().enumerate().all(|(index, byte)| {
        byte.is_ascii_alphanumeric() || byte == b'_' || (index > 0 && (byte == b'.' || byte == b'-'))
    }) && !part.is_empty()
}

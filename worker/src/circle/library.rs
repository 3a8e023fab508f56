//! The scripts of a circle's library: found below one directory, compiled once.

use std::{
    io::{self, Read},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, MetadataExt},
};
use quick_cache::{Equivalent, Weighter};
use rhai::{Engine, ParseError};

use super::files::{FileFault, open_to_read};
use crate::{
    Limits,
    cache::{Bounded, CompileFault, Script, bounded, hash, weight},
    memory,
    play::Play,
};

/// Bytes of a script's name.
pub const NAME_BYTES: usize = 128;
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
    /// The play for which it was to be had was stopped; [`Play::stopped`] says why.
    #[error(transparent)]
    Stopped(CompileFault),
    /// It is there and cannot be read.
    #[error("it cannot be read: {}", .0.kind())]
    Io(#[from] io::Error),
}

impl LibraryFault {
    /// Of a play that was stopped.
    pub(super) fn stopped<T>(_: T) -> Self {
        Self::Stopped(CompileFault::Stopped)
    }

    /// Whether it may be gone a moment later, since it says nothing of the library: this process, or the system, is out
    /// of file descriptors or memory.
    pub fn is_passing(&self) -> bool {
        use rustix::io::Errno;
        let Self::Io(error) = self else { return false };
        [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN, Errno::INTR]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
    }
}

impl From<CompileFault> for LibraryFault {
    fn from(fault: CompileFault) -> Self {
        match fault {
            CompileFault::Parse(error) => Self::Compile(error),
            stopped @ CompileFault::Stopped => Self::Stopped(stopped),
        }
    }
}

/// The scripts below one directory. The directory is opened for each look, so that a library can be put in
/// place, or replaced, at any time, and a circle nobody plays in holds nothing open.
pub struct Library {
    root: Option<PathBuf>,
    /// Whether nothing may run while it is not there.
    required: bool,
    /// Tells its scripts from those of other libraries.
    number: u64,
    compiled: Arc<Compiled>,
}

/// The compiled scripts of all libraries of a host.
pub struct Compiled(Bounded<Key, Arc<Known>, ByBytes>);

impl Compiled {
    /// None yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(bounded(ByBytes)))
    }
}

/// The number of a library, and the name of a script in it.
#[derive(PartialEq, Eq, Hash)]
struct Key<S = Box<str>>(u64, S);

impl Equivalent<Key> for Key<&str> {
    fn equivalent(&self, other: &Key) -> bool {
        (self.0, self.1) == (other.0, &*other.1)
    }
}

/// A script as it was read.
struct Known {
    script: Arc<Script>,
    stamp: Stamp,
    /// Whether a later change is sure to show in the stamp. Until then the source is read again each time.
    settled: AtomicBool,
}

/// A script that was found, and its hash; not compiled yet, perhaps.
pub struct Loaded {
    pub hash: [u8; 32],
    name: Box<str>,
    state: State,
}

enum State {
    Compiled(Arc<Script>),
    Source { source: String, stamp: Stamp, settled: bool },
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
struct ByBytes;

impl Weighter<Key, Arc<Known>> for ByBytes {
    fn weight(&self, key: &Key, known: &Arc<Known>) -> u64 {
        weight(&known.script, key.1.len() + size_of::<Known>())
    }
}

impl Library {
    pub fn new(root: Option<PathBuf>, required: bool, compiled: Arc<Compiled>) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self { root, required, number: NUMBER.fetch_add(1, Ordering::Relaxed), compiled }
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

    /// The script of this name as it stands now, within the limits of this play.
    pub fn load(&self, limits: &Limits, name: &str, play: &Play) -> Result<Loaded, LibraryFault> {
        if !is_name(name) {
            return Err(LibraryFault::NotFound);
        }
        let Some(root) = self.open()? else { return Err(LibraryFault::NotFound) };
        let (mut file, metadata) = match open_to_read(&root, format!("{name}.rhai")) {
            Ok(opened) => opened,
            // What there is not and what may not be reached are one to a script.
            Err(FileFault::Other(error)) => return Err(error.into()),
            Err(_) => return Err(LibraryFault::NotFound),
        };
        let stamp = Stamp::of(&metadata);
        let known = self.compiled.0.get(&Key(self.number, name));
        let loaded = |hash, state| Loaded { hash, name: name.into(), state };
        if let Some(known) = &known
            && known.stamp == stamp
            && known.settled.load(Ordering::Relaxed)
        {
            return Ok(loaded(known.script.hash, State::Compiled(known.script.clone())));
        }
        let settled = stamp.is_settled();
        let most = stamp.bytes.min(limits.script_bytes as u64);
        play.charge(usize::try_from(most).unwrap_or(usize::MAX)).map_err(LibraryFault::stopped)?;
        let source = read(&mut file, limits.script_bytes)?;
        let hash = hash(&source, play).map_err(LibraryFault::stopped)?;
        match known {
            Some(known) if known.script.hash == hash => {
                let script = known.script.clone();
                self.keep(name, script.clone(), stamp, settled);
                Ok(loaded(hash, State::Compiled(script)))
            }
            _ => Ok(loaded(hash, State::Source { source, stamp, settled })),
        }
    }

    /// The compiled form of a script, by an engine with the limits that it was loaded with.
    pub fn compile(&self, engine: &Engine, loaded: Loaded) -> Result<Arc<Script>, LibraryFault> {
        match loaded.state {
            State::Compiled(script) => Ok(script),
            State::Source { source, stamp, settled } => {
                let script = Script::compile(engine, &source, loaded.hash, &loaded.name)?;
                self.keep(&loaded.name, script.clone(), stamp, settled);
                Ok(script)
            }
        }
    }

    fn keep(&self, name: &str, script: Arc<Script>, stamp: Stamp, settled: bool) {
        memory::uncounted(|| {
            let known = Known { script, stamp, settled: AtomicBool::new(settled) };
            self.compiled.0.insert(Key(self.number, name.into()), Arc::new(known));
        });
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

//! Caches of compiled scripts: callers' by their source, libraries' by their name.

use std::{hash::Hash, sync::Arc};

use circles_config::Limits;
use quick_cache::{
    DefaultHashBuilder, Equivalent, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use rhai::{Engine, ParseError};

use super::script::{CompileError, Script, hash};
use crate::{
    circle::{LibraryError, LibraryId, LibraryRead, Version},
    natives::Frame,
    play::{self, Stop},
};

/// Bytes that the compiled scripts of callers take, at most, and those of libraries; docs/operations.md names them.
const CACHE_BYTES: u64 = 64 << 20;
/// Small scripts take some kilobytes each.
const SCRIPTS: usize = 10_000;
/// Few, so that the part of one holds the largest script by default: some ten megabytes.
const SHARDS: usize = 4;
/// Bytes that an entry takes besides its content.
const ENTRY_BYTES: usize = 256;

/// An empty cache that holds [`CACHE_BYTES`] at most. It drops the least useful entries first.
fn bounded<K: Eq + Hash, V: Clone, W: Weighter<K, V> + Clone>(weighter: W) -> Cache<K, V, W> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(SCRIPTS)
        .weight_capacity(CACHE_BYTES)
        .shards(SHARDS)
        .build();
    match options {
        Ok(options) => {
            Cache::with_options(options, weighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
        }
        Err(_) => unreachable!("both capacities are given"),
    }
}

/// Bytes of an entry: a script and its key.
const fn weight(script: &Script, key: usize) -> u64 {
    (script.bytes + key + ENTRY_BYTES) as u64
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<SourceKey, Arc<Script>> for ByBytes {
    fn weight(&self, key: &SourceKey, script: &Arc<Script>) -> u64 {
        weight(script, key.source.len())
    }
}

impl Weighter<LibraryKey, Arc<CachedScript>> for ByBytes {
    fn weight(&self, key: &LibraryKey, cached: &Arc<CachedScript>) -> u64 {
        weight(&cached.script, key.1.len() + size_of::<CachedScript>())
    }
}

/// The compiled scripts of callers.
pub(crate) struct SourceCache(Cache<SourceKey, Arc<Script>, ByBytes>);

/// A source, and the limits that it was compiled within: one circle may allow more than another.
#[derive(PartialEq, Eq, Hash)]
struct SourceKey<S = Box<str>> {
    source: S,
    expression_depth: usize,
    functions: usize,
}

impl<S> SourceKey<S> {
    const fn new(source: S, limits: &Limits) -> Self {
        Self { source, expression_depth: limits.expression_depth, functions: limits.functions }
    }
}

impl Equivalent<SourceKey> for SourceKey<&str> {
    fn equivalent(&self, other: &SourceKey) -> bool {
        (self.source, self.expression_depth, self.functions)
            == (&*other.source, other.expression_depth, other.functions)
    }
}

impl SourceCache {
    pub(crate) fn new() -> Self {
        Self(bounded(ByBytes))
    }

    /// The compiled form of a source that was compiled before.
    pub(crate) fn get(&self, source: &str, limits: &Limits) -> Option<Arc<Script>> {
        self.0.get(&SourceKey::new(source, limits))
    }

    /// The compiled form of a source with this hash; compiled now, by an engine with these limits, if it is not in the
    /// cache.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        source: &str,
        hash: [u8; 32],
        limits: &Limits,
    ) -> Result<Arc<Script>, CompileError> {
        if let Some(script) = self.get(source, limits) {
            return Ok(script);
        }
        let script = Script::compile(engine, source, hash, "")?;
        play::uncounted(|| self.0.insert(SourceKey::new(source.into(), limits), script.clone()));
        Ok(script)
    }
}

/// The compiled scripts of all libraries of a host.
pub(crate) struct LibraryCache(Cache<LibraryKey, Arc<CachedScript>, ByBytes>);

/// A library, and the name of a script in it.
#[derive(PartialEq, Eq, Hash)]
struct LibraryKey<S = Box<str>>(LibraryId, S);

impl Equivalent<LibraryKey> for LibraryKey<&str> {
    fn equivalent(&self, other: &LibraryKey) -> bool {
        (self.0, self.1) == (other.0, &*other.1)
    }
}

/// A compiled script, and the version of its file.
struct CachedScript {
    script: Arc<Script>,
    version: Version,
}

/// A library script that was found; compiled already, perhaps.
pub(crate) struct Loaded {
    pub hash: [u8; 32],
    name: Box<str>,
    state: LoadState,
}

enum LoadState {
    Compiled(Arc<Script>),
    Source(String, Version),
}

/// Why a library script cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// It does not compile.
    #[error(transparent)]
    Parse(ParseError),
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Parse(error) => Self::Parse(error),
            CompileError::Stopped => LibraryError::Stopped(Stop::Interrupted).into(),
        }
    }
}

impl From<Stop> for LoadError {
    fn from(stop: Stop) -> Self {
        LibraryError::Stopped(stop).into()
    }
}

impl LibraryCache {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(bounded(ByBytes)))
    }

    /// A script of the frame's library as it stands now. May block on the disk.
    pub(crate) fn load(&self, frame: &Frame, name: &str) -> Result<Loaded, LoadError> {
        let library = frame.circle().library_id();
        let cached = self.0.get(&LibraryKey(library, name));
        let loaded = |hash, state| Loaded { hash, name: name.into(), state };
        let known = cached.as_ref().map(|cached| &cached.version);
        match (frame.circle().read_script(&frame.play, name, known)?, cached) {
            (LibraryRead::Unchanged, Some(cached)) => {
                Ok(loaded(cached.script.hash, LoadState::Compiled(cached.script.clone())))
            }
            (LibraryRead::Unchanged, None) => Err(LibraryError::NotFound.into()),
            (LibraryRead::Source(source, version), cached) => {
                let hash = hash(&source, &frame.play.meter)?;
                match cached {
                    Some(cached) if cached.script.hash == hash => {
                        let script = cached.script.clone();
                        self.insert(library, name, script.clone(), version);
                        Ok(loaded(hash, LoadState::Compiled(script)))
                    }
                    _ => Ok(loaded(hash, LoadState::Source(source, version))),
                }
            }
        }
    }

    /// The compiled form of a loaded script, by an engine with the limits of the frame's play.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        frame: &Frame,
        loaded: Loaded,
    ) -> Result<Arc<Script>, LoadError> {
        match loaded.state {
            LoadState::Compiled(script) => Ok(script),
            LoadState::Source(source, version) => {
                let script = Script::compile(engine, &source, loaded.hash, &loaded.name)?;
                self.insert(frame.circle().library_id(), &loaded.name, script.clone(), version);
                Ok(script)
            }
        }
    }

    /// A compiled script of the frame's library. May block on the disk.
    pub(crate) fn script(
        &self,
        engine: &Engine,
        frame: &Frame,
        name: &str,
    ) -> Result<Arc<Script>, LoadError> {
        self.compile(engine, frame, self.load(frame, name)?)
    }

    fn insert(&self, library: LibraryId, name: &str, script: Arc<Script>, version: Version) {
        // The entry outlives the play, which does not pay for it.
        play::uncounted(|| {
            self.0.insert(LibraryKey(library, name.into()), Arc::new(CachedScript { script, version }));
        });
    }
}

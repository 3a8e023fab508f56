//! Compiled scripts, by their source.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use quick_cache::{
    DefaultHashBuilder, Equivalent, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use rhai::{AST, ASTNode, Engine, ParseError, ParseErrorType, Stmt};
use sha2::{Digest, Sha256};

use crate::{
    Limits, memory,
    natives::slices,
    packages,
    play::{Play, Stop},
};

/// Bytes that the compiled scripts of callers take, at most, and those of libraries; [docs/operations.md] says so.
pub const CACHE_BYTES: u64 = 64 << 20;
/// Small scripts take some kilobytes each.
const SCRIPTS: usize = 10_000;
/// Few, so that the share of one holds the largest script there is by default: some ten megabytes.
const SHARDS: usize = 4;
/// What an entry takes beside what it holds.
const ENTRY_BYTES: usize = 256;
/// Bytes of source that are hashed between looks at the clock: well under a millisecond.
const HASHED_AT_ONCE: usize = 64 << 10;
/// What a script may have cost last time to be tried where it arrives next time.
const SHORT_OPERATIONS: u64 = 2_000;
const SHORT_TIME: Duration = Duration::from_micros(50);
/// How Rhai names the functions that it makes of closures.
const CLOSURE: &str = "anon$";
/// How many short plays in a row make up for a trial that was given up.
const STRIKE: u8 = 64;
/// From here on a script is not tried until its plays have made up for some: its cost depends on its arguments.
const TOO_MANY: u8 = 3 * STRIKE;

/// A cache of so many bytes at most, as [`Weighter`]s count them.
pub type Bounded<K, V, W> = Cache<K, V, W>;

/// An empty cache that holds [`CACHE_BYTES`] at most.
pub fn bounded<K: Eq + std::hash::Hash, V: Clone, W: Weighter<K, V> + Clone>(
    weighter: W,
) -> Bounded<K, V, W> {
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

/// A bounded cache; the least useful scripts are dropped first.
pub struct Scripts {
    cache: Bounded<Key, Arc<Script>, ByBytes>,
}

/// A source, and the limits that compiling it kept: what one circle allows, another may not.
#[derive(PartialEq, Eq, Hash)]
struct Key<S = Box<str>> {
    source: S,
    expression_depth: usize,
    functions: usize,
}

impl<S> Key<S> {
    const fn new(source: S, limits: &Limits) -> Self {
        Self { source, expression_depth: limits.expression_depth, functions: limits.functions }
    }
}

impl Equivalent<Key> for Key<&str> {
    fn equivalent(&self, other: &Key) -> bool {
        (self.source, self.expression_depth, self.functions)
            == (&*other.source, other.expression_depth, other.functions)
    }
}

/// Why a source is not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileFault {
    /// It is not Rhai, or passes a limit that the parser keeps.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The play for which it was to be compiled was stopped; [`Play::stopped`] says why.
    #[error("it takes more time or memory to compile than a play may use")]
    Stopped,
}

/// A compiled script, and what is known of its cost. Its memory is counted on no thread: a play that uses it is
/// charged with it ([`Play::hold`]), whether it was compiled just now or found in a cache.
pub struct Script {
    pub ast: AST,
    /// SHA-256 of its source.
    pub hash: [u8; 32],
    /// Whether it can make values that hold each other, which Rhai never frees.
    pub has_closures: bool,
    /// What it takes in memory.
    pub bytes: usize,
    was_short: AtomicBool,
    strikes: AtomicU8,
}

/// It was counted on no thread, and is freed so.
impl Drop for Script {
    fn drop(&mut self) {
        memory::uncounted(|| self.ast = AST::empty());
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Script>> for ByBytes {
    fn weight(&self, key: &Key, script: &Arc<Script>) -> u64 {
        weight(script, key.source.len())
    }
}

/// What an entry of a cache takes in memory: a script and its key.
pub fn weight(script: &Script, key: usize) -> u64 {
    (script.bytes + key + ENTRY_BYTES) as u64
}

impl Scripts {
    pub fn new() -> Self {
        Self { cache: bounded(ByBytes) }
    }

    /// The compiled form of a source that was compiled before.
    pub fn get(&self, source: &str, limits: &Limits) -> Option<Arc<Script>> {
        self.cache.get(&Key::new(source, limits))
    }

    /// The compiled form of a source with this hash; compiled now, by an engine with these limits, if it is not
    /// known.
    pub fn compile(
        &self,
        engine: &Engine,
        source: &str,
        hash: [u8; 32],
        limits: &Limits,
    ) -> Result<Arc<Script>, CompileFault> {
        if let Some(script) = self.get(source, limits) {
            return Ok(script);
        }
        let script = Script::compile(engine, source, hash, "")?;
        memory::uncounted(|| self.cache.insert(Key::new(source.into(), limits), script.clone()));
        Ok(script)
    }
}

/// SHA-256 of a source, within the time of this play.
pub fn hash(source: &str, play: &Play) -> Result<[u8; 32], Stop> {
    let mut hash = Sha256::new();
    for part in source.as_bytes().chunks(HASHED_AT_ONCE) {
        hash.update(part);
        play.proceed()?;
    }
    Ok(hash.finalize().into())
}

/// What Rhai reads of a source: a byte order mark and the text of a `#!` line are left out, and lines keep their
/// numbers.
fn code(source: &str) -> &str {
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    match (text.starts_with("#!"), text.find('\n')) {
        (false, _) => text,
        (true, end) => end.and_then(|end| text.get(end..)).unwrap_or_default(),
    }
}

impl Script {
    /// Compiles a source with this hash, to be named so in errors, within the limits of the play on this thread.
    /// Until it is compiled its memory is the play's; then it is nobody's.
    pub fn compile(
        engine: &Engine,
        source: &str,
        hash: [u8; 32],
        name: &str,
    ) -> Result<Arc<Self>, CompileFault> {
        let before = memory::balance();
        let compiled = slices::compile(engine, code(source)).and_then(|mut ast| {
            refuse_natives_of_its_own(&ast)?;
            if !name.is_empty() {
                ast.set_source(name);
            }
            Ok(ast)
        });
        // An error in place of a token is none of the source's.
        if !Play::current_may_compile() {
            return Err(CompileFault::Stopped);
        }
        let ast = compiled?;
        let taken = usize::try_from(memory::balance().wrapping_sub(before)).unwrap_or(0);
        memory::refund(taken);
        Ok(Arc::new(Self::new(ast, hash, taken.max(source.len()))))
    }

    fn new(ast: AST, hash: [u8; 32], bytes: usize) -> Self {
        let has_closures = ast.iter_functions().any(|function| is_closure(function.name));
        Self {
            hash,
            has_closures,
            bytes: bytes + size_of::<Self>(),
            ast,
            was_short: AtomicBool::new(false),
            strikes: AtomicU8::new(0),
        }
    }

    /// Whether it is worth trying where it arrives. One with closures is not: what it leaves has to be counted.
    pub fn is_short(&self) -> bool {
        !self.has_closures
            && self.was_short.load(Ordering::Relaxed)
            && self.strikes.load(Ordering::Relaxed) < TOO_MANY
    }

    /// Remembers what a play cost. One that waited, or touched what a trial may not, was not short.
    pub fn cost(&self, operations: u64, elapsed: Duration, waited: bool, touched: bool) {
        let short = operations <= SHORT_OPERATIONS && elapsed <= SHORT_TIME && !waited && !touched;
        self.was_short.store(short, Ordering::Relaxed);
        if short {
            self.was_indeed_short();
        }
    }

    /// Remembers that it was short, in a trial or otherwise.
    pub fn was_indeed_short(&self) {
        let strikes = self.strikes.load(Ordering::Relaxed);
        if strikes > 0 {
            // Threads that overtake each other here forgive a little less.
            self.strikes.store(strikes - 1, Ordering::Relaxed);
        }
    }

    /// Remembers that it was tried in vain, be it only that the machine was busy.
    pub fn gave_up(&self) {
        self.was_short.store(false, Ordering::Relaxed);
        let strikes = self.strikes.load(Ordering::Relaxed).saturating_add(STRIKE);
        self.strikes.store(strikes, Ordering::Relaxed);
    }
}

/// Whether Rhai made this function of a closure.
pub fn is_closure(function: &str) -> bool {
    function.starts_with(CLOSURE)
}

/// Refuses imports that are called like a namespace of natives, and functions like a native that speaks for
/// the circle. Rhai looks for both first in the scripts, also in the one that called a module: what
/// `fs::read` and `secret` are, no script decides, neither for itself nor for the modules that it calls.
fn refuse_natives_of_its_own(ast: &AST) -> Result<(), ParseError> {
    let refused = |name: &str, at| Err(ParseError(Box::new(ParseErrorType::Reserved(name.to_owned())), at));
    let mut import = None;
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(parts, _))) = path.last()
            && packages::is_namespace(&parts.1.name)
        {
            import = Some(parts.1.clone());
        }
        import.is_none()
    });
    if let Some(name) = import {
        return refused(&name.name, name.pos);
    }
    match ast.iter_fn_def().find(|function| packages::is_reserved(&function.name)) {
        Some(function) => refused(&function.name, function.body.start_position()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran_short(script: &Script) {
        script.cost(1, Duration::ZERO, false, false);
    }

    #[test]
    fn byte_order_mark_and_shebang_keep_line_numbers() {
        for source in
            ["\u{feff}#!/usr/bin/env circles play\n\n  (", "#!x\r\n\n  (", "\u{feff}\n\n  (", "\n\n  ("]
        {
            let error = Engine::new_raw().compile(code(source)).err().map(|error| error.position());
            assert_eq!(error.and_then(|place| place.line()), Some(3), "{source:?}");
        }
        for source in ["\u{feff}40 + 2", "#!x\n40 + 2", "\u{feff}#!x\n40 + 2"] {
            assert_eq!(Engine::new().eval::<i64>(code(source)).unwrap(), 42, "{source:?}");
        }
        for source in ["#!x", "#!", "\u{feff}"] {
            assert_eq!(code(source), "", "{source:?}");
        }
        assert_eq!(code("\n#!x"), "\n#!x", "it is no first line");
    }

    #[test]
    fn a_script_given_up_now_and_then_is_still_tried_and_one_given_up_again_and_again_hardly_ever() {
        let script = Script::new(Engine::new_raw().compile("1").unwrap(), [0; 32], 0);
        let mut tried = 0;
        let mut round = |given_up_of: usize| {
            tried = 0;
            for play in 0..10_000 {
                if !script.is_short() {
                    ran_short(&script);
                } else if play % given_up_of == 0 {
                    tried += 1;
                    script.gave_up();
                } else {
                    tried += 1;
                    script.was_indeed_short();
                }
            }
            tried
        };
        assert!(round(100) > 9_000);
        let often = round(1);
        assert!((1..400).contains(&often), "{often}");
        assert!(round(100) > 9_000, "it is not held against it for good");
    }
}

//! Compiled scripts, by their source.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use quick_cache::{Equivalent, Weighter, sync::Cache};
use rhai::{AST, ASTNode, Engine, ParseError, ParseErrorType, Stmt};
use sha2::{Digest, Sha256};

use crate::{Limits, packages};

/// Compiled scripts that are kept, at most.
const SCRIPTS: usize = 10_000;
/// Bytes of source whose compiled form is kept, at most. A syntax tree takes some ten to thirty times as much.
const SOURCE_BYTES: u64 = 8 << 20;
/// What a script may have cost last time to be tried where it arrives next time.
const SHORT_OPERATIONS: u64 = 2_000;
const SHORT_TIME: Duration = Duration::from_micros(50);
/// How Rhai names the functions that it makes of closures.
const CLOSURE: &str = "anon$";
/// How many short plays in a row make up for a trial that was given up.
const STRIKE: u8 = 64;
/// From here on a script is not tried until its plays have made up for some: its cost depends on its arguments.
const TOO_MANY: u8 = 3 * STRIKE;

/// A bounded cache; the least useful scripts are dropped first.
pub struct Scripts {
    cache: Cache<Key, Arc<Script>, BySource>,
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

/// A compiled script, and what is known of its cost.
pub struct Script {
    pub ast: AST,
    /// SHA-256 of its source.
    pub hash: [u8; 32],
    /// Whether it can make values that hold each other, which Rhai never frees.
    pub has_closures: bool,
    was_short: AtomicBool,
    strikes: AtomicU8,
}

#[derive(Clone)]
struct BySource;

impl Weighter<Key, Arc<Script>> for BySource {
    fn weight(&self, key: &Key, _: &Arc<Script>) -> u64 {
        // Also an empty script takes room.
        key.source.len() as u64 + SOURCE_BYTES / SCRIPTS as u64
    }
}

impl Scripts {
    pub fn new() -> Self {
        Self { cache: Cache::with_weighter(SCRIPTS, SOURCE_BYTES, BySource) }
    }

    /// The compiled form of a source that was compiled before.
    pub fn get(&self, source: &str, limits: &Limits) -> Option<Arc<Script>> {
        self.cache.get(&Key::new(source, limits))
    }

    /// The compiled form of a source; compiled now, by an engine with these limits, if it is not known.
    pub fn compile(&self, engine: &Engine, source: &str, limits: &Limits) -> Result<Arc<Script>, ParseError> {
        if let Some(script) = self.get(source, limits) {
            return Ok(script);
        }
        let script = Arc::new(Script::compile(engine, source)?);
        self.cache.insert(Key::new(source.into(), limits), script.clone());
        Ok(script)
    }
}

impl Script {
    /// Compiles a source.
    pub fn compile(engine: &Engine, source: &str) -> Result<Self, ParseError> {
        let ast = engine.compile(source)?;
        refuse_natives_of_its_own(&ast)?;
        let has_closures = ast.iter_functions().any(|function| is_closure(function.name));
        Ok(Self {
            ast,
            hash: Sha256::digest(source).into(),
            has_closures,
            was_short: AtomicBool::new(false),
            strikes: AtomicU8::new(0),
        })
    }

    /// Whether this is its source.
    pub fn is_of(&self, source: &str) -> bool {
        self.hash == <[u8; 32]>::from(Sha256::digest(source))
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
    fn a_script_given_up_now_and_then_is_still_tried_and_one_given_up_again_and_again_hardly_ever() {
        let script = Script::compile(&Engine::new_raw(), "1").unwrap();
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

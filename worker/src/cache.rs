//! Compiled scripts, by their source.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use quick_cache::{Weighter, sync::Cache};
use rhai::{AST, Engine, ParseError};

/// Compiled scripts that are kept, at most.
const SCRIPTS: usize = 10_000;
/// Bytes of source whose compiled form is kept, at most. A syntax tree takes some ten to thirty times as much.
const SOURCE_BYTES: u64 = 8 << 20;
/// What a script may have cost last time to be tried where it arrives next time.
const SHORT_OPERATIONS: u64 = 2_000;
const SHORT_TIME: Duration = Duration::from_micros(50);
/// How Rhai names the functions that it makes of closures.
const CLOSURE: &str = "anon$";
/// Trials given up after which a script is not tried any more: its cost depends on its arguments.
const STRIKES: u8 = 3;

/// A bounded cache; the least useful scripts are dropped first.
pub struct Scripts {
    cache: Cache<Box<str>, Arc<Script>, BySource>,
}

/// A compiled script, and what is known of its cost.
pub struct Script {
    pub ast: AST,
    /// Whether it can make values that hold each other, which Rhai never frees.
    pub has_closures: bool,
    was_short: AtomicBool,
    strikes: AtomicU8,
}

#[derive(Clone)]
struct BySource;

impl Weighter<Box<str>, Arc<Script>> for BySource {
    fn weight(&self, source: &Box<str>, _: &Arc<Script>) -> u64 {
        // Also an empty script takes room.
        source.len() as u64 + SOURCE_BYTES / SCRIPTS as u64
    }
}

impl Scripts {
    pub fn new() -> Self {
        Self { cache: Cache::with_weighter(SCRIPTS, SOURCE_BYTES, BySource) }
    }

    /// The compiled form of a source that was compiled before.
    pub fn get(&self, source: &str) -> Option<Arc<Script>> {
        self.cache.get(source)
    }

    /// The compiled form of a source; compiled now if it is not known.
    pub fn compile(&self, engine: &Engine, source: &str) -> Result<Arc<Script>, ParseError> {
        if let Some(script) = self.cache.get(source) {
            return Ok(script);
        }
        let ast = engine.compile(source)?;
        let has_closures = ast.iter_functions().any(|function| function.name.starts_with(CLOSURE));
        let script = Arc::new(Script {
            ast,
            has_closures,
            was_short: AtomicBool::new(false),
            strikes: AtomicU8::new(0),
        });
        self.cache.insert(source.into(), script.clone());
        Ok(script)
    }
}

impl Script {
    /// Whether it is worth trying where it arrives. One with closures is not: what it leaves has to be counted.
    pub fn is_short(&self) -> bool {
        !self.has_closures
            && self.was_short.load(Ordering::Relaxed)
            && self.strikes.load(Ordering::Relaxed) < STRIKES
    }

    /// Remembers what a play cost.
    pub fn cost(&self, operations: u64, elapsed: Duration, waited: bool) {
        let short = operations <= SHORT_OPERATIONS && elapsed <= SHORT_TIME && !waited;
        self.was_short.store(short, Ordering::Relaxed);
    }

    /// Remembers that it was tried in vain.
    pub fn gave_up(&self) {
        self.was_short.store(false, Ordering::Relaxed);
        let strikes = self.strikes.load(Ordering::Relaxed).saturating_add(1);
        self.strikes.store(strikes, Ordering::Relaxed);
    }
}

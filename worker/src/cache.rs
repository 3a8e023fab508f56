//! Compiled scripts, by the hash of their source.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use quick_cache::{Weighter, sync::Cache};
use rhai::{AST, Engine, ParseError};
use sha2::{Digest as _, Sha256};

/// Compiled scripts that are kept, at most.
const SCRIPTS: usize = 10_000;
/// Bytes of source whose compiled form is kept, at most. A syntax tree takes some ten to thirty times as much.
const SOURCE_BYTES: u64 = 8 << 20;
/// What a script may have cost last time to be tried where it arrives next time.
const SHORT_OPERATIONS: u64 = 2_000;
const SHORT_TIME: Duration = Duration::from_micros(50);
/// Trials given up after which a script is not tried any more: its cost depends on its arguments.
const STRIKES: u8 = 3;

/// A bounded cache; the least useful scripts are dropped first.
pub struct Scripts {
    cache: Cache<[u8; 32], Arc<Script>, BySource>,
}

/// A compiled script, and what is known of its cost.
pub struct Script {
    pub ast: AST,
    source_bytes: u64,
    was_short: AtomicBool,
    strikes: AtomicU8,
}

#[derive(Clone)]
struct BySource;

impl Weighter<[u8; 32], Arc<Script>> for BySource {
    fn weight(&self, _: &[u8; 32], script: &Arc<Script>) -> u64 {
        // Also an empty script takes room.
        script.source_bytes + SOURCE_BYTES / SCRIPTS as u64
    }
}

impl Scripts {
    pub fn new() -> Self {
        Self { cache: Cache::with_weighter(SCRIPTS, SOURCE_BYTES, BySource) }
    }

    /// The compiled form of a source that was compiled before.
    pub fn get(&self, source: &str) -> Option<Arc<Script>> {
        self.cache.get(&hash(source))
    }

    /// The compiled form of a source; compiled now if it is not known.
    pub fn compile(&self, engine: &Engine, source: &str) -> Result<Arc<Script>, ParseError> {
        let hash = hash(source);
        if let Some(script) = self.cache.get(&hash) {
            return Ok(script);
        }
        let script = Arc::new(Script {
            ast: engine.compile(source)?,
            source_bytes: source.len() as u64,
            was_short: AtomicBool::new(false),
            strikes: AtomicU8::new(0),
        });
        self.cache.insert(hash, script.clone());
        Ok(script)
    }
}

impl Script {
    /// Whether it is worth trying where it arrives.
    pub fn is_short(&self) -> bool {
        self.was_short.load(Ordering::Relaxed) && self.strikes.load(Ordering::Relaxed) < STRIKES
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

fn hash(source: &str) -> [u8; 32] {
    Sha256::digest(source.as_bytes()).into()
}

//! Compiled scripts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use rhai::{AST, ASTNode, Engine, ParseError, ParseErrorType, Stmt};
use sha2::{Digest, Sha256};

use crate::{
    natives::{Frame, slices},
    packages,
    play::{self, Meter, Play, Stop},
};

/// Bytes of source that are hashed between looks at the clock: well under a millisecond.
const HASHED_AT_ONCE: usize = 64 << 10;
/// A script is eligible for the fast path if its last play cost no more.
const SHORT_OPERATIONS: u64 = 2_000;
const SHORT_TIME: Duration = Duration::from_micros(50);
/// The prefix of functions that Rhai makes of closures.
const CLOSURE: &str = "anon$";
/// Short plays in a row that make up for one miss of the fast path.
const MISS_PENALTY: u8 = 64;
/// From here on a script stays off the fast path until short plays make up for its misses: its cost depends on its
/// arguments.
const MAX_PENALTY: u8 = 3 * MISS_PENALTY;

/// Why a source is not compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// It is not Rhai, or passes a limit of the parser.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The play that compiles it was stopped.
    #[error("it takes more time or memory to compile than a play may use")]
    Stopped,
}

/// A compiled script, and its record on the fast path. No thread counts its memory: each play that uses it is charged
/// with it, whether it was compiled just now or found in a cache.
pub(crate) struct Script {
    pub ast: AST,
    /// SHA-256 of its source.
    pub hash: [u8; 32],
    /// True if it can make values that hold each other, which Rhai never frees.
    pub has_closures: bool,
    /// Bytes that it takes in memory.
    pub bytes: usize,
    was_short: AtomicBool,
    penalty: AtomicU8,
}

/// No thread counted its memory, so none counts that it is freed.
impl Drop for Script {
    fn drop(&mut self) {
        play::uncounted(|| self.ast = AST::empty());
    }
}

/// SHA-256 of a source, within the time of a play.
pub(crate) fn hash(source: &str, meter: &Meter) -> Result<[u8; 32], Stop> {
    let mut hash = Sha256::new();
    for part in source.as_bytes().chunks(HASHED_AT_ONCE) {
        hash.update(part);
        meter.step()?;
    }
    Ok(hash.finalize().into())
}

/// The part of a source that Rhai reads: without a byte order mark and the text of a `#!` line. Lines keep their
/// numbers.
fn code(source: &str) -> &str {
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    match (text.starts_with("#!"), text.find('\n')) {
        (false, _) => text,
        (true, end) => end.and_then(|end| text.get(end..)).unwrap_or_default(),
    }
}

impl Script {
    /// Compiles a source with this hash within the limits of the play on this thread. Errors name the source `name`.
    /// The play is charged with the memory until the script is compiled.
    pub(crate) fn compile(
        engine: &Engine,
        source: &str,
        hash: [u8; 32],
        name: &str,
    ) -> Result<Arc<Self>, CompileError> {
        let before = play::balance();
        let compiled = slices::compile(engine, code(source)).and_then(|mut ast| {
            refuse_reserved_names(&ast)?;
            if !name.is_empty() {
                ast.set_source(name);
            }
            Ok(ast)
        });
        // The parser of a stopped play met an error in place of a token.
        if !Frame::current_allows_token() {
            return Err(CompileError::Stopped);
        }
        let ast = compiled?;
        let taken = usize::try_from(play::balance().wrapping_sub(before)).unwrap_or(0);
        play::refund(taken);
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
            penalty: AtomicU8::new(0),
        }
    }

    /// Returns whether it has a function of this name and number of parameters.
    pub(crate) fn has_function(&self, name: &str, params: usize) -> bool {
        self.ast.iter_functions().any(|function| function.name == name && function.params.len() == params)
    }

    /// Returns whether a play of it should start on the fast path. A script with closures should not: the memory that
    /// they lose has to be counted.
    pub(crate) fn is_fast_path_eligible(&self) -> bool {
        !self.has_closures
            && self.was_short.load(Ordering::Relaxed)
            && self.penalty.load(Ordering::Relaxed) < MAX_PENALTY
    }

    /// Records the cost of a play off the fast path.
    pub(crate) fn record_play(&self, play: &Play) {
        let meter = &play.meter;
        let short = meter.operations() <= SHORT_OPERATIONS
            && meter.elapsed() <= SHORT_TIME
            && !meter.was_slow()
            && !play.effects.has_io();
        self.record(short);
    }

    fn record(&self, short: bool) {
        self.was_short.store(short, Ordering::Relaxed);
        if short {
            self.record_hit();
        }
    }

    /// Records a play that was short enough for the fast path.
    pub(crate) fn record_hit(&self) {
        let penalty = self.penalty.load(Ordering::Relaxed);
        if penalty > 0 {
            // Threads that race here lower the penalty a little less.
            self.penalty.store(penalty - 1, Ordering::Relaxed);
        }
    }

    /// Records a play that the fast path gave up, perhaps only because the machine was busy.
    pub(crate) fn record_miss(&self) {
        self.was_short.store(false, Ordering::Relaxed);
        let penalty = self.penalty.load(Ordering::Relaxed).saturating_add(MISS_PENALTY);
        self.penalty.store(penalty, Ordering::Relaxed);
    }
}

/// Returns whether Rhai made this function of a closure.
pub(crate) fn is_closure(function: &str) -> bool {
    function.starts_with(CLOSURE)
}

/// Refuses imports that take the name of a namespace, and functions that take the name of a native that speaks for the
/// circle. Rhai looks for both first in the scripts, also in the script that called a module: no script may decide what
/// `fs::read` and `secret` mean, for itself or for the modules that it calls.
fn refuse_reserved_names(ast: &AST) -> Result<(), ParseError> {
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
    fn rare_misses_keep_fast_path_and_repeated_misses_end_it() {
        let script = Script::new(Engine::new_raw().compile("1").unwrap(), [0; 32], 0);
        let mut tried = 0;
        let mut round = |plays_per_miss: usize| {
            tried = 0;
            for play in 0..10_000 {
                if !script.is_fast_path_eligible() {
                    script.record(true);
                } else if play % plays_per_miss == 0 {
                    tried += 1;
                    script.record_miss();
                } else {
                    tried += 1;
                    script.record_hit();
                }
            }
            tried
        };
        assert!(round(100) > 9_000);
        let often = round(1);
        assert!((1..400).contains(&often), "{often}");
        assert!(round(100) > 9_000, "earlier misses do not count for good");
    }
}

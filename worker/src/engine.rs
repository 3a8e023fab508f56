//! The engines that run scripts: their construction, the resolver of imports, the compiled scripts.

mod cache;
mod resolver;
mod script;

use std::sync::{Arc, OnceLock};

use circles_config::Limits;
use circles_store::LogLevel;
use rhai::{
    Dynamic, Engine, EvalAltResult, LexError, Module, OptimizationLevel, Position, Shared, Token,
    packages::{Package, StandardPackage},
};

use self::resolver::Resolver;
use crate::{
    natives::{self, Constants, Frame},
    packages,
};

pub(crate) use self::{
    cache::{LibraryCache, LoadError, Loaded, SourceCache},
    script::{CompileError, Script, hash, is_closure},
};

/// The engines for scripts with the same limits: Rhai keeps some limits in the engine.
pub(crate) struct Engines {
    pub limits: Limits,
    /// Runs scripts on threads of their own.
    pub full: Engine,
    /// Runs scripts where their tasks arrive.
    pub fast_path: Engine,
    /// The compiled scripts of libraries.
    pub library: Arc<LibraryCache>,
}

impl Engines {
    pub(crate) fn new(limits: Limits, library: &Arc<LibraryCache>) -> Self {
        Self {
            limits,
            full: build(limits, library, false),
            fast_path: build(for_fast_path(limits), library, true),
            library: library.clone(),
        }
    }
}

/// The limits of a play on the fast path, so low that it delays no other call.
pub(crate) fn for_fast_path(limits: Limits) -> Limits {
    Limits {
        operations: limits.operations.min(5_000),
        call_depth: limits.call_depth.min(8),
        memory_bytes: limits.memory_bytes.min(256 << 10),
        log_bytes: limits.log_bytes.min(16 << 10),
        result_bytes: limits.result_bytes.min(64 << 10),
        ..limits
    }
}

/// The parts that all engines share, so that each costs next to nothing.
struct Common {
    standard: StandardPackage,
    natives: Shared<Module>,
    packages: Vec<(&'static str, Shared<Module>)>,
}

impl Common {
    fn get() -> &'static Self {
        static COMMON: OnceLock<Common> = OnceLock::new();
        COMMON.get_or_init(|| {
            let mut natives = Module::new();
            natives::register(&mut natives);
            packages::register(&mut natives);
            natives.build_index();
            Self { standard: StandardPackage::new(), natives: natives.into(), packages: packages::all() }
        })
    }
}

/// An engine with every limit set by value. Its scripts report to the [`Frame`] on their thread.
fn build(limits: Limits, library: &Arc<LibraryCache>, is_fast_path: bool) -> Engine {
    let common = Common::get();
    let mut engine = Engine::new_raw();
    common.standard.register_into_engine(&mut engine);
    // Rhai finds later modules first: these natives replace its own of the same names.
    engine.register_global_module(common.natives.clone());
    for (name, package) in &common.packages {
        engine.register_static_module(name, package.clone());
    }
    // Without `eval`, the caller's text is the whole script, which can be hashed, cached and shown.
    engine.disable_symbol("eval");
    // A switch hashes its value in one step. For an array that holds one long text many times that takes hours, in
    // which nothing could stop the script.
    engine.disable_symbol("switch");
    engine.set_module_resolver(Resolver::new(library.clone()));
    natives::slices::extend(&mut engine);
    // Folding constants runs operators of the script while it is compiled, where no limit holds: a few lines that
    // double a text thirty times would take gigabytes, also in a function that is never called.
    engine.set_optimization_level(OptimizationLevel::None);
    // The parser itself has no hook. It takes about as long for one token as the script is long so far; an error in
    // place of a token ends it. Without a play there is no limit to keep, and nothing is compiled.
    #[allow(deprecated)] // Rhai marks its hooks as volatile, not as going away.
    engine.on_parse_token(|token, _, _| match Frame::current_allows_token() {
        true => natives::slices::token(token),
        // Between the parts of an interpolated text the parser knows no other error, and panics.
        false => Token::LexError(LexError::UnterminatedString.into()),
    });

    engine
        .set_max_operations(limits.operations)
        .set_max_call_levels(limits.call_depth)
        .set_max_expr_depths(limits.expression_depth, limits.expression_depth)
        .set_max_variables(limits.variables)
        .set_max_functions(limits.functions)
        .set_max_modules(limits.modules);
    if is_fast_path {
        // Rhai checks these limits by a walk through the container at each change. They bound the time of one native. A
        // play on the fast path is over before the walks cost much; other plays have the memory limit instead.
        engine.set_max_string_size(4_096).set_max_array_size(512).set_max_map_size(512);
    }

    engine.on_progress(|operations| match Frame::current_allows_operation(operations) {
        true => None,
        false => Some(Dynamic::UNIT),
    });
    engine.on_print(|text| log(LogLevel::Info, text));
    engine.on_debug(|text, _, _| log(LogLevel::Debug, text));

    // The constants come before every variable of that name, so that no declaration, parameter, loop or catch
    // of a script can put another value in their place; and they reach into functions, which see no scope.
    #[allow(deprecated)] // Rhai marks its hooks as volatile, not as going away.
    engine.on_var(|name, _, _| Ok(constant(name)));
    #[allow(deprecated)]
    engine.on_def_var(|_, definition, _| {
        let name = definition.name();
        if Constants::NAMES.contains(&name) {
            let message = format!("{name} is a constant of every play");
            return Err(EvalAltResult::ErrorForbiddenVariable(message, Position::NONE).into());
        }
        Ok(true)
    });
    engine
}

fn constant(name: &str) -> Option<Dynamic> {
    // Few names get past the comparison of lengths.
    matches!(name.len(), 4 | 6).then(|| Frame::current()?.constants.get(name))?
}

fn log(level: LogLevel, text: &str) {
    if let Some(frame) = Frame::current() {
        frame.log(level, text);
    }
}

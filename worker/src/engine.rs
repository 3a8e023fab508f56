//! The engines that scripts run in.

use std::sync::OnceLock;

use circles_store::LogLevel;
use rhai::{
    Dynamic, Engine, EvalAltResult, LexError, Module, OptimizationLevel, Position, Shared, Token,
    packages::{Package, StandardPackage},
};

use crate::{
    Limits, circle, natives, packages,
    play::{Constants, Play},
};

/// What scripts run in that are held to these limits. Rhai keeps its own limits in the engine.
pub struct Engines {
    pub limits: Limits,
    pub real: Engine,
    pub trial: Engine,
}

impl Engines {
    pub fn new(limits: Limits) -> Self {
        Self { limits, real: build(limits, false), trial: build(for_trial(limits), true) }
    }
}

/// What a play may use that is tried on the thread where it arrives: so little that it delays nobody.
pub fn for_trial(limits: Limits) -> Limits {
    Limits {
        operations: limits.operations.min(5_000),
        call_depth: limits.call_depth.min(8),
        memory_bytes: limits.memory_bytes.min(256 << 10),
        log_bytes: limits.log_bytes.min(16 << 10),
        result_bytes: limits.result_bytes.min(64 << 10),
        ..limits
    }
}

/// What all engines share, so that each costs next to nothing.
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

/// An engine with every limit set by value; what it runs reports to the thread's [`Play`].
fn build(limits: Limits, trial: bool) -> Engine {
    let common = Common::get();
    let mut engine = Engine::new_raw();
    common.standard.register_into_engine(&mut engine);
    // What is registered later is found first: ours stand before Rhai's own of the same names.
    engine.register_global_module(common.natives.clone());
    for (name, package) in &common.packages {
        engine.register_static_module(name, package.clone());
    }
    // A script is what its caller sent, all of it: what it runs can be hashed, cached and shown.
    engine.disable_symbol("eval");
    // A switch takes the hash of its value in one step. Of an array that holds one long text many times that is
    // hours, in which nothing could stop the script.
    engine.disable_symbol("switch");
    engine.set_module_resolver(circle::Resolver);
    natives::slices::extend(&mut engine);
    // Folding constants runs operators of the script while it is compiled, where no limit holds: a few lines that
    // double a text thirty times would take gigabytes, also in a function that is never called.
    engine.set_optimization_level(OptimizationLevel::None);
    // The parser has no hook of its own. What it does for one token takes about as long as the script so far; an
    // error in place of a token ends it. Without a play there is no limit to hold it to, and nothing is compiled.
    #[allow(deprecated)] // Rhai marks its hooks as volatile, not as going away.
    engine.on_parse_token(|token, _, _| match Play::current_may_compile() {
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
    if trial {
        // Rhai's own limits of sizes walk a container at each change, which bounds what one native can take.
        // A trial is over before that is felt; real plays have the memory limit instead.
        engine.set_max_string_size(4_096).set_max_array_size(512).set_max_map_size(512);
    }

    engine.on_progress(|operations| match Play::current_may_go_on(operations) {
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
    matches!(name.len(), 4 | 6).then(|| Play::current()?.constants.get(name))?
}

fn log(level: LogLevel, text: &str) {
    if let Some(play) = Play::current() {
        play.log(level, text);
    }
}

//! `import` finds its modules in the circle's library.

use std::sync::Arc;

use rhai::{
    Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, ParseErrorType, Position, Scope,
    Shared,
};

use super::{LibraryCache, LoadError};
use crate::{
    circle::LibraryError,
    natives::{Checked, Frame},
    play::{Import, ImportError, Play, Stop},
};

/// Modules that import each other in a row. Each is evaluated within the one before it.
const MAX_IMPORT_DEPTH: usize = 16;

/// Resolves imports in the library of the circle whose play is on this thread.
///
/// All plays share the compiled modules. Each play evaluates a module itself, within its own limits, so that no play
/// sees the values of another.
pub(crate) struct Resolver {
    library: Arc<LibraryCache>,
}

impl Resolver {
    pub(crate) const fn new(library: Arc<LibraryCache>) -> Self {
        Self { library }
    }
}

impl ModuleResolver for Resolver {
    /// Rhai calls [`Self::resolve_raw`] instead, which knows how much the play has used.
    fn resolve(&self, _: &Engine, _: Option<&str>, path: &str, at: Position) -> Checked<Shared<Module>> {
        Err(EvalAltResult::ErrorModuleNotFound(path.to_owned(), at).into())
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _: &mut Scope,
        path: &str,
        at: Position,
    ) -> Checked<Shared<Module>> {
        let not_found = || EvalAltResult::ErrorModuleNotFound(path.to_owned(), at).into();
        let Some(frame) = Frame::current() else { return Err(not_found()) };
        let play = &frame.play;
        play.begin_io()?;
        let script = self.library.script(engine, &frame, path).map_err(|error| match error {
            LoadError::Library(LibraryError::NotFound) => not_found(),
            other => load_error(other, play, path, at),
        })?;
        play.use_code(script.clone(), script.bytes)?;
        if script.has_closures {
            play.import_closures()?;
        }
        play.meter.check()?;

        let _importing = begin_import(play, path, at)?;
        // A module sees nothing of the script that imports it, but goes on with its counts.
        let mut inner = global.clone();
        inner.lib.clear();
        inner.truncate_imports(0);
        inner.constants = None;
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), &mut inner, &script.ast);
        std::mem::swap(&mut global.num_operations, &mut inner.num_operations);
        global.num_modules_loaded = inner.num_modules_loaded;
        match module {
            Ok(module) => Ok(module.into()),
            Err(error) => Err(EvalAltResult::ErrorInModule(path.to_owned(), error, at).into()),
        }
    }
}

/// The error of an import whose module cannot be compiled.
fn load_error(error: LoadError, play: &Play, path: &str, at: Position) -> Box<EvalAltResult> {
    let limit = match error {
        LoadError::Library(LibraryError::Stopped(_)) => return play.meter.stop(Stop::Interrupted).into(),
        LoadError::Library(LibraryError::TooLarge) => "script_bytes",
        LoadError::Library(error) => return throw(format!("module {path}: {error}"), at),
        LoadError::Parse(error) => match error.err_type() {
            ParseErrorType::ExprTooDeep => "expression_depth",
            ParseErrorType::TooManyFunctions => "functions",
            _ => return EvalAltResult::ErrorInModule(path.to_owned(), Box::new(error.into()), at).into(),
        },
    };
    play.meter.stop(Stop::Limit(limit)).into()
}

fn begin_import<'a>(play: &'a Play, path: &str, at: Position) -> Checked<Import<'a>> {
    play.code.begin_import(path, MAX_IMPORT_DEPTH).map_err(|error| match error {
        ImportError::Cycle(modules) => {
            throw(format!("modules import each other in a circle: {modules} > {path}"), at)
        }
        ImportError::TooDeep => {
            throw(format!("more than {MAX_IMPORT_DEPTH} modules import each other in a row"), at)
        }
    })
}

fn throw(message: String, at: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), at).into()
}

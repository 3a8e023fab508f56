//! `import` finds its modules in the circle's library.

use rhai::{
    Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, ParseErrorType, Position, Scope,
    Shared,
};

use super::LibraryFault;
use crate::{
    natives::Checked,
    play::{Play, Stop},
};

/// Modules that import each other in a row. Each is evaluated within the one before it.
const DEPTH: usize = 16;

/// Resolves imports in the library of the circle whose play is on this thread.
///
/// What is compiled is shared by all plays; evaluated is a module by each play anew, within its own limits,
/// so that nothing a module holds is seen by another.
pub struct Resolver;

impl ModuleResolver for Resolver {
    /// Rhai calls [`Self::resolve_raw`], which knows how much the play has used.
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
        let Some(play) = Play::current() else { return Err(not_found()) };
        play.touches()?;
        let script = play.circle.script(path, &play).map_err(|fault| match fault {
            LibraryFault::NotFound => not_found(),
            LibraryFault::TooLarge => play.stop(Stop::Limit("script_bytes")),
            LibraryFault::Compile(error) => match error.err_type() {
                ParseErrorType::ExprTooDeep => play.stop(Stop::Limit("expression_depth")),
                ParseErrorType::TooManyFunctions => play.stop(Stop::Limit("functions")),
                _ => EvalAltResult::ErrorInModule(path.to_owned(), Box::new(error.into()), at).into(),
            },
            LibraryFault::Stopped(_) => play.stop(Stop::Interrupted),
            fault @ (LibraryFault::Absent | LibraryFault::Io(_)) => {
                throw(format!("module {path}: {fault}"), at)
            }
        })?;
        play.hold(&script)?;
        if script.has_closures {
            play.imports_closures()?;
        }
        play.look()?;

        let _importing = Importing::begin(&play, path, at)?;
        // Of the importing script a module sees nothing, but it goes on counting where that one stands.
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

/// A module that is being evaluated.
struct Importing<'a>(&'a Play);

impl<'a> Importing<'a> {
    fn begin(play: &'a Play, path: &str, at: Position) -> Checked<Self> {
        let mut importing = play.importing.borrow_mut();
        if importing.iter().any(|module| &**module == path) {
            let way = importing.join(" > ");
            return Err(throw(format!("modules import each other in a circle: {way} > {path}"), at));
        }
        if importing.len() >= DEPTH {
            return Err(throw(format!("more than {DEPTH} modules import each other in a row"), at));
        }
        importing.push(path.into());
        Ok(Self(play))
    }
}

impl Drop for Importing<'_> {
    fn drop(&mut self) {
        self.0.importing.borrow_mut().pop();
    }
}

fn throw(message: String, at: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), at).into()
}

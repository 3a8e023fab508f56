use std::{
    any::Any,
    cell::{Cell, RefCell},
    sync::Arc,
};

use super::{Stop, memory};

/// The compiled code that a play uses: what it is charged with, and which modules are being evaluated.
#[derive(Default)]
pub(crate) struct UsedCode {
    /// Compiled code is counted on no thread, so each play that uses some is charged with it.
    held: RefCell<Vec<(Arc<dyn Any + Send + Sync>, usize)>>,
    /// The library modules that are being evaluated, each imported by the one before it.
    importing: RefCell<Vec<Box<str>>>,
    has_closures: Cell<bool>,
    refuses_closures: bool,
}

/// Why a module cannot be imported.
pub(crate) enum ImportError {
    /// The names of the modules that import each other.
    Cycle(String),
    TooDeep,
}

impl UsedCode {
    /// Sets whether code with closures is refused, since too much memory was lost to them already.
    pub(crate) const fn set_refuses_closures(&mut self, refuses_closures: bool) {
        self.refuses_closures = refuses_closures;
    }

    pub(crate) const fn refuses_closures(&self) -> bool {
        self.refuses_closures
    }

    /// Returns whether code with closures was imported.
    pub(crate) fn has_closures(&self) -> bool {
        self.has_closures.get()
    }

    /// Charges this thread with code, once.
    pub(super) fn hold(&self, code: Arc<dyn Any + Send + Sync>, bytes: usize) {
        let mut held = self.held.borrow_mut();
        if !held.iter().any(|(other, _)| std::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(&code))) {
            memory::charge(bytes);
            held.push((code, bytes));
        }
    }

    pub(super) fn import_closures(&self) -> Result<(), Stop> {
        if self.refuses_closures {
            return Err(Stop::Limit("memory_bytes"));
        }
        self.has_closures.set(true);
        Ok(())
    }

    /// Notes that a module is being evaluated until the result is dropped. At most `max_depth` modules may import
    /// each other in a row.
    pub(crate) fn begin_import(&self, module: &str, max_depth: usize) -> Result<Import<'_>, ImportError> {
        let mut importing = self.importing.borrow_mut();
        if importing.iter().any(|other| &**other == module) {
            return Err(ImportError::Cycle(importing.join(" > ")));
        }
        if importing.len() >= max_depth {
            return Err(ImportError::TooDeep);
        }
        importing.push(module.into());
        Ok(Import(self))
    }
}

impl Drop for UsedCode {
    fn drop(&mut self) {
        memory::refund(self.held.get_mut().iter().map(|(_, bytes)| bytes).sum());
    }
}

/// A module that is being evaluated.
pub(crate) struct Import<'a>(&'a UsedCode);

impl Drop for Import<'_> {
    fn drop(&mut self) {
        self.0.importing.borrow_mut().pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_charged_once_and_refunded() {
        let before = memory::balance();
        let script: Arc<dyn Any + Send + Sync> = Arc::new(());
        let code = UsedCode::default();
        let held = memory::balance();
        code.hold(script.clone(), 1 << 30);
        code.hold(script.clone(), 1 << 30);
        let charged = memory::balance() - held;
        assert!((1 << 30..(1 << 30) + 1_000).contains(&charged), "{charged}");
        drop((code, script));
        assert_eq!(memory::balance(), before);
    }

    #[test]
    fn imports_in_a_cycle_or_too_deep_are_refused() {
        let code = UsedCode::default();
        let outer = code.begin_import("a", 2);
        assert!(outer.is_ok());
        let inner = code.begin_import("b", 2);
        assert!(matches!(code.begin_import("a", 2), Err(ImportError::Cycle(modules)) if modules == "a > b"));
        assert!(matches!(code.begin_import("c", 2), Err(ImportError::TooDeep)));
        drop(inner);
        assert!(code.begin_import("c", 2).is_ok());
    }
}

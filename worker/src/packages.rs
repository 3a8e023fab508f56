//! What scripts can do beyond Rhai: each package is a namespace of natives, `fs::read("notes.txt")`.
//!
//! Packages are made once and shared by all engines, so nothing in them belongs to a circle or a play: a native
//! asks [`Play::current`] whose it is. A script's own functions have no namespace and so never stand in front of
//! one of these.

mod secret;

use std::rc::Rc;

use rhai::{EvalAltResult, Module, Position, Shared};

use crate::{natives::Checked, play::Play};

/// Registers the natives of one namespace.
type Register = fn(&mut Module);

/// Every namespace, by name.
const ALL: [(&str, Register); 0] = [];

/// Natives without a namespace.
pub fn register(natives: &mut Module) {
    secret::register(natives);
}

/// Every namespace, made.
pub fn all() -> Vec<(&'static str, Shared<Module>)> {
    let make = |(name, register): (_, Register)| {
        let mut module = Module::new();
        register(&mut module);
        module.build_index();
        (name, module.into())
    };
    ALL.into_iter().map(make).collect()
}

/// The play that a native is called in. There always is one.
fn play() -> Checked<Rc<Play>> {
    Play::current().ok_or_else(|| throw("no play is under way".to_owned()))
}

/// An error that a script can catch. It must name nothing of the machine.
fn throw(message: String) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), Position::NONE).into()
}

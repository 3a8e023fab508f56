//! Natives in place of Rhai's own where those wait without a deadline, allocate without a bound, or go on after
//! they were stopped. The rest allocates at most a few times what its arguments hold, and is done in
//! milliseconds.
//!
//! What makes one step large is mostly sharing: a text takes its memory once and can stand in an array a million
//! times. Whatever reads such an array through, reads it under a bound here.

mod callbacks;
mod containers;
mod print;
mod ranges;
pub mod slices;
mod sort;
mod texts;

use std::time::{Duration, Instant};

use rhai::{
    Dynamic, EvalAltResult, FuncRegistration, Module, NativeCallContext, Position, RhaiFunc, RhaiNativeFunc,
    Shared, Variant,
};
use tokio::{runtime::Handle, time::timeout_at};

use crate::play::{Play, Stop};

pub use print::printed;

pub type Checked<T> = Result<T, Box<EvalAltResult>>;

/// Registers natives as an engine does, in a module that all engines share.
pub trait Natives {
    /// Adds a native; one of the same name and types gives way.
    fn native<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, Function>(
        &mut self,
        name: &str,
        function: Function,
    ) where
        Function: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static;
}

impl Natives for Module {
    fn native<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, Function>(
        &mut self,
        name: &str,
        function: Function,
    ) where
        Function: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        let placed = placed(function.into_rhai_function(true, false));
        FuncRegistration::new(name).set_into_module_raw(self, Function::param_types(), placed);
    }
}

/// What Rhai makes of a native.
type Raw = dyn Fn(Option<NativeCallContext>, &mut [&mut Dynamic]) -> Checked<Dynamic> + Send + Sync;

/// The native, with the place of its call in its errors: Rhai forgets it where the name has a namespace.
fn placed(native: RhaiFunc) -> RhaiFunc {
    let with_place = |native: Shared<Raw>| -> Shared<Raw> {
        Shared::new(move |context: Option<NativeCallContext>, args: &mut [&mut Dynamic]| {
            let at = context.as_ref().map_or(Position::NONE, NativeCallContext::call_position);
            native(context, args).map_err(|mut error| {
                if error.position().is_none() {
                    error.set_position(at);
                }
                error
            })
        })
    };
    match native {
        RhaiFunc::Pure { func, is_pure, is_volatile, .. } => {
            RhaiFunc::Pure { func: with_place(func), has_context: true, is_pure, is_volatile }
        }
        RhaiFunc::Method { func, is_pure, is_volatile, .. } => {
            RhaiFunc::Method { func: with_place(func), has_context: true, is_pure, is_volatile }
        }
        other => other,
    }
}

/// The types that scripts mostly call methods of, as Rhai names them anyway. At each such call it asks every module
/// for another name, until one has it: unless the first one answers, that takes as long as a push.
const TYPES: [&str; 4] = ["array", "blob", "map", "string"];

/// Puts these before Rhai's own of the same names.
pub fn register(module: &mut Module) {
    for name in TYPES {
        module.set_custom_type_raw(name, name);
    }
    module.native("sleep", |seconds: i64| wait(seconds as f64));
    module.native("sleep", wait);
    texts::register(module);
    containers::register(module);
    callbacks::register(module);
    ranges::register(module);
    slices::register(module);
    sort::register(module);
    print::register(module);
}

/// Waits as long as the script wishes, its play may last, and somebody wants the outcome. A time that is not
/// above zero is no time; one that no clock can count ends with the play.
fn wait(seconds: f64) -> Checked<()> {
    if seconds.is_nan() || seconds <= 0.0 {
        return Ok(());
    }
    let Some(play) = Play::current() else { return Ok(()) };
    let Some(interrupt) = &play.interrupt else { return Err(play.stop(Stop::NotShort)) };
    let Ok(handle) = Handle::try_current() else { return Ok(()) };
    let wanted = Duration::try_from_secs_f64(seconds).ok();
    let until = wanted.and_then(|wanted| Instant::now().checked_add(wanted));
    let until = until.map_or(play.deadline, |until| until.min(play.deadline));
    play.is_slow();
    // Over whichever comes first; which of them it was, the clock tells.
    let _ = handle.block_on(timeout_at(until.into(), interrupt.cancelled()));
    play.look()
}

/// Makes sure that so many bytes more fit, before they are allocated in one step.
pub fn charge(bytes: usize) -> Checked<()> {
    Play::current().map_or(Ok(()), |play| play.charge(bytes))
}

/// How many items `length` lacks of `wanted`, if any.
fn missing(length: usize, wanted: i64) -> Option<usize> {
    usize::try_from(wanted).ok()?.checked_sub(length).filter(|missing| *missing > 0)
}

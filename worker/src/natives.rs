//! Natives that replace Rhai's own where those wait without a deadline, allocate without a bound, or go on after the
//! play was stopped. Rhai's other natives allocate at most a few times the size of their arguments, within
//! milliseconds.
//!
//! One step is mostly large for sharing: a text takes its memory once and can stand in an array a million times.
//! Natives that read such an array through do so under a bound here.
//!
//! A native reaches the play on its thread through [`frame`], and its circle through [`Frame::circle`].

mod callbacks;
mod constants;
mod containers;
mod frame;
mod print;
mod ranges;
pub(crate) mod slices;
mod sort;
mod texts;
pub(crate) mod value;

use std::time::{Duration, Instant};

use rhai::{
    Dynamic, EvalAltResult, FuncRegistration, Module, NativeCallContext, Position, RhaiFunc, RhaiNativeFunc,
    Shared, Variant,
};
use tokio::{runtime::Handle, time::timeout_at};

use crate::play::Stop;

pub(crate) use self::{
    constants::Constants,
    frame::{Frame, frame, request_error, throw},
    print::printed,
};

pub(crate) type Checked<T> = Result<T, Box<EvalAltResult>>;

/// Registers natives as an engine does, in a module that all engines share.
pub(crate) trait Natives {
    /// Adds a native, in place of one of the same name and types.
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
        let native = with_position(function.into_rhai_function(true, false));
        FuncRegistration::new(name).set_into_module_raw(self, Function::param_types(), native);
    }
}

/// A native as Rhai stores it.
type RawNative = dyn Fn(Option<NativeCallContext>, &mut [&mut Dynamic]) -> Checked<Dynamic> + Send + Sync;

/// The native, with the position of its call in its errors: Rhai forgets the position of a name in a namespace.
fn with_position(native: RhaiFunc) -> RhaiFunc {
    let add_position = |native: Shared<RawNative>| -> Shared<RawNative> {
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
            RhaiFunc::Pure { func: add_position(func), has_context: true, is_pure, is_volatile }
        }
        RhaiFunc::Method { func, is_pure, is_volatile, .. } => {
            RhaiFunc::Method { func: add_position(func), has_context: true, is_pure, is_volatile }
        }
        other => other,
    }
}

/// The types whose methods scripts call most, under Rhai's own names for them. At each such call Rhai asks module after
/// module for another name of the type: unless the first one answers, that takes as long as a push.
const TYPES: [&str; 4] = ["array", "blob", "map", "string"];

/// Registers all of them.
pub(crate) fn register(module: &mut Module) {
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

/// Waits, until the play's deadline or its interruption at most. A time that is not above zero is no time; a time that
/// no clock can count ends with the play.
fn wait(seconds: f64) -> Checked<()> {
    if seconds.is_nan() || seconds <= 0.0 {
        return Ok(());
    }
    let Some(frame) = Frame::current() else { return Ok(()) };
    let meter = &frame.play.meter;
    let Some(interrupt) = meter.interrupt() else { return Err(meter.stop(Stop::BudgetExceeded).into()) };
    let Ok(handle) = Handle::try_current() else { return Ok(()) };
    let wanted = Duration::try_from_secs_f64(seconds).ok();
    let until = wanted.and_then(|wanted| Instant::now().checked_add(wanted));
    let until = until.map_or(meter.deadline(), |until| until.min(meter.deadline()));
    meter.mark_slow();
    // The check after it tells whether the time or the interruption came first.
    let _ = handle.block_on(timeout_at(until.into(), interrupt.cancelled()));
    Ok(meter.check()?)
}

/// Must precede an allocation of so many bytes in one step.
pub(crate) fn charge(bytes: usize) -> Checked<()> {
    Frame::current().map_or(Ok(()), |frame| Ok(frame.play.meter.charge(bytes)?))
}

/// The items that `length` lacks of `wanted`, if any.
fn missing(length: usize, wanted: i64) -> Option<usize> {
    usize::try_from(wanted).ok()?.checked_sub(length).filter(|missing| *missing > 0)
}

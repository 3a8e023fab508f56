//! Runs compiled scripts, and turns their values and errors into outcomes.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::Duration,
};

use circles_store::{Failure, Outcome, Stats, Success};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Scope};
use uuid::Uuid;

use super::failure;
use crate::{
    circle::Circle,
    engine::Script,
    natives::{
        Frame, printed,
        value::{Unfit, to_json_with_length},
    },
    play::{Meter, Stop, json_length},
};

/// Evaluates a script as the frame's play. An error says why the play was stopped.
pub(crate) fn run(
    engine: &Engine,
    script: &Script,
    frame: &Rc<Frame>,
    queued: Duration,
) -> Result<Outcome, Stop> {
    let meter = &frame.play.meter;
    frame.enter(|| {
        let mut scope = Scope::new();
        let result = engine.eval_ast_with_scope::<Dynamic>(&mut scope, &script.ast);
        // A script that ends just when it is stopped has been stopped.
        let outcome = match (meter.stopped(), result) {
            (Some(stop), _) => Err(stop),
            (None, Ok(value)) => Ok(meter.retain(|| success(&value, frame, queued))),
            (None, Err(error)) => Ok(failed(*error, &script.ast, frame)),
        };
        clear_shared(&scope);
        // The play also pays for its result or error.
        meter.stopped().map_or(outcome, Err)
    })
}

/// Takes shared variables apart. A closure in a variable that it captured holds itself, so that Rhai never frees the
/// two: recursive closures are written so.
pub(crate) fn clear_shared(scope: &Scope) {
    for (_, _, value) in scope.iter_raw().filter(|(_, _, value)| value.is_shared()) {
        let mut variable = value.clone();
        let held = variable.write_lock::<Dynamic>().map(|mut held| held.take());
        drop(held);
    }
}

fn failed(error: EvalAltResult, ast: &AST, frame: &Frame) -> Outcome {
    match error {
        // Sizes are limited on the fast path only, where this means that its memory is too small for the script.
        EvalAltResult::ErrorDataTooLarge(..) => Outcome::failed(failure::limit("memory_bytes")),
        other => Outcome::failed(failure::of_running(other, ast.source().unwrap_or_default(), frame)),
    }
}

fn success(value: &Dynamic, frame: &Frame, queued: Duration) -> Outcome {
    let (play, limits) = (&frame.play, &frame.play.limits);
    let value_and_output = to_json_with_length(value, limits).and_then(|(json, value_bytes)| {
        let (max_bytes, limit) = match (limits.result_bytes, play.meter.available_bytes()) {
            (bytes, available) if bytes <= available => (bytes, "result_bytes"),
            (_, available) => (available, "memory_bytes"),
        };
        let output = printed(value, max_bytes).ok_or(Unfit::Limit(limit))?;
        let output_bytes = json_length(&output);
        match (output_bytes > limits.result_bytes, play.log.fits_answer_with(value_bytes + output_bytes)) {
            (true, _) => Err(Unfit::Limit("result_bytes")),
            (false, false) => Err(Unfit::Limit("answer_bytes")),
            (false, true) => Ok((json, output)),
        }
    });
    match value_and_output {
        Err(unfit) => Outcome::failed(failure::of_result(unfit, frame)),
        Ok((value, output)) => succeeded(value, output, frame, queued),
    }
}

/// The outcome of a play with this result.
pub(crate) fn succeeded(
    value: serde_json::Value,
    output: String,
    frame: &Frame,
    queued: Duration,
) -> Outcome {
    let meter = &frame.play.meter;
    let stats = Stats {
        queued_us: micros(queued),
        elapsed_us: micros(meter.elapsed()),
        operations: meter.operations(),
    };
    Outcome::Succeeded(Success { output, value, logs: frame.play.log.take(), stats })
}

/// The outcome of a play that was stopped.
pub(crate) fn stopped(stop: Stop, meter: &Meter) -> Outcome {
    match stop {
        Stop::Deadline => Outcome::timed_out(),
        Stop::Interrupted | Stop::BudgetExceeded => Outcome::cancelled(),
        Stop::Limit(name) => Outcome::failed(failure::limit(name)),
        // The store runs the play again.
        Stop::Conflict => Outcome::failed(Failure::Conflict),
        Stop::Unavailable => Outcome::failed(Failure::Unavailable),
        Stop::Internal => Outcome::failed(internal(&meter.take_internal_error())),
    }
}

/// Logs an internal error under a fresh id. The caller sees the id alone.
pub(crate) fn internal(cause: &str) -> Failure {
    let id = Uuid::now_v7();
    tracing::error!(%id, cause, "internal error");
    Failure::Internal(id)
}

/// Runs `body`. A panic of a native or of the engine ends the play, not the thread.
pub(crate) fn catch_panic(circle: &Circle, body: impl FnOnce() -> Outcome) -> Outcome {
    // The play's own data goes with it; the host's shared data is behind locks of its own.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        /// Bytes of a panic's message in the log, at most.
        const PANIC_BYTES: usize = 4 << 10;
        let id = Uuid::now_v7();
        // A panic over a text quotes it.
        let cause = circle.mask_secrets(message(&*panic), PANIC_BYTES);
        tracing::error!(%id, cause, "a play panicked");
        Outcome::failed(Failure::Internal(id))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

//! Short plays, run where their tasks arrive.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::Duration,
};

use circles_store::{Failure, InlineRunner, Kind, Outcome, Source, Task};

use super::{Host, outcome};
use crate::{
    circle::Session,
    engine::for_fast_path,
    natives::{Constants, Frame, value::from_json},
    play::{Meter, Play},
};

/// The longest a play may take on the fast path: a delay of another call that nobody notices.
const FAST_PATH_TIMEOUT: Duration = Duration::from_micros(200);
/// Values in the arguments of a play on the fast path, at most.
const MAX_ARGS: usize = 64;

impl InlineRunner for Host {
    fn try_inline(&self, task: &Task) -> Option<Outcome> {
        let Source::Script(source) = &task.source else { return None };
        let circle = self.circles.get(&task.circle);
        let script = self.scripts.get(source, circle.limits())?;
        if !script.is_fast_path_eligible()
            || !circle.policy.was_absent_just_now()
            || task.kind != Kind::Play
            || task.timeout <= FAST_PATH_TIMEOUT
            || count(&task.args, MAX_ARGS).is_none()
        {
            return None;
        }
        let limits = for_fast_path(*circle.limits());
        let meter = Meter::for_fast_path(FAST_PATH_TIMEOUT, limits.memory_bytes);
        let constants = Constants::new(task.caller.clone(), task.circle, task.id);
        let session = Session::without_task(circle.resources.clone());
        let frame = Rc::new(Frame::new(Play::new(limits, meter), constants, session));
        frame.constants.set_args(frame.enter(|| from_json(&task.args)).ok()?);
        let engine = &circle.engines.fast_path;
        let played = catch_unwind(AssertUnwindSafe(|| outcome::run(engine, &script, &frame, Duration::ZERO)));
        match played {
            // The limit may be the fast path's own: a full play decides.
            Ok(Ok(outcome)) if !matches!(outcome, Outcome::Failed(Failure::Limit { .. }, _)) => {
                script.record_hit();
                Some(outcome.with_logs(|| frame.play.log.take()))
            }
            _ => {
                script.record_miss();
                None
            }
        }
    }
}

/// How many of `left` values remain after those of a JSON value; `None` if there are more.
fn count(value: &serde_json::Value, left: usize) -> Option<usize> {
    let left = left.checked_sub(1)?;
    match value {
        serde_json::Value::Array(items) => items.iter().try_fold(left, |left, item| count(item, left)),
        serde_json::Value::Object(members) => {
            members.values().try_fold(left, |left, member| count(member, left))
        }
        serde_json::Value::String(text) => left.checked_sub(text.len() / 64),
        _ => Some(left),
    }
}

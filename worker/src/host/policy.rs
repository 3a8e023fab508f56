//! The circle's policy: a library script that decides which callers may do what.

use std::{
    rc::Rc,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use circles_store::{Caller, CallingPlay, Kind, Source, Task, hex, sync::lock};
use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, Scope};

use super::{ServedCircle, failure, outcome::clear_shared};
use crate::{
    circle::LibraryError,
    engine::{LoadError, Script},
    natives::Frame,
    play::{MESSAGE_BYTES, Stop},
};

/// The name of the library script that is the policy.
pub(crate) const POLICY: &str = "policy";
/// The fault of a policy that cannot decide.
pub(crate) const NO_AUTHORIZE: &str =
    "it has no function authorize(request): callers are denied, except the owner";
/// How long a new policy may go unnoticed.
const POLICY_AGE: Duration = Duration::from_secs(1);
/// The log has one line for all errors of a policy within this time: callers decide how often it fails.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Returns whether a policy has the function that decides.
pub(crate) fn has_authorize(policy: &Script) -> bool {
    policy.has_function("authorize", 1)
}

/// The memory of a circle's policy from play to play.
#[derive(Default)]
pub(crate) struct PolicyState {
    /// When the library was last seen without a policy.
    absent_at: Mutex<Option<Instant>>,
    /// When an error of the policy was last logged.
    warned_at: Mutex<Option<Instant>>,
}

impl PolicyState {
    /// Returns whether there was no policy a moment ago. Does not look at the disk.
    pub(crate) fn was_absent_just_now(&self) -> bool {
        lock(&self.absent_at).is_some_and(|seen| seen.elapsed() < POLICY_AGE)
    }

    /// Returns whether the circle's policy allows a task. A missing policy allows everything; a policy that fails
    /// allows the owner alone, for whom it is not asked.
    pub(crate) fn allows(
        &self,
        circle: &ServedCircle,
        task: &Task,
        frame: &Rc<Frame>,
        hash: Option<[u8; 32]>,
    ) -> Result<bool, Stop> {
        let (play, engine) = (&frame.play, &circle.engines.full);
        let policy = match self.load(circle, frame) {
            Err(LoadError::Library(LibraryError::Absent)) => {
                let cause = format!("circle {}: {}", task.circle, LibraryError::Absent);
                return Err(play.meter.stop_for_internal_error(cause));
            }
            Ok(None) => return Ok(true),
            _ if task.caller == Caller::Peer(task.circle) => return Ok(true),
            Ok(Some(policy)) => policy,
            Err(LoadError::Library(LibraryError::Stopped(_))) => return self.after_stop(task, frame),
            Err(LoadError::Library(error)) if error.is_transient() => {
                tracing::warn!(circle = %task.circle, %error, "the circle's policy cannot be read now");
                return Err(Stop::Unavailable);
            }
            Err(error) => return Ok(self.deny(task, frame, &error.to_string())),
        };
        if !has_authorize(&policy) {
            return Ok(self.deny(task, frame, NO_AUTHORIZE));
        }
        if play.use_code(policy.clone(), policy.bytes).is_err() {
            return self.after_stop(task, frame);
        }
        let answer = play.as_policy(|| authorize(engine, &policy, frame, request(task, frame, hash)));
        match (play.meter.stopped(), answer) {
            (Some(_), _) => self.after_stop(task, frame),
            (None, Ok(answer)) => Ok(answer.as_bool().unwrap_or_else(|found| {
                let why = format!("authorize returned a value of type {found}; expected a bool");
                self.deny(task, frame, &why)
            })),
            (None, Err(error)) => Ok(self.deny(task, frame, &failure::text(*error, POLICY, frame))),
        }
    }

    /// The policy, if the library has one. May block on the disk.
    fn load(&self, circle: &ServedCircle, frame: &Frame) -> Result<Option<Arc<Script>>, LoadError> {
        // Only a policy that is certainly missing is none: one that cannot be read denies.
        let found = if circle.resources.library.contains(POLICY)? {
            circle.engines.library.script(&circle.engines.full, frame, POLICY).map(Some)
        } else {
            Ok(None)
        };
        *lock(&self.absent_at) = matches!(found, Ok(None)).then(Instant::now);
        found
    }

    /// Decides about a play that was stopped while its policy decided. A policy that passes a limit denies.
    fn after_stop(&self, task: &Task, frame: &Frame) -> Result<bool, Stop> {
        match frame.play.meter.stopped() {
            Some(Stop::Limit(limit)) => Ok(self.deny(task, frame, &format!("it passed the limit {limit}"))),
            stop => Err(stop.unwrap_or(Stop::Internal)),
        }
    }

    /// Denies a task for an error of the policy, and logs the error now and then: callers must not be able to fill the
    /// log.
    fn deny(&self, task: &Task, frame: &Frame, why: &str) -> bool {
        if self.is_warning_due() {
            let why = frame.circle().mask_secrets(why, MESSAGE_BYTES);
            tracing::warn!(circle = %task.circle, why, "policy.rhai failed: callers are denied, except the owner");
        }
        false
    }

    fn is_warning_due(&self) -> bool {
        let mut warned_at = lock(&self.warned_at);
        let is_due = warned_at.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL);
        if is_due {
            *warned_at = Some(Instant::now());
        }
        is_due
    }
}

/// Calls a policy's `authorize`.
fn authorize(
    engine: &Engine,
    policy: &Script,
    frame: &Rc<Frame>,
    request: Dynamic,
) -> Result<Dynamic, Box<EvalAltResult>> {
    frame.enter(|| {
        let mut scope = Scope::new();
        let answer = engine.call_fn::<Dynamic>(&mut scope, &policy.ast, "authorize", (request,));
        clear_shared(&scope);
        answer
    })
}

/// The plays that called a task, the outermost first.
fn calling_plays(task: &Task) -> Array {
    let plays = task.via.iter().flat_map(|via| &via.plays);
    let play = |play: &CallingPlay| {
        let circle = ("circle".into(), play.circle.to_string().into());
        Dynamic::from_map(Map::from([circle, ("task".into(), play.task.to_string().into())]))
    };
    plays.map(play).collect()
}

/// The request that a policy decides about; `docs/scripting.md` describes its members.
fn request(task: &Task, frame: &Frame, hash: Option<[u8; 32]>) -> Dynamic {
    let method = match (&task.source, task.kind) {
        (Source::Listing, _) => "scripts",
        (_, Kind::Submitted { .. }) => "submit",
        (Source::Script(_), Kind::Play) => "play",
        (Source::Library(_), Kind::Play) => "run",
    };
    let hash = hash.map(|hash| hex::encode(&hash));
    let request = Map::from([
        ("caller".into(), task.caller.to_string().into()),
        ("method".into(), method.into()),
        ("script".into(), task.script_name().unwrap_or_default().into()),
        ("hash".into(), hash.unwrap_or_default().into()),
        ("args".into(), frame.constants.args()),
        ("origin".into(), task.origin().to_string().into()),
        ("via".into(), calling_plays(task).into()),
    ]);
    request.into()
}

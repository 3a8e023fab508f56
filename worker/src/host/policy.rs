//! The circle's own say in who may do what (SPEC §4).

use std::rc::Rc;

use circles_store::{Caller, CallingPlay, Kind, Source, Task};
use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, Scope};

use super::{Host, empty};
use crate::{
    cache::Script,
    circle::{Circle, LibraryFault, NO_AUTHORIZE, POLICY, decides},
    failure,
    play::{Play, Stop},
};

impl Host {
    /// Whether the circle's policy lets this be done. No policy lets everybody; one that cannot be asked, nobody
    /// but the owner, who is not asked for.
    pub(super) fn is_let(
        &self,
        circle: &Circle,
        task: &Task,
        play: &Rc<Play>,
        hash: Option<[u8; 32]>,
    ) -> Result<bool, Stop> {
        let policy = match circle.policy(play) {
            Err(LibraryFault::Absent) => {
                let _ = play.broken(format!("circle {}: {}", task.circle, LibraryFault::Absent));
                return Err(Stop::Fault);
            }
            Ok(None) => return Ok(true),
            _ if task.caller == Caller::Peer(task.circle) => return Ok(true),
            Ok(Some(policy)) => policy,
            Err(LibraryFault::Stopped(_)) => return stopped(circle, task, play),
            Err(fault) if fault.is_passing() => {
                tracing::warn!(circle = %task.circle, %fault, "the circle's policy cannot be asked now");
                return Err(Stop::Unavailable);
            }
            Err(fault) => {
                warn(circle, task, &fault.to_string());
                return Ok(false);
            }
        };
        if !decides(&policy) {
            warn(circle, task, NO_AUTHORIZE);
            return Ok(false);
        }
        if play.hold(&policy).is_err() {
            return stopped(circle, task, play);
        }
        let answer = play.decide(|| ask(&circle.engines.real, &policy, play, request(task, play, hash)));
        match (play.stopped(), answer) {
            (Some(_), _) => stopped(circle, task, play),
            (None, Ok(answer)) => Ok(answer.as_bool().unwrap_or_else(|found| {
                warn(circle, task, &format!("authorize returned a value of type {found}; expected a bool"));
                false
            })),
            (None, Err(error)) => {
                warn(circle, task, &failure::text(*error, POLICY, play));
                Ok(false)
            }
        }
    }
}

/// Whether a play goes on that was stopped while its policy decided. A policy that passes a limit lets nobody in.
fn stopped(circle: &Circle, task: &Task, play: &Play) -> Result<bool, Stop> {
    match play.stopped() {
        Some(Stop::Limit(limit)) => {
            warn(circle, task, &format!("it passed the limit {limit}"));
            Ok(false)
        }
        stop => Err(stop.unwrap_or(Stop::Fault)),
    }
}

/// Says in the log why a policy denies that meant to decide. Each denied call would say it again: callers must not be
/// able to fill the log.
fn warn(circle: &Circle, task: &Task, why: &str) {
    if circle.is_time_for_a_warning() {
        let why = circle.without_secrets(why, failure::MESSAGE_BYTES);
        tracing::warn!(circle = %task.circle, why, "policy.rhai failed: callers are denied, except the owner");
    }
}

/// Asks a policy's `authorize`.
fn ask(
    engine: &Engine,
    policy: &Script,
    play: &Rc<Play>,
    request: Dynamic,
) -> Result<Dynamic, Box<EvalAltResult>> {
    play.enter(|| {
        let mut scope = Scope::new();
        let answer = engine.call_fn::<Dynamic>(&mut scope, &policy.ast, "authorize", (request,));
        empty(&scope);
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

/// What a policy is told (SPEC §4).
fn request(task: &Task, play: &Play, hash: Option<[u8; 32]>) -> Dynamic {
    let method = match (&task.source, task.kind) {
        (Source::Listing, _) => "scripts",
        (_, Kind::Submitted { .. }) => "submit",
        (Source::Script(_), Kind::Play) => "play",
        (Source::Library(_), Kind::Play) => "run",
    };
    let hash = hash.map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let request = Map::from([
        ("caller".into(), task.caller.to_string().into()),
        ("method".into(), method.into()),
        ("script".into(), task.script_name().unwrap_or_default().into()),
        ("hash".into(), hash.unwrap_or_default().into()),
        ("args".into(), play.constants.args()),
        ("origin".into(), task.origin().to_string().into()),
        ("via".into(), calling_plays(task).into()),
    ]);
    request.into()
}

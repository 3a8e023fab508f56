//! `circle(pk)`: calls into other circles, where this circle is the caller, and into this one, with its own caller.

use circles_store::{CircleId, Failure, Outcome, Source};
use rhai::{Dynamic, EvalAltResult, Map, Module, Position};

use crate::{
    circle::{CircleCall, ResourceError},
    natives::{
        Checked, Natives as _, frame, request_error, throw,
        value::{from_json, to_json},
    },
};

/// Another circle, as a script holds it.
#[derive(Clone, Copy, Debug)]
struct Peer(CircleId);

pub(crate) fn register(natives: &mut Module) {
    natives.set_custom_type::<Peer>("Circle");
    natives.native("circle", |key: &str| {
        let id = key.parse().map(Peer);
        id.map_err(|_| throw("circle: expected a public key, 66 lower-case hex digits".to_owned()))
    });
    natives
        .native("play", |peer: &mut Peer, script: &str| call(*peer, Source::script(script), Dynamic::UNIT));
    natives.native("play", |peer: &mut Peer, script: &str, args: Dynamic| {
        call(*peer, Source::script(script), args)
    });
    natives.native("run", |peer: &mut Peer, name: &str| {
        call(*peer, Source::Library(name.into()), Dynamic::UNIT)
    });
    natives.native("run", |peer: &mut Peer, name: &str, args: Dynamic| {
        call(*peer, Source::Library(name.into()), args)
    });
}

fn call(peer: Peer, source: Source, args: Dynamic) -> Checked<Dynamic> {
    let frame = frame()?;
    let args = to_json(&args, &frame.play.limits)
        .map_err(|_| throw("circle: the arguments have no JSON form".to_owned()))?;
    let call = CircleCall { circle: peer.0, source, args };
    match frame.circle().call_circle(&frame.play, call) {
        Ok(Outcome::Succeeded(success)) => from_json(&success.value).map_err(throw),
        Ok(Outcome::Failed(failure, _)) => Err(failed(failure)),
        Ok(Outcome::TimedOut(_)) => Err(refusal("SCRIPT_TIMEOUT", "the script passed its deadline", None)),
        Ok(Outcome::Cancelled(_)) => Err(refusal("CANCELLED", "cancelled", None)),
        Ok(Outcome::Lost) => Err(refusal("WORKER_LOST", "the worker was lost", None)),
        Err(ResourceError::UnknownCircle) => {
            Err(refusal("UNKNOWN_CIRCLE", "this circle is not served here", None))
        }
        Err(error) => Err(request_error(error, |why| format!("circle: {why}"))),
    }
}

fn failed(failure: Failure) -> Box<EvalAltResult> {
    match failure {
        Failure::Script { message, thrown, .. } => refusal("SCRIPT_ERROR", &message, thrown),
        Failure::Limit { limit } => {
            refusal("LIMIT_EXCEEDED", &format!("the script passed the limit {limit}"), None)
        }
        Failure::Forbidden => refusal("FORBIDDEN", "forbidden", None),
        Failure::NoScript => refusal("SCRIPT_NOT_FOUND", "no such script", None),
        Failure::Conflict => refusal("CONFLICT", "in conflict with another task", None),
        Failure::Dropped => refusal("CONFLICT", "the outcome of this call is no longer kept", None),
        Failure::Unavailable => refusal("BACKEND_UNAVAILABLE", "not available now", None),
        Failure::Internal(id) => refusal("INTERNAL", &format!("internal error {id}"), None),
    }
}

/// An error that a script can catch: its name as callers from outside see it, and its data.
fn refusal(error: &str, message: &str, thrown: Option<serde_json::Value>) -> Box<EvalAltResult> {
    let mut map = Map::from([("error".into(), error.into()), ("message".into(), message.into())]);
    if let Some(thrown) = thrown.and_then(|thrown| from_json(&thrown).ok()) {
        map.insert("thrown".into(), thrown);
    }
    EvalAltResult::ErrorRuntime(map.into(), Position::NONE).into()
}

//! `circle(pk)`: other circles, with this one as the caller; and this one, with its own caller.

use circles_store::{CircleId, Failure, Outcome, Settled, Source, Task};
use rhai::{Dynamic, EvalAltResult, Map, Module, Position};

use super::{Checked, play, throw};
use crate::{
    natives::Natives as _,
    play::{Link, Play, Stop},
    value::{from_json, to_json},
};

/// Another circle, as a script holds it.
#[derive(Clone, Copy, Debug)]
struct Peer(CircleId);

pub fn register(natives: &mut Module) {
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

/// Plays in another circle, on this very thread: however deep and wide calls go, none waits for a thread that
/// waits for it.
fn call(peer: Peer, source: Source, args: Dynamic) -> Checked<Dynamic> {
    let play = play()?;
    // Before anything is looked at: whether a circle is here is the other's to say.
    play.reach_outside()?;
    let Some(link) = &play.link else { return Err(play.stop(Stop::NotShort)) };
    if link.task.depth() >= usize::from(play.limits.circle_depth) {
        return Err(play.stop(Stop::Limit("circle_depth")));
    }
    if play.circle_calls.replace(play.circle_calls.get() + 1) >= play.limits.circle_calls {
        return Err(play.stop(Stop::Limit("circle_calls")));
    }
    let args = to_json(&args, &play.limits)
        .map_err(|_| throw("circle: the arguments have no JSON form".to_owned()))?;
    if !link.host.serves(&peer.0, &play.constants.circle) {
        return Err(refusal("UNKNOWN_CIRCLE", "this circle is not served here", None));
    }
    let left = play.deadline.saturating_duration_since(std::time::Instant::now());
    let left = left.min(link.host.play_timeout(&peer.0));
    let task = link.task.call_into(peer.0, source, args, left);
    if !link.host.lets(&link.task, &task) {
        return Err(refusal("FORBIDDEN", "forbidden", None));
    }
    play.is_slow();
    let outcome = play.keeping(|| run(&play, link, task))?;
    play.look()?;
    match outcome {
        Outcome::Succeeded(success) => from_json(&success.value).map_err(throw),
        Outcome::Failed(failure, _) => Err(failed(failure)),
        Outcome::TimedOut(_) => Err(refusal("SCRIPT_TIMEOUT", "the script passed its deadline", None)),
        Outcome::Cancelled(_) => Err(refusal("CANCELLED", "cancelled", None)),
        Outcome::Lost => Err(refusal("WORKER_LOST", "the worker was lost", None)),
    }
}

fn run(play: &Play, link: &Link, task: Task) -> Checked<Outcome> {
    let runtime =
        tokio::runtime::Handle::try_current().map_err(|_| throw("circle: no runtime".to_owned()))?;
    let (mut claim, ticket) = match link.store.begin_nested(task) {
        Ok(begun) => begun,
        Err(error) => return Err(play.fault(error)),
    };
    // Who ends the outer play ends the inner one.
    let follow = play.interrupt.clone().map(|outer| {
        let inner = claim.interrupt().clone();
        runtime.spawn(async move {
            outer.cancelled().await;
            inner.cancel();
        })
    });
    let settled = loop {
        let (played, settlement) = link.host.play(&link.store, claim, || ());
        match runtime.block_on(played.settle(settlement)) {
            Ok(Settled::Recorded) => break Ok(()),
            Ok(Settled::Conflict(again)) => claim = again,
            Err(error) => break Err(play.fault(error)),
        }
    };
    let outcome = settled.map(|()| runtime.block_on(ticket));
    if let Some(follow) = follow {
        follow.abort();
    }
    outcome
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

/// What a script can catch: the name of the error as callers from outside see it, and what goes with it.
fn refusal(error: &str, message: &str, thrown: Option<serde_json::Value>) -> Box<EvalAltResult> {
    let mut map = Map::from([("error".into(), error.into()), ("message".into(), message.into())]);
    if let Some(thrown) = thrown.and_then(|thrown| from_json(&thrown).ok()) {
        map.insert("thrown".into(), thrown);
    }
    EvalAltResult::ErrorRuntime(map.into(), Position::NONE).into()
}

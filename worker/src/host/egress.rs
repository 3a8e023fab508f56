//! Calls of a play into other circles.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use circles_auth::Permission;
use circles_store::{CircleId, Failure, Outcome, Settled, Source, Store, Task};
use tokio::runtime::Handle;

use super::Host;
use crate::{
    circle::{CircleCall, Egress, ResourceError, stop_for},
    play::{Play, Stop},
};

/// Plays calls on the caller's thread, and not through the queue: so no depth or number of calls can wait for a thread
/// that waits for them.
pub(crate) struct HostEgress {
    pub host: Arc<Host>,
    pub store: Arc<dyn Store>,
}

impl Egress for HostEgress {
    fn call(&self, play: &Play, caller: &Task, call: CircleCall) -> Result<Outcome, ResourceError> {
        if !self.host.serves(&call.circle, &caller.circle) {
            return Err(ResourceError::UnknownCircle);
        }
        let left = play.meter.deadline().saturating_duration_since(Instant::now());
        let left = left.min(self.host.play_timeout(&call.circle));
        let task = caller.call_into(call.circle, call.source, call.args, left);
        if !self.host.access_allows(caller, &task) {
            return Ok(Outcome::failed(Failure::Forbidden));
        }
        play.meter.mark_slow();
        // The outcome outlives the inner play.
        let outcome = play.meter.retain(|| self.run(play, task))?;
        play.meter.check()?;
        Ok(outcome)
    }
}

impl HostEgress {
    fn run(&self, play: &Play, task: Task) -> Result<Outcome, ResourceError> {
        let runtime = Handle::try_current().map_err(|_| ResourceError::NoRuntime)?;
        let (mut claim, ticket) = self.store.begin_nested(task).map_err(|error| stop_for(play, error))?;
        // Interrupting the outer play interrupts the inner one.
        let link = play.meter.interrupt().cloned().map(|outer| {
            let inner = claim.interrupt().clone();
            runtime.spawn(async move {
                outer.cancelled().await;
                inner.cancel();
            })
        });
        let settled = loop {
            let Some((played, settlement)) = self.host.play(&self.store, claim, || ()) else {
                break Err(play.meter.stop(Stop::Unavailable));
            };
            match runtime.block_on(played.settle(settlement)) {
                Ok(Settled::Recorded) => break Ok(()),
                Ok(Settled::Conflict(retry)) => claim = retry,
                Err(error) => break Err(stop_for(play, error)),
            }
        };
        let outcome = settled.map(|()| runtime.block_on(ticket));
        if let Some(link) = link {
            link.abort();
        }
        Ok(outcome?)
    }
}

impl Host {
    /// Returns whether a circle's plays may run here when another circle calls it.
    fn serves(&self, circle: &CircleId, caller: &CircleId) -> bool {
        // A script may name any circle: that neither creates a circle nor guesses its access.
        circle == caller || self.circles.is_named(circle)
    }

    /// Returns whether the called circle's access list permits a call that the play of `caller` makes. The circle's
    /// policy is asked when the call runs.
    fn access_allows(&self, caller: &Task, call: &Task) -> bool {
        let permission = |task: &Task| match task.source {
            Source::Library(_) => Permission::Run,
            Source::Script(_) | Source::Listing => Permission::Play,
        };
        // The server that accepted the caller's task checked its list, which this host may not have.
        let was_checked = call.circle == caller.circle
            && call.caller == caller.caller
            && permission(call) == permission(caller);
        let access = &self.circles.get(&call.circle).resources.access;
        was_checked || access.allows(&call.circle, call.caller.key(), permission(call))
    }

    /// How long plays of a circle may take.
    fn play_timeout(&self, circle: &CircleId) -> Duration {
        Duration::from_millis(self.circles.get(circle).limits().play_timeout_ms)
    }
}

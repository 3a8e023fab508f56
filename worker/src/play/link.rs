use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_store::{Claim, Store, Task};
use rhai::Dynamic;
use tokio_util::sync::CancellationToken;

use super::Meter;
use crate::{Host, value::from_json};

/// What ties a play to the store that its task came from.
pub struct Link {
    pub host: Arc<Host>,
    pub store: Arc<dyn Store>,
    /// The task that is played.
    pub task: Arc<Task>,
    /// Handed back when the play is over.
    claim: RefCell<Option<Claim>>,
}

impl Link {
    pub fn new(host: Arc<Host>, store: Arc<dyn Store>, claim: Claim) -> Self {
        Self { host, store, task: claim.task().clone(), claim: RefCell::new(Some(claim)) }
    }

    /// The claim, for whoever settles it.
    pub fn take(&self) -> Option<Claim> {
        self.claim.take()
    }

    /// The task's arguments, as a script sees them.
    pub fn args(&self) -> Option<Result<Dynamic, String>> {
        self.claim(|claim| from_json(&claim.task().args))
    }

    pub(super) fn claim<T>(&self, body: impl FnOnce(&Claim) -> T) -> Option<T> {
        self.claim.borrow().as_ref().map(body)
    }
}

/// When a play ends, who may end it, and what it is tied to.
pub struct Terms {
    pub began: Instant,
    pub deadline: Instant,
    pub interrupt: Option<CancellationToken>,
    pub link: Option<Link>,
    /// Called once, at most, when the play has turned out slow.
    pub on_slow: Option<Box<dyn FnOnce()>>,
    /// How its memory is counted.
    pub meter: Meter,
}

impl Terms {
    /// Those of a trial.
    pub fn of_trial(began: Instant, time: Duration, memory_bytes: usize) -> Self {
        let meter = Meter::of_trial(memory_bytes);
        Self { began, deadline: began + time, interrupt: None, link: None, on_slow: None, meter }
    }
}

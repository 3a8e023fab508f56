//! Turns a task into an outcome: finds its circle, asks the circle's policy, runs the script within its limits.

mod circles;
mod egress;
mod failure;
mod fast_path;
mod listing;
mod outcome;
mod policy;
mod task_run;

use std::{
    collections::HashMap,
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use circles_config::Limits;
use circles_store::{Caller, CircleId, Claim, Outcome, Settlement, Store};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    circles::{Circles, ServedCircle},
    egress::HostEgress,
    task_run::TaskRun,
};
use crate::{
    circle::{CircleSettings, LibraryError, Session},
    engine::{LoadError, SourceCache},
    natives::{Constants, Frame},
    play::{self, Budget, MemoryMeter, Meter, Play},
};

pub use self::listing::{LibraryFunction, LibraryScript};

/// Bytes that plays may lose for good before the host refuses scripts with closures.
const LOST_MEMORY: usize = 256 << 20;
/// How long listing a library may take for the program that this host is part of.
const LISTING_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs scripts, one at a time on each thread that calls it.
pub struct Host {
    circles: Circles,
    scripts: SourceCache,
    /// The memory of all running scripts together.
    budget: Budget,
    /// Bytes of values that hold each other and so are never freed.
    lost: AtomicUsize,
}

impl Host {
    /// A host for circles that have neither library nor files nor secrets, and these limits.
    pub fn new(limits: Limits) -> Self {
        Self::with_circles(limits, HashMap::new())
    }

    /// As [`Host::new`], but with settings for these circles.
    pub fn with_circles(limits: Limits, circles: HashMap<CircleId, CircleSettings>) -> Self {
        if !play::is_counted() {
            tracing::warn!(
                "memory_bytes is not enforced: CountingAllocator is not the program's #[global_allocator]"
            );
        }
        Self {
            circles: Circles::new(limits, circles),
            scripts: SourceCache::new(),
            budget: Budget::default(),
            lost: AtomicUsize::new(0),
        }
    }

    /// Sets how many bytes all running scripts may hold together; by default [`Budget::DEFAULT`]. A play that needs
    /// more than is free waits until its deadline.
    pub fn with_memory_budget(self, bytes: usize) -> Self {
        Self { budget: Budget::new(bytes), ..self }
    }

    /// Sets a rule for the settings of all other circles. It applies to tasks that a server accepted; no circle is
    /// called by another because of it.
    pub fn with_others(
        mut self,
        settings: impl Fn(&CircleId) -> CircleSettings + Send + Sync + 'static,
    ) -> Self {
        self.circles = self.circles.with_others(settings);
        self
    }

    /// Plays a claimed task on this thread until it ends, its deadline passes or it is interrupted, and returns the
    /// claim with the settlement. A script that waits does so on the tokio runtime that the thread has entered.
    /// `on_slow` is called once, at most, when the play begins to wait or has run so long that other plays should run
    /// meanwhile.
    ///
    /// `None` if a native kept its frame, which is an error of the program: the claim is lost with it.
    pub fn play(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        claim: Claim,
        on_slow: impl FnOnce() + 'static,
    ) -> Option<(Claim, Settlement)> {
        // A short script would end before it looks.
        if claim.interrupt().is_cancelled() {
            return Some((claim, Outcome::cancelled().into()));
        }
        let task = claim.task().clone();
        let circle = self.circles.get(&task.circle);
        let frame = self.frame(store, &circle, claim, on_slow);
        let _running = play::Running::begin();
        let mut run = TaskRun::new(self, &circle, &task, &frame);
        let outcome = run.outcome();
        let script_sha256 = run.hash();
        let outcome = outcome.with_logs(|| frame.play.log.take());
        let side_effects = frame.play.effects.has_side_effects();

        let session = Rc::into_inner(frame).map(Frame::into_session);
        let settled = session.and_then(|session| session.into_settlement(outcome));
        if settled.is_none() {
            tracing::error!(task = %task.id, "a native kept its frame; the task's claim is lost");
        }
        let (claim, settlement) = settled?;
        Some((claim, Settlement { side_effects, script_sha256, ..settlement }))
    }

    /// The frame of a claimed task, which owns the claim.
    fn frame(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        circle: &ServedCircle,
        claim: Claim,
        on_slow: impl FnOnce() + 'static,
    ) -> Rc<Frame> {
        let memory = match Frame::current() {
            // A script that calls another circle lends the memory that it has left.
            Some(outer) => MemoryMeter::within(outer.play.meter.memory(), circle.limits().memory_bytes),
            None => self.memory_meter(circle),
        };
        let meter = Meter::new(claim.deadline(), claim.interrupt().clone(), memory).on_slow(on_slow);
        let mut play = Play::new(*circle.limits(), meter);
        play.code.set_refuses_closures(self.lost.load(Ordering::Relaxed) > LOST_MEMORY);
        let task = claim.task();
        let constants = Constants::new(task.caller.clone(), task.circle, task.id);
        let egress = HostEgress { host: self.clone(), store: store.clone() };
        let session = Session::new(circle.resources.clone(), claim, Box::new(egress));
        Rc::new(Frame::new(play, constants, session))
    }

    /// The scripts of a circle's library, sorted by name. Reads the disk and compiles new scripts, so it must be called
    /// on a thread that may block.
    ///
    /// # Errors
    ///
    /// If the library cannot be read.
    pub fn scripts(&self, id: &CircleId) -> io::Result<Vec<LibraryScript>> {
        let circle = self.circles.get(id);
        let deadline = Instant::now() + LISTING_TIMEOUT;
        let meter = Meter::new(deadline, CancellationToken::new(), self.memory_meter(&circle));
        let play = Play::new(*circle.limits(), meter);
        let constants = Constants::new(Caller::Anonymous, *id, Uuid::nil());
        let session = Session::without_task(circle.resources.clone());
        let frame = Rc::new(Frame::new(play, constants, session));
        frame.enter(|| listing::scripts(&circle.engines, &frame)).map_err(|error| match error {
            LoadError::Library(LibraryError::Io(error)) => error,
            other => io::Error::other(other),
        })
    }

    fn memory_meter(&self, circle: &ServedCircle) -> MemoryMeter {
        MemoryMeter::new(
            circle.limits().memory_bytes,
            &self.budget,
            circle.resources.memory_share(&self.budget),
        )
    }

    /// Counts the bytes that a play left behind. A script can also tie values into a knot inside a function, out of
    /// sight; Rhai never frees those. Too many lost bytes end the service for scripts with closures, not the process.
    fn count_lost(&self, bytes: isize) {
        let Ok(bytes) = usize::try_from(bytes) else { return };
        let before = self.lost.fetch_add(bytes, Ordering::Relaxed);
        if before <= LOST_MEMORY && before + bytes > LOST_MEMORY {
            tracing::error!(
                bytes = before + bytes,
                "closures that hold each other have taken memory that cannot be freed; scripts with closures are \
                 refused from now on: restart this program, and see which callers played them"
            );
        }
    }
}

// One host serves all script threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Arc<Host>>();
};

#[cfg(test)]
mod tests {
    use circles_store::{Failure, Source, Task};
    use circles_store_embedded::EmbeddedConfig;
    use circles_testing::{embedded, played};
    use serde_json::Value;

    use super::*;
    use crate::engine::{Engines, LibraryCache};

    fn play(host: &Arc<Host>, script: &str) -> Outcome {
        let circle = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5".parse().unwrap();
        let source = Source::script(script);
        let task = Task::new(circle, Caller::Anonymous, source, Value::Null, Duration::from_secs(60));
        let store: Arc<dyn Store> = Arc::new(embedded(EmbeddedConfig::default()));
        played(&store, task, |claim| host.play(&store, claim, || ()))
    }

    #[test]
    fn panic_in_native_ends_its_play_only() {
        let mut engines = Engines::new(Limits::default(), &LibraryCache::new());
        engines.full.register_fn("explode", || -> i64 { panic!("as a test wishes") });
        let circle = ServedCircle::new(CircleSettings::default(), Arc::new(engines));
        let host = Arc::new(Host { circles: Circles::all(circle), ..Host::new(Limits::default()) });
        for script in ["explode()", "try { explode() } catch { 1 }", "[1].map(|x| explode())"] {
            assert!(matches!(play(&host, script), Outcome::Failed(Failure::Internal(_), _)), "{script}");
        }
        assert!(Frame::current().is_none());
        assert!(matches!(play(&host, "40 + 2"), Outcome::Succeeded(_)));
    }

    #[test]
    fn memory_lost_to_closures_is_bounded() {
        let host = Arc::new(Host::new(Limits::default()));
        // Each play ties 30 MB into a knot that no variable of the script's own scope holds.
        let knot = "fn tie() { let s = blob(30000000); let f = (); f = |n| { s; f }; 1 } tie()";
        let limit = Outcome::failed(Failure::Limit { limit: "memory_bytes".into() });
        let plays = (0..20).take_while(|_| play(&host, knot) != limit).count();
        assert!((5..15).contains(&plays), "{plays} plays lost 30 MB each");
        assert!(matches!(play(&host, "40 + 2"), Outcome::Succeeded(_)), "others go on");
    }

    #[test]
    fn closures_that_hold_themselves_are_freed() {
        let host = Arc::new(Host::new(Limits::default()));
        let script = "let s = blob(100000); let f = (); f = |n| { s; f }; 1";
        assert!(matches!(play(&host, script), Outcome::Succeeded(_)));
        let before = play::balance();
        for _ in 0..100 {
            play(&host, script);
        }
        assert!(play::balance() - before < 1_000_000);
    }
}

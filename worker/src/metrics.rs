//! The metrics of workers.

use std::time::Instant;

use circles_store::{Failure, InlineRunner, Outcome, State, Task};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The metrics of workers; a copy counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    plays: Family<OutcomeLabel, Counter>,
    limits: Family<LimitLabel, Counter>,
    seconds: Histogram,
    running: Gauge,
    threads: Gauge,
    thread_deaths: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    /// One of a fixed set: fields of [`Limits`](crate::Limits), and `database_bytes`.
    limit: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            plays: Family::default(),
            limits: Family::default(),
            // From 100 µs, which a short play takes, to half an hour.
            seconds: Histogram::new(exponential_buckets(0.000_1, 4.0, 13)),
            running: Gauge::default(),
            threads: Gauge::default(),
            thread_deaths: Counter::default(),
        }
    }
}

impl Metrics {
    /// Adds the metrics to a program's registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("plays", "Plays that ended here, by how", self.plays.clone());
        registry.register("limits", "Plays that passed a limit, by its name", self.limits.clone());
        registry.register("play_seconds", "Time from claim to settlement", self.seconds.clone());
        registry.register("running", "Plays under way", self.running.clone());
        registry.register(
            "script_threads",
            "Threads that run scripts, or wait for one",
            self.threads.clone(),
        );
        let help = "Threads for scripts that died of a fault of the program, and were replaced";
        registry.register("script_thread_deaths", help, self.thread_deaths.clone());
    }

    /// Counts the plays that end on this fast path.
    pub fn counting<T: InlineRunner>(&self, fast_path: T) -> impl InlineRunner {
        Counted { metrics: self.clone(), fast_path }
    }

    /// Threads that run scripts, or wait for one. Without any, no play runs.
    pub fn script_threads(&self) -> usize {
        usize::try_from(self.threads.get()).unwrap_or(0)
    }

    /// Threads for scripts that died of a fault of the program since its start.
    pub fn script_thread_deaths(&self) -> u64 {
        self.thread_deaths.get()
    }

    /// Counts a thread until the result is dropped.
    pub(crate) fn thread_began(&self) -> impl Drop + Send + use<> {
        self.threads.inc();
        LiveThread(self.threads.clone())
    }

    pub(crate) fn thread_died(&self) {
        self.thread_deaths.inc();
    }

    /// Counts a play until the result is dropped.
    pub(crate) fn begin_play(&self) -> RunningPlay<'_> {
        self.running.inc();
        RunningPlay { metrics: self, began: Instant::now(), ended: None }
    }
}

struct Counted<T> {
    metrics: Metrics,
    fast_path: T,
}

impl<T: InlineRunner> InlineRunner for Counted<T> {
    fn try_inline(&self, task: &Task) -> Option<Outcome> {
        let mut running = self.metrics.begin_play();
        let outcome = self.fast_path.try_inline(task)?;
        running.end(&outcome);
        Some(outcome)
    }
}

struct LiveThread(Gauge);

impl Drop for LiveThread {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A play under way.
pub(crate) struct RunningPlay<'a> {
    metrics: &'a Metrics,
    began: Instant,
    ended: Option<(State, Option<String>)>,
}

impl RunningPlay<'_> {
    /// Sets how the play ended; the last call counts.
    pub(crate) fn end(&mut self, outcome: &Outcome) {
        let limit = match outcome {
            Outcome::Failed(Failure::Limit { limit }, _) => Some(limit.clone()),
            _ => None,
        };
        self.ended = Some((outcome.state(), limit));
    }
}

impl Drop for RunningPlay<'_> {
    fn drop(&mut self) {
        self.metrics.running.dec();
        let Some((state, limit)) = self.ended.take() else { return };
        self.metrics.seconds.observe(self.began.elapsed().as_secs_f64());
        self.metrics.plays.get_or_create(&OutcomeLabel { outcome: name(state) }).inc();
        if let Some(limit) = limit {
            self.metrics.limits.get_or_create(&LimitLabel { limit }).inc();
        }
    }
}

/// A state as openrpc.json calls it.
const fn name(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Running => "running",
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::TimedOut => "timed_out",
        State::Cancelled => "cancelled",
        State::Lost => "lost",
    }
}

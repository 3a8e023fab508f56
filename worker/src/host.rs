mod circles;
mod policy;

use std::{
    any::Any,
    collections::HashMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use circles_auth::Permission;
use circles_store::{
    Caller, CircleId, Claim, Failure, InlineRunner, Kind, Outcome, Settlement, Source, Stats, Store, Success,
    Task,
};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Scope};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::circles::Circles;
use crate::{
    CircleSettings, LibraryScript, Limits,
    budget::Budget,
    cache::{self, CompileFault, Script, Scripts},
    circle::{Circle, LibraryFault, Loaded},
    clock,
    engine::for_trial,
    failure, memory,
    natives::printed,
    play::{Constants, Link, Meter, Play, Stop, Terms},
    value::{Unfit, from_json, json_length, to_json_with_length},
};

/// The longest a trial may take: what a call can be late for another's sake without anybody noticing.
const TRIAL_TIME: Duration = Duration::from_micros(200);
/// Arguments of more values than this make a play not short.
const TRIAL_ARGS: usize = 64;
/// Bytes that plays may lose for good before scripts with closures are no longer taken.
const LOST_MEMORY: usize = 256 << 20;
/// How long a library may take to be listed for the program that this host is part of.
const LISTING_TIME: Duration = Duration::from_secs(30);

/// Runs scripts, one at a time on each thread that asks.
pub struct Host {
    circles: Circles,
    scripts: Scripts,
    /// What all running scripts may hold together.
    budget: Budget,
    /// Bytes of values that hold each other and so are never freed.
    lost: AtomicUsize,
}

impl Host {
    /// A host for circles that have neither library nor files nor secrets, and these limits.
    pub fn new(limits: Limits) -> Self {
        Self::with_circles(limits, HashMap::new())
    }

    /// The same, but for circles with settings of their own.
    pub fn with_circles(limits: Limits, circles: HashMap<CircleId, CircleSettings>) -> Self {
        if !memory::is_counted() {
            tracing::warn!("CountingAllocator is not this program's allocator: memory_bytes is not held");
        }
        Self {
            circles: Circles::new(limits, circles),
            scripts: Scripts::new(),
            budget: Budget::default(),
            lost: AtomicUsize::new(0),
        }
    }

    /// Sets how many bytes all running scripts may hold together; by default [`Budget::DEFAULT`]. A play that needs
    /// more than is free waits until its deadline.
    pub fn with_memory_budget(self, bytes: usize) -> Self {
        Self { budget: Budget::new(bytes), ..self }
    }

    /// Has a rule say what the tasks of all other circles reach, if whoever accepted them knew. No circle is ever
    /// called by another because of it.
    pub fn with_others(
        mut self,
        settings: impl Fn(&CircleId) -> CircleSettings + Send + Sync + 'static,
    ) -> Self {
        self.circles = self.circles.with_others(settings);
        self
    }

    /// Plays a claimed task on this thread until it ends, its deadline passes or it is interrupted, and hands the
    /// claim back with what is to be settled. A script that waits does so on the tokio runtime that the thread
    /// has entered. `on_slow` is called once, at most, when the play begins to wait or has run so long that
    /// others should run beside it.
    pub fn play(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        claim: Claim,
        on_slow: impl FnOnce() + 'static,
    ) -> (Claim, Settlement) {
        // A short script would end before it looks.
        if claim.interrupt().is_cancelled() {
            return (claim, Outcome::cancelled().into());
        }
        let task = without_args(claim.task());
        let circle = &self.circles.get(&task.circle);
        let memory_bytes = circle.limits().memory_bytes;
        let terms = Terms {
            began: Instant::now(),
            deadline: claim.deadline(),
            interrupt: Some(claim.interrupt().clone()),
            link: Some(Link::new(self.clone(), store.clone(), claim)),
            on_slow: Some(Box::new(on_slow)),
            meter: match Play::current() {
                // Of a script that calls another circle, what it has left.
                Some(outer) => Meter::within(outer.meter(), memory_bytes),
                None => Meter::new(memory_bytes, &self.budget, circle.memory_share(&self.budget)),
            },
        };
        let constants = Constants::new(task.caller.clone(), task.circle, task.id);
        let play = Play::new(constants, circle.clone(), *circle.limits(), terms);
        let refuses_closures = self.lost.load(Ordering::Relaxed) > LOST_MEMORY;
        let play = Rc::new(play.refusing_closures(refuses_closures));
        let _running = clock::Running::begin();
        let mut hash = None;
        let outcome =
            contained(circle, || match play.enter(|| self.outcome(circle, &task, &play, &mut hash)) {
                Ok(outcome) => outcome,
                Err(Stop::Deadline) => Outcome::timed_out(),
                Err(Stop::Interrupted | Stop::NotShort) => Outcome::cancelled(),
                Err(Stop::Limit(name)) => Outcome::failed(failure::limit(name)),
                // Which the store takes as what it is.
                Err(Stop::Overtaken) => Outcome::failed(Failure::Conflict),
                Err(Stop::Unavailable) => Outcome::failed(Failure::Unavailable),
                Err(Stop::Fault) => Outcome::failed(internal(&play.take_fault())),
            });
        let settlement = play.settlement(failure::without_secrets_of(outcome, circle), hash);
        match play.link.as_ref().and_then(Link::take) {
            Some(claim) => (claim, settlement),
            None => unreachable!("a play gives its claim to nobody else"),
        }
    }

    /// All of it happens in the frame of the play: within its time and its memory.
    fn outcome(
        &self,
        circle: &Circle,
        task: &Task,
        play: &Rc<Play>,
        hash: &mut Option<[u8; 32]>,
    ) -> Result<Outcome, Stop> {
        let queued = SystemTime::now().duration_since(task.accepted_at).unwrap_or_default();
        let args = play.link.as_ref().and_then(Link::args).unwrap_or(Ok(Dynamic::UNIT));
        play.proceed()?;
        match args {
            Ok(args) => play.constants.set_args(args),
            Err(message) => return Ok(Outcome::failed(failure::of_args(message))),
        }
        let found = self.find(circle, &task.source, play)?;
        *hash = match &found {
            Ok(found) => found.hash(),
            Err(_) => None,
        };
        // Nothing of a caller's is compiled before it is known that this caller may have it run.
        if !self.is_let(circle, task, play, *hash)? {
            return Ok(Outcome::failed(Failure::Forbidden));
        }
        let compiled = match found {
            Ok(found) => self.compile(circle, found, play)?,
            Err(failure) => Err(failure),
        };
        let script = match compiled {
            Err(failure) => return Ok(Outcome::failed(failure)),
            Ok(Some(script)) => script,
            Ok(None) => return listing(circle, play, queued),
        };
        play.hold(&script).map_err(|_| stop_of(play))?;
        if script.has_closures && play.refuses_closures() {
            return Ok(Outcome::failed(failure::limit("memory_bytes")));
        }
        play.begin();
        let before = memory::balance().wrapping_sub(play.kept());
        let outcome = run(&circle.engines.real, &script, play, queued);
        if script.has_closures || play.has_closures() {
            self.count_lost(before.wrapping_add(play.kept()), &outcome);
        }
        script.cost(play.operations(), play.elapsed(), play.was_slow(), play.has_touched());
        outcome
    }

    /// What a task runs, not compiled yet.
    fn find<'a>(
        &self,
        circle: &Circle,
        source: &'a Source,
        play: &Play,
    ) -> Result<Result<Found<'a>, Failure>, Stop> {
        let limits = circle.limits();
        Ok(match source {
            Source::Script(source) if source.len() > limits.script_bytes => {
                Err(failure::limit("script_bytes"))
            }
            Source::Script(source) => Ok(match self.scripts.get(source, limits) {
                Some(script) => Found::Compiled(script),
                None => Found::Source { source, hash: cache::hash(source, play)? },
            }),
            Source::Library(name) => match circle.load(name, play) {
                Ok(loaded) => Ok(Found::Library { name, loaded }),
                Err(fault) => Err(not_had(name, fault, play)?),
            },
            Source::Listing => Ok(Found::Listing),
        })
    }

    /// What was found, compiled within the limits of this play; nothing if the library is to be listed.
    fn compile(
        &self,
        circle: &Circle,
        found: Found<'_>,
        play: &Play,
    ) -> Result<Result<Option<Arc<Script>>, Failure>, Stop> {
        Ok(match found {
            Found::Compiled(script) => Ok(Some(script)),
            Found::Source { source, hash } => {
                match self.scripts.compile(&circle.engines.real, source, hash, circle.limits()) {
                    Ok(script) => Ok(Some(script)),
                    Err(CompileFault::Parse(error)) => Err(failure::of_compiling(&error)),
                    Err(CompileFault::Stopped) => return Err(stop_of(play)),
                }
            }
            Found::Library { name, loaded } => match circle.compile(loaded) {
                Ok(script) => Ok(Some(script)),
                Err(fault) => Err(not_had(name, fault, play)?),
            },
            Found::Listing => Ok(None),
        })
    }
}

/// What a task runs, found and perhaps compiled.
enum Found<'a> {
    Compiled(Arc<Script>),
    Source { source: &'a str, hash: [u8; 32] },
    Library { name: &'a str, loaded: Loaded },
    Listing,
}

impl Found<'_> {
    /// SHA-256 of its source.
    fn hash(&self) -> Option<[u8; 32]> {
        match self {
            Self::Compiled(script) => Some(script.hash),
            Self::Source { hash, .. } => Some(*hash),
            Self::Library { loaded, .. } => Some(loaded.hash),
            Self::Listing => None,
        }
    }
}

/// What a caller is told of a library script that cannot be had.
fn not_had(name: &str, fault: LibraryFault, play: &Play) -> Result<Failure, Stop> {
    Ok(match fault {
        LibraryFault::Stopped(_) => return Err(stop_of(play)),
        LibraryFault::NotFound => Failure::NoScript,
        LibraryFault::TooLarge => failure::limit("script_bytes"),
        LibraryFault::Compile(error) => failure::of_compiling(&error),
        fault if fault.is_passing() => {
            tracing::warn!(name, %fault, "a library script cannot be read now");
            Failure::Unavailable
        }
        fault @ (LibraryFault::Absent | LibraryFault::Io(_)) => {
            internal(&format!("library script {name}: {fault}"))
        }
    })
}

/// Why a play was stopped, of which that is known.
fn stop_of(play: &Play) -> Stop {
    play.stopped().unwrap_or(Stop::Fault)
}

impl Host {
    /// What the library of a circle offers, sorted by name. It reads the disk and compiles what is new: to be
    /// called where blocking does no harm.
    pub fn scripts(&self, id: &CircleId) -> io::Result<Vec<LibraryScript>> {
        let circle = self.circles.get(id);
        let began = Instant::now();
        let memory_bytes = circle.limits().memory_bytes;
        let terms = Terms {
            began,
            deadline: began + LISTING_TIME,
            interrupt: Some(CancellationToken::new()),
            link: None,
            on_slow: None,
            meter: Meter::new(memory_bytes, &self.budget, circle.memory_share(&self.budget)),
        };
        let constants = Constants::new(Caller::Anonymous, *id, Uuid::nil());
        let play = Rc::new(Play::new(constants, circle.clone(), *circle.limits(), terms));
        play.enter(|| circle.scripts(&play)).map_err(|fault| match fault {
            LibraryFault::Io(error) => error,
            other => io::Error::other(other),
        })
    }

    /// Whether a circle's plays may run here when this other one calls it.
    pub(crate) fn serves(&self, circle: &CircleId, caller: &CircleId) -> bool {
        // A stranger's script names whom it likes: circles are not made, and their access is not guessed, for that.
        circle == caller || self.circles.is_named(circle)
    }

    /// Whether a circle's access list permits a call that another play makes; the circle's policy is asked when the
    /// call runs.
    pub(crate) fn lets(&self, outer: &Task, call: &Task) -> bool {
        let permission = |task: &Task| match task.source {
            Source::Library(_) => Permission::Run,
            Source::Script(_) | Source::Listing => Permission::Play,
        };
        // The list said so when the outer call came, by a server whose list this host may not know.
        let said = call.circle == outer.circle
            && call.caller == outer.caller
            && permission(call) == permission(outer);
        let access = &self.circles.get(&call.circle).access;
        said || access.allows(&call.circle, call.caller.key(), permission(call))
    }

    /// How long plays of a circle may take.
    pub(crate) fn play_timeout(&self, circle: &CircleId) -> Duration {
        Duration::from_millis(self.circles.get(circle).limits().play_timeout_ms)
    }

    /// A script can tie values into a knot out of sight, too, inside a function; Rhai never frees those. Too
    /// much of it ends the service for scripts with closures, not the process for everybody.
    fn count_lost(&self, before: isize, outcome: &Result<Outcome, Stop>) {
        let kept = memory::balance().wrapping_sub(before);
        // What the outcome holds beside this was built under `Play::keeping`.
        let wanted = match outcome {
            Ok(Outcome::Failed(Failure::Script { message, .. }, _)) => message.capacity(),
            Ok(Outcome::Failed(Failure::Limit { limit }, _)) => limit.capacity(),
            _ => 0,
        };
        let wanted = isize::try_from(wanted).unwrap_or(isize::MAX);
        let Ok(bytes) = usize::try_from(kept.wrapping_sub(wanted)) else { return };
        let before = self.lost.fetch_add(bytes, Ordering::Relaxed);
        if before <= LOST_MEMORY && before + bytes > LOST_MEMORY {
            tracing::error!(
                bytes = before + bytes,
                "closures that hold each other have taken memory that cannot be freed; scripts with closures are \
                 refused from here on: restart the server, and see who played them"
            );
        }
    }
}

impl InlineRunner for Host {
    fn try_inline(&self, task: &Task) -> Option<Outcome> {
        let Source::Script(source) = &task.source else { return None };
        let circle = self.circles.get(&task.circle);
        let script = self.scripts.get(source, circle.limits()).filter(|script| script.is_short())?;
        if !circle.is_sure_to_have_no_policy()
            || task.kind != Kind::Play
            || task.timeout <= TRIAL_TIME
            || count(&task.args, TRIAL_ARGS).is_none()
        {
            return None;
        }
        let limits = for_trial(*circle.limits());
        let terms = Terms::of_trial(Instant::now(), TRIAL_TIME, limits.memory_bytes);
        let constants = Constants::new(task.caller.clone(), task.circle, task.id);
        let play = Rc::new(Play::new(constants, circle.clone(), limits, terms));
        play.constants.set_args(play.enter(|| from_json(&task.args)).ok()?);
        let engine = &circle.engines.trial;
        let outcome = catch_unwind(AssertUnwindSafe(|| run(engine, &script, &play, Duration::ZERO)));
        match outcome {
            // A limit may be the trial's own: the real ones decide.
            Ok(Ok(outcome)) if !matches!(outcome, Outcome::Failed(Failure::Limit { .. }, _)) => {
                script.was_indeed_short();
                Some(outcome.with_logs(|| play.take_logs()))
            }
            _ => {
                script.gave_up();
                None
            }
        }
    }
}

/// The circle's library as JSON.
fn listing(circle: &Circle, play: &Play, queued: Duration) -> Result<Outcome, Stop> {
    let scripts = circle.scripts(play).map(serde_json::to_value);
    play.proceed()?;
    let cause = match scripts {
        Ok(Ok(scripts)) => return Ok(done(serde_json::json!({ "scripts": scripts }), play, queued)),
        Ok(Err(error)) => error.to_string(),
        Err(fault) => fault.to_string(),
    };
    Ok(Outcome::failed(internal(&format!("the library cannot be listed: {cause}"))))
}

/// What leaves a value that is no script's.
fn done(value: serde_json::Value, play: &Play, queued: Duration) -> Outcome {
    let stats = Stats {
        queued_us: micros(queued),
        elapsed_us: micros(play.elapsed()),
        operations: play.operations(),
    };
    Outcome::Succeeded(Success { output: String::new(), value, logs: play.take_logs(), stats })
}

/// Logs a fault of ours under a fresh id, which is all that a caller sees of it.
fn internal(cause: &str) -> Failure {
    let id = Uuid::now_v7();
    tracing::error!(%id, cause, "internal error");
    Failure::Internal(id)
}

/// Evaluates a script as this play, which says why if it was stopped.
fn run(engine: &Engine, script: &Script, play: &Rc<Play>, queued: Duration) -> Result<Outcome, Stop> {
    play.enter(|| {
        let mut scope = Scope::new();
        let result = engine.eval_ast_with_scope::<Dynamic>(&mut scope, &script.ast);
        // A script that ends just when it is stopped has been stopped.
        let outcome = match (play.stopped(), result) {
            (Some(stop), _) => Err(stop),
            (None, Ok(value)) => Ok(play.keeping(|| success(&value, play, queued))),
            (None, Err(error)) => Ok(failed(*error, &script.ast, play)),
        };
        empty(&scope);
        // Also what becomes of a result or an error is the play's to pay for.
        play.stopped().map_or(outcome, Err)
    })
}

/// Takes shared variables apart. A closure that stands in a variable which it captured holds itself, so that
/// Rhai never frees the two: recursive closures are written so.
fn empty(scope: &Scope) {
    for (_, _, value) in scope.iter_raw().filter(|(_, _, value)| value.is_shared()) {
        let mut variable = value.clone();
        let held = variable.write_lock::<Dynamic>().map(|mut held| held.take());
        drop(held);
    }
}

fn failed(error: EvalAltResult, ast: &AST, play: &Play) -> Outcome {
    match error {
        // Sizes are limited in trials only; they mean that the trial's memory did not do.
        EvalAltResult::ErrorDataTooLarge(..) => Outcome::failed(failure::limit("memory_bytes")),
        other => Outcome::failed(failure::of_running(other, ast.source().unwrap_or_default(), play)),
    }
}

fn success(value: &Dynamic, play: &Play, queued: Duration) -> Outcome {
    let value_and_output = to_json_with_length(value, &play.limits).and_then(|(json, value_bytes)| {
        let (most, limit) = match play.limits.result_bytes {
            bytes if bytes <= play.room() => (bytes, "result_bytes"),
            _ => (play.room(), "memory_bytes"),
        };
        let output = printed(value, most).ok_or(Unfit::Limit(limit))?;
        let output_bytes = json_length(&output);
        match (output_bytes > play.limits.result_bytes, play.fits_an_answer(value_bytes + output_bytes)) {
            (true, _) => Err(Unfit::Limit("result_bytes")),
            (false, false) => Err(Unfit::Limit("answer_bytes")),
            (false, true) => Ok((json, output)),
        }
    });
    match value_and_output {
        Err(unfit) => Outcome::failed(failure::of_result(unfit, play)),
        Ok((value, output)) => Outcome::Succeeded(Success {
            output,
            value,
            logs: play.take_logs(),
            stats: Stats {
                queued_us: micros(queued),
                elapsed_us: micros(play.elapsed()),
                operations: play.operations(),
            },
        }),
    }
}

/// A task but for its arguments, which may be large and stay where they are.
fn without_args(task: &Task) -> Task {
    Task {
        id: task.id,
        circle: task.circle,
        caller: task.caller.clone(),
        source: task.source.clone(),
        args: serde_json::Value::Null,
        accepted_at: task.accepted_at,
        timeout: task.timeout,
        idempotency_key: None,
        kind: task.kind,
        guest: false,
        via: task.via.clone(),
    }
}

/// A panic of a native or of the engine ends its play, not its thread.
fn contained(circle: &Circle, body: impl FnOnce() -> Outcome) -> Outcome {
    // What the play shared is its own and goes with it; what the host shares is behind locks of its own.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let id = Uuid::now_v7();
        /// Of what a panic says, as much as a log should hold.
        const MOST: usize = 4 << 10;
        // A panic over a text quotes it.
        let cause = circle.without_secrets(message(&*panic), MOST);
        tracing::error!(%id, cause, "a play panicked");
        Outcome::failed(Failure::Internal(id))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
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

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

// One host serves all script threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Arc<Host>>();
};

#[cfg(test)]
mod tests {
    use circles_store_embedded::EmbeddedConfig;
    use circles_testing::{embedded, played};
    use serde_json::Value;

    use super::*;
    use crate::{circle::Compiled, engine::Engines};

    fn play(host: &Arc<Host>, script: &str) -> Outcome {
        let circle = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5".parse().unwrap();
        let source = Source::script(script);
        let task = Task::new(circle, Caller::Anonymous, source, Value::Null, Duration::from_secs(60));
        let store: Arc<dyn Store> = Arc::new(embedded(EmbeddedConfig::default()));
        played(&store, task, |claim| host.play(&store, claim, || ()))
    }

    #[test]
    fn a_native_that_panics_ends_its_play_only() {
        let mut engines = Engines::new(Limits::default());
        engines.real.register_fn("explode", || -> i64 { panic!("as a test wishes") });
        let circle = Circle::new(CircleSettings::default(), Arc::new(engines), &Compiled::new());
        let host = Arc::new(Host { circles: Circles::all(circle), ..Host::new(Limits::default()) });
        for script in ["explode()", "try { explode() } catch { 1 }", "[1].map(|x| explode())"] {
            assert!(matches!(play(&host, script), Outcome::Failed(Failure::Internal(_), _)), "{script}");
        }
        assert!(Play::current().is_none());
        assert!(matches!(play(&host, "40 + 2"), Outcome::Succeeded(_)));
    }

    #[test]
    fn memory_that_closures_lose_is_bounded() {
        let host = Arc::new(Host::new(Limits::default()));
        // Each play ties 30 MB into a knot that stands in no variable of the script's own scope.
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
        let before = memory::balance();
        for _ in 0..100 {
            play(&host, script);
        }
        assert!(memory::balance() - before < 1_000_000);
    }
}

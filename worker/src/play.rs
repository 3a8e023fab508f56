//! The play that runs on this thread: what natives and the engine's callbacks may know and must obey.

mod documents;
mod link;
mod meter;

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_store::{ANSWER_BYTES, Caller, CircleId, Claim, LogLevel, LogLine, TaskId, Transaction};
use rhai::{Dynamic, EvalAltResult, Position};
use tokio_util::sync::CancellationToken;

pub use self::{
    link::{Link, Terms},
    meter::{HeldScripts, Meter},
};
use crate::{
    Limits, cache::Script, circle::Circle, clock, failure::MESSAGE_BYTES, natives::Checked,
    value::json_length,
};

/// Operations between looks at the clock where the coarse one stands still; a power of two.
const CLOCK_EVERY: u64 = 65_536;
/// A trial has less time, and looks more often; a power of two.
const TRIAL_CLOCK_EVERY: u64 = 32;
/// Tokens, and steps of natives, between such looks: each takes up to some ten microseconds.
const STEPS_CLOCK_EVERY: u32 = 256;
/// Under this target the operator's log has what scripts log, at the level debug.
const SCRIPT_LOG: &str = "circles_script";
/// After this long, or when it waits, a script counts as slow and others may run beside it.
pub const SLOW: Duration = Duration::from_millis(20);

thread_local! {
    static CURRENT: RefCell<Option<Rc<Play>>> = const { RefCell::new(None) };
}

/// Why a play was stopped from outside its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its deadline passed.
    Deadline,
    /// Its outcome is not wanted any more.
    Interrupted,
    /// It passed the limit of this name.
    Limit(&'static str),
    /// It was tried where it arrived and turned out not to be short.
    NotShort,
    /// What it read is gone: it has to be run again.
    Overtaken,
    /// Its circle cannot be read now.
    Unavailable,
    /// Something of ours failed; [`Play::take_fault`] tells what.
    Fault,
}

/// One play under way.
pub struct Play {
    pub constants: Constants,
    /// What its scripts can reach, and nothing else.
    pub circle: Arc<Circle>,
    pub limits: Limits,
    pub deadline: Instant,
    /// `None` in a trial, which nobody could interrupt in time.
    pub interrupt: Option<CancellationToken>,
    /// `None` in a trial, which touches nothing.
    pub link: Option<Link>,
    documents: RefCell<Option<Transaction>>,
    /// Bytes that it wrote into documents, how often it called other circles.
    pub document_bytes: Cell<usize>,
    pub circle_calls: Cell<usize>,
    /// Set while the circle's policy decides, which may look at everything and change nothing.
    deciding: Cell<bool>,
    fault: RefCell<Option<String>>,
    /// Bytes that it allocated and that outlive it on purpose.
    kept: Cell<isize>,
    began: Instant,
    /// When its script began, behind whatever decided that it may.
    script_began: Cell<Instant>,
    meter: Meter,
    /// The compiled scripts that it uses, and is charged for.
    scripts: HeldScripts,
    operations: Cell<u64>,
    /// Tokens and steps of natives since the real clock was read.
    steps: Cell<u32>,
    /// An operation that has none of these bits is looked at closely; none of them is left once it is to stop.
    unwatched: Cell<u64>,
    /// The tick of the coarse clock at which the real one was read last.
    tick: Cell<u64>,
    stop: Cell<Option<Stop>>,
    logs: RefCell<Vec<LogLine>>,
    log_bytes: Cell<usize>,
    on_slow: RefCell<Option<Box<dyn FnOnce()>>>,
    touched: Cell<bool>,
    reached_outside: Cell<bool>,
    /// The library modules that are being evaluated, each imported by the one before it.
    pub importing: RefCell<Vec<Box<str>>>,
    /// Whether a script with closures was imported; see [`Self::imports_closures`].
    closures: Cell<bool>,
    refuses_closures: bool,
    /// How often it changed a file, and the bytes that it wrote.
    pub file_writes: Cell<usize>,
    pub written_bytes: Cell<u64>,
}

/// What a script is told, and cannot change. Most scripts ask for little of it, so texts are made when asked for.
pub struct Constants {
    pub caller: Caller,
    pub circle: CircleId,
    pub task: TaskId,
    args: OnceCell<Dynamic>,
}

impl Constants {
    /// The names that no script may give to anything of its own.
    pub const NAMES: [&str; 4] = ["CALLER", "CIRCLE", "TASK", "ARGS"];

    /// Those of a task, whose arguments are yet to be converted.
    pub const fn new(caller: Caller, circle: CircleId, task: TaskId) -> Self {
        Self { caller, circle, task, args: OnceCell::new() }
    }

    /// Sets the arguments, once.
    pub fn set_args(&self, args: Dynamic) {
        // Each mention of a constant is a copy of it: of a container, of the way to it.
        let args = if args.is_array() || args.is_map() { args.into_read_only().into_shared() } else { args };
        let _ = self.args.set(args);
    }

    /// The arguments.
    pub fn args(&self) -> Dynamic {
        self.args.get().cloned().unwrap_or(Dynamic::UNIT)
    }

    /// The value of a name, if it is one of [`Self::NAMES`].
    pub fn get(&self, name: &str) -> Option<Dynamic> {
        match name {
            "CALLER" => Some(self.caller.to_string().into()),
            "CIRCLE" => Some(self.circle.to_string().into()),
            "TASK" => Some(self.task.to_string().into()),
            "ARGS" => Some(self.args()),
            _ => None,
        }
    }
}

impl Play {
    pub fn new(constants: Constants, circle: Arc<Circle>, limits: Limits, terms: Terms) -> Self {
        let Terms { began, deadline, interrupt, link, on_slow, meter } = terms;
        let every = if interrupt.is_none() { TRIAL_CLOCK_EVERY } else { CLOCK_EVERY };
        Self {
            link,
            documents: RefCell::default(),
            document_bytes: Cell::new(0),
            circle_calls: Cell::new(0),
            deciding: Cell::new(false),
            fault: RefCell::default(),
            kept: Cell::new(0),
            constants,
            circle,
            limits,
            deadline,
            interrupt,
            began,
            script_began: Cell::new(began),
            meter,
            scripts: HeldScripts::default(),
            operations: Cell::new(0),
            steps: Cell::new(0),
            unwatched: Cell::new(every - 1),
            tick: Cell::new(clock::tick()),
            stop: Cell::new(None),
            logs: RefCell::default(),
            log_bytes: Cell::new(0),
            on_slow: RefCell::new(on_slow),
            touched: Cell::new(false),
            reached_outside: Cell::new(false),
            importing: RefCell::default(),
            closures: Cell::new(false),
            refuses_closures: false,
            file_writes: Cell::new(0),
            written_bytes: Cell::new(0),
        }
    }

    /// The same, but that closures are refused, since too much was lost to them already.
    pub fn refusing_closures(self, refuses_closures: bool) -> Self {
        Self { refuses_closures, ..self }
    }

    /// The play on this thread. Natives are only ever called in one.
    pub fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// [`Play::may_go_on`] of the play on this thread, without a new handle on it.
    pub fn current_may_go_on(operations: u64) -> bool {
        CURRENT.with_borrow(|play| play.as_ref().is_none_or(|play| play.may_go_on(operations)))
    }

    /// Whether the parser may take another token: there is a play that it works for, within its limits.
    pub fn current_may_compile() -> bool {
        CURRENT.with_borrow(|play| play.as_ref().is_some_and(|play| play.may_proceed()))
    }

    /// [`Play::may_proceed`] of the play on this thread; true where there is none.
    pub fn current_may_proceed() -> bool {
        CURRENT.with_borrow(|play| play.as_ref().is_none_or(|play| play.may_proceed()))
    }

    /// Runs `body` with this as the thread's play.
    pub fn enter<T>(self: &Rc<Self>, body: impl FnOnce() -> T) -> T {
        struct Leave(Option<Rc<Play>>);
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _leave = Leave(CURRENT.replace(Some(self.clone())));
        body()
    }

    pub const fn is_trial(&self) -> bool {
        self.interrupt.is_none()
    }

    pub fn stopped(&self) -> Option<Stop> {
        self.stop.get()
    }

    /// The script begins.
    pub fn begin(&self) {
        self.script_began.set(Instant::now());
    }

    /// How long its script has run.
    pub fn elapsed(&self) -> Duration {
        self.script_began.get().elapsed()
    }

    pub fn operations(&self) -> u64 {
        self.operations.get()
    }

    /// Whether it waited, or ran so long that others were let run beside it.
    pub fn was_slow(&self) -> bool {
        !self.is_trial() && self.on_slow.borrow().is_none()
    }

    /// Whether it used anything that a trial may not.
    pub fn has_touched(&self) -> bool {
        self.touched.get()
    }

    /// Whether it changed, or may have changed, what lies outside of its own memory.
    #[allow(dead_code)] // The store is to be told.
    pub fn reached_outside(&self) -> bool {
        self.reached_outside.get()
    }

    /// Whether it imported a script with closures.
    pub fn has_closures(&self) -> bool {
        self.closures.get()
    }

    /// For every native that may block, or looks at anything but the script's own values, before it does so.
    /// It ends a trial, and the script is not tried the next time.
    pub fn touches(&self) -> Checked<()> {
        if self.is_trial() {
            return Err(self.stop(Stop::NotShort));
        }
        self.touched.set(true);
        Ok(())
    }

    /// For every native with an effect that outlives the play and no transaction can take back, before the
    /// effect. Returns once it is certain that the task is not run again after a crash.
    pub fn reach_outside(&self) -> Checked<()> {
        self.touches()?;
        self.may_write()?;
        if !self.reached_outside.get() {
            let marked = self.link.as_ref().and_then(|link| link.claim(Claim::mark_side_effects));
            marked.unwrap_or(Ok(())).map_err(|error| self.fault(error))?;
            self.reached_outside.set(true);
        }
        Ok(())
    }

    /// For every native that changes anything: the circle's policy may not.
    pub fn may_write(&self) -> Checked<()> {
        if self.deciding.get() {
            let message = "a policy decides; it changes nothing".to_owned();
            return Err(EvalAltResult::ErrorRuntime(message.into(), Position::NONE).into());
        }
        Ok(())
    }

    /// Runs `body` as the circle's policy.
    pub fn decide<T>(&self, body: impl FnOnce() -> T) -> T {
        self.deciding.set(true);
        let decided = body();
        self.deciding.set(false);
        self.log_bytes.set(0);
        decided
    }

    /// Whether closures are refused, since too much was lost to them already.
    pub const fn refuses_closures(&self) -> bool {
        self.refuses_closures
    }

    /// Before a script with closures is imported.
    pub fn imports_closures(&self) -> Checked<()> {
        if self.refuses_closures {
            return Err(self.stop(Stop::Limit("memory_bytes")));
        }
        self.closures.set(true);
        Ok(())
    }

    pub fn take_logs(&self) -> Vec<LogLine> {
        self.logs.take()
    }

    /// Stops the play: for a native to return, and nothing that a script can catch.
    pub fn stop(&self, why: Stop) -> Box<EvalAltResult> {
        self.mark(why);
        EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
    }

    /// Stops the play at its next operation; what came first is why.
    fn mark(&self, why: Stop) {
        if self.stop.get().is_none() {
            self.stop.set(Some(why));
            self.unwatched.set(0);
        }
    }

    /// Called by the engine at every operation; true while the play may go on. Mostly three comparisons say so.
    #[inline]
    pub fn may_go_on(&self, operations: u64) -> bool {
        self.operations.set(operations);
        let goes_on = operations & self.unwatched.get() != 0
            && self.meter.is_below_ceiling(0)
            && clock::tick() == self.tick.get();
        goes_on || self.may_go_on_after_all()
    }

    /// Whether what is no operation of a script may go on in its play: the parser at each token, and natives in
    /// loops of their own.
    #[inline]
    pub fn may_proceed(&self) -> bool {
        let steps = self.steps.get().wrapping_add(1);
        self.steps.set(steps);
        let goes_on = !steps.is_multiple_of(STEPS_CLOCK_EVERY)
            && self.stop.get().is_none()
            && self.meter.is_below_ceiling(0)
            && clock::tick() == self.tick.get();
        goes_on || self.may_go_on_after_all()
    }

    /// As [`Self::may_proceed`], with the reason if not.
    pub fn proceed(&self) -> Result<(), Stop> {
        if self.may_proceed() { Ok(()) } else { Err(self.stop.get().unwrap_or(Stop::Interrupted)) }
    }

    #[cold]
    fn may_go_on_after_all(&self) -> bool {
        if self.stop.get().is_some() {
            return false;
        }
        // What was charged before an operation is freed again by whoever stops here.
        if let Err(stop) = self.meter.make_room(0, self) {
            self.mark(stop);
            return false;
        }
        self.tick.set(clock::tick());
        if !self.is_trial() {
            return self.look().is_ok();
        }
        if Instant::now() >= self.deadline {
            self.mark(Stop::NotShort);
            return false;
        }
        true
    }

    /// Checks the clock and whether anybody still wants the outcome.
    pub fn look(&self) -> Checked<()> {
        let now = Instant::now();
        if now >= self.deadline {
            return Err(self.stop(Stop::Deadline));
        }
        if self.interrupt.as_ref().is_some_and(CancellationToken::is_cancelled) {
            return Err(self.stop(Stop::Interrupted));
        }
        if now.saturating_duration_since(self.began) > SLOW {
            self.is_slow();
        }
        Ok(())
    }

    /// As [`Self::look`] for a native's inner loop: at most once in a tick of the coarse clock.
    pub fn look_at_tick(&self) -> Checked<()> {
        let tick = clock::tick();
        if self.is_trial() || tick != self.tick.replace(tick) { self.look() } else { Ok(()) }
    }

    /// Lets others run beside this play; before every wait.
    pub fn is_slow(&self) {
        let on_slow = self.on_slow.borrow_mut().take();
        if let Some(on_slow) = on_slow {
            on_slow();
        }
    }

    /// Makes sure that `bytes` more fit before they are allocated in one step.
    pub fn charge(&self, bytes: usize) -> Checked<()> {
        if self.meter.is_below_ceiling(bytes) {
            return Ok(());
        }
        self.meter.make_room(bytes, self).map_err(|stop| self.stop(stop))
    }

    /// Charges the play with a compiled script, which it keeps until it ends.
    pub fn hold(&self, script: &Arc<Script>) -> Checked<()> {
        self.keeping(|| self.scripts.hold(script));
        self.charge(0)
    }

    /// How its memory is counted.
    pub const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Takes a line that the script logs; one too many ends the play at the next operation.
    pub fn log(&self, level: LogLevel, text: &str) {
        if self.deciding.get() {
            return self.log_for_the_operator(text);
        }
        let mut logs = self.logs.borrow_mut();
        let bytes = self.log_bytes.get() + json_length(text);
        if logs.len() >= self.limits.log_lines {
            self.mark(Stop::Limit("log_lines"));
        } else if bytes > self.limits.log_bytes {
            self.mark(Stop::Limit("log_bytes"));
        } else {
            self.log_bytes.set(bytes);
            self.show_the_operator(level, text);
            self.keeping(|| {
                let line = LogLine { level, text: text.to_owned() };
                if let Some(link) = &self.link {
                    link.claim(|claim| claim.log(&line));
                }
                logs.push(line);
            });
        }
    }

    /// Lines of scripts are for their callers; the operator sees them where `RUST_LOG` asks for this target.
    fn show_the_operator(&self, level: LogLevel, text: &str) {
        if tracing::enabled!(target: SCRIPT_LOG, tracing::Level::DEBUG) {
            let Constants { circle, caller, task, .. } = &self.constants;
            let text = self.keeping(|| self.circle.without_secrets(text, MESSAGE_BYTES));
            tracing::debug!(target: SCRIPT_LOG, %circle, %caller, %task, ?level, text);
        }
    }

    /// Whether so many bytes fit into one answer, beside what was logged.
    pub fn fits_an_answer(&self, bytes: usize) -> bool {
        /// What a line takes beside its text: `{"level":"error","text":},`.
        const LINE: usize = 26;
        /// What is not counted: the names and numbers of a result or a task, a message, a request's id.
        const REST: usize = 64 << 10;
        let logged = self.log_bytes.get() + self.logs.borrow().len() * LINE;
        bytes.saturating_add(logged) <= ANSWER_BYTES - REST
    }

    /// What a policy logs is not for those about whom it decides.
    fn log_for_the_operator(&self, text: &str) {
        /// What a line of the log takes beside its text.
        const LINE: usize = 256;
        self.log_bytes.set(self.log_bytes.get() + text.len() + LINE);
        if self.log_bytes.get() > self.limits.log_bytes {
            self.mark(Stop::Limit("log_bytes"));
        } else {
            let text = self.circle.without_secrets(text, MESSAGE_BYTES);
            tracing::debug!(circle = %self.constants.circle, text, "the circle's policy logs");
        }
    }

    /// Bytes that it may still allocate.
    pub fn room(&self) -> usize {
        self.meter.room()
    }
}

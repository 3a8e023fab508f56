//! When a play must stop: its deadline, its interruption, its memory, its operations.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{clock, memory, memory_meter::MemoryMeter};

/// Operations between looks at the clock where the coarse one stands still; a power of two.
const CLOCK_OPERATIONS: u64 = 65_536;
/// The same on the fast path, which has less time; a power of two.
const FAST_PATH_CLOCK_OPERATIONS: u64 = 32;
/// Tokens, and steps of natives, between such looks: each takes up to some ten microseconds.
const CLOCK_STEPS: u32 = 256;
/// A play that runs longer, or waits, counts as slow, and others may run at the same time.
pub(crate) const SLOW: Duration = Duration::from_millis(20);

/// Why a play was stopped from outside its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its deadline passed.
    Deadline,
    /// Its outcome is not wanted any more.
    Interrupted,
    /// It passed the limit of this name.
    Limit(&'static str),
    /// It needs more than the fast path's budget.
    BudgetExceeded,
    /// The documents that it read are gone: it has to be run again.
    Conflict,
    /// Its circle cannot be read now.
    Unavailable,
    /// The program failed; [`Meter::take_internal_error`] has the cause.
    Internal,
}

/// Decides at every operation whether a play may go on.
///
/// A function that returns [`Stop`] has recorded it here, so that a script that catches the error ends all the same.
pub(crate) struct Meter {
    deadline: Instant,
    /// `None` on the fast path, where an interruption would come too late.
    interrupt: Option<CancellationToken>,
    memory: MemoryMeter,
    began: Instant,
    /// When the script itself began: after its policy decided.
    script_began: Cell<Instant>,
    operations: Cell<u64>,
    /// Tokens and steps of natives since the real clock was read.
    steps: Cell<u32>,
    /// An operation whose number has none of these bits takes the slow check. No bit is left once the play is to stop.
    unchecked: Cell<u64>,
    /// The tick of the coarse clock at which the real one was read last.
    tick: Cell<u64>,
    stop: Cell<Option<Stop>>,
    internal_error: RefCell<Option<String>>,
    on_slow: RefCell<Option<Box<dyn FnOnce()>>>,
    /// Bytes that the play allocated and that outlive it on purpose.
    retained: Cell<isize>,
}

impl Meter {
    /// A play that may be interrupted.
    pub(crate) fn new(deadline: Instant, interrupt: CancellationToken, memory: MemoryMeter) -> Self {
        Self::build(Instant::now(), deadline, Some(interrupt), memory)
    }

    /// A play on the fast path.
    pub(crate) fn for_fast_path(time: Duration, memory_bytes: usize) -> Self {
        let began = Instant::now();
        Self::build(began, began + time, None, MemoryMeter::for_fast_path(memory_bytes))
    }

    fn build(
        began: Instant,
        deadline: Instant,
        interrupt: Option<CancellationToken>,
        memory: MemoryMeter,
    ) -> Self {
        let every = if interrupt.is_none() { FAST_PATH_CLOCK_OPERATIONS } else { CLOCK_OPERATIONS };
        Self {
            deadline,
            interrupt,
            memory,
            began,
            script_began: Cell::new(began),
            operations: Cell::new(0),
            steps: Cell::new(0),
            unchecked: Cell::new(every - 1),
            tick: Cell::new(clock::tick()),
            stop: Cell::new(None),
            internal_error: RefCell::default(),
            on_slow: RefCell::default(),
            retained: Cell::new(0),
        }
    }

    /// Calls `on_slow` once, at most: when the play begins to wait, or has run for [`SLOW`].
    pub(crate) fn on_slow(self, on_slow: impl FnOnce() + 'static) -> Self {
        Self { on_slow: RefCell::new(Some(Box::new(on_slow))), ..self }
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// `None` on the fast path.
    pub(crate) const fn interrupt(&self) -> Option<&CancellationToken> {
        self.interrupt.as_ref()
    }

    pub(crate) const fn is_fast_path(&self) -> bool {
        self.interrupt.is_none()
    }

    pub(crate) const fn memory(&self) -> &MemoryMeter {
        &self.memory
    }

    pub(crate) const fn stopped(&self) -> Option<Stop> {
        self.stop.get()
    }

    /// The script begins.
    pub(crate) fn begin_script(&self) {
        self.script_began.set(Instant::now());
    }

    /// How long the script has run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.script_began.get().elapsed()
    }

    pub(crate) const fn operations(&self) -> u64 {
        self.operations.get()
    }

    /// Returns whether the play waited, or ran so long that others were let run at the same time.
    pub(crate) fn was_slow(&self) -> bool {
        !self.is_fast_path() && self.on_slow.borrow().is_none()
    }

    /// Stops the play at its next operation. The first reason counts.
    pub(crate) fn stop(&self, why: Stop) -> Stop {
        if self.stop.get().is_none() {
            self.stop.set(Some(why));
            self.unchecked.set(0);
        }
        why
    }

    /// Stops the play where a limit was passed.
    pub(crate) fn enforce<T>(&self, result: Result<T, Stop>) -> Result<T, Stop> {
        result.map_err(|why| self.stop(why))
    }

    /// Stops the play for an error of the program.
    pub(crate) fn stop_for_internal_error(&self, cause: String) -> Stop {
        self.internal_error.borrow_mut().get_or_insert(cause);
        self.stop(Stop::Internal)
    }

    /// The cause of [`Stop::Internal`], for the log.
    pub(crate) fn take_internal_error(&self) -> String {
        self.internal_error.take().unwrap_or_default()
    }

    /// Returns whether the play may go on, asked by the engine at every operation. Mostly three comparisons answer.
    #[inline]
    pub(crate) fn allows_operation(&self, operations: u64) -> bool {
        self.operations.set(operations);
        let goes_on = operations & self.unchecked.get() != 0
            && self.memory.is_below_ceiling(0)
            && clock::tick() == self.tick.get();
        goes_on || self.check_closely()
    }

    /// Returns whether the play may go on, asked at work that is no operation of a script: by the parser at each token,
    /// and by natives in loops of their own.
    #[inline]
    pub(crate) fn allows_step(&self) -> bool {
        let steps = self.steps.get().wrapping_add(1);
        self.steps.set(steps);
        let goes_on = !steps.is_multiple_of(CLOCK_STEPS)
            && self.stop.get().is_none()
            && self.memory.is_below_ceiling(0)
            && clock::tick() == self.tick.get();
        goes_on || self.check_closely()
    }

    /// As [`Self::allows_step`], with the reason if not.
    pub(crate) fn step(&self) -> Result<(), Stop> {
        if self.allows_step() { Ok(()) } else { Err(self.stop.get().unwrap_or(Stop::Interrupted)) }
    }

    #[cold]
    fn check_closely(&self) -> bool {
        if self.stop.get().is_some() {
            return false;
        }
        // Memory that was charged before an operation is freed again when the play stops here.
        if let Err(stop) = self.memory.make_room(0, self) {
            self.stop(stop);
            return false;
        }
        self.tick.set(clock::tick());
        if !self.is_fast_path() {
            return self.check().is_ok();
        }
        if Instant::now() >= self.deadline {
            self.stop(Stop::BudgetExceeded);
            return false;
        }
        true
    }

    /// Checks the real clock, and whether the outcome is still wanted.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        let now = Instant::now();
        if now >= self.deadline {
            return Err(self.stop(Stop::Deadline));
        }
        if self.interrupt.as_ref().is_some_and(CancellationToken::is_cancelled) {
            return Err(self.stop(Stop::Interrupted));
        }
        if now.saturating_duration_since(self.began) > SLOW {
            self.mark_slow();
        }
        Ok(())
    }

    /// As [`Self::check`], for the inner loop of a native: at most once in a tick of the coarse clock.
    pub(crate) fn check_at_tick(&self) -> Result<(), Stop> {
        let tick = clock::tick();
        if self.is_fast_path() || tick != self.tick.replace(tick) { self.check() } else { Ok(()) }
    }

    /// Lets other plays run at the same time as this one. Must precede every wait.
    pub(crate) fn mark_slow(&self) {
        let on_slow = self.on_slow.borrow_mut().take();
        if let Some(on_slow) = on_slow {
            on_slow();
        }
    }

    /// Must precede an allocation of so many bytes in one step.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), Stop> {
        if self.memory.is_below_ceiling(bytes) {
            return Ok(());
        }
        self.enforce(self.memory.make_room(bytes, self))
    }

    /// Bytes that the play may still allocate.
    pub(crate) fn available_bytes(&self) -> usize {
        self.memory.available_bytes()
    }

    /// Runs `body`, whose allocations outlive the play on purpose and so do not count as lost.
    pub(crate) fn retain<T>(&self, body: impl FnOnce() -> T) -> T {
        let before = memory::balance();
        let result = body();
        self.retained.set(self.retained.get().wrapping_add(memory::balance().wrapping_sub(before)));
        result
    }

    /// Counts bytes as the play's own that were retained before.
    pub(crate) fn reclaim(&self, bytes: usize) {
        self.retained.set(self.retained.get().wrapping_sub_unsigned(bytes));
    }

    /// Bytes that outlive the play on purpose.
    pub(crate) const fn retained(&self) -> isize {
        self.retained.get()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Budget, *};

    fn meter(deadline: Instant, interrupt: CancellationToken) -> Meter {
        let budget = Budget::default();
        let memory = MemoryMeter::new(1 << 20, &budget, &budget.share(1 << 20));
        Meter::new(deadline, interrupt, memory)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    #[test]
    fn first_reason_to_stop_counts() {
        let meter = meter(later(), CancellationToken::new());
        assert!(meter.allows_operation(1) && meter.allows_step());
        let _ = meter.stop(Stop::Limit("operations"));
        let _ = meter.stop(Stop::Deadline);
        assert_eq!(meter.stopped(), Some(Stop::Limit("operations")));
        assert!(!meter.allows_operation(2) && !meter.allows_step());
        assert_eq!(meter.step(), Err(Stop::Limit("operations")));
    }

    #[test]
    fn check_finds_deadline_and_interruption() {
        let interrupt = CancellationToken::new();
        let interrupted = meter(later(), interrupt.clone());
        assert_eq!(interrupted.check(), Ok(()));
        interrupt.cancel();
        assert_eq!(interrupted.check(), Err(Stop::Interrupted));
        assert_eq!(meter(Instant::now(), CancellationToken::new()).check(), Err(Stop::Deadline));
    }

    #[test]
    fn charge_beyond_memory_limit_stops_the_play() {
        let meter = meter(later(), CancellationToken::new());
        assert_eq!(meter.charge(1 << 10), Ok(()));
        assert_eq!(meter.charge(2 << 20), Err(Stop::Limit("memory_bytes")));
        assert_eq!(meter.stopped(), Some(Stop::Limit("memory_bytes")));
    }

    #[test]
    fn slow_play_reports_once() {
        let count = std::rc::Rc::new(Cell::new(0));
        let counted = count.clone();
        let meter = meter(later(), CancellationToken::new()).on_slow(move || counted.set(counted.get() + 1));
        assert!(!meter.was_slow());
        meter.mark_slow();
        meter.mark_slow();
        assert!(meter.was_slow());
        assert_eq!(count.get(), 1);
    }
}

//! A play on its thread: what it may use, what it has used, and what it did that cannot be taken back.
//!
//! This layer knows no script engine and no circle; every other layer reports to it.

mod budget;
mod clock;
mod code;
mod effects;
mod log;
mod memory;
mod memory_meter;
mod meter;
mod usage;

use std::{any::Any, sync::Arc};

use circles_config::Limits;
use circles_store::{LogLevel, LogLine};

pub use self::{budget::Budget, memory::CountingAllocator};
pub(crate) use self::{
    budget::{MAX_SCRIPTS, Share, take_reserved_much},
    clock::Running,
    code::{Import, ImportError, UsedCode},
    effects::Effects,
    log::{Log, MESSAGE_BYTES, cut, json_length},
    memory::{balance, give_back, is_counted, refund, uncounted},
    memory_meter::MemoryMeter,
    meter::{Meter, SLOW, Stop},
    usage::Usage,
};

/// One play under way.
pub(crate) struct Play {
    pub limits: Limits,
    pub meter: Meter,
    pub usage: Usage,
    pub effects: Effects,
    pub log: Log,
    pub code: UsedCode,
}

impl Play {
    pub(crate) fn new(limits: Limits, meter: Meter) -> Self {
        Self {
            limits,
            meter,
            usage: Usage::default(),
            effects: Effects::default(),
            log: Log::default(),
            code: UsedCode::default(),
        }
    }

    /// Must precede every read or write of anything but the script's own values, and every wait. Ends a run on
    /// the fast path, and keeps the script off it the next time.
    pub(crate) fn begin_io(&self) -> Result<(), Stop> {
        if self.meter.is_fast_path() {
            return Err(self.meter.stop(Stop::BudgetExceeded));
        }
        self.effects.note_io();
        Ok(())
    }

    /// Counts a line that the script logs. A line too many stops the play at its next operation and is refused.
    pub(crate) fn admit_log_line(&self, text: &str) -> bool {
        let admitted = self.log.count(text, &self.limits);
        self.meter.enforce(admitted).is_ok()
    }

    /// Counts a line that the circle's policy logs, as [`Self::admit_log_line`] does.
    pub(crate) fn admit_policy_log_line(&self, text: &str) -> bool {
        let admitted = self.log.count_for_policy(text, &self.limits);
        self.meter.enforce(admitted).is_ok()
    }

    /// Keeps an admitted line for the play's caller.
    pub(crate) fn push_log_line(&self, level: LogLevel, text: &str, publish: impl FnOnce(&LogLine)) {
        // The line outlives the play.
        self.meter.retain(|| self.log.push(level, text, publish));
    }

    /// Runs `body` as the circle's policy, which may read everything and change nothing.
    pub(crate) fn as_policy<T>(&self, body: impl FnOnce() -> T) -> T {
        let result = self.effects.read_only(body);
        self.log.reset_bytes();
        result
    }

    /// Charges the play with compiled code, once, and keeps the code until the play ends.
    pub(crate) fn use_code(&self, code: Arc<dyn Any + Send + Sync>, bytes: usize) -> Result<(), Stop> {
        self.meter.retain(|| self.code.hold(code, bytes));
        self.meter.charge(0)
    }

    /// Must precede the import of code with closures.
    pub(crate) fn import_closures(&self) -> Result<(), Stop> {
        self.meter.enforce(self.code.import_closures())
    }
}

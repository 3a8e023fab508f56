//! The bounds on the resources that a load leaves in use (`docs/security.md`), and a measured row to compare.

use std::{fmt, time::Duration};

use super::{
    load::Caller,
    site::{MEMORY_BOUND, Usage},
};

/// The first lines of the table of rows.
pub(super) const HEADER: &str = "| method | caller | answers | neighbour p50 / p99 / longest, ms | peak, MiB \
                          | left: memory, MiB | disk, KiB | Redis, KiB | log, KiB |\n\
                          |---|---|---|---|---|---|---|---|---|";

/// Space for tasks that wait for the policy to refuse them: the share of one caller (`caller_task_bytes`). A database
/// file keeps it for the next tasks.
const WAITING_STORAGE: u64 = 64 << 20;
/// Plays of a caller without permission leave nothing; only blocks of the file system and tables of Redis change.
const NOISE: u64 = 512 << 10;
/// Bytes that one load of an allowed caller may leave on the disk or in Redis, for any length: its quota of
/// remembered tasks, and documents and records in proportion.
const ALLOWED_STORAGE: u64 = 256 << 20;
/// Lines that summarise refusals, and warnings of plays.
const LOG_BYTES_PER_SECOND: f64 = 64.0 * 1024.0;
/// Memory during a load: running scripts, unsent answers and the programs' own.
const PEAK_BOUND: u64 = 1_536 << 20;
/// Databases stay open for a while.
const OPEN_FILES: usize = 8;
/// Latency of a neighbour's play on a debug build during an attack, on a busy machine.
const LONGEST_PLAY: Duration = Duration::from_secs(5);

/// Latencies of a neighbour's plays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    p50: Duration,
    p99: Duration,
    longest: Duration,
}

/// Bounds on the resources that a load may leave in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    disk: u64,
    redis: u64,
    log: u64,
}

/// A load and its measured effects.
#[derive(Debug)]
pub(super) struct Row {
    pub method: &'static str,
    pub caller: Caller,
    pub calls: usize,
    pub latency: Latency,
    pub peak: u64,
    pub before: Usage,
    pub after: Usage,
}

impl Latency {
    /// The latencies of at least one play.
    pub(super) fn of(mut plays: Vec<Duration>) -> Self {
        plays.sort();
        let at = |share: usize| plays[(plays.len() - 1) * share / 100];
        Self { p50: at(50), p99: at(99), longest: at(100) }
    }
}

impl Bounds {
    /// The bounds for a caller and the length of the attack.
    pub(super) fn of(caller: Caller, time: Duration) -> Self {
        let storage = match caller {
            Caller::Denied => NOISE + WAITING_STORAGE,
            caller if caller.may_play() => ALLOWED_STORAGE,
            _ => NOISE,
        };
        // A short load may log as much as one of a whole second.
        let log = (time.as_secs_f64().max(1.0) * LOG_BYTES_PER_SECOND) as u64;
        Self { disk: storage, redis: storage, log }
    }
}

impl Row {
    /// A sentence for each bound that was exceeded.
    pub(super) fn exceeds(&self, bounds: &Bounds) -> Vec<String> {
        let (before, after) = (&self.before, &self.after);
        let grown = [
            ("memory", after.memory.saturating_sub(before.memory), MEMORY_BOUND),
            ("peak memory", self.peak.saturating_sub(before.memory), PEAK_BOUND),
            ("disk", after.disk.saturating_sub(before.disk), bounds.disk),
            ("Redis", after.redis.saturating_sub(before.redis), bounds.redis),
            ("log", after.log.saturating_sub(before.log), bounds.log),
        ];
        let mut wrong: Vec<_> = grown
            .into_iter()
            .filter(|(_, bytes, bound)| bytes > bound)
            .map(|(what, bytes, bound)| {
                format!("{} as {:?}: {what} grew by {bytes} bytes, of {bound}", self.method, self.caller)
            })
            .collect();
        if after.files > before.files + OPEN_FILES {
            wrong.push(format!(
                "{} as {:?}: {} open files, {} before",
                self.method, self.caller, after.files, before.files
            ));
        }
        if self.latency.longest > LONGEST_PLAY {
            wrong.push(format!(
                "{} as {:?}: the neighbour waited {:?}",
                self.method, self.caller, self.latency.longest
            ));
        }
        wrong
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p99, longest } = self.latency;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let grown =
            |after: u64, before: u64, unit: u32| (after as f64 - before as f64) / f64::from(1 << unit);
        let (before, after) = (&self.before, &self.after);
        write!(
            f,
            "| {} | {:?} | {} | {:.1} / {:.1} / {:.1} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            self.method,
            self.caller,
            self.calls,
            millis(p50),
            millis(p99),
            millis(longest),
            grown(self.peak, before.memory, 20),
            grown(after.memory, before.memory, 20),
            grown(after.disk, before.disk, 10),
            grown(after.redis, before.redis, 10),
            grown(after.log, before.log, 10),
        )
    }
}

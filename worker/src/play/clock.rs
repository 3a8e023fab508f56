//! A coarse clock that costs a script nothing to look at.
//!
//! Reading the real clock takes about 25 ns, half as long as an operation, so it cannot be read at every one.
//! Nor is a number of operations a measure of time: one that copies a large array takes milliseconds. So a
//! thread counts ticks while scripts run, and a script reads the real clock when it sees a new one.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

/// Far below the 100 ms within which a script must stop.
const TICK: Duration = Duration::from_millis(2);
/// Ticks without a script after which the clock stops: it is not woken for each of a row of plays.
const IDLE_TICKS: u32 = 50;

static TICKS: AtomicU64 = AtomicU64::new(0);
static SCRIPTS: AtomicUsize = AtomicUsize::new(0);

/// The number of the current tick.
pub(crate) fn tick() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// Keeps the clock going while a script runs.
pub(crate) struct Running(());

impl Running {
    pub(crate) fn begin() -> Self {
        if SCRIPTS.fetch_add(1, Ordering::SeqCst) == 0
            && let Some(clock) = clock()
        {
            clock.unpark();
        }
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        SCRIPTS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The clock's thread; `None` if the system has none to give. Scripts then count operations instead.
fn clock() -> Option<&'static Thread> {
    static CLOCK: OnceLock<Option<Thread>> = OnceLock::new();
    let start = || match thread::Builder::new().name("script-clock".into()).spawn(run) {
        Ok(handle) => Some(handle.thread().clone()),
        Err(error) => {
            tracing::error!(%error, "cannot start the clock of scripts; they count operations instead");
            None
        }
    };
    CLOCK.get_or_init(start).as_ref()
}

fn run() {
    let mut idle = 0;
    loop {
        idle = if SCRIPTS.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle > IDLE_TICKS {
            // A script that began since the count was read has unparked this thread already.
            thread::park();
            idle = 0;
        }
        thread::sleep(TICK);
        TICKS.fetch_add(1, Ordering::Relaxed);
    }
}

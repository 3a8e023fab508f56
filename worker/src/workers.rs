//! The threads that take tasks from a store and run their scripts.

use std::{
    cell::Cell,
    collections::HashMap,
    io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use circles_store::{Claim, Outcome, Settled, Store, sync::lock};
use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Host, Metrics,
    play::{self, MAX_SCRIPTS, SLOW},
};

/// Address space, not memory: only what is used takes any. A play may nest values as deep as its memory
/// allows, some 600,000 levels at 64 MiB, and each level takes up to about 1.5 KiB to print, compare or drop.
const STACK: usize = 1 << 30;
/// How long an interrupted script may take to end; it should within 100 ms.
const INTERRUPT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long after a thread died another takes its place: threads that die at once must not keep a core busy.
const REFILL_DELAY: Duration = Duration::from_millis(100);
/// Between looks at threads that are about to end.
const END_POLL_INTERVAL: Duration = Duration::from_millis(1);
/// How long after a play that held much, its memory goes back to the system: long enough for plays that end with it.
const GIVE_BACK_DELAY: Duration = Duration::from_millis(500);

/// How many scripts run at a time, and where it is counted.
#[derive(Clone, Debug)]
pub struct Slots {
    /// Threads that take tasks.
    pub open: NonZeroUsize,
    /// Scripts at a time, slow ones included, over all circles; at most [`Slots::MAX`]. Each may hold `memory_bytes`.
    pub max: NonZeroUsize,
    /// Counts the plays and threads.
    pub metrics: Metrics,
}

impl Slots {
    /// The most scripts that one process runs at a time.
    pub const MAX: NonZeroUsize = match NonZeroUsize::new(MAX_SCRIPTS) {
        Some(max) => max,
        None => NonZeroUsize::MIN,
    };
}

/// So many open slots, and as many slow scripts in addition as there may be.
impl From<NonZeroUsize> for Slots {
    fn from(open: NonZeroUsize) -> Self {
        Self { open, max: Self::MAX, metrics: Metrics::default() }
    }
}

/// The program does not count the memory of scripts, so none could be held to its `memory_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "memory_bytes cannot be enforced: expected circles_worker::CountingAllocator as the program's #[global_allocator]"
)]
pub struct UncountedMemory;

/// The threads on which scripts run, apart from every runtime's.
///
/// Each thread that takes tasks holds one of the slots. A script that turns out slow, or waits, leaves its slot to a
/// fresh thread and goes on at the same time, so that slow scripts do not hold up others; the operating system shares
/// the cores. Such a thread ends with its script, and frees the stack that deeply nested values took.
///
/// Dropped, it takes no more tasks and interrupts those that run; [`shutdown`](Self::shutdown) lets them end first.
#[must_use = "dropped, it ends its threads"]
pub struct Workers {
    pool: Arc<Pool>,
}

struct Pool {
    store: Arc<dyn Store>,
    host: Arc<Host>,
    runtime: Handle,
    state: Mutex<State>,
    metrics: Metrics,
    max: usize,
    closing: CancellationToken,
    threads: TaskTracker,
    /// True if memory is about to be given back to the system.
    gives_back: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    threads: usize,
    /// Slots without a thread, since there are as many threads as there may be.
    free_slots: usize,
    /// Runs so far.
    runs: u64,
    /// The interruptions of running scripts, by the number of the run: a lost task may come back while it still runs
    /// here.
    running: HashMap<u64, CancellationToken>,
    /// Set when nothing may run any more.
    interrupted: bool,
}

impl Workers {
    /// Starts to take tasks from `store`. Must be called on a tokio runtime with timers, on which scripts wait.
    ///
    /// # Errors
    ///
    /// [`UncountedMemory`] where [`CountingAllocator`](crate::CountingAllocator) is not the program's global
    /// allocator.
    pub fn start(
        store: Arc<dyn Store>,
        host: Arc<Host>,
        slots: impl Into<Slots>,
    ) -> Result<Self, UncountedMemory> {
        if !play::is_counted() {
            return Err(UncountedMemory);
        }
        let Slots { open, max, metrics } = slots.into();
        let max = max.min(Slots::MAX).get();
        let pool = Arc::new(Pool {
            store,
            host,
            runtime: Handle::current(),
            state: Mutex::default(),
            metrics,
            max,
            closing: CancellationToken::new(),
            threads: TaskTracker::new(),
            gives_back: Arc::default(),
        });
        for _ in 0..open.get() {
            pool.fill_slot();
        }
        Ok(Self { pool })
    }

    /// Takes no more tasks, lets running ones end within `grace`, interrupts the rest, and waits for them, at most a
    /// second. Tasks that outlive their callers go back to the store, unless they had side effects.
    pub async fn shutdown(self, grace: Duration) {
        self.pool.closing.cancel();
        self.pool.threads.close();
        if timeout(grace, self.pool.threads.wait()).await.is_ok() {
            return;
        }
        self.pool.interrupt_all();
        if timeout(INTERRUPT_TIMEOUT, self.pool.threads.wait()).await.is_err() {
            tracing::error!("scripts were still running after they were interrupted");
        }
    }
}

impl Workers {
    /// Ends as when it is dropped, and waits up to `timeout` until the threads have ended; false if some have not.
    /// Blocks: for callers without a runtime to wait on.
    pub fn stop(self, timeout: Duration) -> bool {
        let threads = self.pool.threads.clone();
        drop(self);
        let until = Instant::now() + timeout;
        while !threads.is_empty() {
            if Instant::now() > until {
                return false;
            }
            thread::sleep(END_POLL_INTERVAL);
        }
        true
    }
}

impl Drop for Workers {
    /// Takes no more tasks and interrupts running ones: the threads end, and drop the store.
    fn drop(&mut self) {
        self.pool.closing.cancel();
        self.pool.threads.close();
        self.pool.interrupt_all();
    }
}

impl Pool {
    /// Starts a thread for a free slot. If no more threads may, or can, be started, the slot waits until one ends.
    fn fill_slot(self: &Arc<Self>) {
        {
            let mut state = self.state();
            if state.threads >= self.max {
                state.free_slots += 1;
                return;
            }
            state.threads += 1;
        }
        if let Err(error) = self.spawn() {
            tracing::error!(%error, "cannot start a thread for scripts");
            self.refill_slot_later();
        }
    }

    /// Starts another thread, after a pause, in place of one that was counted and did not start, or died.
    fn refill_slot_later(self: &Arc<Self>) {
        self.state().threads -= 1;
        let pool = self.clone();
        self.runtime.spawn(async move {
            tokio::select! {
                () = pool.closing.cancelled() => {}
                () = sleep(REFILL_DELAY) => pool.fill_slot(),
            }
        });
    }

    /// Starts a thread that was counted already.
    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("script-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let (pool, token) = (self.clone(), self.threads.token());
        let alive = self.metrics.thread_began();
        let body = move || {
            // A panic of a task is caught where it runs: this one is of the store, or of this module.
            if catch_unwind(AssertUnwindSafe(|| pool.take_tasks())).is_err() {
                pool.metrics.thread_died();
                pool.refill_slot_later();
            }
            drop(alive);
            // A thread that counts as ended has dropped the store.
            drop(pool);
            drop(token);
        };
        thread::Builder::new().name(name).stack_size(STACK).spawn(body).map(drop)
    }

    fn take_tasks(self: &Arc<Self>) {
        let _runtime = self.runtime.enter();
        while let Some(claim) = self.runtime.block_on(self.claim()) {
            let slow = Rc::new(Cell::new(false));
            // The thread and its slot outlive a panic over one task.
            let played = catch_unwind(AssertUnwindSafe(|| self.play(claim, slow.clone())));
            if played.is_err() {
                tracing::error!("settling a task panicked");
            }
            if play::take_reserved_much() {
                play::give_back();
                self.give_back_soon();
            }
            if slow.get() && !self.take_free_slot() {
                self.give_back_soon();
                return;
            }
        }
        self.state().threads -= 1;
    }

    /// Gives the memory of threads that are about to end back to the system.
    fn give_back_soon(&self) {
        if self.gives_back.swap(true, Ordering::Relaxed) {
            return;
        }
        let gives_back = self.gives_back.clone();
        self.runtime.spawn(async move {
            sleep(GIVE_BACK_DELAY).await;
            gives_back.store(false, Ordering::Relaxed);
            // This takes too long for a thread of the runtime.
            let _ = spawn_blocking(play::give_back).await;
        });
    }

    async fn claim(&self) -> Option<Claim> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            claim = self.store.claim() => claim.ok(),
        }
    }

    fn play(self: &Arc<Self>, claim: Claim, slow: Rc<Cell<bool>>) {
        let (id, outlives_its_caller) = (claim.task().id, claim.task().is_remembered());
        let mut running = self.metrics.begin_play();
        let run = self.begin_run(claim.interrupt());
        let on_slow = {
            let pool = self.clone();
            move || {
                // A task that runs again may have left its slot already.
                if !slow.replace(true) {
                    lower_priority();
                    pool.fill_slot();
                }
            }
        };
        let mut claim = claim;
        let settled = loop {
            let Some((played, settlement)) = self.host.play(&self.store, claim, on_slow.clone()) else {
                break Ok(());
            };
            if matches!(settlement.outcome, Outcome::Cancelled(_))
                && self.is_left_to_others(outlives_its_caller)
            {
                drop(played);
                break Ok(());
            }
            if played.accepts(&settlement) {
                running.end(&settlement.outcome);
            }
            // Settling may wait for other plays of the circle: plays of other circles go on.
            let settled = self.runtime.block_on(async {
                let mut settling = pin!(played.settle(settlement));
                if let Ok(settled) = timeout(SLOW, &mut settling).await {
                    return settled;
                }
                on_slow.clone()();
                settling.await
            });
            match settled {
                Ok(Settled::Recorded) => break Ok(()),
                Ok(Settled::Conflict(retry)) => claim = retry,
                Err(error) => break Err(error),
            }
        };
        self.state().running.remove(&run);
        if let Err(error) = settled {
            tracing::error!(task = %id, %error, "a task could not be settled");
        }
    }

    /// At the end of a slow script, whose slot has gone: true if this thread takes a free slot, since no fresh thread
    /// can be started for it.
    fn take_free_slot(self: &Arc<Self>) -> bool {
        {
            let mut state = self.state();
            if state.free_slots == 0 {
                state.threads -= 1;
                return false;
            }
            state.free_slots -= 1;
        }
        // The fresh thread is counted in place of this one.
        self.spawn().is_err()
    }

    /// Registers a run, and returns its number.
    fn begin_run(&self, interrupt: &CancellationToken) -> u64 {
        let mut state = self.state();
        state.runs += 1;
        let run = state.runs;
        state.running.insert(run, interrupt.clone());
        let is_late = state.interrupted;
        drop(state);
        if is_late {
            interrupt.cancel();
        }
        run
    }

    /// Returns whether a task that this process interrupted is left to the workers after it.
    fn is_left_to_others(&self, outlives_its_caller: bool) -> bool {
        outlives_its_caller && self.state().interrupted
    }

    fn interrupt_all(&self) {
        let running: Vec<_> = {
            let mut state = self.state();
            state.interrupted = true;
            state.running.values().cloned().collect()
        };
        running.iter().for_each(CancellationToken::cancel);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Lets the system prefer other threads to this one from now on: short plays and the network's threads come first, a
/// slow script takes the time that they leave. The thread ends with its script, so nothing has to be undone.
#[cfg(target_os = "linux")]
fn lower_priority() {
    /// A tenth of the share of a thread with normal priority, if both want a core.
    const NICE: i32 = 10;
    // On Linux a thread has a priority of its own.
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "a slow script keeps its priority");
    }
}

/// On other systems a thread cannot lower its own priority.
#[cfg(not(target_os = "linux"))]
const fn lower_priority() {}

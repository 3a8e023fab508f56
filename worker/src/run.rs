use std::{
    cell::Cell,
    collections::HashMap,
    io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use circles_store::{Claim, Outcome, Settled, Store};
use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Host, Metrics, budget, memory, play::SLOW};

/// Address space, not memory: only what is used takes any. A play may nest values as deep as its memory
/// allows, some 600,000 levels at 64 MiB, and each level takes up to about 1.5 KiB to print, compare or drop.
const STACK: usize = 1 << 30;
/// How long an interrupted script may take to notice: within 100 ms it should have.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long after a thread died another takes its place: one that dies at once must not keep a core busy.
const REFILL_AFTER: Duration = Duration::from_millis(100);
/// Between looks at threads that are about to end.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How long after a play that held much memory is given back: long enough for others that end with it.
const GIVE_BACK_AFTER: Duration = Duration::from_millis(500);

/// How many scripts run at a time, and where it is counted.
#[derive(Clone, Debug)]
pub struct Slots {
    /// Threads that take tasks.
    pub open: NonZeroUsize,
    /// Scripts at a time, slow ones included, over all circles; no more than [`Slots::MOST`]. Each may hold
    /// `memory_bytes`.
    pub most: NonZeroUsize,
    /// What is counted.
    pub metrics: Metrics,
}

impl Slots {
    /// The most scripts that one process runs at a time.
    pub const MOST: NonZeroUsize = match NonZeroUsize::new(64) {
        Some(most) => most,
        None => NonZeroUsize::MIN,
    };
}

/// So many, and as many slow ones beside them as there may be.
impl From<NonZeroUsize> for Slots {
    fn from(open: NonZeroUsize) -> Self {
        Self { open, most: Self::MOST, metrics: Metrics::default() }
    }
}

/// The program does not count what scripts allocate, so no script could be held to its `memory_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "memory_bytes cannot be enforced: expected circles_worker::CountingAllocator as the program's #[global_allocator]"
)]
pub struct UncountedMemory;

/// The threads on which scripts run, apart from every runtime's.
///
/// Each thread that takes tasks holds one of the slots. A script that turns out slow, or waits, leaves its slot
/// to a fresh thread and goes on beside it, so that a few of them hold nobody up; the operating system shares
/// the cores. Such a thread ends with its script: what deeply nested values left of its stack ends with it.
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
    most: usize,
    closing: CancellationToken,
    threads: TaskTracker,
    /// Whether memory is about to be given back.
    gives_back: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    threads: usize,
    /// Slots that no thread holds, since there are as many threads as there may be.
    unheld: usize,
    /// How many runs there have been.
    runs: u64,
    /// Scripts under way, by the number of the run: a task that was lost may come back while it still runs here.
    running: HashMap<u64, CancellationToken>,
    /// Set when nothing may run any more.
    interrupted: bool,
}

impl Workers {
    /// Starts to take tasks from `store`. Must be called on a tokio runtime with timers,
    /// which carries what waits.
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
        if !memory::is_counted() {
            return Err(UncountedMemory);
        }
        let Slots { open, most, metrics } = slots.into();
        let most = most.min(Slots::MOST).get();
        let pool = Arc::new(Pool {
            store,
            host,
            runtime: Handle::current(),
            state: Mutex::default(),
            metrics,
            most,
            closing: CancellationToken::new(),
            threads: TaskTracker::new(),
            gives_back: Arc::default(),
        });
        for _ in 0..open.get() {
            pool.fill_slot();
        }
        Ok(Self { pool })
    }

    /// Takes no more tasks, lets running ones end within `grace`, interrupts the rest, and waits for them, at
    /// most a second. Those that outlive their callers go back to the store, unless they had effects outside.
    pub async fn shutdown(self, grace: Duration) {
        self.pool.closing.cancel();
        self.pool.threads.close();
        if timeout(grace, self.pool.threads.wait()).await.is_ok() {
            return;
        }
        self.pool.interrupt_all();
        if timeout(LAST_WORD, self.pool.threads.wait()).await.is_err() {
            tracing::error!("scripts were still running after they were interrupted");
        }
    }
}

impl Workers {
    /// Ends as when it is dropped, and waits, no longer than `patience`, until the threads have ended; whether they
    /// have. Blocks: for callers that have no runtime to wait on.
    pub fn end(self, patience: Duration) -> bool {
        let threads = self.pool.threads.clone();
        drop(self);
        let until = Instant::now() + patience;
        while !threads.is_empty() {
            if Instant::now() > until {
                return false;
            }
            thread::sleep(LOOK_AGAIN);
        }
        true
    }
}

impl Drop for Workers {
    /// Takes no more tasks and interrupts those that run: the threads end, and let go of the store.
    fn drop(&mut self) {
        self.pool.closing.cancel();
        self.pool.threads.close();
        self.pool.interrupt_all();
    }
}

impl Pool {
    /// Starts a thread that holds a slot nobody holds. Where no more threads may be, or can, the slot waits
    /// until one ends.
    fn fill_slot(self: &Arc<Self>) {
        {
            let mut state = self.state();
            if state.threads >= self.most {
                state.unheld += 1;
                return;
            }
            state.threads += 1;
        }
        if let Err(error) = self.spawn() {
            tracing::error!(%error, "no thread for scripts");
            self.refill_slot_later();
        }
    }

    /// Starts another thread, after a pause, in place of one that was counted and is not there.
    fn refill_slot_later(self: &Arc<Self>) {
        self.state().threads -= 1;
        let pool = self.clone();
        self.runtime.spawn(async move {
            tokio::select! {
                () = pool.closing.cancelled() => {}
                () = sleep(REFILL_AFTER) => pool.fill_slot(),
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
            // A fault of one task is caught where it runs: this one is of the store, or ours.
            if catch_unwind(AssertUnwindSafe(|| pool.take_tasks())).is_err() {
                pool.metrics.thread_died();
                pool.refill_slot_later();
            }
            drop(alive);
            // A thread that counts as ended holds no store any more.
            drop(pool);
            drop(token);
        };
        thread::Builder::new().name(name).stack_size(STACK).spawn(body).map(drop)
    }

    fn take_tasks(self: &Arc<Self>) {
        let _runtime = self.runtime.enter();
        while let Some(claim) = self.runtime.block_on(self.claim()) {
            let slow = Rc::new(Cell::new(false));
            // Whatever happens with one task, the thread and its slot are there for the next.
            let played = catch_unwind(AssertUnwindSafe(|| self.play(claim, slow.clone())));
            if played.is_err() {
                tracing::error!("settling an outcome panicked");
            }
            if budget::held_much() {
                memory::give_back();
                self.give_back_soon();
            }
            if slow.get() && !self.takes_a_slot_again() {
                self.give_back_soon();
                return;
            }
        }
        self.state().threads -= 1;
    }

    /// Gives back what threads leave that are about to end.
    fn give_back_soon(&self) {
        if self.gives_back.swap(true, Ordering::Relaxed) {
            return;
        }
        let gives_back = self.gives_back.clone();
        self.runtime.spawn(async move {
            sleep(GIVE_BACK_AFTER).await;
            gives_back.store(false, Ordering::Relaxed);
            // It takes too long for a thread of the runtime.
            let _ = spawn_blocking(memory::give_back).await;
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
        let mut running = self.metrics.begin();
        let run = self.begins(claim.interrupt());
        let on_slow = {
            let pool = self.clone();
            move || {
                // Run again, it may have left its slot already.
                if !slow.replace(true) {
                    step_back();
                    pool.fill_slot();
                }
            }
        };
        let mut claim = claim;
        let settled = loop {
            let (played, settlement) = self.host.play(&self.store, claim, on_slow.clone());
            if matches!(settlement.outcome, Outcome::Cancelled(_))
                && self.goes_on_elsewhere(outlives_its_caller)
            {
                drop(played);
                break Ok(());
            }
            if played.accepts(&settlement) {
                running.ends(&settlement.outcome);
            }
            // It may have to wait for others of its circle: those of other circles go on.
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
                Ok(Settled::Conflict(again)) => claim = again,
                Err(error) => break Err(error),
            }
        };
        self.state().running.remove(&run);
        if let Err(error) = settled {
            tracing::error!(task = %id, %error, "an outcome could not be settled");
        }
    }

    /// At the end of a slow script, whose slot has gone: true if this thread is to go on with another one,
    /// which a fresh thread would hold if there could be one.
    fn takes_a_slot_again(self: &Arc<Self>) -> bool {
        {
            let mut state = self.state();
            if state.unheld == 0 {
                state.threads -= 1;
                return false;
            }
            state.unheld -= 1;
        }
        // The fresh thread is counted in place of this one.
        self.spawn().is_err()
    }

    /// Returns the number of the run.
    fn begins(&self, interrupt: &CancellationToken) -> u64 {
        let mut state = self.state();
        state.runs += 1;
        let run = state.runs;
        state.running.insert(run, interrupt.clone());
        let late = state.interrupted;
        drop(state);
        if late {
            interrupt.cancel();
        }
        run
    }

    /// Whether a task that ended because of us is to be run again by those who come after us.
    fn goes_on_elsewhere(&self, outlives_its_caller: bool) -> bool {
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

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the system prefer other threads to this one from here on: short plays and the network's own threads
/// come first, a slow script takes what they leave. The thread ends with its script, so nothing is undone.
#[cfg(target_os = "linux")]
fn step_back() {
    /// A tenth of the share of a thread that has not stepped back, where both want a core.
    const NICE: i32 = 10;
    // On Linux a thread has a priority of its own. One that cannot be lowered is only less polite.
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "a slow script keeps its priority");
    }
}

/// Elsewhere a thread's priority is not its own to lower.
#[cfg(not(target_os = "linux"))]
const fn step_back() {}

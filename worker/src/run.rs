use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use circles_store::{Claim, Store, TaskId};
use tokio::{runtime::Handle, time::timeout};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::Host;

/// Scripts that run at a time, slow ones included, over all circles. Each may hold `memory_bytes`.
const MAX_THREADS: usize = 64;
/// Address space, not memory: only what is used takes any. A play may nest values as deep as its memory
/// allows, some 600,000 levels at 64 MiB, and each level takes up to about 1.5 KiB to print, compare or drop.
const STACK: usize = 1 << 30;
/// How long a thread beyond the first ones waits for work before it ends.
const IDLE: Duration = Duration::from_secs(10);
/// How long an interrupted script may take to notice: within 100 ms it should have.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The threads on which scripts run, apart from every runtime's.
///
/// As many as there are slots take tasks. A script that turns out slow, or waits, gives its slot to another
/// thread and goes on beside it, so that a few of them hold nobody up; the operating system shares the cores.
pub struct Workers {
    pool: Arc<Pool>,
}

struct Pool {
    store: Arc<dyn Store>,
    host: Arc<Host>,
    runtime: Handle,
    state: Mutex<State>,
    slot_free: Condvar,
    closing: CancellationToken,
    threads: TaskTracker,
}

struct State {
    /// Slots that no thread holds.
    free: usize,
    /// Threads, and those among them that wait for a slot.
    threads: usize,
    waiting: usize,
    running: HashMap<TaskId, CancellationToken>,
}

impl Workers {
    /// Starts to take tasks from `store`, `slots` at a time. Must be called on a tokio runtime with timers,
    /// which carries what waits.
    pub fn start(store: Arc<dyn Store>, host: Arc<Host>, slots: NonZeroUsize) -> Self {
        let state = State { free: slots.get(), threads: 0, waiting: 0, running: HashMap::new() };
        let pool = Arc::new(Pool {
            store,
            host,
            runtime: Handle::current(),
            state: Mutex::new(state),
            slot_free: Condvar::new(),
            closing: CancellationToken::new(),
            threads: TaskTracker::new(),
        });
        for _ in 0..slots.get().min(MAX_THREADS) {
            pool.clone().add_thread();
        }
        Self { pool }
    }

    /// Takes no more tasks, lets running ones end within `grace`, interrupts the rest, and waits for them.
    pub async fn shutdown(self, grace: Duration) {
        self.pool.closing.cancel();
        self.pool.slot_free.notify_all();
        self.pool.threads.close();
        if timeout(grace, self.pool.threads.wait()).await.is_ok() {
            return;
        }
        for interrupt in self.pool.state().running.values() {
            interrupt.cancel();
        }
        if timeout(LAST_WORD, self.pool.threads.wait()).await.is_err() {
            tracing::error!("scripts were still running after they were interrupted");
        }
    }
}

impl Pool {
    fn add_thread(self: Arc<Self>) {
        let mut state = self.state();
        if state.threads >= MAX_THREADS || self.closing.is_cancelled() {
            return;
        }
        state.threads += 1;
        let number = state.threads;
        drop(state);
        let alive = Alive { pool: self.clone(), _token: self.threads.token() };
        let thread = thread::Builder::new().name(format!("script-{number}")).stack_size(STACK);
        if let Err(error) = thread.spawn(move || alive.pool.take_tasks()) {
            tracing::error!(%error, "no thread for scripts");
        }
    }

    fn take_tasks(self: &Arc<Self>) {
        let _runtime = self.runtime.enter();
        while let Some(slot) = Slot::take(self) {
            let claimed = self.runtime.block_on(async {
                tokio::select! {
                    claim = self.store.claim() => claim.ok(),
                    () = self.closing.cancelled() => None,
                }
            });
            match claimed {
                Some(claim) => self.play(claim, slot),
                None => return,
            }
        }
    }

    fn play(self: &Arc<Self>, claim: Claim, slot: Slot) {
        let task = claim.task().clone();
        self.state().running.insert(task.id, claim.interrupt().clone());
        let slot = Arc::new(slot);
        let on_slow = {
            let slot = slot.clone();
            move || slot.give()
        };
        let outcome = self.host.play(&task, claim.deadline(), claim.interrupt(), on_slow);
        self.state().running.remove(&task.id);
        if let Err(error) = self.runtime.block_on(claim.settle(outcome)) {
            tracing::error!(task = %task.id, %error, "an outcome could not be settled");
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that is counted until it ends, however it ends.
struct Alive {
    pool: Arc<Pool>,
    _token: TaskTrackerToken,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.pool.state().threads -= 1;
    }
}

/// The right to take a task.
struct Slot {
    pool: Arc<Pool>,
    held: Mutex<bool>,
}

impl Slot {
    /// Waits for a slot; `None` when the pool closes or none came for so long that the thread is not needed.
    fn take(pool: &Arc<Pool>) -> Option<Self> {
        let mut state = pool.state();
        while state.free == 0 {
            if pool.closing.is_cancelled() {
                return None;
            }
            state.waiting += 1;
            let (guard, waited) =
                pool.slot_free.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.waiting -= 1;
            if waited.timed_out() && state.free == 0 {
                return None;
            }
        }
        state.free -= 1;
        Some(Self { pool: pool.clone(), held: Mutex::new(true) })
    }

    /// Gives the slot to a thread that waits for one, or to a new one.
    fn give(&self) {
        if !std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut state = self.pool.state();
        state.free += 1;
        let somebody_waits = state.waiting > 0;
        drop(state);
        self.pool.slot_free.notify_one();
        if !somebody_waits {
            self.pool.clone().add_thread();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if std::mem::take(&mut *self.held.get_mut().unwrap_or_else(PoisonError::into_inner)) {
            self.pool.state().free += 1;
            self.pool.slot_free.notify_one();
        }
    }
}

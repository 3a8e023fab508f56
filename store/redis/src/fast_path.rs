//! The fast path: plays that are handed to a worker in a message, past the queue.
//!
//! Handing a play over changes nothing in Redis or in the circle, so its messages may be lost, late or doubled. The
//! worker runs the play on the spot if it is sure to be short ([`InlineRunner`]), and otherwise on a free script
//! thread, where it may read documents (`lease.rs`). The worker declines as soon as the play needs more than that. If
//! the worker declines or does not answer in time, the server submits the play as if it had never been handed over.
//!
//! ```text
//! server                                              worker
//! FastPath::play ─ eligible? ─ backoff? ─► FastPathPool ══ batch of plays ══► FastPathWorker
//!   │ not eligible, no worker, no answer                                        │ on the spot, or FastPathLease
//!   ▼                                                                           │ on a script thread
//! Waiters::submit ◄─── declined ──────────  FastPathPool ◄═ batch of replies ═══╯
//! ```

mod backoff;
mod lease;
mod messages;
mod pool;
mod worker;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use circles_store::{InlineRunner, Kind, Outcome, Source, Task};
use tokio::{sync::mpsc, time::timeout};

pub(crate) use self::messages::{announcements_channel, plays_channel, replies_channel};
use self::{
    backoff::FastPathBackoff,
    messages::{Announcement, FastPathReply},
    pool::FastPathPool,
    worker::FastPathWorker,
};
use crate::{claim_loop::ClaimLoop, held_tasks::HeldTasks, node::Node};

/// The longest script that is handed over. A longer one is not short, and would hold up others in its message.
const FAST_PATH_SCRIPT_BYTES: usize = 4 << 10;
/// The most plays in one message.
const MESSAGE_PLAYS: usize = 64;

/// Owns the plays that this process has handed over to workers, and those that servers have handed over to it.
pub(crate) struct FastPath {
    node: Arc<Node>,
    claims: Arc<ClaimLoop>,
    held: Arc<HeldTasks>,
    pool: FastPathPool,
    backoff: FastPathBackoff,
    /// Set once this process runs fast-path plays itself.
    worker: OnceLock<FastPathWorker>,
}

impl FastPath {
    pub(crate) fn new(node: &Arc<Node>, claims: Arc<ClaimLoop>, held: Arc<HeldTasks>) -> Self {
        Self {
            node: node.clone(),
            claims,
            held,
            pool: FastPathPool::default(),
            backoff: FastPathBackoff::default(),
            worker: OnceLock::new(),
        }
    }

    /// Has this process run fast-path plays, its own and those of other processes. Only the first call counts.
    pub(crate) fn enable(&self, runner: Arc<dyn InlineRunner>) {
        let start = || FastPathWorker::start(&self.node, self.claims.clone(), self.held.clone(), runner);
        self.worker.get_or_init(start);
    }

    /// How many other processes run fast-path plays.
    pub(crate) fn workers(&self) -> usize {
        self.pool.workers()
    }

    /// Returns whether a play that was handed over has not been answered yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.pool.is_waiting()
    }

    /// Ends the waits for all plays that were handed over.
    pub(crate) fn close(&self) {
        self.pool.clear();
    }

    /// Runs a play on the fast path, here or in another process. Returns `None` if it has to be queued, and then
    /// nothing has happened.
    pub(crate) async fn play(&self, task: &Task) -> Option<Outcome> {
        let time_limit = self.node.config.fast_path_timeout;
        if task.kind != Kind::Play || task.is_remembered() || task.timeout < 2 * time_limit {
            return None;
        }
        let Source::Script(script) = &task.source else { return None };
        if let Some(worker) = self.worker.get().filter(|_| self.node.serves(&task.circle)) {
            return worker.try_inline(task);
        }
        if script.len() > FAST_PATH_SCRIPT_BYTES {
            return None;
        }
        let slot = self.backoff.slot(&task.circle, script).filter(|slot| slot.is_fast_path_eligible())?;
        let mut pending = self.pool.hand_over(task, self.node.pool_of(&task.circle))?;
        match timeout(time_limit, pending.reply()).await {
            Ok(Ok(FastPathReply::Ended(outcome))) => {
                slot.record_hit();
                Some(outcome)
            }
            Ok(Ok(FastPathReply::Declined)) => {
                slot.record_miss();
                None
            }
            // No thread is free there, or the worker or Redis has gone.
            Ok(Ok(FastPathReply::Busy) | Err(_)) => None,
            Err(_) => {
                self.pool.remove(pending.worker());
                None
            }
        }
    }

    /// Handles a worker's announcement.
    pub(crate) fn on_announcement(self: &Arc<Self>, message: &[u8]) {
        let Ok(announcement) = rmp_serde::from_slice::<Announcement>(message) else {
            tracing::error!("unexpected message in Redis: cannot decode a worker's announcement");
            return;
        };
        if announcement.leaving || announcement.worker == self.node.id {
            self.pool.remove(&announcement.worker);
        } else if !self.node.is_closing() {
            let worker = announcement.worker.clone();
            if let Some(plays) = self.pool.announce(announcement, Instant::now()) {
                self.node.spawn(self.clone().send_plays(worker, plays));
            }
        }
    }

    /// Sends plays to a worker until it leaves the pool. While one message is under way, the next one gathers.
    async fn send_plays(self: Arc<Self>, worker: String, mut plays: mpsc::Receiver<Vec<u8>>) {
        let channel = plays_channel(&worker);
        let mut gathered = Vec::new();
        while plays.recv_many(&mut gathered, MESSAGE_PLAYS).await > 0 {
            let Some(message) = messages::encode_batch(&self.node.id, gathered.drain(..)) else { return };
            if let Err(error) = self.node.client.publish(&channel, message).await {
                tracing::debug!(%error, worker, "cannot hand plays to a worker");
                self.pool.remove(&worker);
            }
        }
    }

    /// Handles plays that a server handed over.
    pub(crate) fn on_plays(&self, message: &[u8]) {
        if let Some(worker) = self.worker.get()
            && let Some(batch) = messages::decode_batch(message)
        {
            worker.run_batch(batch);
        }
    }

    /// Handles replies of a worker.
    pub(crate) fn on_replies(&self, message: &[u8]) {
        if let Some(batch) = messages::decode_batch(message) {
            self.pool.deliver(batch);
        }
    }
}

//! The plays that run in this process: claimed tasks, plays that other plays called, and fast-path plays.
//!
//! A claimed task is held under a lease of its worker and shard, which [`HeldTasks::renew`] prolongs. Its claim ends in
//! one of three ways: it is settled, it is returned to the queue, or Redis says that it is another worker's by now.

mod load;
mod log_forwarding;
mod log_stream;
mod redis_lease;
mod renew;
mod retry_locks;
mod settle;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::{Duration, Instant},
};

use circles_api::CircleId;
use circles_store::{Claim, Error, LogLine, Outcome, Task, TaskId, Ticket, sync::lock};
use fred::types::Value;
use tokio::{
    sync::{Notify, oneshot},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    load::Load,
    log_forwarding::log_channel,
    log_stream::{LogChunk, LogReader},
};
use self::{
    load::PlayTime,
    log_forwarding::LogForwarding,
    log_stream::LogStream,
    redis_lease::{Origin, RedisLease},
    retry_locks::RetryLocks,
    settle::{SettleReply, SettleRequest},
};
use crate::{
    batcher::Batcher,
    documents::DocumentReader,
    node::Node,
    scripts::{MARK, SETTLE},
    sealer::Sealer,
    task_meta::unexpected,
};

/// Time between attempts to reach a Redis that is away.
pub(crate) const OUTAGE_RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// Owns what runs in this process, and what Redis has to know of it.
pub(crate) struct HeldTasks {
    node: Arc<Node>,
    documents: Arc<DocumentReader>,
    sealer: Arc<Sealer>,
    settlements: Batcher<SettleRequest, SettleReply>,
    retry_locks: RetryLocks,
    /// Wakes the claim loop when this process can run more.
    capacity_freed: Arc<Notify>,
    state: Mutex<HeldState>,
}

#[derive(Default)]
struct HeldState {
    held: HashMap<TaskId, HeldTask>,
    /// How many fast-path plays of each circle occupy a script thread.
    fast_path: HashMap<CircleId, usize>,
    play_time: PlayTime,
    /// How many tasks are on their way back to the queue. Nothing is claimed before they are there.
    returning: usize,
    /// Log streams that somebody in this process watches.
    watched: HashMap<TaskId, Weak<LogStream>>,
    /// By shard, claims that Redis knows as ours and that are not held here; see `renew.rs`.
    unknown: HashMap<u16, HashSet<(String, String)>>,
}

/// A claimed task.
struct HeldTask {
    shard: u16,
    /// The epoch of its claim, which tells it from other claims of the same task.
    epoch: String,
    circle: CircleId,
    interrupt: CancellationToken,
    log: Arc<LogStream>,
    forwarding: LogForwarding,
    /// When a script thread took it.
    started: Option<Instant>,
}

/// A task as `claim.lua` hands it out.
pub(crate) struct ClaimedTask {
    pub(crate) epoch: String,
    pub(crate) time_left: Duration,
    /// Servers that watch it.
    pub(crate) watchers: Vec<String>,
    pub(crate) task: Task,
}

impl HeldTasks {
    pub(crate) fn new(node: &Arc<Node>, sealer: Arc<Sealer>, capacity_freed: Arc<Notify>) -> Self {
        let settlements = Batcher::new(&node.runtime, node.shards, {
            let node = node.clone();
            move |shard, batch| {
                let node = node.clone();
                async move { settle_batch(&node, shard, batch).await }
            }
        });
        Self {
            node: node.clone(),
            documents: Arc::new(DocumentReader::new(node)),
            sealer,
            settlements,
            retry_locks: RetryLocks::default(),
            capacity_freed,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HeldState> {
        lock(&self.state)
    }

    /// How many claimed tasks this process holds.
    pub(crate) fn count(&self) -> usize {
        self.lock().held.len()
    }

    pub(crate) fn documents(&self) -> &Arc<DocumentReader> {
        &self.documents
    }

    /// How much runs here, for the claim loop.
    pub(crate) fn load(&self) -> Load {
        let state = self.lock();
        let held = state.held.values().map(|task| task.circle);
        Load::new(&state.fast_path, held, state.returning, state.play_time)
    }

    /// Holds a claimed task and makes the claim for its worker.
    pub(crate) fn hold(self: &Arc<Self>, shard: u16, claimed: ClaimedTask) -> Result<Claim, Error> {
        let ClaimedTask { epoch, time_left, watchers, task } = claimed;
        let deadline = Instant::now() + time_left;
        let interrupt = CancellationToken::new();
        let log = self.log_of(task.id);
        log.begin(epoch.parse().map_err(|_| unexpected("an epoch"))?);
        let mut held = HeldTask {
            shard,
            epoch: epoch.clone(),
            circle: task.circle,
            interrupt: interrupt.clone(),
            log,
            forwarding: LogForwarding::default(),
            started: None,
        };
        for server in watchers {
            held.forward_log(&self.node, task.id, server);
        }
        let previous = self.lock().held.insert(task.id, held);
        // An earlier claim that Redis has taken back still runs here. Its outcome will be refused.
        if let Some(previous) = previous {
            previous.interrupt.cancel();
        }
        Ok(self.claim(task, deadline, interrupt, Origin::Queue(epoch)))
    }

    /// Begins a task that a play of this process calls, without the queue.
    pub(crate) fn begin(self: &Arc<Self>, task: Task) -> (Claim, Ticket) {
        let (sender, outcome) = oneshot::channel();
        let deadline = Instant::now() + task.timeout;
        let outcome = async move { outcome.await.unwrap_or(Outcome::cancelled()) };
        let ticket = Ticket::waiting(task.id, Box::pin(outcome));
        (self.claim(task, deadline, CancellationToken::new(), Origin::Play(Some(sender))), ticket)
    }

    fn claim(
        self: &Arc<Self>,
        task: Task,
        deadline: Instant,
        interrupt: CancellationToken,
        origin: Origin,
    ) -> Claim {
        let task = Arc::new(task);
        let lease = RedisLease::new(self, &task, deadline, interrupt.clone(), origin);
        Claim::new(task, deadline, interrupt, Box::new(lease))
    }

    /// Notes that a script thread takes the task.
    pub(crate) fn start(&self, id: TaskId) {
        if let Some(held) = self.lock().held.get_mut(&id) {
            held.started = Some(Instant::now());
        }
    }

    /// Releases a claimed task that was settled, returned, or taken by another worker.
    fn release(&self, task: &Task, epoch: &str, leaves_record: bool) {
        if leaves_record {
            self.sealer.request(task.circle);
        }
        let mut state = self.lock();
        // The task may be held again by now, as another claim.
        if state.held.get(&task.id).is_none_or(|held| held.epoch != epoch) {
            return;
        }
        let Some(held) = state.held.remove(&task.id) else { return };
        if let Some(started) = held.started {
            state.play_time.record(started.elapsed());
        }
        drop(state);
        self.capacity_freed.notify_one();
    }

    /// Returns a claimed task to the queue.
    fn give_back(self: &Arc<Self>, task: &Arc<Task>, epoch: String) {
        let (held, task) = (self.clone(), task.clone());
        self.lock().returning += 1;
        // The task stays held until Redis knows, so that a shutdown waits for it.
        self.node.spawn(async move {
            let shard = held.node.shard_of(&task.circle);
            let until = Instant::now() + held.node.config.lease;
            let claim = [task.id.to_string(), epoch.clone()];
            while let Err(error) = held.renew_shard(shard, &claim).await {
                if Instant::now() > until {
                    tracing::warn!(%error, task = %task.id, "cannot return a task before its lease ends");
                    break;
                }
                sleep(OUTAGE_RETRY_INTERVAL).await;
            }
            held.lock().returning -= 1;
            held.release(&task, &epoch, false);
            held.node.hint(&held.node.config.pool, shard).await.ok();
        });
    }

    /// Counts a fast-path play in that takes a script thread.
    pub(crate) fn start_fast_path(&self, circle: &CircleId) {
        *self.lock().fast_path.entry(*circle).or_default() += 1;
    }

    /// Counts a fast-path play out that started this long ago.
    pub(crate) fn end_fast_path(&self, circle: &CircleId, time: Duration) {
        let mut state = self.lock();
        if let Some(count) = state.fast_path.get_mut(circle) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.fast_path.remove(circle);
            }
        }
        state.play_time.record(time);
        drop(state);
        self.capacity_freed.notify_one();
    }

    /// How many fast-path plays occupy a script thread.
    pub(crate) fn fast_path_plays(&self) -> usize {
        self.lock().fast_path.values().sum()
    }

    /// Marks a task before its first side effect.
    async fn mark(&self, task: &Task, epoch: &str) -> Result<(), Error> {
        let args = vec![task.id.to_string().into(), self.node.id.clone().into(), epoch.into()];
        match self.node.run::<i64>(&MARK, self.node.shard_of(&task.circle), args).await? {
            1 => Ok(()),
            // Another worker has the task by now.
            _ => Err(Error::Closed),
        }
    }

    fn log(&self, task: &Task, line: &LogLine) {
        if let Some(held) = self.lock().held.get(&task.id) {
            held.log.log(line);
        }
    }

    /// Starts the log of a task over, since its script runs again.
    fn restart_log(&self, task: &Task) {
        if let Some(held) = self.lock().held.get(&task.id) {
            held.log.restart();
        }
    }

    /// Waits a moment until other processes have received what a task logged.
    async fn flush_log(&self, task: &Task) {
        let flushed = self.lock().held.get(&task.id).and_then(HeldTask::flush_log);
        if let Some(flushed) = flushed {
            flushed.await;
        }
    }

    /// The log stream of a task: the one of its claim, one that is watched already, or a new one.
    fn log_of(&self, id: TaskId) -> Arc<LogStream> {
        let state = self.lock();
        if let Some(held) = state.held.get(&id) {
            return held.log.clone();
        }
        state.watched.get(&id).and_then(Weak::upgrade).unwrap_or_default()
    }

    /// Watches what a task logs, whether it runs here or elsewhere.
    pub(crate) fn watch_log(&self, id: TaskId) -> LogReader {
        let log = self.log_of(id);
        let mut state = self.lock();
        state.watched.retain(|_, log| log.strong_count() > 0);
        state.watched.insert(id, Arc::downgrade(&log));
        LogReader::new(log)
    }

    /// Adds lines that another process sent. Returns whether some before them are missing.
    pub(crate) fn receive_log(&self, id: TaskId, chunk: LogChunk) -> bool {
        let watched = self.lock().watched.get(&id).and_then(Weak::upgrade);
        watched.is_some_and(|log| !log.receive(chunk))
    }

    /// Handles a message to this worker: a task id interrupts the task, `watch ID SERVER` forwards its log.
    pub(crate) fn on_worker_message(&self, text: &str) {
        let mut words = text.split(' ');
        let words = (words.next(), words.next(), words.next());
        let mut state = self.lock();
        match words {
            (Some("watch"), Some(id), Some(server)) => {
                if let Ok(id) = id.parse::<TaskId>()
                    && let Some(held) = state.held.get_mut(&id)
                {
                    held.forward_log(&self.node, id, server.to_owned());
                }
            }
            (Some(id), None, None) => {
                if let Some(held) = id.parse().ok().and_then(|id: TaskId| state.held.get(&id)) {
                    held.interrupt.cancel();
                }
            }
            _ => tracing::error!("unexpected message in Redis: not for a worker"),
        }
    }
}

/// Settles plays of a shard together.
async fn settle_batch(node: &Node, shard: u16, batch: Vec<SettleRequest>) -> Result<Vec<SettleReply>, Error> {
    match run_settle(node, shard, &batch).await {
        // A full Redis refuses the whole batch. Alone, those that need no room are settled.
        Err(Error::StorageFull(_)) if batch.len() > 1 => {}
        other => return other,
    }
    let mut replies = Vec::with_capacity(batch.len());
    for request in batch {
        match run_settle(node, shard, &[request]).await {
            Ok(reply) => replies.extend(reply),
            Err(Error::StorageFull(_)) => replies.push(SettleReply::RedisFull),
            Err(error) => return Err(error),
        }
    }
    Ok(replies)
}

async fn run_settle(node: &Node, shard: u16, batch: &[SettleRequest]) -> Result<Vec<SettleReply>, Error> {
    let mut args = vec![Value::from(node.id.clone())];
    args.extend(batch.iter().flat_map(SettleRequest::args));
    let replies: Vec<String> = node.run(&SETTLE, shard, args).await?;
    replies.iter().map(|reply| SettleReply::parse(reply)).collect()
}

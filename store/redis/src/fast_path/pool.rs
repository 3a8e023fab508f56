//! The workers that run fast-path plays for this server, and the plays that they have not answered yet.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use circles_api::CircleId;
use circles_store::{Task, sync::lock};
use tokio::sync::{mpsc, oneshot};

use super::messages::{Announcement, Batch, FastPathReply, encode_item};

/// How long an announcement holds: several times the interval at which workers repeat it.
const ANNOUNCEMENT_TTL: Duration = Duration::from_secs(3);
/// The largest play that is handed over, encoded.
const MAX_PLAY_BYTES: usize = 16 << 10;
/// The most unanswered plays of one worker.
const MAX_PENDING_PLAYS: usize = 1_024;

#[derive(Default)]
pub(super) struct FastPathPool {
    workers: Mutex<HashMap<String, PoolWorker>>,
    next_number: AtomicU64,
}

/// A worker that announced itself.
struct PoolWorker {
    announcement: Announcement,
    announced_at: Instant,
    /// The unanswered plays, by number.
    pending: HashMap<u64, oneshot::Sender<FastPathReply>>,
    /// Plays on their way to the worker, encoded.
    plays: mpsc::Sender<Vec<u8>>,
}

impl PoolWorker {
    fn serves(&self, circle: &CircleId, pool: &str) -> bool {
        let Announcement { only_circles, pool: own, .. } = &self.announcement;
        own == pool
            && (only_circles.is_empty() || only_circles.contains(circle))
            && self.pending.len() < MAX_PENDING_PLAYS
    }
}

/// A play that was handed over. Dropping it ends the wait.
pub(super) struct PendingPlay<'p> {
    pool: &'p FastPathPool,
    worker: String,
    number: u64,
    reply: oneshot::Receiver<FastPathReply>,
}

impl PendingPlay<'_> {
    pub(super) fn worker(&self) -> &str {
        &self.worker
    }

    /// Resolves with the worker's reply, or fails once the worker has left the pool.
    pub(super) fn reply(&mut self) -> &mut oneshot::Receiver<FastPathReply> {
        &mut self.reply
    }
}

impl Drop for PendingPlay<'_> {
    fn drop(&mut self) {
        if let Some(worker) = self.pool.lock().get_mut(&self.worker) {
            worker.pending.remove(&self.number);
        }
    }
}

impl FastPathPool {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, PoolWorker>> {
        lock(&self.workers)
    }

    /// How many workers are in the pool.
    pub(super) fn workers(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.lock().values().any(|worker| !worker.pending.is_empty())
    }

    /// Removes a worker, which ends the waits for its plays.
    pub(super) fn remove(&self, worker: &str) {
        self.lock().remove(worker);
    }

    /// Removes all workers.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Adds a worker, or renews its announcement. Returns the plays of a new one, to be sent to it.
    pub(super) fn announce(
        &self,
        announcement: Announcement,
        now: Instant,
    ) -> Option<mpsc::Receiver<Vec<u8>>> {
        let mut workers = self.lock();
        workers.retain(|id, worker| {
            *id == announcement.worker || now.duration_since(worker.announced_at) < ANNOUNCEMENT_TTL
        });
        if let Some(worker) = workers.get_mut(&announcement.worker) {
            worker.announced_at = now;
            return None;
        }
        let (plays, receiver) = mpsc::channel(MAX_PENDING_PLAYS);
        let id = announcement.worker.clone();
        workers.insert(id, PoolWorker { announcement, announced_at: now, pending: HashMap::new(), plays });
        Some(receiver)
    }

    /// Hands a play to a worker of this pool of workers. Returns `None` if there is no worker for it.
    pub(super) fn hand_over(&self, task: &Task, pool: &str) -> Option<PendingPlay<'_>> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let play = encode_item(number, task).filter(|play| play.len() <= MAX_PLAY_BYTES)?;
        let (sender, reply) = oneshot::channel();
        let mut workers = self.lock();
        let (id, worker) = choose(&mut workers, &task.circle, pool)?;
        // The channel has room for all plays that may be pending.
        worker.plays.try_send(play).ok()?;
        worker.pending.insert(number, sender);
        let id = id.clone();
        Some(PendingPlay { pool: self, worker: id, number, reply })
    }

    /// Delivers a worker's replies to the plays that wait for them.
    pub(super) fn deliver(&self, batch: Batch<FastPathReply>) {
        let mut workers = self.lock();
        let Some(worker) = workers.get_mut(&batch.sender) else { return };
        for (number, reply) in batch.items {
            if let Some(pending) = worker.pending.remove(&number) {
                // The caller may have gone.
                let _ = pending.send(reply);
            }
        }
    }
}

/// Chooses the worker for a play of a circle: the one with the fewest unanswered plays. Any choice is correct, since a
/// play that was handed over leaves nothing behind.
fn choose<'w>(
    workers: &'w mut HashMap<String, PoolWorker>,
    circle: &CircleId,
    pool: &str,
) -> Option<(&'w String, &'w mut PoolWorker)> {
    workers
        .iter_mut()
        .filter(|(_, worker)| worker.serves(circle, pool))
        .min_by_key(|(_, worker)| worker.pending.len())
}

#[cfg(test)]
mod tests {
    use circles_store::{Caller, Source};

    use super::*;

    fn announcement(worker: &str, pool: &str) -> Announcement {
        Announcement {
            worker: worker.to_owned(),
            pool: pool.to_owned(),
            only_circles: Vec::new(),
            leaving: false,
        }
    }

    fn task() -> Task {
        let circle = CircleId::from_bytes([2; 33]).unwrap();
        let source = Source::script("1");
        Task::new(circle, Caller::Anonymous, source, serde_json::Value::Null, Duration::from_secs(1))
    }

    #[test]
    fn play_goes_to_the_least_busy_worker_of_its_pool() {
        let pool = FastPathPool::default();
        let now = Instant::now();
        assert!(pool.hand_over(&task(), "").is_none());
        let _plays = ["a", "b"].map(|worker| pool.announce(announcement(worker, ""), now).unwrap());
        let _others = pool.announce(announcement("c", "big"), now).unwrap();
        assert!(pool.announce(announcement("a", ""), now).is_none());
        let first = pool.hand_over(&task(), "").unwrap();
        let second = pool.hand_over(&task(), "").unwrap();
        assert_ne!(first.worker(), second.worker());
        assert_eq!(pool.hand_over(&task(), "big").unwrap().worker(), "c");
        let idle = first.worker().to_owned();
        drop(first);
        assert_eq!(pool.hand_over(&task(), "").unwrap().worker(), idle);
    }

    #[test]
    fn silent_worker_leaves_the_pool() {
        let pool = FastPathPool::default();
        let now = Instant::now();
        let _plays = pool.announce(announcement("a", ""), now);
        let mut pending = pool.hand_over(&task(), "").unwrap();
        let _others = pool.announce(announcement("b", ""), now + ANNOUNCEMENT_TTL);
        assert_eq!(pool.workers(), 1);
        assert_eq!(pending.reply().try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn reply_reaches_its_play_only() {
        let pool = FastPathPool::default();
        let _plays = pool.announce(announcement("a", ""), Instant::now());
        let mut plays = [(); 2].map(|()| pool.hand_over(&task(), "").unwrap());
        let items = vec![(plays[1].number, FastPathReply::Busy), (99, FastPathReply::Busy)];
        pool.deliver(Batch { sender: "a".to_owned(), items });
        assert_eq!(plays[1].reply().try_recv(), Ok(FastPathReply::Busy));
        assert_eq!(plays[0].reply().try_recv(), Err(oneshot::error::TryRecvError::Empty));
        assert!(pool.is_waiting());
        drop(plays);
        assert!(!pool.is_waiting());
    }
}

//! Claims tasks from Redis for the script threads of this process.
//!
//! A thread that is free waits in [`ClaimLoop::next`]. The loop waits for a hint that a shard of its pool may have
//! tasks, claims as many as there is room for, and hands each to a thread that waits, or keeps it ready for the next.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use circles_store::{Claim, Error, Task, sync::lock};
use fred::types::Value;
use futures_util::future::{BoxFuture, FutureExt as _, OptionFuture};
use tokio::{
    sync::{Notify, oneshot},
    time::{sleep, sleep_until},
};

use crate::{
    held_tasks::{ClaimedTask, HeldTasks, OUTAGE_RETRY_INTERVAL},
    node::{Node, hints_key, lua_count, lua_millis},
    scripts::CLAIM,
    task_meta::unexpected,
};

/// How long the loop waits for a hint before it claims without one.
const HINT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a worker leaves hints to others after it could not claim any of a shard's tasks.
const YIELD_TIME: Duration = Duration::from_millis(20);

/// Owns the script threads that wait for a task, and the claims that wait for a thread.
pub(crate) struct ClaimLoop {
    node: Arc<Node>,
    held: Arc<HeldTasks>,
    /// Wakes the loop: a thread waits, this process can run more, or a task was announced.
    wake: Arc<Notify>,
    /// Signals that a thread waits for the first time.
    started: Notify,
    state: Mutex<ClaimState>,
}

#[derive(Default)]
struct ClaimState {
    /// Threads that wait for a task.
    waiting: VecDeque<oneshot::Sender<Claim>>,
    /// Claims that wait for a thread.
    ready: VecDeque<Claim>,
    /// Set once a thread has waited.
    is_started: bool,
    /// Shards in which tasks of our circles were announced.
    announced: BTreeSet<u16>,
}

/// The loop's knowledge of where tasks may be.
#[derive(Default)]
struct TaskSearch {
    /// Shards that may have tasks.
    shards: ShardQueue,
    /// Shards with tasks that this process cannot run now.
    passed_over: BTreeSet<u16>,
    /// The number of the last claim. Redis answers a claim that is sent twice with the same tasks.
    claim: u64,
    /// Hints are left to other workers until then.
    yield_until: Option<Instant>,
}

/// Shards in the order in which they are asked for tasks, each once.
#[derive(Default)]
struct ShardQueue(VecDeque<u16>);

impl ShardQueue {
    fn extend(&mut self, shards: impl IntoIterator<Item = u16>) {
        for shard in shards {
            if !self.0.contains(&shard) {
                self.0.push_back(shard);
            }
        }
    }

    fn next(&mut self) -> Option<u16> {
        self.0.pop_front()
    }
}

/// A blocking wait for a hint. Dropping it would lose a hint that Redis hands out later, so it always runs to its end.
type AwaitedHint<'a> = OptionFuture<BoxFuture<'a, Result<Option<String>, Error>>>;

impl ClaimLoop {
    pub(crate) fn new(node: &Arc<Node>, held: Arc<HeldTasks>, wake: Arc<Notify>) -> Self {
        Self { node: node.clone(), held, wake, started: Notify::new(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, ClaimState> {
        lock(&self.state)
    }

    /// Returns whether this process runs tasks.
    pub(crate) fn is_started(&self) -> bool {
        self.lock().is_started
    }

    /// Returns once a thread waits for the first time.
    pub(crate) async fn started(&self) {
        self.started.notified().await;
    }

    /// Waits for a task to run.
    pub(crate) async fn next(&self) -> Result<Claim, Error> {
        let receiver = {
            let mut state = self.lock();
            if self.node.is_closing() {
                return Err(Error::Closed);
            }
            if !std::mem::replace(&mut state.is_started, true) {
                self.started.notify_one();
            }
            if let Some(claim) = state.ready.pop_front() {
                drop(state);
                self.held.start(claim.task().id);
                self.wake.notify_one();
                return Ok(claim);
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push_back(sender);
            receiver
        };
        self.wake.notify_one();
        receiver.await.map_err(|_| Error::Closed)
    }

    /// Hands a claim to a thread that waits, or keeps it for the next one.
    pub(crate) fn hand_over(&self, mut claim: Claim) {
        loop {
            let thread = {
                let mut state = self.lock();
                match state.waiting.pop_front() {
                    Some(thread) => thread,
                    // Dropped outside of the lock, the claim returns to the queue.
                    None if self.node.is_closing() => break,
                    None => {
                        state.ready.push_back(claim);
                        return;
                    }
                }
            };
            self.held.start(claim.task().id);
            match thread.send(claim) {
                Ok(()) => return,
                Err(unsent) => claim = unsent,
            }
        }
    }

    /// Returns whether a fast-path play may take a script thread. Half of the threads without a queued task are kept
    /// free.
    pub(crate) fn has_fast_path_room(&self) -> bool {
        let waiting = {
            let mut state = self.lock();
            state.waiting.retain(|thread| !thread.is_closed());
            state.waiting.len()
        };
        waiting > self.held.fast_path_plays()
    }

    /// Handles the announcement that a pool has tasks in a shard.
    pub(crate) fn on_announcement(&self, shard: &str, pool: &Value) {
        if let Some(shard) = self.node.parse_shard_key(shard)
            && pool.as_str().is_some_and(|pool| *pool == *self.node.config.pool)
        {
            self.lock().announced.insert(shard);
            self.wake.notify_one();
        }
    }

    /// Ends the waits of all threads, and returns the claims that wait for one to the queue.
    pub(crate) fn close(&self) {
        let (waiting, ready) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.ready))
        };
        drop(waiting);
        drop(ready);
    }

    /// Claims tasks until the store closes.
    pub(crate) async fn run(self: Arc<Self>) {
        let shards = self.own_shards();
        let hints = hints_key(&self.node.config.pool);
        let mut search = TaskSearch::default();
        search.shards.extend(shards.iter().copied());
        let mut hint: AwaitedHint<'_> = None.into();
        let mut awaits_hint = false;
        while !self.node.is_closing() {
            let capacity = self.capacity();
            if capacity > 0
                && let Some(shard) = search.shards.next()
            {
                self.claim_from(shard, capacity, &hints, &mut search).await;
                continue;
            }
            if capacity == 0 && self.takes_hints() {
                self.pass_on(&mut search.shards).await;
            }
            let now = Instant::now();
            search.yield_until = search.yield_until.filter(|until| *until > now);
            if capacity > 0 && !awaits_hint && search.yield_until.is_none() && self.takes_hints() {
                hint = Some(self.node.client.await_hint(&hints, HINT_TIMEOUT).boxed()).into();
                awaits_hint = true;
            }
            let retry_at = search.yield_until.unwrap_or(now + HINT_TIMEOUT);
            tokio::select! {
                Some(found) = &mut hint, if awaits_hint => {
                    awaits_hint = false;
                    match found {
                        Ok(Some(shard)) => search.shards.extend(self.node.parse_shard(&shard)),
                        // A hint may have been lost.
                        Ok(None) => search.shards.extend(shards.iter().copied()),
                        Err(_) => {
                            search.shards.extend(shards.iter().copied());
                            sleep(OUTAGE_RETRY_INTERVAL).await;
                        }
                    }
                }
                () = self.wake.notified() => {
                    search.shards.extend(std::mem::take(&mut search.passed_over));
                    search.shards.extend(std::mem::take(&mut self.lock().announced));
                }
                () = sleep_until(retry_at.into()), if capacity > 0 && !awaits_hint => {
                    if !self.takes_hints() {
                        search.shards.extend(shards.iter().copied());
                    }
                }
                () = self.node.closing.cancelled() => return,
            }
        }
    }

    /// How many tasks may be claimed now: one for each thread that waits, and those that run within
    /// `RedisConfig::claim_ahead`.
    fn capacity(&self) -> usize {
        let load = self.held.load();
        let mut state = self.lock();
        state.waiting.retain(|thread| !thread.is_closed());
        let ahead = if state.is_started {
            load.play_time.plays_in(self.node.config.claim_ahead).saturating_sub(state.ready.len())
        } else {
            0
        };
        load.claimable(state.waiting.len() + ahead, self.node.config.running_limit)
    }

    /// The shards of the circles whose tasks this process claims.
    fn own_shards(&self) -> BTreeSet<u16> {
        match &self.node.config.only_circles[..] {
            [] => (0..self.node.shards).collect(),
            only => only.iter().map(|circle| self.node.shard_of(circle)).collect(),
        }
    }

    /// Returns whether this worker takes the hints of its pool. One that claims for some circles only listens for
    /// announcements in their shards instead.
    fn takes_hints(&self) -> bool {
        self.node.config.only_circles.is_empty()
    }

    /// Leaves the shards to other workers, which may have room.
    async fn pass_on(&self, shards: &mut ShardQueue) {
        while let Some(shard) = shards.next() {
            self.node.hint(&self.node.config.pool, shard).await.ok();
        }
    }

    async fn claim_from(&self, shard: u16, capacity: usize, hints: &str, search: &mut TaskSearch) {
        search.claim += 1;
        let hints = async {
            if self.takes_hints() {
                self.node.client.take_hints(hints).await.unwrap_or_default()
            } else {
                Vec::new()
            }
        };
        let (claimed, hints) = tokio::join!(self.claim(shard, search.claim, capacity), hints);
        search.shards.extend(hints.iter().filter_map(|hint| self.node.parse_shard(hint)));
        match claimed {
            Ok((left, 0)) if left > 0 => {
                search.passed_over.insert(shard);
                if self.takes_hints() {
                    search.yield_until = Some(Instant::now() + YIELD_TIME);
                    self.node.hint(&self.node.config.pool, shard).await.ok();
                }
            }
            Ok((left, _)) if left > 0 => search.shards.extend([shard]),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "cannot claim tasks");
                search.shards.extend([shard]);
                sleep(OUTAGE_RETRY_INTERVAL).await;
            }
        }
    }

    /// Claims tasks of a shard. Returns how many are left there, and how many were claimed.
    async fn claim(&self, shard: u16, number: u64, limit: usize) -> Result<(i64, usize), Error> {
        let args = self.claim_args(shard, number, limit);
        let answer: Vec<Value> = match self.node.run(&CLAIM, shard, args.clone()).await {
            // The script may have run. A claim of the same number returns the same tasks.
            Err(Error::Unavailable(_)) => self.node.run(&CLAIM, shard, args).await?,
            other => other?,
        };
        let mut answer = answer.into_iter();
        let left = answer.next().and_then(|left| left.as_i64()).ok_or_else(|| unexpected("a claim"))?;
        let mut count = 0;
        for task in answer {
            let task = parse_claimed(task)?;
            count += 1;
            self.hand_over(self.held.hold(shard, task)?);
        }
        Ok((left, count))
    }

    fn claim_args(&self, shard: u16, number: u64, limit: usize) -> Vec<Value> {
        let config = &self.node.config;
        let greedy = self.held.load().greedy_circles(config.running_limit);
        let mut args = vec![
            Value::from(self.node.id.clone()),
            number.to_string().into(),
            lua_count(limit).into(),
            lua_millis(config.lease).into(),
            config.pool.clone().into(),
            lua_count(greedy.len()).into(),
        ];
        let only = config.only_circles.iter().filter(|circle| self.node.shard_of(circle) == shard);
        args.extend(greedy.iter().chain(only).map(|circle| Value::from(circle.to_string())));
        args
    }
}

/// Reads a task as `claim.lua` hands it out.
fn parse_claimed(task: Value) -> Result<ClaimedTask, Error> {
    let (_, epoch, left, watchers, body): (String, String, u64, Vec<String>, String) =
        task.convert().map_err(|_| unexpected("a claim"))?;
    let task: Task = serde_json::from_str(&body).map_err(|_| unexpected("a task"))?;
    Ok(ClaimedTask { epoch, time_left: Duration::from_millis(left), watchers, task })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_take_turns_and_wait_once() {
        let mut queue = ShardQueue::default();
        queue.extend([3, 1, 3]);
        assert_eq!(queue.next(), Some(3));
        queue.extend([1, 3]);
        assert_eq!([queue.next(), queue.next(), queue.next()], [Some(1), Some(3), None]);
    }
}

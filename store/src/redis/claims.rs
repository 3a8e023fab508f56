//! The tasks that this process runs: taken, kept by renewing their lease, and given back.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use circles_api::CircleId;
use fred::types::Value;
use futures_util::future::{BoxFuture, FutureExt as _, OptionFuture};
use tokio::sync::{Notify, broadcast, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    known::{garbled, whole_millis},
    lease::{Held, Place},
    link::Messages,
    scripts::{CLAIM, REAP, RENEW, SEAL},
    tickets::MISSED,
};
use crate::{Claim, Error, LogLine, Task, TaskId, WatchEvent};

/// How long to wait for a hint before looking round without one.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between attempts while Redis is away.
const AGAIN: Duration = Duration::from_millis(200);

/// A task that this process runs.
pub struct Holding {
    shard: u16,
    epoch: String,
    circle: CircleId,
    interrupt: CancellationToken,
    lines: Arc<Lines>,
}

/// What a play logs, for those who watch.
#[derive(Default)]
pub struct Lines {
    written: Mutex<Written>,
    news: Notify,
}

#[derive(Default)]
struct Written {
    /// How often the script was begun anew.
    run: u32,
    lines: Vec<LogLine>,
}

impl Lines {
    fn change(&self, change: impl FnOnce(&mut Written)) {
        change(&mut self.written());
        self.news.notify_waiters();
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who reads what a play logs.
pub struct Reader {
    lines: Arc<Lines>,
    run: u32,
    line: usize,
}

impl Reader {
    /// What comes next. Nothing is lost if it is dropped.
    pub async fn next(&mut self) -> WatchEvent {
        let lines = self.lines.clone();
        loop {
            let mut news = std::pin::pin!(lines.news.notified());
            news.as_mut().enable();
            if let Some(event) = self.step() {
                return event;
            }
            news.await;
        }
    }

    fn step(&mut self) -> Option<WatchEvent> {
        let written = self.lines.written();
        if written.run != self.run {
            (self.run, self.line) = (written.run, 0);
            return Some(WatchEvent::Restarted);
        }
        let next = written.lines.get(self.line).cloned();
        self.line += usize::from(next.is_some());
        next.map(WatchEvent::Logged)
    }
}

impl Holding {
    pub fn log(&self, line: &LogLine) {
        self.lines.change(|written| written.lines.push(line.clone()));
    }

    pub fn restart(&self) {
        self.lines.change(|written| {
            written.run += 1;
            written.lines.clear();
        });
    }
}

/// Shards in the order in which they are asked for tasks, each once.
#[derive(Default)]
struct Turns(VecDeque<u16>);

impl Turns {
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

impl Shared {
    /// Begins what goes on as long as the process does.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<(), Error> {
        let channels = vec![format!("circles:server:{}", self.me), format!("circles:worker:{}", self.me)];
        let messages = self.link.subscribe(channels).await?;
        self.tracker.spawn(self.clone().hear(messages));
        self.tracker.spawn(self.clone().take());
        self.tracker.spawn(self.clone().every(MISSED, |shared| async move { shared.catch_up(MISSED).await }));
        self.tracker.spawn(self.clone().every(self.config.lease / 3, |shared| async move { shared.renew().await }));
        self.tracker.spawn(self.clone().every(self.config.lease / 2, |shared| async move { shared.reap().await }));
        Ok(())
    }

    async fn every<F: Future<Output = ()>>(self: Arc<Self>, period: Duration, act: impl Fn(Arc<Self>) -> F) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if self.is_done() {
                return;
            }
            act(self.clone()).await;
        }
    }

    /// Whether nothing is taken, run or awaited any more.
    fn is_done(&self) -> bool {
        let state = self.lock();
        self.closing.is_cancelled() && state.holding.is_empty() && state.waiting.is_empty()
    }

    /// Heeds what is published to this process.
    async fn hear(self: Arc<Self>, mut messages: Messages) {
        let server = format!("circles:server:{}", self.me);
        loop {
            let message = match tokio::time::timeout(PATIENCE, messages.recv()).await {
                Ok(Ok(message)) => message,
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => {
                    self.catch_up(Duration::ZERO).await;
                    continue;
                }
                Ok(Err(broadcast::error::RecvError::Closed)) => return,
                Err(_) if self.is_done() => return,
                Err(_) => continue,
            };
            if message.channel == server {
                self.hear_answers(&message.value);
            } else if let Some(id) = message.value.as_str()
                && let Ok(id) = id.parse::<TaskId>()
                && let Some(holding) = self.lock().holding.get(&id)
            {
                holding.interrupt.cancel();
            }
        }
    }

    fn hear_answers(&self, message: &Value) {
        let bytes = message.as_bytes().unwrap_or_default();
        let Ok((shard, told)) = rmp_serde::from_slice::<(String, Vec<String>)>(bytes) else {
            tracing::error!("a message in Redis is not one of ours");
            return;
        };
        let Some(shard) = self.shard_named(&shard) else { return };
        for pair in told.chunks_exact(2) {
            if let [id, outcome] = pair {
                self.told(shard, id, outcome);
            }
        }
    }

    fn shard_named(&self, key: &str) -> Option<u16> {
        let number = key.strip_prefix("circles:{")?.strip_suffix('}')?;
        number.parse().ok().filter(|shard| *shard < self.shards)
    }

    /// What a task logs here, as far as anybody asks.
    fn lines(&self, id: TaskId) -> Arc<Lines> {
        let state = self.lock();
        if let Some(lines) = state.holding.get(&id).map(|holding| holding.lines.clone()) {
            return lines;
        }
        if let Some(lines) = state.lines.get(&id).and_then(Weak::upgrade) {
            return lines;
        }
        Arc::default()
    }

    /// Reads what a task logs here, from its first line on.
    pub(super) fn lines_of(&self, id: TaskId) -> Reader {
        let lines = self.lines(id);
        let mut state = self.lock();
        state.lines.retain(|_, lines| lines.strong_count() > 0);
        state.lines.insert(id, Arc::downgrade(&lines));
        Reader { lines, run: 0, line: 0 }
    }

    /// Says to one of a pool who waits that there may be tasks in a shard.
    pub(super) async fn hint(&self, pool: &str, shard: u16) -> Result<(), Error> {
        self.link.hint(&Self::wake_key(pool), &shard.to_string()).await
    }

    /// Waits for a task to run.
    pub(super) async fn next(&self) -> Result<Claim, Error> {
        let receiver = {
            let mut state = self.lock();
            if self.closing.is_cancelled() {
                return Err(Error::Closed);
            }
            let (sender, receiver) = oneshot::channel();
            state.claimers.push_back(sender);
            receiver
        };
        self.wanted.notify_one();
        receiver.await.map_err(|_| Error::Closed)
    }

    /// How many wait for a task.
    fn claimers(&self) -> usize {
        let mut state = self.lock();
        state.claimers.retain(|claimer| !claimer.is_closed());
        state.claimers.len()
    }

    /// Takes tasks for those who wait, never more than there are.
    async fn take(self: Arc<Self>) {
        // Shards that are known to have tasks, in turn; those whose tasks are not for us now.
        let (mut ready, mut passed_over) = (Turns::default(), BTreeSet::new());
        let mut number = 0_u64;
        let wake = Self::wake_key(&self.config.pool);
        // A blocking command that is given up may still take a hint: it is awaited to its end.
        let mut hint: OptionFuture<BoxFuture<'_, Result<Option<String>, Error>>> = None.into();
        let mut hint_is_awaited = false;
        while !self.closing.is_cancelled() {
            let free = self.claimers() > 0 && self.lock().going_back == 0;
            let next = if free { ready.next() } else { None };
            let Some(shard) = next else {
                if free && !hint_is_awaited {
                    hint = Some(self.link.await_hint(&wake, PATIENCE).boxed()).into();
                    hint_is_awaited = true;
                }
                tokio::select! {
                    Some(found) = &mut hint, if hint_is_awaited => {
                        hint_is_awaited = false;
                        match found {
                            Ok(Some(found)) => ready.extend(self.shard_hinted(&found)),
                            // A hint that was lost costs this while.
                            Ok(None) if free => ready.extend(0..self.shards),
                            Ok(None) => {}
                            Err(_) => tokio::time::sleep(AGAIN).await,
                        }
                    }
                    // Somebody waits for a task, or let go of one: others of its circle may be taken.
                    () = self.wanted.notified() => ready.extend(std::mem::take(&mut passed_over)),
                    () = self.closing.cancelled() => return,
                }
                if self.claimers() == 0 {
                    // Others may be free.
                    for shard in std::mem::take(&mut ready).0 {
                        self.hint(&self.config.pool, shard).await.ok();
                    }
                }
                continue;
            };
            let most = self.claimers().max(1);
            number += 1;
            let (claimed, hints) =
                tokio::join!(self.claim_of(shard, number, most), self.link.take_hints(&wake));
            ready.extend(hints.unwrap_or_default().iter().filter_map(|hint| self.shard_hinted(hint)));
            match claimed {
                Ok((left, 0)) if left > 0 => {
                    passed_over.insert(shard);
                }
                Ok((left, _)) if left > 0 => ready.extend([shard]),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "no tasks can be taken");
                    ready.extend([shard]);
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    fn shard_hinted(&self, hint: &str) -> Option<u16> {
        hint.parse().ok().filter(|shard| *shard < self.shards)
    }

    /// Takes tasks of a shard; how many are left there, and how many were taken.
    async fn claim_of(self: &Arc<Self>, shard: u16, number: u64, most: usize) -> Result<(i64, usize), Error> {
        let passed = self.greedy_circles();
        let mut args = vec![
            Value::from(self.me.clone()),
            number.to_string().into(),
            i64::try_from(most).unwrap_or(i64::MAX).into(),
            i64::try_from(whole_millis(self.config.lease)).unwrap_or(i64::MAX).into(),
            self.config.pool.clone().into(),
            i64::try_from(passed.len()).unwrap_or(i64::MAX).into(),
        ];
        let only = self.config.only.iter().filter(|circle| self.shard_of(circle) == shard);
        args.extend(passed.iter().chain(only).map(|circle| Value::from(circle.to_string())));
        let answer: Vec<Value> = match self.run(&CLAIM, shard, args.clone()).await {
            // Claimed or not, the same claim brings the same tasks.
            Err(Error::Unavailable(_)) => self.run(&CLAIM, shard, args).await?,
            other => other?,
        };
        let mut answer = answer.into_iter();
        let left = answer.next().and_then(|left| left.as_i64()).ok_or_else(|| garbled("a claim"))?;
        let mut taken = 0;
        for task in answer {
            let (_, epoch, left, _watchers, body): (String, String, u64, Vec<String>, String) =
                task.convert().map_err(|_| garbled("a claim"))?;
            let task: Task = serde_json::from_str(&body).map_err(|_| garbled("a task"))?;
            taken += 1;
            let deadline = Instant::now() + Duration::from_millis(left);
            let interrupt = CancellationToken::new();
            let lines = self.lines(task.id);
            let circle = task.circle;
            let holding = Holding { shard, epoch: epoch.clone(), circle, interrupt: interrupt.clone(), lines };
            self.lock().holding.insert(task.id, holding);
            self.hand_over(self.claimed(task, deadline, interrupt, Place::Queue(epoch)));
        }
        Ok((left, taken))
    }

    /// Gives a claim to one who waits; if all have gone, dropping it gives the task back.
    fn hand_over(&self, mut claim: Claim) {
        loop {
            let next = self.lock().claimers.pop_front();
            let Some(claimer) = next else { return };
            match claimer.send(claim) {
                Ok(()) => return,
                Err(again) => claim = again,
            }
        }
    }

    pub(super) fn claimed(
        self: &Arc<Self>,
        task: Task,
        deadline: Instant,
        interrupt: CancellationToken,
        place: Place,
    ) -> Claim {
        let task = Arc::new(task);
        let held = Held {
            shared: self.clone(),
            task: task.clone(),
            deadline,
            place,
            view: Mutex::new(None),
            marked: Mutex::new(false),
            overtaken: 0,
            right_of_way: None,
        };
        Claim::new(task, deadline, interrupt, Box::new(held))
    }

    /// Circles that have as many tasks under way here as there is room left for: the dynamic threshold of the
    /// embedded store's queue.
    fn greedy_circles(&self) -> Vec<CircleId> {
        let state = self.lock();
        let mut counts: HashMap<CircleId, usize> = HashMap::new();
        for holding in state.holding.values() {
            *counts.entry(holding.circle).or_default() += 1;
        }
        let room = self.config.running_limit.saturating_sub(state.holding.len());
        counts.into_iter().filter(|(_, count)| *count >= room).map(|(circle, _)| circle).collect()
    }

    /// Gives a task back that was not settled.
    pub(super) fn give_back(self: &Arc<Self>, task: &Arc<Task>, epoch: String) {
        let (shared, task) = (self.clone(), task.clone());
        self.lock().going_back += 1;
        // Held until Redis knows, so that the process waits for it when it ends.
        self.tracker.spawn_on(
            async move {
                let shard = shared.shard_of(&task.circle);
                let until = Instant::now() + shared.config.lease;
                let pair = [task.id.to_string(), epoch];
                while let Err(error) = shared.renew_shard(shard, &pair).await {
                    if Instant::now() > until {
                        tracing::warn!(%error, task = %task.id, "a task waits for its lease to end");
                        break;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                shared.restarted(&task);
                shared.lock().going_back -= 1;
                shared.let_go(&task, false);
                shared.hint(&shared.config.pool, shard).await.ok();
            },
            &self.runtime,
        );
    }

    /// Renews the leases of all that this process holds.
    async fn renew(self: Arc<Self>) {
        let shards: HashSet<u16> = self.lock().holding.values().map(|holding| holding.shard).collect();
        for shard in shards {
            if let Err(error) = self.renew_shard(shard, &[]).await {
                tracing::debug!(%error, "a lease cannot be renewed");
            }
        }
    }

    /// Renews the lease of a shard, and interrupts what is not ours any more or not wanted.
    async fn renew_shard(&self, shard: u16, give_back: &[String]) -> Result<(), Error> {
        let before: Vec<(TaskId, String)> = {
            let state = self.lock();
            let held = state.holding.iter().filter(|(_, holding)| holding.shard == shard);
            held.map(|(id, holding)| (*id, holding.epoch.clone())).collect()
        };
        let lease = i64::try_from(whole_millis(self.config.lease)).unwrap_or(i64::MAX);
        let mut args = vec![Value::from(self.me.clone()), lease.into()];
        args.extend(give_back.iter().map(|text| Value::from(text.as_str())));
        let holds: Vec<(String, String, i64, Vec<String>)> = self.run(&RENEW, shard, args).await?;
        let holds: HashMap<(String, String), i64> =
            holds.into_iter().map(|(id, epoch, cancelled, _)| ((id, epoch), cancelled)).collect();
        for (id, epoch) in before {
            let still = holds.get(&(id.to_string(), epoch.clone()));
            if still != Some(&0)
                && let Some(holding) = self.lock().holding.get(&id)
                && holding.epoch == epoch
            {
                holding.interrupt.cancel();
            }
        }
        Ok(())
    }

    /// Takes tasks from workers that have gone, and seals what they left unsealed. One process does it at a time.
    async fn reap(self: Arc<Self>) {
        let turn = self.link.reserve("circles:reaper", &self.me, self.config.lease / 2).await;
        if !matches!(turn, Ok(true)) {
            return;
        }
        for shard in 0..self.shards {
            if let Err(error) = self.look_after(shard).await {
                tracing::debug!(%error, "a shard cannot be looked after");
                return;
            }
        }
    }

    async fn look_after(&self, shard: u16) -> Result<(), Error> {
        let (back, lost, pools): (i64, i64, Vec<String>) = self.run(&REAP, shard, Vec::new()).await?;
        if back + lost > 0 {
            tracing::warn!(back, lost, "took tasks from a worker that has gone");
        }
        // Who took a hint may have gone with it.
        for pool in pools {
            self.hint(&pool, shard).await?;
        }
        let unsealed: Vec<String> = self.run(&SEAL, shard, Vec::new()).await?;
        for circle in unsealed {
            self.seal(&circle.parse().map_err(|_| garbled("a circle"))?).await?;
        }
        Ok(())
    }
}

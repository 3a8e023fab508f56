//! Takes tasks for those here who run them.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use circles_api::CircleId;
use futures_util::future::{BoxFuture, FutureExt as _, OptionFuture};
use tokio::{sync::oneshot, time::sleep_until};

use super::{Local, Shared, lease::AGAIN};
use circles_store::{Claim, Error, TaskId};

/// How long to wait for a hint before looking round without one.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// Who passes tasks over lets others have hints for so long.
const AFTER_YOU: Duration = Duration::from_millis(20);
/// Of how long a play takes, the last one counts so much.
const NEWS: f64 = 0.2;

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

impl Local {
    /// A task's script could begin.
    pub(super) fn begins(&mut self, id: TaskId) {
        if let Some(holding) = self.holding.get_mut(&id) {
            holding.begin();
        }
    }

    /// How many tasks of each circle this process runs.
    fn counts(&self) -> HashMap<CircleId, usize> {
        let mut counts = self.attempts.clone();
        for holding in self.holding.values() {
            *counts.entry(holding.circle).or_default() += 1;
        }
        counts
    }

    /// Changes how many plays of a circle are tried here.
    pub(super) fn attempts_of(&mut self, circle: &CircleId, change: impl FnOnce(usize) -> usize) {
        match change(self.attempts.get(circle).copied().unwrap_or(0)) {
            0 => drop(self.attempts.remove(circle)),
            count => drop(self.attempts.insert(*circle, count)),
        }
    }

    /// How many plays this process runs, or is about to.
    fn running(&self) -> usize {
        self.holding.len() + self.attempts.values().sum::<usize>()
    }

    /// Whether a play may be tried on a thread of scripts: half of those that run nothing from the queue are kept free
    /// for it.
    pub(super) fn has_room_to_try(&mut self) -> bool {
        self.claimers.retain(|claimer| !claimer.is_closed());
        self.claimers.len() > self.attempts.values().sum()
    }

    /// Takes note of how long a play took.
    pub(super) fn took(&mut self, time: Duration) {
        self.pace += (time.as_secs_f64().min(1.0) - self.pace) * NEWS;
    }
}

/// Where the next tasks may come from.
#[derive(Default)]
struct Taking {
    /// Shards that are known to have tasks.
    turns: Turns,
    /// Those whose tasks are not for us now.
    passed_over: BTreeSet<u16>,
    /// How many claims there have been.
    number: u64,
    /// Others are to have the next hints until then.
    after_you: Option<Instant>,
}

type Hint<'a> = OptionFuture<BoxFuture<'a, Result<Option<String>, Error>>>;

impl Shared {
    /// Waits for a task to run.
    pub(super) async fn next(&self) -> Result<Claim, Error> {
        let receiver = {
            let mut state = self.lock();
            if self.closing.is_cancelled() {
                return Err(Error::Closed);
            }
            if !std::mem::replace(&mut state.takes, true) {
                self.takes_now.notify_one();
            }
            if let Some(claim) = state.ready.pop_front() {
                state.begins(claim.task().id);
                drop(state);
                self.wanted.notify_one();
                return Ok(claim);
            }
            let (sender, receiver) = oneshot::channel();
            state.claimers.push_back(sender);
            receiver
        };
        self.wanted.notify_one();
        receiver.await.map_err(|_| Error::Closed)
    }

    /// How many tasks may be claimed now: one for each who waits, and those that will be run within
    /// `RedisConfig::ahead`.
    fn room(&self) -> usize {
        let mut state = self.lock();
        state.claimers.retain(|claimer| !claimer.is_closed());
        if state.going_back > 0 {
            return 0;
        }
        // Far below what a number can hold, and none if there is no pace.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let ahead = (self.config.ahead.as_secs_f64() / state.pace.max(1e-9)) as usize;
        let ahead = if state.takes { ahead.saturating_sub(state.ready.len()) } else { 0 };
        let free = self.config.running_limit.saturating_sub(state.running());
        // No circle is to have more than half of what may run.
        let most_of_one = state.counts().into_values().max().unwrap_or(0);
        let fair = free.saturating_sub(most_of_one).div_ceil(2).max(1);
        (state.claimers.len() + ahead).min(free).min(fair)
    }

    /// The shards whose tasks this process may take.
    fn shards_to_take(&self) -> BTreeSet<u16> {
        match &self.config.only[..] {
            [] => (0..self.shards).collect(),
            only => only.iter().map(|circle| self.shard_of(circle)).collect(),
        }
    }

    /// Takes tasks for those who run them.
    pub(super) async fn take(self: Arc<Self>) {
        let shards = self.shards_to_take();
        let wake = Self::wake_key(&self.config.pool);
        let mut taking = Taking::default();
        taking.turns.extend(shards.iter().copied());
        // A blocking command that is given up may still take a hint: it is awaited to its end.
        let mut hint: Hint<'_> = None.into();
        let mut hint_is_awaited = false;
        while !self.closing.is_cancelled() {
            let room = self.room();
            if room > 0
                && let Some(shard) = taking.turns.next()
            {
                self.take_from(shard, room, &wake, &mut taking).await;
                continue;
            }
            if room == 0 && self.takes_any() {
                // Others may be free.
                for shard in std::mem::take(&mut taking.turns).0 {
                    self.hint(&self.config.pool, shard).await.ok();
                }
            }
            let now = Instant::now();
            taking.after_you = taking.after_you.filter(|until| *until > now);
            if room > 0 && !hint_is_awaited && taking.after_you.is_none() && self.takes_any() {
                hint = Some(self.link.await_hint(&wake, PATIENCE).boxed()).into();
                hint_is_awaited = true;
            }
            let look_again = taking.after_you.unwrap_or(now + PATIENCE);
            tokio::select! {
                Some(found) = &mut hint, if hint_is_awaited => {
                    hint_is_awaited = false;
                    match found {
                        Ok(Some(found)) => taking.turns.extend(self.shard_hinted(&found)),
                        // A hint may have been lost.
                        Ok(None) => taking.turns.extend(shards.iter().copied()),
                        Err(_) => {
                            taking.turns.extend(shards.iter().copied());
                            tokio::time::sleep(AGAIN).await;
                        }
                    }
                }
                () = self.wanted.notified() => {
                    // Somebody waits for a task, or let go of one: others of its circle may be taken.
                    taking.turns.extend(std::mem::take(&mut taking.passed_over));
                    taking.turns.extend(std::mem::take(&mut self.lock().hinted));
                }
                () = sleep_until(look_again.into()), if room > 0 && !hint_is_awaited => {
                    if !self.takes_any() {
                        taking.turns.extend(shards.iter().copied());
                    }
                }
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Whether hints are for us; else what is published in our circles' shards is.
    pub(super) fn takes_any(&self) -> bool {
        self.config.only.is_empty()
    }

    async fn take_from(self: &Arc<Self>, shard: u16, room: usize, wake: &str, taking: &mut Taking) {
        taking.number += 1;
        let hints = async {
            if self.takes_any() { self.link.take_hints(wake).await.unwrap_or_default() } else { Vec::new() }
        };
        let (claimed, hints) = tokio::join!(self.claim_of(shard, taking.number, room), hints);
        taking.turns.extend(hints.iter().filter_map(|hint| self.shard_hinted(hint)));
        match claimed {
            Ok((left, 0)) if left > 0 => {
                taking.passed_over.insert(shard);
                if self.takes_any() {
                    taking.after_you = Some(Instant::now() + AFTER_YOU);
                    self.hint(&self.config.pool, shard).await.ok();
                }
            }
            Ok((left, _)) if left > 0 => taking.turns.extend([shard]),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "no tasks can be taken");
                taking.turns.extend([shard]);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    fn shard_hinted(&self, hint: &str) -> Option<u16> {
        hint.parse().ok().filter(|shard| *shard < self.shards)
    }

    /// Circles that have as many tasks under way here as there is room left for: the dynamic threshold of the
    /// embedded store's queue.
    pub(super) fn greedy_circles(&self) -> Vec<CircleId> {
        let state = self.lock();
        let room = self.config.running_limit.saturating_sub(state.running());
        state.counts().into_iter().filter(|(_, count)| *count >= room).map(|(circle, _)| circle).collect()
    }
}

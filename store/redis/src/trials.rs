//! Plays that workers try where they arrive, past all queues.
//!
//! Trying a play changes nothing, so that nothing is kept of it: it may get lost, come twice or too late. A worker runs
//! it at once if it is sure to be short (see [`InlineRunner`]), and else on a thread of scripts that is free, where it may
//! read as well (see [`Attempt`]). Workers say in a channel that they try plays. A server hands them some in a
//! message, and is answered in another. Who hears nothing for a while, or that it was in vain, submits the play as if
//! nothing had been. While a message is under way the next one gathers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use circles_api::CircleId;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    attempt::{self, Attempt, Tell},
    vain::Vain,
};
use circles_store::{Claim, InlineRunner, Kind, Outcome, Source, Task};

/// How often workers say that they try plays, and how long that holds.
const OFFER_EVERY: Duration = Duration::from_secs(1);
const OFFER_HOLDS: Duration = Duration::from_secs(3);
/// Scripts beyond are not short, and would hold up the others in their message.
const SCRIPT_BYTES: usize = 4 << 10;
/// How many bytes a play may have on its way.
const PLAY_BYTES: usize = 16 << 10;
/// And how many on the way back.
const OUTCOME_BYTES: usize = 64 << 10;
/// How many plays go in one message.
const TOGETHER: usize = 64;
/// How many may be under way to one worker.
const UNDER_WAY: usize = 1_024;
/// How many outcomes may wait to be told.
const OUTCOMES: usize = 10_000;

/// Where the workers of a database say that they try plays.
pub fn offers_channel(database: &str) -> String {
    format!("circles:trials:{database}")
}

/// Where a worker is handed plays to try.
pub fn plays_channel(worker: &str) -> String {
    format!("circles:trials:plays:{worker}")
}

/// Where a server is told what came of them.
pub fn outcomes_channel(server: &str) -> String {
    format!("circles:trials:outcomes:{server}")
}

/// What a worker says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Offer {
    worker: String,
    /// As in [`RedisConfig`](super::RedisConfig).
    pool: String,
    only: Vec<CircleId>,
    /// Not any more.
    goes: bool,
}

/// What came of a play.
#[derive(Debug, Serialize, Deserialize)]
enum Tried {
    /// It has ended.
    Ended(Outcome),
    /// It cannot be tried.
    InVain,
    /// No thread is free.
    NoRoom,
}

/// A worker that tries plays.
struct Trier {
    offer: Offer,
    heard: Instant,
    /// Those who wait for it.
    waiting: HashMap<u64, oneshot::Sender<Tried>>,
    /// Plays on their way to it.
    plays: mpsc::Sender<Vec<u8>>,
}

impl Trier {
    fn serves(&self, circle: &CircleId, pool: &str) -> bool {
        let Offer { only, pool: own, .. } = &self.offer;
        own == pool && (only.is_empty() || only.contains(circle)) && self.waiting.len() < UNDER_WAY
    }
}

/// Workers that try plays, and plays that are tried.
#[derive(Default)]
pub struct Trials {
    triers: Mutex<HashMap<String, Trier>>,
    number: AtomicU64,
    vain: Vain,
}

/// What a process needs that tries plays.
pub struct Trying {
    trial: Arc<dyn InlineRunner>,
    /// For whom, and what they are told.
    outcomes: mpsc::Sender<(Arc<str>, Vec<u8>)>,
}

impl Trials {
    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Trier>> {
        self.triers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many workers are known to try plays.
    pub fn triers(&self) -> usize {
        self.lock().len()
    }

    /// Who waits for a worker that does not answer is to wait no more.
    pub fn forget(&self, worker: &str) {
        self.lock().remove(worker);
    }

    /// Whether anybody waits for a worker that tries a play.
    pub fn is_awaited(&self) -> bool {
        self.lock().values().any(|trier| !trier.waiting.is_empty())
    }

    /// Nobody waits any more.
    pub fn end(&self) {
        self.lock().clear();
    }

    /// Hands a play to the worker of its pool that has the least to do, if there is one; what comes of it.
    fn hand(&self, task: &Task, pool: &str) -> Option<Asked<'_>> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let play = rmp_serde::to_vec(&(number, task)).ok().filter(|play| play.len() <= PLAY_BYTES)?;
        let (sender, outcome) = oneshot::channel();
        let mut triers = self.lock();
        let able = triers.iter_mut().filter(|(_, trier)| trier.serves(&task.circle, pool));
        let (worker, trier) = able.min_by_key(|(_, trier)| trier.waiting.len())?;
        // There is room for all that may be under way.
        trier.plays.try_send(play).ok()?;
        trier.waiting.insert(number, sender);
        let worker = worker.clone();
        Some(Asked { trials: self, worker, number, outcome })
    }
}

/// A play that is tried by a worker.
struct Asked<'a> {
    trials: &'a Trials,
    worker: String,
    number: u64,
    outcome: oneshot::Receiver<Tried>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(trier) = self.trials.lock().get_mut(&self.worker) {
            trier.waiting.remove(&self.number);
        }
    }
}

impl Shared {
    /// Whether tasks of a circle may be run by this process.
    fn serves(&self, circle: &CircleId) -> bool {
        let only = &self.config.only;
        self.config.pool == self.pool_of(circle) && (only.is_empty() || only.contains(circle))
    }

    /// Has a play tried, here or by a worker, if it may be short. `None`: nothing has happened.
    pub(super) async fn attempt(&self, task: &Task) -> Option<Outcome> {
        if task.kind != Kind::Play || task.is_remembered() || task.timeout < 2 * self.config.silence {
            return None;
        }
        let Source::Script(script) = &task.source else { return None };
        if let Some(trying) = self.trying.get().filter(|_| self.serves(&task.circle)) {
            return trying.trial.try_inline(task);
        }
        if script.len() > SCRIPT_BYTES {
            return None;
        }
        let place = self.trials.vain.of(&task.circle, script).filter(|place| place.is_worth_it())?;
        let mut asked = self.trials.hand(task, self.pool_of(&task.circle))?;
        match timeout(self.config.silence, &mut asked.outcome).await {
            Ok(Ok(Tried::Ended(outcome))) => {
                place.succeeded();
                Some(outcome)
            }
            Ok(Ok(Tried::InVain)) => {
                place.failed();
                None
            }
            // Or its worker has gone, or Redis.
            Ok(Ok(Tried::NoRoom) | Err(_)) => None,
            Err(_) => {
                self.trials.forget(&asked.worker);
                None
            }
        }
    }

    /// Says again and again that plays are tried here, and at last that they are not any more.
    pub(super) async fn offer(self: Arc<Self>) {
        let mut ticks = interval(OFFER_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let goes = tokio::select! {
                _ = ticks.tick() => false,
                () = self.closing.cancelled() => true,
            };
            let Self { me, config, .. } = &*self;
            let offer =
                Offer { worker: me.clone(), pool: config.pool.clone(), only: config.only.clone(), goes };
            let Ok(message) = rmp_serde::to_vec(&offer) else { return };
            if let Err(error) = self.link.publish(&offers_channel(&self.database), message).await {
                tracing::debug!(%error, "servers cannot be told that plays are tried here");
            }
            if goes {
                return;
            }
        }
    }

    /// Takes note of who tries plays.
    pub(super) fn hear_offer(self: &Arc<Self>, message: &[u8]) {
        let Ok(offer) = rmp_serde::from_slice::<Offer>(message) else {
            tracing::error!("an offer in Redis is not one of ours");
            return;
        };
        if offer.goes || offer.worker == self.me {
            return self.trials.forget(&offer.worker);
        }
        if self.closing.is_cancelled() {
            return;
        }
        let heard = Instant::now();
        let mut triers = self.trials.lock();
        triers.retain(|worker, trier| *worker == offer.worker || trier.heard.elapsed() < OFFER_HOLDS);
        if let Some(trier) = triers.get_mut(&offer.worker) {
            trier.heard = heard;
            return;
        }
        let (plays, receiver) = mpsc::channel(UNDER_WAY);
        self.tracker.spawn(self.clone().carry(offer.worker.clone(), receiver));
        triers.insert(offer.worker.clone(), Trier { offer, heard, waiting: HashMap::new(), plays });
    }

    /// Carries plays to a worker until it is forgotten.
    async fn carry(self: Arc<Self>, worker: String, mut plays: mpsc::Receiver<Vec<u8>>) {
        let channel = plays_channel(&worker);
        let mut gathered = Vec::new();
        while plays.recv_many(&mut gathered, TOGETHER).await > 0 {
            let Ok(mut message) = rmp_serde::to_vec(&self.me) else { return };
            message.extend(gathered.drain(..).flatten());
            if let Err(error) = self.link.publish(&channel, message).await {
                tracing::debug!(%error, worker, "plays cannot be handed to a worker");
                self.trials.forget(&worker);
            }
        }
    }

    /// Begins to try plays.
    pub(super) fn try_with(self: &Arc<Self>, trial: Arc<dyn InlineRunner>) {
        let (outcomes, receiver) = mpsc::channel(OUTCOMES);
        if self.trying.set(Trying { trial, outcomes }).is_ok() {
            self.tracker.spawn_on(self.clone().offer(), &self.runtime);
            self.tracker.spawn_on(self.clone().tell_outcomes(receiver), &self.runtime);
        }
    }

    /// Tries plays that a server handed over; none if this process is about to go.
    pub(super) fn hear_plays(self: &Arc<Self>, mut message: &[u8]) {
        let Some(trying) = self.trying.get() else { return };
        let Ok(server) = rmp_serde::from_read::<_, String>(&mut message) else {
            tracing::error!("plays in Redis are not ours");
            return;
        };
        let (server, closing, mut outcomes) =
            (Arc::<str>::from(server), self.closing.is_cancelled(), Vec::new());
        while !message.is_empty() {
            let Ok((number, task)) = rmp_serde::from_read::<_, (u64, Task)>(&mut message) else {
                tracing::error!("a play in Redis is not one of ours");
                break;
            };
            let outcome = if closing { None } else { trying.trial.try_inline(&task) };
            let tried = match outcome {
                Some(outcome) => Some(Tried::Ended(outcome)),
                None => (closing || !self.lock().has_room_to_try()).then_some(Tried::NoRoom),
            };
            if let Some(tried) = tried {
                outcomes.extend(encoded(number, &tried));
                continue;
            }
            let (tells, server) = (trying.outcomes.clone(), server.clone());
            self.run_attempt(
                task,
                Box::new(move |outcome| {
                    // Who hears nothing has its play queued.
                    let tried = outcome.map_or(Tried::InVain, Tried::Ended);
                    let _ = tells.try_send((server, encoded(number, &tried)));
                }),
            );
        }
        if !outcomes.is_empty() {
            let _ = trying.outcomes.try_send((server, outcomes));
        }
    }

    fn run_attempt(self: &Arc<Self>, task: Task, tell: Tell) {
        let task = Arc::new(task);
        let attempt = Attempt::new(self, &task, tell);
        let deadline = Instant::now() + attempt::TIME;
        self.hand_over(Claim::new(task, deadline, CancellationToken::new(), Box::new(attempt)));
    }

    /// Tells servers what came of plays.
    async fn tell_outcomes(self: Arc<Self>, mut outcomes: mpsc::Receiver<(Arc<str>, Vec<u8>)>) {
        let mut gathered = Vec::new();
        loop {
            let some = tokio::select! {
                some = outcomes.recv_many(&mut gathered, TOGETHER) => some,
                () = self.over.cancelled() => return,
            };
            if some == 0 {
                return;
            }
            let mut messages: HashMap<Arc<str>, Vec<u8>> = HashMap::new();
            for (server, outcomes) in gathered.drain(..) {
                let name = || rmp_serde::to_vec(&self.me).unwrap_or_default();
                messages.entry(server).or_insert_with(name).extend(outcomes);
            }
            for (server, message) in messages {
                if let Err(error) = self.link.publish(&outcomes_channel(&server), message).await {
                    tracing::debug!(%error, %server, "what came of plays cannot be told");
                }
            }
        }
    }

    /// Hands on what came of trials.
    pub(super) fn hear_outcomes(&self, mut message: &[u8]) {
        let mut told = Vec::new();
        let Ok(worker) = rmp_serde::from_read::<_, String>(&mut message) else {
            tracing::error!("outcomes in Redis are not ours");
            return;
        };
        while !message.is_empty() {
            match rmp_serde::from_read::<_, (u64, Tried)>(&mut message) {
                Ok(outcome) => told.push(outcome),
                Err(error) => {
                    tracing::error!(%error, "an outcome in Redis is not one of ours");
                    break;
                }
            }
        }
        let mut triers = self.trials.lock();
        let Some(trier) = triers.get_mut(&worker) else { return };
        for (number, outcome) in told {
            if let Some(waiting) = trier.waiting.remove(&number) {
                // A caller that no longer waits has dropped its end.
                let _ = waiting.send(outcome);
            }
        }
    }
}

/// What a server is told of a play. One that left very much is better kept, and so queued.
fn encoded(number: u64, tried: &Tried) -> Vec<u8> {
    let encoded = rmp_serde::to_vec(&(number, tried)).unwrap_or_default();
    if encoded.len() <= OUTCOME_BYTES {
        return encoded;
    }
    rmp_serde::to_vec(&(number, Tried::InVain)).unwrap_or_default()
}

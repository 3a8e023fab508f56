//! What goes on as long as the process does: leases are renewed, what others left is looked after, records are
//! sealed, and what is published to this process is heeded.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Weak},
    time::Duration,
};

use fred::types::Value;
use tokio::sync::broadcast;

use super::{
    Shared,
    claims::lines_channel,
    known::{garbled, whole_millis},
    lines::Part,
    link::Messages,
    scripts::{REAP, RENEW, SEAL},
    take::PATIENCE,
    tickets::MISSED,
    trials::{offers_channel, outcomes_channel, plays_channel},
};
use circles_store::{Error, TaskId};

/// Behind a shard's name: the channel in which tasks are announced.
const HINT: &str = ":hint";
/// Records are sealed together that were written within this while.
const GATHER: Duration = Duration::from_millis(50);

/// A task held in a shard: its name, the epoch of its claim, whether it was cancelled, and who watches it.
type Held = (String, String, i64, Vec<String>);

impl Shared {
    /// Begins what goes on as long as the process does.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<(), Error> {
        let mut channels = vec![
            format!("circles:server:{}", self.me),
            format!("circles:worker:{}", self.me),
            lines_channel(&self.me),
            offers_channel(&self.database),
            plays_channel(&self.me),
            outcomes_channel(&self.me),
        ];
        let shards: BTreeSet<u16> = self.config.only.iter().map(|circle| self.shard_of(circle)).collect();
        channels.extend(shards.into_iter().map(|shard| Self::shard_key(shard) + HINT));
        let messages = self.link.subscribe(channels).await?;
        self.tracker.spawn(self.clone().hear(messages));
        self.tracker.spawn(self.clone().take());
        self.tracker.spawn(self.clone().seal_all());
        self.tracker.spawn(self.clone().be_present());
        self.tracker.spawn(self.clone().every(MISSED, |shared| async move {
            tokio::join!(shared.look_after_contents(), shared.catch_up(MISSED));
        }));
        self.tracker
            .spawn(self.clone().every(self.config.lease / 3, |shared| async move { shared.renew().await }));
        self.tracker
            .spawn(self.clone().every(self.config.lease / 2, |shared| async move { shared.reap().await }));
        Ok(())
    }

    async fn every<F: Future<Output = ()>>(self: Arc<Self>, period: Duration, act: impl Fn(Arc<Self>) -> F) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.over.cancelled() => return,
            }
            act(self.clone()).await;
        }
    }

    /// Whether nothing is taken, run or awaited any more.
    fn is_done(&self) -> bool {
        if !self.closing.is_cancelled() || self.trials.is_awaited() {
            return false;
        }
        let state = self.lock();
        state.holding.is_empty() && state.waiting.is_empty()
    }

    /// Heeds what is published to this process.
    async fn hear(self: Arc<Self>, mut messages: Messages) {
        let server = format!("circles:server:{}", self.me);
        let lines = lines_channel(&self.me);
        let (plays, outcomes) = (plays_channel(&self.me), outcomes_channel(&self.me));
        let offers = offers_channel(&self.database);
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
            } else if message.channel == plays {
                self.hear_plays(message.value.as_bytes().unwrap_or_default());
            } else if message.channel == outcomes {
                self.hear_outcomes(message.value.as_bytes().unwrap_or_default());
            } else if message.channel == offers {
                self.hear_offer(message.value.as_bytes().unwrap_or_default());
            } else if message.channel == lines {
                self.hear_lines(&message.value);
            } else if let Some(shard) = message.channel.strip_suffix(HINT) {
                self.hear_hint(shard, &message.value);
            } else if let Some(text) = message.value.as_str() {
                self.hear_order(&text);
            }
        }
    }

    /// A task that runs here is to end, or to be shown to another process.
    fn hear_order(self: &Arc<Self>, text: &str) {
        let mut words = text.split(' ');
        let order = (words.next(), words.next(), words.next());
        let mut state = self.lock();
        match order {
            (Some("watch"), Some(id), Some(server)) => {
                if let Ok(id) = id.parse::<TaskId>()
                    && let Some(holding) = state.holding.get_mut(&id)
                {
                    holding.show(self, id, server.to_owned());
                }
            }
            (Some(id), None, None) => {
                if let Some(holding) = id.parse().ok().and_then(|id: TaskId| state.holding.get(&id)) {
                    holding.interrupt.cancel();
                }
            }
            _ => tracing::error!("an order in Redis is not one of ours"),
        }
    }

    fn hear_hint(&self, shard: &str, pool: &Value) {
        if let Some(shard) = self.shard_named(shard)
            && pool.as_str().is_some_and(|pool| *pool == *self.config.pool)
        {
            self.lock().hinted.insert(shard);
            self.wanted.notify_one();
        }
    }

    fn hear_lines(self: &Arc<Self>, message: &Value) {
        let bytes = message.as_bytes().unwrap_or_default();
        let Ok((id, part)) = rmp_serde::from_slice::<(String, Part)>(bytes) else {
            tracing::error!("lines in Redis are not ours");
            return;
        };
        let Ok(id) = id.parse::<TaskId>() else { return };
        let Some(lines) = self.lock().lines.get(&id).and_then(Weak::upgrade) else { return };
        if !lines.add(part) {
            self.ask_for_lines(id);
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

    /// Says to one of a pool who waits that there may be tasks in a shard.
    pub(super) async fn hint(&self, pool: &str, shard: u16) -> Result<(), Error> {
        self.link.hint(&Self::wake_key(pool), &shard.to_string()).await
    }

    /// Tells Redis that tasks are taken here: when the first is asked for, again and again, and when no more are.
    async fn be_present(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.config.lease / 3);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let goes = tokio::select! {
                () = self.takes_now.notified() => false,
                _ = ticks.tick() => false,
                () = self.closing.cancelled() => true,
            };
            self.show_presence(if goes { Duration::ZERO } else { self.config.lease }).await;
            if goes {
                return;
            }
        }
    }

    /// Tells Redis that tasks are taken here for so long, if they are.
    pub(super) async fn show_presence(&self, time: Duration) {
        if self.lock().takes
            && let Err(error) = self.present(&self.me, time).await
        {
            tracing::debug!(%error, "Redis cannot be told that this worker is here");
        }
    }

    /// Renews the leases of all that this process holds.
    pub(super) async fn renew(self: Arc<Self>) {
        let shards: HashSet<u16> = self.lock().holding.values().map(|holding| holding.shard).collect();
        for shard in shards {
            if let Err(error) = self.renew_shard(shard, &[]).await {
                tracing::debug!(%error, "a lease cannot be renewed");
            }
        }
    }

    /// Renews the lease of a shard, or gives tasks back, each with its epoch. Interrupts what is not ours any more
    /// or not wanted.
    pub(super) async fn renew_shard(self: &Arc<Self>, shard: u16, give_back: &[String]) -> Result<(), Error> {
        let before: Vec<(TaskId, String)> = {
            let state = self.lock();
            let held = state.holding.iter().filter(|(_, holding)| holding.shard == shard);
            held.map(|(id, holding)| (*id, holding.epoch.clone())).collect()
        };
        let lease = i64::try_from(whole_millis(self.config.lease)).unwrap_or(i64::MAX);
        let mut args = vec![Value::from(self.me.clone()), lease.into()];
        args.extend(give_back.iter().map(|text| Value::from(text.as_str())));
        let holds: Vec<Held> = self.run(&RENEW, shard, args).await?;
        let stray = self.compare(shard, before, holds);
        if !stray.is_empty() {
            let mut args = vec![Value::from(self.me.clone()), lease.into()];
            args.extend(stray.into_iter().map(Value::from));
            self.run::<Value>(&RENEW, shard, args).await?;
        }
        Ok(())
    }

    /// Heeds what Redis says of the tasks held in a shard. Returns those that are to be given back, each with its
    /// epoch: what was claimed and never came here would be held for ever.
    fn compare(self: &Arc<Self>, shard: u16, before: Vec<(TaskId, String)>, holds: Vec<Held>) -> Vec<String> {
        let mut holds: HashMap<(String, String), (i64, Vec<String>)> = holds
            .into_iter()
            .map(|(id, epoch, cancelled, watchers)| ((id, epoch), (cancelled, watchers)))
            .collect();
        let mut state = self.lock();
        for (id, epoch) in before {
            let held = holds.remove(&(id.to_string(), epoch.clone()));
            let Some(holding) = state.holding.get_mut(&id).filter(|holding| holding.epoch == epoch) else {
                continue;
            };
            let Some((0, watchers)) = held else {
                holding.interrupt.cancel();
                continue;
            };
            for server in watchers {
                if !holding.is_shown_to(&server) {
                    holding.show(self, id, server);
                }
            }
        }
        // A claim that is under way now is known the next time.
        let unknown: HashSet<(String, String)> = holds.into_keys().collect();
        let before = state.unknown.insert(shard, unknown.clone()).unwrap_or_default();
        unknown.intersection(&before).flat_map(|(id, epoch)| [id.clone(), epoch.clone()]).collect()
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
        let mut has_more = 1;
        // In small steps, between which others have their turn.
        while has_more != 0 {
            let (back, lost, pools, more): (i64, i64, Vec<String>, i64) =
                self.run(&REAP, shard, Vec::new()).await?;
            if back + lost > 0 {
                tracing::warn!(back, lost, "took tasks from a worker that has gone");
            }
            // Who took a hint may have gone with it.
            for pool in pools {
                self.hint(&pool, shard).await?;
            }
            has_more = more;
        }
        let unsealed: Vec<String> = self.run(&SEAL, shard, Vec::new()).await?;
        for circle in unsealed {
            self.seal(&circle.parse().map_err(|_| garbled("a circle"))?).await?;
        }
        Ok(())
    }

    /// Seals records that plays here have left.
    async fn seal_all(self: Arc<Self>) {
        loop {
            if tokio::time::timeout(PATIENCE, self.unsealed.notified()).await.is_err() && self.is_done() {
                return;
            }
            tokio::time::sleep(GATHER).await;
            let circles = std::mem::take(&mut self.lock().to_seal);
            for circle in circles {
                if let Err(error) = self.seal(&circle).await {
                    tracing::debug!(%error, "records wait for their seals");
                    self.lock().to_seal.insert(circle);
                }
            }
        }
    }
}

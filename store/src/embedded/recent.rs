use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use circles_api::CircleId;

use super::{Config, entry::Entry};
use crate::{Caller, Task};

/// Who called what, where: the same key of another caller, or in another circle, is another key.
pub(super) type Key = (CircleId, Caller, Box<str>);

pub(super) fn key_of(task: &Task) -> Option<Key> {
    task.idempotency_key.clone().map(|key| (task.circle, task.caller.clone(), key))
}

/// Calls with an idempotency key, so that one made again is answered and not run.
///
/// Kept in memory, bounded in number, bytes and age, the oldest forgotten first.
#[derive(Default)]
pub(super) struct Recent {
    calls: HashMap<Key, Call>,
    /// Oldest first. A key stands here as often as it was inserted; `since` tells which one is meant.
    ages: VecDeque<(Instant, Key)>,
    bytes: usize,
}

struct Call {
    entry: Arc<Entry>,
    since: Instant,
    bytes: usize,
}

impl Recent {
    pub(super) fn get(&self, key: &Key, now: Instant, config: &Config) -> Option<Arc<Entry>> {
        let call = self.calls.get(key)?;
        (now.saturating_duration_since(call.since) < config.recent_for).then(|| call.entry.clone())
    }

    pub(super) fn insert(&mut self, key: Key, entry: Arc<Entry>, now: Instant, config: &Config) {
        let bytes = entry.size();
        self.bytes += bytes;
        if let Some(old) = self.calls.insert(key.clone(), Call { entry, since: now, bytes }) {
            self.bytes -= old.bytes;
        }
        self.ages.push_back((now, key));
        self.shrink(now, config);
    }

    /// Counts what a call keeps now that it has ended.
    pub(super) fn resize(&mut self, entry: &Arc<Entry>, now: Instant, config: &Config) {
        let Some(call) = key_of(entry.task()).and_then(|key| self.calls.get_mut(&key)) else { return };
        if Arc::ptr_eq(&call.entry, entry) {
            let bytes = entry.size();
            self.bytes = self.bytes - call.bytes + bytes;
            call.bytes = bytes;
            self.shrink(now, config);
        }
    }

    fn shrink(&mut self, now: Instant, config: &Config) {
        while let Some((since, _)) = self.ages.front() {
            let stale = now.saturating_duration_since(*since) >= config.recent_for;
            if !stale && self.calls.len() <= config.recent_limit && self.bytes <= config.recent_bytes {
                break;
            }
            let Some((since, key)) = self.ages.pop_front() else { break };
            if self.calls.get(&key).is_some_and(|call| call.since == since)
                && let Some(call) = self.calls.remove(&key)
            {
                self.bytes -= call.bytes;
            }
        }
    }
}

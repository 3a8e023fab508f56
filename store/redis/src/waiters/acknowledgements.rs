//! Outcomes that have reached this process, so that Redis may delete them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use circles_store::sync::lock;

/// The most outcomes that are acknowledged at a time: Lua takes no more than some thousand values.
const ACKNOWLEDGED_TASKS: usize = 1_000;

/// The tasks to acknowledge, by shard.
#[derive(Default)]
pub(super) struct Acknowledgements(Mutex<HashMap<u16, Vec<String>>>);

impl Acknowledgements {
    fn lock(&self) -> MutexGuard<'_, HashMap<u16, Vec<String>>> {
        lock(&self.0)
    }

    pub(super) fn add(&self, shard: u16, id: &str) {
        self.lock().entry(shard).or_default().push(id.to_owned());
    }

    /// Puts tasks back whose acknowledgement did not reach Redis.
    pub(super) fn put_back(&self, shard: u16, ids: Vec<String>) {
        self.lock().entry(shard).or_default().extend(ids);
    }

    /// Takes as many of a shard's tasks as go in one script.
    pub(super) fn take(&self, shard: u16) -> Vec<String> {
        let mut shards = self.lock();
        let Some(all) = shards.get_mut(&shard) else { return Vec::new() };
        let taken = all.split_off(all.len().saturating_sub(ACKNOWLEDGED_TASKS));
        if all.is_empty() {
            shards.remove(&shard);
        }
        taken
    }

    /// The shards with tasks to acknowledge.
    pub(super) fn shards(&self) -> Vec<u16> {
        self.lock().keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_leave_in_bounded_batches() {
        let acknowledgements = Acknowledgements::default();
        for id in 0..ACKNOWLEDGED_TASKS + 2 {
            acknowledgements.add(3, &id.to_string());
        }
        let first = acknowledgements.take(3);
        assert_eq!(first.len(), ACKNOWLEDGED_TASKS);
        assert_eq!(acknowledgements.shards(), [3]);
        assert_eq!(acknowledgements.take(3), ["0", "1"]);
        assert!(acknowledgements.shards().is_empty() && acknowledgements.take(3).is_empty());
        acknowledgements.put_back(3, first);
        assert_eq!(acknowledgements.take(3).len(), ACKNOWLEDGED_TASKS);
    }
}

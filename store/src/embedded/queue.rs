use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use circles_api::CircleId;

use super::entry::Entry;

/// Tasks that wait: first come, first served within a circle, circles in turn.
#[derive(Default)]
pub(super) struct Queue {
    circles: HashMap<CircleId, BTreeMap<i64, Arc<Entry>>>,
    /// Each circle that has a task waiting, once.
    turns: VecDeque<CircleId>,
    len: usize,
    next: i64,
}

impl Queue {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len_of(&self, circle: &CircleId) -> usize {
        self.circles.get(circle).map_or(0, BTreeMap::len)
    }

    pub(super) fn push_back(&mut self, entry: Arc<Entry>) {
        self.next += 1;
        self.insert(self.next, entry);
    }

    /// Puts a task that was claimed before those that were not.
    pub(super) fn push_front(&mut self, entry: Arc<Entry>) {
        self.next += 1;
        self.insert(-self.next, entry);
    }

    pub(super) fn pop(&mut self) -> Option<Arc<Entry>> {
        while let Some(circle) = self.turns.pop_front() {
            let Some(waiting) = self.circles.get_mut(&circle) else { continue };
            let first = waiting.pop_first();
            if waiting.is_empty() {
                self.circles.remove(&circle);
            } else {
                self.turns.push_back(circle);
            }
            if let Some((_, entry)) = first {
                self.len -= 1;
                return Some(entry);
            }
        }
        None
    }

    /// Takes out a task that ended while it waited.
    pub(super) fn remove(&mut self, entry: &Entry) {
        // An emptied circle keeps its turn until `pop` passes it over, so that this stays logarithmic.
        if let Some(waiting) = self.circles.get_mut(&entry.task().circle)
            && waiting.remove(&entry.place()).is_some()
        {
            self.len -= 1;
        }
    }

    pub(super) fn drain(&mut self) -> Vec<Arc<Entry>> {
        self.turns.clear();
        self.len = 0;
        std::mem::take(&mut self.circles).into_values().flat_map(BTreeMap::into_values).collect()
    }

    fn insert(&mut self, place: i64, entry: Arc<Entry>) {
        entry.set_place(place);
        let circle = entry.task().circle;
        let waiting = self.circles.entry(circle).or_insert_with(|| {
            self.turns.push_back(circle);
            BTreeMap::new()
        });
        waiting.insert(place, entry);
        self.len += 1;
    }
}

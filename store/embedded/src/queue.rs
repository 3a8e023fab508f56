use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use circles_api::CircleId;

use super::entry::Entry;

/// Tasks that wait: first come, first served within a circle, circles in turn.
///
/// A circle that has as many tasks under way as there is room left for waits until one ends: one circle gets
/// half of the room, two a third each, and there is always some for one that comes later (the dynamic
/// threshold of Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998, with α = 1).
pub(super) struct Queue {
    /// How many tasks may be under way.
    room: usize,
    /// How many are, by circle.
    claimed: HashMap<CircleId, usize>,
    claimed_of_all: usize,
    circles: HashMap<CircleId, Waiting>,
    /// Each circle that has a task waiting, once.
    turns: VecDeque<CircleId>,
    len: usize,
    /// Bytes of memory that all of them hold.
    bytes: usize,
    next: i64,
}

/// The tasks of one circle, by their places.
#[derive(Default)]
struct Waiting {
    entries: BTreeMap<i64, Arc<Entry>>,
    bytes: usize,
}

impl Queue {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            claimed: HashMap::new(),
            claimed_of_all: 0,
            circles: HashMap::new(),
            turns: VecDeque::new(),
            len: 0,
            bytes: 0,
            next: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len_of(&self, circle: &CircleId) -> usize {
        self.circles.get(circle).map_or(0, |waiting| waiting.entries.len())
    }

    /// Bytes of memory that the waiting tasks hold, of all circles and of one.
    pub(super) fn bytes(&self, circle: &CircleId) -> (usize, usize) {
        (self.bytes, self.circles.get(circle).map_or(0, |waiting| waiting.bytes))
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

    /// Takes the task whose turn it is, and counts it as under way until [`Queue::release`].
    pub(super) fn pop(&mut self) -> Option<Arc<Entry>> {
        for _ in 0..self.turns.len() {
            let circle = self.turns.pop_front()?;
            let Some(waiting) = self.circles.get_mut(&circle) else { continue };
            let claimed = self.claimed.get(&circle).copied().unwrap_or_default();
            let may = claimed < self.room.saturating_sub(self.claimed_of_all);
            let first = if may { waiting.entries.pop_first() } else { None };
            if let Some((_, entry)) = &first {
                waiting.bytes -= entry.bytes();
                self.bytes -= entry.bytes();
            }
            if waiting.entries.is_empty() {
                self.circles.remove(&circle);
            } else {
                self.turns.push_back(circle);
            }
            if let Some((_, entry)) = first {
                self.len -= 1;
                *self.claimed.entry(circle).or_default() += 1;
                self.claimed_of_all += 1;
                return Some(entry);
            }
        }
        None
    }

    /// A task that was taken is no longer under way.
    pub(super) fn release(&mut self, circle: &CircleId) {
        if let Some(claimed) = self.claimed.get_mut(circle) {
            *claimed -= 1;
            self.claimed_of_all -= 1;
            if *claimed == 0 {
                self.claimed.remove(circle);
            }
        }
    }

    /// Takes out a task that ended while it waited.
    pub(super) fn remove(&mut self, entry: &Entry) {
        // An emptied circle keeps its turn until `pop` passes it over, so that this stays logarithmic.
        if let Some(waiting) = self.circles.get_mut(&entry.task().circle)
            && waiting.entries.remove(&entry.place()).is_some()
        {
            waiting.bytes -= entry.bytes();
            self.bytes -= entry.bytes();
            self.len -= 1;
        }
    }

    pub(super) fn drain(&mut self) -> Vec<Arc<Entry>> {
        self.turns.clear();
        (self.len, self.bytes) = (0, 0);
        let circles = std::mem::take(&mut self.circles).into_values();
        circles.flat_map(|waiting| waiting.entries.into_values()).collect()
    }

    fn insert(&mut self, place: i64, entry: Arc<Entry>) {
        entry.set_place(place);
        let circle = entry.task().circle;
        let waiting = self.circles.entry(circle).or_insert_with(|| {
            self.turns.push_back(circle);
            Waiting::default()
        });
        waiting.bytes += entry.bytes();
        self.bytes += entry.bytes();
        waiting.entries.insert(place, entry);
        self.len += 1;
    }
}

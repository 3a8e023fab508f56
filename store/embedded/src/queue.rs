use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use circles_api::CircleId;

use crate::live_task::LiveTask;

/// Queued tasks: first come, first served within a circle, circles in turn.
///
/// A circle that has as many running tasks as further tasks may run waits until one of them ends: one circle gets half
/// of the running limit, two get a third each, and there is always room for a further circle (the dynamic threshold of
/// Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998, with α = 1).
pub(crate) struct Queue {
    /// The most tasks that may run at a time.
    running_limit: usize,
    /// Running tasks by circle.
    running: HashMap<CircleId, usize>,
    running_total: usize,
    circles: HashMap<CircleId, CircleQueue>,
    /// Each circle with a queued task, once.
    turns: VecDeque<CircleId>,
    len: usize,
    /// Bytes of memory that all queued tasks hold.
    bytes: usize,
    next_position: i64,
}

/// The queued tasks of one circle, by position.
#[derive(Default)]
struct CircleQueue {
    tasks: BTreeMap<i64, Arc<LiveTask>>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn new(running_limit: usize) -> Self {
        Self {
            running_limit,
            running: HashMap::new(),
            running_total: 0,
            circles: HashMap::new(),
            turns: VecDeque::new(),
            len: 0,
            bytes: 0,
            next_position: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len_of(&self, circle: &CircleId) -> usize {
        self.circles.get(circle).map_or(0, |circle_queue| circle_queue.tasks.len())
    }

    /// Returns the bytes of memory that queued tasks hold, of all circles and of one.
    pub(crate) fn bytes(&self, circle: &CircleId) -> (usize, usize) {
        (self.bytes, self.circles.get(circle).map_or(0, |circle_queue| circle_queue.bytes))
    }

    pub(crate) fn push_back(&mut self, live: Arc<LiveTask>) {
        self.next_position += 1;
        self.insert(self.next_position, live);
    }

    /// Returns a claimed task to the queue, before the tasks that were not claimed.
    pub(crate) fn push_front(&mut self, live: Arc<LiveTask>) {
        self.next_position += 1;
        self.insert(-self.next_position, live);
    }

    /// Takes the next task, and counts it as running until [`Queue::release`].
    pub(crate) fn pop(&mut self) -> Option<Arc<LiveTask>> {
        for _ in 0..self.turns.len() {
            let circle = self.turns.pop_front()?;
            let Some(circle_queue) = self.circles.get_mut(&circle) else { continue };
            let running = self.running.get(&circle).copied().unwrap_or_default();
            let may_run = running < self.running_limit.saturating_sub(self.running_total);
            let first = if may_run { circle_queue.tasks.pop_first() } else { None };
            if let Some((_, live)) = &first {
                circle_queue.bytes -= live.bytes();
                self.bytes -= live.bytes();
            }
            if circle_queue.tasks.is_empty() {
                self.circles.remove(&circle);
            } else {
                self.turns.push_back(circle);
            }
            if let Some((_, live)) = first {
                self.len -= 1;
                *self.running.entry(circle).or_default() += 1;
                self.running_total += 1;
                return Some(live);
            }
        }
        None
    }

    /// Counts a task of this circle as no longer running.
    pub(crate) fn release(&mut self, circle: &CircleId) {
        if let Some(running) = self.running.get_mut(circle) {
            *running -= 1;
            self.running_total -= 1;
            if *running == 0 {
                self.running.remove(circle);
            }
        }
    }

    /// Removes a task that ended while it was queued.
    pub(crate) fn remove(&mut self, live: &LiveTask) {
        // A circle without tasks keeps its turn until `pop` skips it: removing it here would take linear time.
        if let Some(circle_queue) = self.circles.get_mut(&live.task().circle)
            && circle_queue.tasks.remove(&live.queue_position()).is_some()
        {
            circle_queue.bytes -= live.bytes();
            self.bytes -= live.bytes();
            self.len -= 1;
        }
    }

    pub(crate) fn drain(&mut self) -> Vec<Arc<LiveTask>> {
        self.turns.clear();
        (self.len, self.bytes) = (0, 0);
        let circles = std::mem::take(&mut self.circles).into_values();
        circles.flat_map(|circle_queue| circle_queue.tasks.into_values()).collect()
    }

    fn insert(&mut self, position: i64, live: Arc<LiveTask>) {
        live.set_queue_position(position);
        let circle = live.task().circle;
        let circle_queue = self.circles.entry(circle).or_insert_with(|| {
            self.turns.push_back(circle);
            CircleQueue::default()
        });
        circle_queue.bytes += live.bytes();
        self.bytes += live.bytes();
        circle_queue.tasks.insert(position, live);
        self.len += 1;
    }
}

//! How much is remembered for callers: tasks that were submitted or carry an idempotency key.

use std::collections::HashMap;

use circles_api::CircleId;

/// How much one circle remembers.
///
/// No task is forgotten before its time to make room: once a share is full, further calls that need it are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tasks of one caller.
    pub caller_tasks: u64,
    /// Bytes of the outcomes of these tasks. Tasks accepted before the share was full may fill it once more; of later
    /// ones only the end is remembered, without the outcome.
    pub caller_bytes: u64,
    /// Tasks of all guests together: callers that no access list names, and that may use any number of keys.
    pub guest_tasks: u64,
    /// Bytes of the outcomes of the guests' tasks, with the same rule as for one caller.
    pub guest_bytes: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            // One call in two seconds, all day.
            caller_tasks: 50_000,
            caller_bytes: 64 << 20,
            // Some 300 MiB of Redis, or of a file.
            guest_tasks: 200_000,
            guest_bytes: 256 << 20,
        }
    }
}

/// How much each circle remembers.
#[derive(Clone, Debug, Default)]
pub struct Quotas {
    /// The quota of circles without one of their own.
    pub others: Quota,
    /// Quotas by circle.
    pub circles: HashMap<CircleId, Quota>,
}

impl Quotas {
    /// Returns how much a circle remembers.
    pub fn of(&self, circle: &CircleId) -> &Quota {
        self.circles.get(circle).unwrap_or(&self.others)
    }
}

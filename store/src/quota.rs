//! How much is remembered for callers: tasks that were submitted or carry an idempotency key.

use std::collections::HashMap;

use circles_api::CircleId;

/// How much one circle remembers.
///
/// Nothing is forgotten before its time to make room: once a share is full, calls that would need it are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tasks of one caller.
    pub caller_tasks: u64,
    /// Bytes of what these left. What was accepted before they were full may fill them once more; what does not fit
    /// then is not kept, though that it ended is.
    pub caller_bytes: u64,
    /// Tasks of all guests together: callers that no access list names, who come with as many keys as they like.
    pub guest_tasks: u64,
    /// Bytes of what these left, as those of one caller.
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
    /// Circles that are not named here.
    pub others: Quota,
    /// By circle.
    pub circles: HashMap<CircleId, Quota>,
}

impl Quotas {
    /// How much a circle remembers.
    pub fn of(&self, circle: &CircleId) -> &Quota {
        self.circles.get(circle).unwrap_or(&self.others)
    }
}

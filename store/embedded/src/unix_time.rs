//! Times in milliseconds, as files and records hold them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns milliseconds of Unix time; 0 for times before 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, whole_millis)
}

/// Returns a duration in milliseconds, at most `u64::MAX`.
pub(crate) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the time that is so many milliseconds after 1970.
pub(crate) fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

//! Decisions that every store makes alike when a play ends: what is stored of it, for how long, and whether it is run
//! again. The steps that carry a decision out differ: the embedded store takes them in Rust, the Redis store in Lua.

use std::time::{Duration, Instant};

use crate::{
    claim::Settlement,
    outcome::{Failure, Outcome},
    task::{Kind, State, Task},
};

/// How often a play is run again after a conflict, as the interface promises.
pub const CONFLICT_RETRIES: u32 = 5;

/// A task ends as lost when its process has died this often while the task ran: the task may be the cause. The Redis
/// store counts deaths of workers alike, as `DEATHS` in `lua/shared.lua`.
pub const MAX_CRASHES: usize = 2;

/// How long a forbidden submitted task is remembered, so that its submitter learns why. Short, since callers without
/// any permission can submit as many as they like.
const FORBIDDEN_RETENTION: Duration = Duration::from_secs(60);

/// The parts of a play's end that a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettlePlan {
    /// Set if the circle's provenance gets a record of the play: it wrote, had side effects, or was submitted.
    pub leaves_record: bool,
    /// For a refused play, how long it is remembered, without its idempotency key; zero means not at all. `None` for
    /// other plays, which are remembered as long as the store is configured to.
    pub refusal_retention: Option<Duration>,
}

impl SettlePlan {
    /// Decides what is kept of a play, and drops its writes unless it succeeded.
    pub fn new(task: &Task, settlement: &mut Settlement, remember_for: Duration) -> Self {
        if settlement.outcome.state() != State::Succeeded {
            settlement.writes.clear();
        }
        let is_submitted = matches!(task.kind, Kind::Submitted { .. });
        let is_forbidden = matches!(settlement.outcome, Outcome::Failed(Failure::Forbidden, _));
        Self {
            leaves_record: !settlement.writes.is_empty()
                || settlement.side_effects
                || is_submitted && !is_forbidden,
            refusal_retention: refusal_retention(task.kind, settlement, remember_for),
        }
    }

    /// Returns whether the end of this task is remembered.
    pub fn is_remembered(&self, task: &Task) -> bool {
        task.is_remembered() && self.refusal_retention != Some(Duration::ZERO)
    }
}

/// Returns how long a refused task is remembered; `None` if it was not refused. A refused play is not remembered: its
/// caller waits for the answer.
fn refusal_retention(kind: Kind, settlement: &Settlement, remember_for: Duration) -> Option<Duration> {
    if settlement.side_effects || !settlement.outcome.is_refusal() {
        return None;
    }
    Some(match (kind, &settlement.outcome) {
        (Kind::Play, _) => Duration::ZERO,
        (Kind::Submitted { .. }, Outcome::Failed(Failure::Forbidden, _)) => {
            FORBIDDEN_RETENTION.min(remember_for)
        }
        (Kind::Submitted { .. }, _) => remember_for,
    })
}

/// Counts the conflicts of one claim.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConflictCount(u32);

impl ConflictCount {
    /// Counts a conflict. Returns whether the play is run again: not after side effects, and at most
    /// [`CONFLICT_RETRIES`] times. Otherwise it ends as [`Failure::Conflict`].
    pub const fn may_retry(&mut self, side_effects: bool) -> bool {
        self.0 += 1;
        !side_effects && self.0 <= CONFLICT_RETRIES
    }
}

/// Returns whether the worker itself reports a conflict: the snapshot was too old to be read.
pub const fn is_conflict(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(Failure::Conflict, _))
}

/// Returns until when a play that is run again waits for the retry lock of its circle.
///
/// Each holder keeps the lock for one run, which ends by the holder's deadline. A nested play waits only for
/// `nested_wait`: the play that called it may hold the lock, and waits for the nested play.
pub fn retry_lock_deadline(task: &Task, deadline: Instant, nested_wait: Duration) -> Instant {
    if task.depth() == 0 { deadline } else { deadline.min(Instant::now() + nested_wait) }
}

/// Returns the outcome of a play whose writes exceed the size limit of its circle.
pub fn size_limit_exceeded() -> Outcome {
    Outcome::failed(Failure::Limit { limit: "database_bytes".to_owned() })
}

#[cfg(test)]
mod tests {
    use circles_api::CircleId;
    use serde_json::Value;

    use super::*;
    use crate::{
        outcome::{LogLevel, LogLine},
        task::{Caller, Source},
    };

    const REMEMBER_FOR: Duration = Duration::from_secs(3_600);

    fn task(kind: Kind) -> Task {
        let circle = CircleId::from_bytes([2; 33]).expect("a compressed point");
        let task = Task::new(circle, Caller::Anonymous, Source::script("1"), Value::Null, REMEMBER_FOR);
        Task { kind, ..task }
    }

    fn plan(kind: Kind, settlement: impl Into<Settlement>) -> SettlePlan {
        SettlePlan::new(&task(kind), &mut settlement.into(), REMEMBER_FOR)
    }

    #[test]
    fn forbidden_submission_is_remembered_briefly_without_record() {
        let line = LogLine { level: LogLevel::Info, text: "from the policy".to_owned() };
        for logs in [vec![], vec![line]] {
            let forbidden = Outcome::Failed(Failure::Forbidden, logs);
            let submitted = plan(Kind::Submitted { retries: 0 }, forbidden.clone());
            assert_eq!(
                (submitted.leaves_record, submitted.refusal_retention),
                (false, Some(FORBIDDEN_RETENTION))
            );
            let played = plan(Kind::Play, forbidden);
            assert_eq!((played.leaves_record, played.refusal_retention), (false, Some(Duration::ZERO)));
        }
    }

    #[test]
    fn side_effects_leave_record_and_are_no_refusal() {
        let outcome = Outcome::failed(Failure::Unavailable);
        let clean = plan(Kind::Play, outcome.clone());
        assert_eq!((clean.leaves_record, clean.refusal_retention), (false, Some(Duration::ZERO)));
        let reached = plan(Kind::Play, Settlement { side_effects: true, ..outcome.into() });
        assert_eq!((reached.leaves_record, reached.refusal_retention), (true, None));
    }

    #[test]
    fn failed_play_drops_its_writes() {
        let writes = || [("a".into(), Some("1".into()))].into_iter().collect();
        let mut failed = Settlement { writes: writes(), ..Outcome::cancelled().into() };
        assert!(!SettlePlan::new(&task(Kind::Play), &mut failed, REMEMBER_FOR).leaves_record);
        assert!(failed.writes.is_empty());
    }

    #[test]
    fn conflicts_allow_five_retries_and_none_after_side_effects() {
        let mut conflicts = ConflictCount::default();
        let retried = (0..10).take_while(|_| conflicts.may_retry(false)).count();
        assert_eq!(retried, 5);
        assert!(!ConflictCount::default().may_retry(true));
    }
}

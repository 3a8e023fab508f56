//! Shows that each rule is needed: without it a promise breaks.

use super::{
    check::broken_without,
    scenario::{Call, Kind, PLAY, Rule, Rules, Scenario},
};
use crate::{CONFLICTING, JOINED, NESTED, ONE, RETRIED};

const ENDS_ONCE: &str = "a task ends at most once";
const EFFECTS: &str = "the writes of a task are stored once if it succeeded, and not otherwise";
const NO_LOST_UPDATE: &str = "no write replaces a version that its writer has not read";
const SIDE_EFFECTS: &str = "a task with side effects is run again only as often as it has retries";
const RUNS_ONCE: &str = "calls of one key run once";
const ANSWERS_TRUE: &str = "a caller's answer is the outcome of the task";
const REASON: &str = "every cancellation, timeout and loss has its cause";
const DEADLY: &str = "a task with which two workers died is not run again";
const NOT_RUN: &str = "a cancelled task is not run again";
const LOST: &str = "no task is lost that its worker still runs";
const KNOWN: &str = "a worker keeps track of every claim that it runs";
const TERMINATES: &str = "finally every task has ended and every caller is answered";

const fn with(faults: u8, scenario: Scenario) -> Scenario {
    Scenario { faults, ..scenario }
}

/// Strays stay with their worker: the reply to a claim that it never receives is not released.
const STRAYS_STAY: Scenario = Scenario { rules: Rules::ALL.but(Rule::StraysAreReleased), ..ONE };

/// A task whose end no caller awaits.
const SUBMITTED: Scenario =
    Scenario { calls: &[Call { kind: Kind::Submitted { retries: 0 }, ..PLAY }], ..ONE };

macro_rules! broken {
    ($($name:ident: $rule:ident, $scenario:expr, $promise:expr;)*) => {
        $(
            #[test]
            fn $name() {
                broken_without(Rule::$rule, $scenario, $promise);
            }
        )*

        const BROKEN: &[Rule] = &[$(Rule::$rule),*];
    };
}

broken! {
    duplicated_task_is_accepted_once: TaskNamesAreUnique, with(1, ONE), ENDS_ONCE;
    duplicated_call_is_accepted_once: KeysAreUnique, with(0, JOINED), RUNS_ONCE;
    duplicated_claim_returns_same_tasks: ClaimsAreNumbered, with(1, STRAYS_STAY), TERMINATES;
    mark_precedes_side_effect: MarkComesFirst, with(1, ONE), SIDE_EFFECTS;
    mark_needs_current_epoch: MarkChecksEpoch, with(1, ONE), SIDE_EFFECTS;
    ended_task_is_not_settled: SettleChecksClaim, with(1, ONE), EFFECTS;
    settlement_needs_current_epoch: SettleChecksEpoch, with(1, ONE), REASON;
    conflict_is_not_settled: SettleChecksReads, with(0, CONFLICTING), NO_LOST_UPDATE;
    nested_play_is_settled_once: NestedEndsOnce, with(1, NESTED), EFFECTS;
    nested_play_is_remembered: NestedIsRemembered, with(2, NESTED), EFFECTS;
    marked_task_is_lost: MarkedIsLost, with(1, ONE), SIDE_EFFECTS;
    task_ends_after_two_worker_deaths: DeadlyIsLost, with(2, ONE), DEADLY;
    late_worker_counts_as_alive: LiveWorkersAreForgiven, with(2, ONE), REASON;
    retries_are_counted: RetriesAreCounted, with(2, RETRIED), SIDE_EFFECTS;
    lease_expires: LeasesExpire, with(1, ONE), TERMINATES;
    release_needs_current_epoch: ReleaseChecksEpoch, with(2, ONE), LOST;
    cancelled_task_ends_when_released: CancelledEnds, with(2, ONE), NOT_RUN;
    stray_claim_is_released: StraysAreReleased, with(2, ONE), TERMINATES;
    unsettled_play_is_released: UnsettledIsReleased, with(3, SUBMITTED), TERMINATES;
    newer_claim_stays_known: ClaimsAreKeyedByEpoch, with(1, ONE), KNOWN;
    conflict_after_side_effect_ends_task: SideEffectRunsOnce, with(0, CONFLICTING), SIDE_EFFECTS;
    answer_is_kept_until_acknowledged: AnswersAreKept, with(1, ONE), TERMINATES;
    received_answer_is_acknowledged: OnlyReceivedIsAcknowledged, with(1, ONE), TERMINATES;
    joined_call_looks_task_up: JoinedIsLookedUp, with(1, JOINED), TERMINATES;
    joined_call_does_not_end_task: JoinedCallDoesNotEndTask, with(1, JOINED), REASON;
    deadline_is_final: DeadlineIsFinal, with(1, ONE), ANSWERS_TRUE;
}

#[test]
fn every_rule_is_needed() {
    for rule in Rule::ALL {
        assert!(BROKEN.contains(rule), "no test shows that {rule:?} is needed");
    }
}

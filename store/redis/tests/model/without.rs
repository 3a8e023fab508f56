//! What each rule is for: without it a promise is broken.

use super::{
    check::broken_without,
    scenario::{Call, Kind, PLAY, Rule, Rules, Scenario},
};
use crate::{AGAIN, JOINED, NESTED, ONE, TWO};

const ENDS_ONCE: &str = "a task ends at most once";
const EFFECTS: &str = "what a task wrote stays if it succeeded, once, and else not";
const SEEN: &str = "nothing is written over that its writer has not seen";
const REACHED: &str = "what reached outside is run again only as often as it may be";
const RUNS_ONCE: &str = "calls of one key run once";
const TOLD: &str = "who is answered is told what became of the task";
const REASON: &str = "nothing is cancelled, timed out or lost but for a reason";
const DEADLY: &str = "what two workers died with is not begun again";
const NOT_BEGUN: &str = "what was cancelled is not begun again";
const LOST: &str = "nothing is lost that its worker still runs";
const KNOWN: &str = "a worker knows of what it runs and holds";
const OVER: &str = "in the end every task has ended and every caller is answered";

const fn with(faults: u8, scenario: Scenario) -> Scenario {
    Scenario { faults, ..scenario }
}

/// One worker, and a claim that it never hears of is not given back.
const STRAYS_STAY: Scenario = Scenario { rules: Rules::ALL.but(Rule::StraysGoBack), ..ONE };

/// A task for whose end nobody waits.
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
    duplicated_task_is_accepted_once: NamesAreKnown, with(1, ONE), ENDS_ONCE;
    duplicated_call_is_accepted_once: KeysAreKnown, with(0, JOINED), RUNS_ONCE;
    duplicated_claim_returns_same_tasks: ClaimsAreNumbered, with(1, STRAYS_STAY), OVER;
    mark_precedes_side_effect: MarkComesFirst, with(1, ONE), REACHED;
    mark_needs_current_epoch: MarkLooksAtTheEpoch, with(1, ONE), REACHED;
    ended_task_is_not_settled: SettleLooksForTheClaim, with(1, ONE), EFFECTS;
    settlement_needs_current_epoch: SettleLooksAtTheEpoch, with(1, ONE), REASON;
    conflict_is_not_settled: SettleLooksAtTheReads, with(0, TWO), SEEN;
    nested_play_is_settled_once: NestedEndsOnce, with(1, NESTED), EFFECTS;
    nested_play_is_remembered: NestedIsRemembered, with(2, NESTED), EFFECTS;
    marked_task_is_lost: MarkedIsLost, with(1, ONE), REACHED;
    task_ends_after_two_worker_deaths: DeadlyIsLost, with(2, ONE), DEADLY;
    late_worker_counts_as_alive: LivingAreForgiven, with(2, ONE), REASON;
    retries_are_counted: RetriesAreCounted, with(2, AGAIN), REACHED;
    lease_expires: LeasesEnd, with(1, ONE), OVER;
    release_needs_current_epoch: GiveBackLooksAtTheEpoch, with(2, ONE), LOST;
    cancelled_task_ends_when_released: CancelledEnds, with(2, ONE), NOT_BEGUN;
    stray_claim_is_released: StraysGoBack, with(2, ONE), OVER;
    unsettled_play_is_released: UnsettledGoesBack, with(3, SUBMITTED), OVER;
    newer_claim_stays_known: ClaimsAreKnownByEpoch, with(1, ONE), KNOWN;
    conflict_after_side_effect_ends_task: ReachedRunsOnce, with(0, TWO), REACHED;
    answer_is_kept_until_acknowledged: AnswersAreKept, with(1, ONE), OVER;
    received_answer_is_acknowledged: ToldIsAcknowledged, with(1, ONE), OVER;
    joined_call_looks_task_up: JoinedIsLookedUp, with(1, JOINED), OVER;
    joined_call_does_not_end_task: JoinedKeepsItsDeadline, with(1, JOINED), REASON;
    deadline_is_final: DeadlineIsFinal, with(1, ONE), TOLD;
}

#[test]
fn every_rule_is_needed() {
    for rule in Rule::ALL {
        assert!(BROKEN.contains(rule), "nothing shows what {rule:?} is for");
    }
}

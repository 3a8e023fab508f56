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
    a_task_sent_twice_is_accepted_once: NamesAreKnown, with(1, ONE), ENDS_ONCE;
    a_call_made_twice_is_accepted_once: KeysAreKnown, with(0, JOINED), RUNS_ONCE;
    a_claim_sent_twice_brings_the_same: ClaimsAreNumbered, with(1, STRAYS_STAY), OVER;
    a_mark_comes_before_the_effect: MarkComesFirst, with(1, ONE), REACHED;
    a_mark_is_the_holders: MarkLooksAtTheEpoch, with(1, ONE), REACHED;
    what_ended_is_not_settled: SettleLooksForTheClaim, with(1, ONE), EFFECTS;
    a_settlement_is_the_holders: SettleLooksAtTheEpoch, with(1, ONE), REASON;
    what_was_overtaken_is_not_settled: SettleLooksAtTheReads, with(0, TWO), SEEN;
    a_nested_play_is_settled_once: NestedEndsOnce, with(1, NESTED), EFFECTS;
    a_nested_play_is_remembered: NestedIsRemembered, with(2, NESTED), EFFECTS;
    a_marked_task_is_lost: MarkedIsLost, with(1, ONE), REACHED;
    task_that_killed_two_workers_ends: DeadlyIsLost, with(2, ONE), DEADLY;
    worker_that_wakes_counts_as_alive: LivingAreForgiven, with(2, ONE), REASON;
    a_retry_is_counted: RetriesAreCounted, with(2, AGAIN), REACHED;
    a_lease_ends: LeasesEnd, with(1, ONE), OVER;
    a_holder_gives_back: GiveBackLooksAtTheEpoch, with(2, ONE), LOST;
    a_cancelled_task_that_is_given_back_ends: CancelledEnds, with(2, ONE), NOT_BEGUN;
    a_stray_claim_goes_back: StraysGoBack, with(2, ONE), OVER;
    an_unsettled_play_goes_back: UnsettledGoesBack, with(3, SUBMITTED), OVER;
    a_newer_claim_stays_known: ClaimsAreKnownByEpoch, with(1, ONE), KNOWN;
    an_overtaken_play_that_reached_outside_ends: ReachedRunsOnce, with(0, TWO), REACHED;
    an_answer_is_kept: AnswersAreKept, with(1, ONE), OVER;
    an_answer_is_acknowledged_once_told: ToldIsAcknowledged, with(1, ONE), OVER;
    who_joins_looks: JoinedIsLookedUp, with(1, JOINED), OVER;
    who_joins_ends_nothing: JoinedKeepsItsDeadline, with(1, JOINED), REASON;
    a_deadline_is_final: DeadlineIsFinal, with(1, ONE), TOLD;
}

#[test]
fn every_rule_is_needed() {
    for rule in Rule::ALL {
        assert!(BROKEN.contains(rule), "nothing shows what {rule:?} is for");
    }
}

//! What always holds.

use super::{
    scenario::{Id, Outcome, Scenario},
    world::{Answer, Doing, Phase, State},
};

/// What is promised, and whether it is kept.
pub type Promise = (&'static str, fn(&Scenario, &State) -> bool);

/// Each with its name, which is said when it is broken.
pub const PROMISES: [Promise; 16] = [
    ("a task ends at most once", |scenario, state| each(scenario, |at| state.history.ended[at] <= 1)),
    ("what a task wrote stays if it succeeded, once, and else not", |scenario, state| {
        each(scenario, |at| {
            let succeeded = state.history.outcomes[at] == Some(Outcome::Succeeded);
            state.history.effects[at] == u8::from(succeeded)
        })
    }),
    ("nothing is written over that its writer has not seen", |_, state| !state.history.overwritten),
    ("what reached outside is run again only as often as it may be", |scenario, state| {
        each(scenario, |at| state.history.reached[at] <= scenario.calls[at].retries() + 1)
    }),
    ("calls of one key run once", |scenario, state| {
        let keyed = scenario.ids().filter(|id| scenario.call(*id).key);
        keyed.map(|id| state.history.accepted[usize::from(id)]).sum::<u8>() <= 1
    }),
    ("who is answered is told what became of the task", |_, state| {
        state.callers.iter().all(|caller| match caller.phase {
            Phase::Answered(Answer::Outcome(task, outcome)) => {
                state.history.outcomes[usize::from(task)] == Some(outcome)
            }
            Phase::Answered(Answer::DeadlinePassed(task)) => {
                matches!(state.history.outcomes[usize::from(task)], None | Some(Outcome::TimedOut))
            }
            _ => true,
        })
    }),
    ("what was accepted waits, runs or has ended", |scenario, state| {
        each(scenario, |at| {
            let waits = state.redis.queue.iter().filter(|id| usize::from(**id) == at).count();
            let runs = state.redis.held.iter().filter(|held| usize::from(held.task) == at).count();
            waits + runs == usize::from(state.redis.live[at].is_some())
        })
    }),
    ("what a submitter was told is accepted waits, runs or has ended", |_, state| {
        state.callers.iter().all(|caller| match caller.phase {
            Phase::Answered(Answer::Accepted(task)) => {
                let at = usize::from(task);
                state.redis.live[at].is_some() || state.history.ended[at] > 0
            }
            _ => true,
        })
    }),
    ("what is held is held under a lease", |_, state| {
        state.redis.held.iter().all(|held| state.redis.leases[usize::from(held.worker)].is_some())
    }),
    ("what had effects or was submitted leaves one record", |scenario, state| {
        each(scenario, |at| {
            let submitted = scenario.calls[at].is_submitted() && state.history.ended[at] > 0;
            let leaves = state.history.effects[at] > 0 || submitted;
            state.redis.records[at] <= 1 && state.redis.records[at] >= u8::from(leaves)
        })
    }),
    ("nothing is cancelled, timed out or lost but for a reason", |scenario, state| {
        scenario.ids().all(|id| match state.history.outcomes[usize::from(id)] {
            Some(Outcome::Cancelled) => state.history.unwanted.has(id),
            Some(Outcome::TimedOut) => state.history.late.has(id),
            Some(Outcome::Lost) => state.history.marked.has(id) || state.history.deaths_of(id) > 1,
            _ => true,
        })
    }),
    ("what two workers died with is not begun again", |_, state| !state.history.begun_deadly),
    ("what was cancelled is not begun again", |_, state| !state.history.begun_unwanted),
    ("nothing is lost that its worker still runs", |scenario, state| {
        each(scenario, |at| {
            state.history.lost[at].is_none_or(|(worker, epoch)| {
                let mut runs = state.workers[usize::from(worker)].runs.iter().flatten();
                !runs.any(|run| {
                    usize::from(run.task) == at && run.epoch == epoch && run.doing != Doing::GoingBack
                })
            })
        })
    }),
    ("a worker knows of what it runs and holds", |scenario, state| {
        (0..scenario.workers).all(|who| {
            let worker = &state.workers[usize::from(who)];
            worker.runs.iter().flatten().all(|run| {
                run.doing == Doing::GoingBack
                    || !state.redis.is_held_as(run.task, who, run.epoch)
                    || worker.holding[usize::from(run.task)] == run.epoch
            })
        })
    }),
    ("in the end every task has ended and every caller is answered", |scenario, state| {
        is_over(scenario, state) || !scenario.is_quiet(state)
    }),
];

fn each(scenario: &Scenario, holds: impl Fn(usize) -> bool) -> bool {
    scenario.ids().map(|id: Id| usize::from(id)).all(holds)
}

fn is_over(scenario: &Scenario, state: &State) -> bool {
    scenario.ids().all(|id| {
        let at = usize::from(id);
        let is_answered = match state.callers[at].phase {
            Phase::Answered(_) | Phase::Gone => true,
            // The play that would have called it has gone; what it would ask for was never accepted.
            Phase::Idle => scenario.calls[at].is_nested() || state.history.accepted[0] == 0,
            _ => false,
        };
        is_answered && state.redis.live[at].is_none()
    })
}

//! The promises, which hold in every state.

use super::{
    scenario::{Id, Outcome, Scenario},
    world::{Answer, Doing, Phase, State},
};

/// The name of a promise, and whether a state keeps it.
pub(crate) type Promise = (&'static str, fn(&Scenario, &State) -> bool);

/// The promises. A broken one is reported by its name.
pub(crate) const PROMISES: [Promise; 16] = [
    ("a task ends at most once", |scenario, state| each(scenario, |at| state.history.ended[at] <= 1)),
    ("the writes of a task are stored once if it succeeded, and not otherwise", |scenario, state| {
        each(scenario, |at| {
            let succeeded = state.history.outcomes[at] == Some(Outcome::Succeeded);
            state.history.effects[at] == u8::from(succeeded)
        })
    }),
    ("no write replaces a version that its writer has not read", |_, state| !state.history.overwritten),
    ("a task with side effects is run again only as often as it has retries", |scenario, state| {
        each(scenario, |at| state.history.side_effect[at] <= scenario.calls[at].retries() + 1)
    }),
    ("calls of one key run once", |scenario, state| {
        let keyed = scenario.ids().filter(|id| scenario.call(*id).key);
        keyed.map(|id| state.history.accepted[usize::from(id)]).sum::<u8>() <= 1
    }),
    ("a caller's answer is the outcome of the task", |_, state| {
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
    ("an accepted task is queued, is held or has ended", |scenario, state| {
        each(scenario, |at| {
            let waits = state.redis.queue.iter().filter(|id| usize::from(**id) == at).count();
            let runs = state.redis.held.iter().filter(|held| usize::from(held.task) == at).count();
            waits + runs == usize::from(state.redis.live[at].is_some())
        })
    }),
    ("a task that was reported as accepted is live or has ended", |_, state| {
        state.callers.iter().all(|caller| match caller.phase {
            Phase::Answered(Answer::Accepted(task)) => {
                let at = usize::from(task);
                state.redis.live[at].is_some() || state.history.ended[at] > 0
            }
            _ => true,
        })
    }),
    ("a worker that holds a task has a lease", |_, state| {
        state.redis.held.iter().all(|held| state.redis.leases[usize::from(held.worker)].is_some())
    }),
    ("a task with writes or a submitted one leaves one record", |scenario, state| {
        each(scenario, |at| {
            let submitted = scenario.calls[at].is_submitted() && state.history.ended[at] > 0;
            let leaves = state.history.effects[at] > 0 || submitted;
            state.redis.records[at] <= 1 && state.redis.records[at] >= u8::from(leaves)
        })
    }),
    ("every cancellation, timeout and loss has its cause", |scenario, state| {
        scenario.ids().all(|id| match state.history.outcomes[usize::from(id)] {
            Some(Outcome::Cancelled) => state.history.cancel_requested.has(id),
            Some(Outcome::TimedOut) => state.history.overdue.has(id),
            Some(Outcome::Lost) => state.history.marked.has(id) || state.history.deaths_of(id) > 1,
            _ => true,
        })
    }),
    ("a task with which two workers died is not run again", |_, state| !state.history.ran_deadly),
    ("a cancelled task is not run again", |_, state| !state.history.ran_cancelled),
    ("no task is lost that its worker still runs", |scenario, state| {
        each(scenario, |at| {
            state.history.lost[at].is_none_or(|(worker, epoch)| {
                let mut runs = state.workers[usize::from(worker)].runs.iter().flatten();
                !runs.any(|run| {
                    usize::from(run.task) == at && run.epoch == epoch && run.doing != Doing::Releasing
                })
            })
        })
    }),
    ("a worker keeps track of every claim that it runs", |scenario, state| {
        (0..scenario.workers).all(|node| {
            let worker = &state.workers[usize::from(node)];
            worker.runs.iter().flatten().all(|run| {
                run.doing == Doing::Releasing
                    || !state.redis.is_held_as(run.task, node, run.epoch)
                    || worker.holding[usize::from(run.task)] == run.epoch
            })
        })
    }),
    ("finally every task has ended and every caller is answered", |scenario, state| {
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
            // A nested play whose caller died, or a query for a task that was never accepted.
            Phase::Idle => scenario.calls[at].is_nested() || state.history.accepted[0] == 0,
            _ => false,
        };
        is_answered && state.redis.live[at].is_none()
    })
}

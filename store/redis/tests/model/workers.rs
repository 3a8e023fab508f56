//! Workers and their runs, as in `store/redis/src/held_tasks.rs` and `held_tasks/redis_lease.rs`.

use super::{
    redis::Lease,
    scenario::{CONFLICT_RETRIES, Call, Id, Node, Outcome, Rule, Scenario, TASKS},
    step::{Reply, Settled, Step},
    world::{Action, Answer, Claiming, Doing, Event, Fate, Phase, Run, State, Worker},
};

impl Scenario {
    pub(crate) fn worker_actions(&self, state: &State, node: Node, actions: &mut Vec<Action>) {
        let worker = &state.workers[usize::from(node)];
        if worker.is_dead {
            return;
        }
        self.claim_actions(state, node, actions);
        for (at, run) in worker.runs.iter().enumerate() {
            if let Some(run) = run {
                self.run_actions(state, node, at, run, actions);
            }
        }
        let lease_ended =
            state.redis.leases[usize::from(node)] == Some(Lease::HasEnded) && state.redis.holds_any(node);
        if lease_ended || worker.runs.iter().flatten().any(|run| is_news(state, node, run)) {
            actions.push(Action::Renew(node));
        }
        if self.holds(Rule::StraysAreReleased) && !strays(state, node).is_empty() {
            actions.push(Action::ReleaseStrays(node));
        }
        // One worker stays alive.
        let others = state.workers.iter().take(usize::from(self.workers)).filter(|worker| !worker.is_dead);
        if others.count() > 1 && self.is_next(state, node) {
            actions.push(Action::WorkerDies(node));
        }
    }

    /// Workers are alike, so only orders in which worker 0 acts first are searched.
    fn is_next(&self, state: &State, node: Node) -> bool {
        let first = &state.workers[0];
        node == 0 || first.number > 0 || first.is_dead || self.calls.iter().any(Call::is_nested)
    }

    fn claim_actions(&self, state: &State, node: Node, actions: &mut Vec<Action>) {
        let worker = &state.workers[usize::from(node)];
        let is_releasing = worker.runs.iter().flatten().any(|run| run.doing == Doing::Releasing);
        let may_claim = match worker.claiming {
            Claiming::Replied(_) => {
                actions.push(Action::ClaimReplied(node));
                false
            }
            Claiming::Unanswered(_) => {
                actions.push(Action::ClaimGivenUp(node));
                true
            }
            Claiming::Not => !state.redis.queue.is_empty() && !is_releasing && self.has_free_slot(worker),
        };
        if may_claim && self.is_next(state, node) {
            actions.extend([Fate::Done, Fate::Slow, Fate::ReplyLost].map(|fate| Action::Claim(node, fate)));
            if state.in_flight.is_none() {
                actions.push(Action::Claim(node, Fate::Delayed));
            }
        }
    }

    fn run_actions(&self, state: &State, node: Node, at: usize, run: &Run, actions: &mut Vec<Action>) {
        let call = self.call(run.task);
        let mut settle = |outcome| {
            let fates = [Fate::Done, Fate::RequestLost, Fate::ReplyLost];
            actions.extend(fates.map(|fate| Action::Settle(node, at, outcome, fate)));
            if state.in_flight.is_none() {
                actions.push(Action::Settle(node, at, outcome, Fate::Delayed));
            }
        };
        match run.doing {
            Doing::Running => {
                if !call.has_side_effect || run.side_effect {
                    settle(Outcome::Succeeded);
                }
                if call.may_fail {
                    settle(Outcome::Failed);
                }
                if run.interrupted {
                    settle(Outcome::Cancelled);
                }
                if state.history.overdue.has(run.task) {
                    settle(Outcome::TimedOut);
                }
                if call.has_side_effect && !run.side_effect {
                    if run.marked || !self.holds(Rule::MarkComesFirst) {
                        actions.push(Action::SideEffect(node, at));
                    }
                    if !run.marked {
                        let fates = [Fate::Done, Fate::Slow, Fate::ReplyLost];
                        actions.extend(fates.map(|fate| Action::Mark(node, at, fate)));
                        if state.in_flight.is_none() {
                            actions.push(Action::Mark(node, at, Fate::Delayed));
                        }
                    }
                }
                actions.push(Action::Drop(node, at));
            }
            Doing::Settling(outcome) => {
                // It waits for the retry lock, but not past its deadline.
                let waits = outcome == Outcome::Succeeded && state.redis.is_locked_by_another(run.task);
                if !waits || state.history.overdue.has(run.task) {
                    settle(outcome);
                }
                actions.push(Action::Drop(node, at));
                if state.history.overdue.has(run.task) {
                    actions.push(Action::SettleGivenUp(node, at));
                }
            }
            Doing::Releasing => {
                actions.extend([Fate::Done, Fate::ReplyLost].map(|fate| Action::Release(node, at, fate)));
                if state.in_flight.is_none() {
                    actions.push(Action::Release(node, at, Fate::Delayed));
                }
                actions.push(Action::ReleaseGivenUp(node, at));
            }
        }
    }

    pub(crate) fn apply_to_worker(&self, state: &mut State, node: Node, action: Action) -> Option<Event> {
        match action {
            Action::Claim(_, fate) => self.claim(state, node, fate),
            Action::ClaimReplied(_) => {
                let claiming = std::mem::take(&mut state.worker(node).claiming);
                if let Claiming::Replied(tasks) = claiming {
                    begin(state, node, &tasks);
                }
                None
            }
            Action::ClaimGivenUp(_) => {
                state.worker(node).claiming = Claiming::Not;
                None
            }
            Action::Renew(_) => Some(self.renew(state, node, Vec::new())),
            Action::ReleaseStrays(_) => {
                let back = strays(state, node);
                Some(self.renew(state, node, back))
            }
            Action::WorkerDies(_) => {
                let runs = state.worker(node).runs;
                for run in runs.into_iter().flatten().filter(|run| self.call(run.task).is_nested()) {
                    state.caller(run.task).phase = Phase::Gone;
                }
                *state.worker(node) = Worker { is_dead: true, ..Worker::default() };
                None
            }
            _ => None,
        }
    }

    /// Returns whether a worker may start a run.
    pub(crate) fn has_free_slot(&self, worker: &Worker) -> bool {
        !worker.is_dead && worker.claiming == Claiming::Not && self.free(worker) > 0
    }

    fn free(&self, worker: &Worker) -> usize {
        self.slots - worker.runs.iter().flatten().count()
    }

    fn claim(&self, state: &mut State, node: Node, fate: Fate) -> Option<Event> {
        let worker = state.worker(node);
        let most = if let Claiming::Unanswered(most) = worker.claiming {
            most
        } else {
            worker.number += 1;
            self.free(worker) as u8
        };
        let step = Step::Claim { worker: node, number: worker.number, most };
        let (reply, event) = state.send(self, step, fate);
        state.worker(node).claiming = match reply {
            Some(Reply::Claimed(_, tasks)) if fate == Fate::Slow => Claiming::Replied(tasks),
            Some(Reply::Claimed(_, tasks)) => {
                begin(state, node, &tasks);
                Claiming::Not
            }
            _ => Claiming::Unanswered(most),
        };
        event
    }

    /// Renews the lease, releases claims, and interrupts runs whose claim the worker no longer holds.
    fn renew(&self, state: &mut State, node: Node, back: Vec<(Id, u8)>) -> Event {
        let (reply, event) = state.step(self, Step::Renew { worker: node, back });
        if let Reply::Renewed(holds) = reply {
            let worker = state.worker(node);
            for run in worker.runs.iter_mut().flatten() {
                let is_known = run.epoch != 0 && worker.holding[usize::from(run.task)] == run.epoch;
                run.interrupted |= is_known && !holds.contains(&(run.task, run.epoch, false));
            }
        }
        event
    }

    pub(crate) fn apply_to_run(
        &self,
        state: &mut State,
        node: Node,
        at: usize,
        action: Action,
    ) -> Option<Event> {
        let run = state.worker(node).runs[at]?;
        match action {
            Action::Mark(_, _, fate) => {
                let step = Step::Mark { task: run.task, worker: node, epoch: run.epoch };
                let (reply, event) = state.send(self, step, fate);
                let run = state.worker(node).runs[at].as_mut()?;
                if reply == Some(Reply::Marked(true)) {
                    run.marked = true;
                    if fate == Fate::Done {
                        self.perform_side_effect(state, node, at);
                    }
                } else {
                    // The effect must not happen, so the script fails.
                    run.doing = Doing::Settling(Outcome::Failed);
                }
                event
            }
            Action::SideEffect(..) => {
                self.perform_side_effect(state, node, at);
                None
            }
            Action::Settle(_, _, outcome, fate) => self.settle(state, node, at, outcome, fate),
            Action::SettleGivenUp(..) | Action::Drop(..) if self.call(run.task).is_nested() => {
                state.worker(node).runs[at] = None;
                // The calling play hears no more than that.
                state.caller(run.task).phase = Phase::Answered(Answer::Unavailable);
                None
            }
            Action::SettleGivenUp(..) if !self.holds(Rule::UnsettledIsReleased) => {
                state.worker(node).runs[at] = None;
                None
            }
            Action::SettleGivenUp(..) | Action::Drop(..) => {
                state.worker(node).runs[at].as_mut()?.doing = Doing::Releasing;
                None
            }
            Action::Release(_, _, fate) => {
                let back = vec![(run.task, run.epoch)];
                if fate == Fate::Done {
                    let event = self.renew(state, node, back);
                    self.end_run(state, node, at);
                    return Some(event);
                }
                // The release is sent again until its reply arrives.
                state.send(self, Step::Renew { worker: node, back }, fate).1
            }
            Action::ReleaseGivenUp(..) => {
                self.end_run(state, node, at);
                None
            }
            _ => None,
        }
    }

    fn perform_side_effect(&self, state: &mut State, node: Node, at: usize) {
        if let Some(run) = &mut state.worker(node).runs[at] {
            run.side_effect = true;
            let task = usize::from(run.task);
            state.history.side_effect[task] += 1;
        }
    }

    fn settle(
        &self,
        state: &mut State,
        node: Node,
        at: usize,
        outcome: Outcome,
        fate: Fate,
    ) -> Option<Event> {
        let run = state.worker(node).runs[at]?;
        let read = (outcome == Outcome::Succeeded).then_some(run.read);
        let (task, epoch, side_effect) = (run.task, run.epoch, run.side_effect);
        let step = Step::Settle { worker: node, task, epoch, outcome, read, side_effect };
        let (reply, event) = state.send(self, step, fate);
        let (version, is_overdue) = (state.redis.version, state.history.overdue.has(task));
        let run = state.worker(node).runs[at].as_mut()?;
        match reply {
            None => run.doing = Doing::Settling(outcome),
            Some(Reply::Settled(Settled::Locked)) if !is_overdue => run.doing = Doing::Settling(outcome),
            Some(Reply::Settled(Settled::Conflict | Settled::Locked)) => {
                let is_over = run.side_effect && self.holds(Rule::SideEffectRunsOnce);
                if is_over || run.conflicts >= CONFLICT_RETRIES {
                    run.doing = Doing::Settling(Outcome::Failed);
                } else {
                    let conflicts = run.conflicts + 1;
                    let (marked, interrupted) = (run.marked, run.interrupted);
                    *run = Run { marked, interrupted, conflicts, ..Run::of(task, epoch, version) };
                }
            }
            Some(_) => {
                if epoch == 0 {
                    state.caller(task).phase = Phase::Answered(Answer::Outcome(task, outcome));
                }
                self.end_run(state, node, at);
            }
        }
        event
    }

    /// Ends a run.
    fn end_run(&self, state: &mut State, node: Node, at: usize) {
        let worker = state.worker(node);
        let Some(run) = worker.runs[at].take() else { return };
        let holding = &mut worker.holding[usize::from(run.task)];
        if *holding == run.epoch || !self.holds(Rule::ClaimsAreKeyedByEpoch) {
            *holding = 0;
        }
    }

    /// Returns whether the settlement of a nested play may be sent again.
    pub(crate) fn may_be_settled_again(&self, state: &State, task: Id) -> bool {
        let runs =
            state.workers.iter().any(|worker| worker.runs.iter().flatten().any(|run| run.task == task));
        runs || matches!(&state.in_flight, Some(Step::Settle { task: other, .. }) if *other == task)
    }

    /// A play calls another circle, on its worker's thread and without the queue.
    pub(crate) fn begin_nested(&self, state: &mut State, id: Id) {
        let version = state.redis.version;
        if let Some(free) = state.worker(0).runs.iter_mut().find(|run| run.is_none()) {
            *free = Some(Run::of(id, 0, version));
            state.caller(id).phase = Phase::Waiting(id);
        }
    }
}

impl Run {
    fn of(task: Id, epoch: u8, read: u8) -> Self {
        Self {
            task,
            epoch,
            read,
            doing: Doing::Running,
            marked: false,
            side_effect: false,
            interrupted: false,
            conflicts: 0,
        }
    }
}

/// A worker starts its claimed tasks.
fn begin(state: &mut State, node: Node, tasks: &[(Id, u8)]) {
    let version = state.redis.version;
    let worker = state.worker(node);
    for (task, epoch) in tasks {
        worker.holding[usize::from(*task)] = *epoch;
        if let Some(free) = worker.runs.iter_mut().find(|run| run.is_none()) {
            *free = Some(Run::of(*task, *epoch, version));
        }
    }
}

/// Returns whether a renewal would interrupt a run.
fn is_news(state: &State, node: Node, run: &Run) -> bool {
    let is_known =
        run.epoch != 0 && state.workers[usize::from(node)].holding[usize::from(run.task)] == run.epoch;
    let held = state.redis.held(run.task).filter(|held| held.worker == node && held.epoch == run.epoch);
    is_known && !run.interrupted && held.is_none_or(|held| held.cancelled)
}

/// Returns the claims that Redis holds for a worker that does not know of them.
fn strays(state: &State, node: Node) -> Vec<(Id, u8)> {
    let holding: &[u8; TASKS] = &state.workers[usize::from(node)].holding;
    let held = state.redis.held.iter().filter(|held| held.worker == node);
    held.filter(|held| holding[usize::from(held.task)] != held.epoch)
        .map(|held| (held.task, held.epoch))
        .collect()
}

//! Workers and what they run: `store/redis/src/claims.rs` and `lease.rs`.

use super::{
    redis::Lease,
    scenario::{Call, Id, Outcome, RUNS_AGAIN, Rule, Scenario, TASKS, Who},
    step::{Reply, Settled, Step},
    world::{Action, Answer, Claiming, Doing, Event, Fate, Phase, Run, State, Worker},
};

impl Scenario {
    pub fn possible_of_worker(&self, state: &State, who: Who, actions: &mut Vec<Action>) {
        let worker = &state.workers[usize::from(who)];
        if worker.is_dead {
            return;
        }
        self.possible_of_claims(state, who, actions);
        for (at, run) in worker.runs.iter().enumerate() {
            if let Some(run) = run {
                self.possible_of_run(state, who, at, run, actions);
            }
        }
        let is_late =
            state.redis.leases[usize::from(who)] == Some(Lease::HasEnded) && state.redis.holds_any(who);
        if is_late || worker.runs.iter().flatten().any(|run| is_news(state, who, run)) {
            actions.push(Action::Renew(who));
        }
        if self.holds(Rule::StraysGoBack) && !strays(state, who).is_empty() {
            actions.push(Action::GiveStraysBack(who));
        }
        // Somebody lives.
        let others = state.workers.iter().take(usize::from(self.workers)).filter(|worker| !worker.is_dead);
        if others.count() > 1 && self.is_next(state, who) {
            actions.push(Action::WorkerDies(who));
        }
    }

    /// As workers are alike, the first may as well be the one that does something first.
    fn is_next(&self, state: &State, who: Who) -> bool {
        let first = &state.workers[0];
        who == 0 || first.number > 0 || first.is_dead || self.calls.iter().any(Call::is_nested)
    }

    fn possible_of_claims(&self, state: &State, who: Who, actions: &mut Vec<Action>) {
        let worker = &state.workers[usize::from(who)];
        let goes_back = worker.runs.iter().flatten().any(|run| run.doing == Doing::GoingBack);
        let asks = match worker.claiming {
            Claiming::Replied(_) => {
                actions.push(Action::ClaimReplied(who));
                false
            }
            Claiming::Unanswered(_) => {
                actions.push(Action::ClaimGivenUp(who));
                true
            }
            Claiming::Not => !state.redis.queue.is_empty() && !goes_back && self.has_room(worker),
        };
        if asks && self.is_next(state, who) {
            actions.extend([Fate::Done, Fate::Slow, Fate::ReplyLost].map(|fate| Action::Claim(who, fate)));
            if state.under_way.is_none() {
                actions.push(Action::Claim(who, Fate::Late));
            }
        }
    }

    fn possible_of_run(&self, state: &State, who: Who, at: usize, run: &Run, actions: &mut Vec<Action>) {
        let call = self.call(run.task);
        let mut settle = |outcome| {
            let fates = [Fate::Done, Fate::RequestLost, Fate::ReplyLost];
            actions.extend(fates.map(|fate| Action::Settle(who, at, outcome, fate)));
            if state.under_way.is_none() {
                actions.push(Action::Settle(who, at, outcome, Fate::Late));
            }
        };
        match run.doing {
            Doing::Running => {
                if !call.reaches_outside || run.reached {
                    settle(Outcome::Succeeded);
                }
                if call.may_fail {
                    settle(Outcome::Failed);
                }
                if run.interrupted {
                    settle(Outcome::Cancelled);
                }
                if state.history.late.has(run.task) {
                    settle(Outcome::TimedOut);
                }
                if call.reaches_outside && !run.reached {
                    if run.marked || !self.holds(Rule::MarkComesFirst) {
                        actions.push(Action::ReachOutside(who, at));
                    }
                    if !run.marked {
                        let fates = [Fate::Done, Fate::Slow, Fate::ReplyLost];
                        actions.extend(fates.map(|fate| Action::Mark(who, at, fate)));
                        if state.under_way.is_none() {
                            actions.push(Action::Mark(who, at, Fate::Late));
                        }
                    }
                }
                actions.push(Action::Drop(who, at));
            }
            Doing::Settling(outcome) => {
                // It waits for the right of way, but not past its deadline.
                let waits = outcome == Outcome::Succeeded && state.redis.is_way_of_another(run.task);
                if !waits || state.history.late.has(run.task) {
                    settle(outcome);
                }
                actions.push(Action::Drop(who, at));
                if state.history.late.has(run.task) {
                    actions.push(Action::SettleGivenUp(who, at));
                }
            }
            Doing::GoingBack => {
                actions.extend([Fate::Done, Fate::ReplyLost].map(|fate| Action::GiveBack(who, at, fate)));
                if state.under_way.is_none() {
                    actions.push(Action::GiveBack(who, at, Fate::Late));
                }
                actions.push(Action::GiveBackGivenUp(who, at));
            }
        }
    }

    pub fn happen_to_worker(&self, state: &mut State, who: Who, action: Action) -> Option<Event> {
        match action {
            Action::Claim(_, fate) => self.claim(state, who, fate),
            Action::ClaimReplied(_) => {
                let claiming = std::mem::take(&mut state.worker(who).claiming);
                if let Claiming::Replied(tasks) = claiming {
                    begin(state, who, &tasks);
                }
                None
            }
            Action::ClaimGivenUp(_) => {
                state.worker(who).claiming = Claiming::Not;
                None
            }
            Action::Renew(_) => Some(self.renew(state, who, Vec::new())),
            Action::GiveStraysBack(_) => {
                let back = strays(state, who);
                Some(self.renew(state, who, back))
            }
            Action::WorkerDies(_) => {
                let runs = state.worker(who).runs;
                for run in runs.into_iter().flatten().filter(|run| self.call(run.task).is_nested()) {
                    state.caller(run.task).phase = Phase::Gone;
                }
                *state.worker(who) = Worker { is_dead: true, ..Worker::default() };
                None
            }
            _ => None,
        }
    }

    /// Whether a worker may begin to run something.
    pub fn has_room(&self, worker: &Worker) -> bool {
        !worker.is_dead && worker.claiming == Claiming::Not && self.free(worker) > 0
    }

    fn free(&self, worker: &Worker) -> usize {
        self.slots - worker.runs.iter().flatten().count()
    }

    fn claim(&self, state: &mut State, who: Who, fate: Fate) -> Option<Event> {
        let worker = state.worker(who);
        let most = if let Claiming::Unanswered(most) = worker.claiming {
            most
        } else {
            worker.number += 1;
            self.free(worker) as u8
        };
        let step = Step::Claim { worker: who, number: worker.number, most };
        let (reply, event) = state.send(self, step, fate);
        state.worker(who).claiming = match reply {
            Some(Reply::Claimed(_, tasks)) if fate == Fate::Slow => Claiming::Replied(tasks),
            Some(Reply::Claimed(_, tasks)) => {
                begin(state, who, &tasks);
                Claiming::Not
            }
            _ => Claiming::Unanswered(most),
        };
        event
    }

    /// Renews, gives back, and interrupts what the worker knows of and does not hold any more.
    fn renew(&self, state: &mut State, who: Who, back: Vec<(Id, u8)>) -> Event {
        let (reply, event) = state.step(self, Step::Renew { worker: who, back });
        if let Reply::Renewed(holds) = reply {
            let worker = state.worker(who);
            for run in worker.runs.iter_mut().flatten() {
                let is_known = run.epoch != 0 && worker.holding[usize::from(run.task)] == run.epoch;
                run.interrupted |= is_known && !holds.contains(&(run.task, run.epoch, false));
            }
        }
        event
    }

    pub fn happen_to_run(&self, state: &mut State, who: Who, at: usize, action: Action) -> Option<Event> {
        let run = state.worker(who).runs[at]?;
        match action {
            Action::Mark(_, _, fate) => {
                let step = Step::Mark { task: run.task, worker: who, epoch: run.epoch };
                let (reply, event) = state.send(self, step, fate);
                let run = state.worker(who).runs[at].as_mut()?;
                if reply == Some(Reply::Marked(true)) {
                    run.marked = true;
                    if fate == Fate::Done {
                        self.reach_outside(state, who, at);
                    }
                } else {
                    // The effect must not happen, so the script fails.
                    run.doing = Doing::Settling(Outcome::Failed);
                }
                event
            }
            Action::ReachOutside(..) => {
                self.reach_outside(state, who, at);
                None
            }
            Action::Settle(_, _, outcome, fate) => self.settle(state, who, at, outcome, fate),
            Action::SettleGivenUp(..) | Action::Drop(..) if self.call(run.task).is_nested() => {
                state.worker(who).runs[at] = None;
                // Who called knows no more than that.
                state.caller(run.task).phase = Phase::Answered(Answer::Unavailable);
                None
            }
            Action::SettleGivenUp(..) if !self.holds(Rule::UnsettledGoesBack) => {
                state.worker(who).runs[at] = None;
                None
            }
            Action::SettleGivenUp(..) | Action::Drop(..) => {
                state.worker(who).runs[at].as_mut()?.doing = Doing::GoingBack;
                None
            }
            Action::GiveBack(_, _, fate) => {
                let back = vec![(run.task, run.epoch)];
                if fate == Fate::Done {
                    let event = self.renew(state, who, back);
                    self.let_go(state, who, at);
                    return Some(event);
                }
                // It is tried again until it is heard of.
                state.send(self, Step::Renew { worker: who, back }, fate).1
            }
            Action::GiveBackGivenUp(..) => {
                self.let_go(state, who, at);
                None
            }
            _ => None,
        }
    }

    fn reach_outside(&self, state: &mut State, who: Who, at: usize) {
        if let Some(run) = &mut state.worker(who).runs[at] {
            run.reached = true;
            let task = usize::from(run.task);
            state.history.reached[task] += 1;
        }
    }

    fn settle(&self, state: &mut State, who: Who, at: usize, outcome: Outcome, fate: Fate) -> Option<Event> {
        let run = state.worker(who).runs[at]?;
        let read = (outcome == Outcome::Succeeded).then_some(run.read);
        let (task, epoch, reached) = (run.task, run.epoch, run.reached);
        let step = Step::Settle { worker: who, task, epoch, outcome, read, reached };
        let (reply, event) = state.send(self, step, fate);
        let (version, is_late) = (state.redis.version, state.history.late.has(task));
        let run = state.worker(who).runs[at].as_mut()?;
        match reply {
            None => run.doing = Doing::Settling(outcome),
            Some(Reply::Settled(Settled::Later)) if !is_late => run.doing = Doing::Settling(outcome),
            Some(Reply::Settled(Settled::Overtaken | Settled::Later)) => {
                let is_over = run.reached && self.holds(Rule::ReachedRunsOnce);
                if is_over || run.overtaken >= RUNS_AGAIN {
                    run.doing = Doing::Settling(Outcome::Failed);
                } else {
                    let overtaken = run.overtaken + 1;
                    let (marked, interrupted) = (run.marked, run.interrupted);
                    *run = Run { marked, interrupted, overtaken, ..Run::of(task, epoch, version) };
                }
            }
            Some(_) => {
                if epoch == 0 {
                    state.caller(task).phase = Phase::Answered(Answer::Outcome(task, outcome));
                }
                self.let_go(state, who, at);
            }
        }
        event
    }

    /// A run is over, one way or another.
    fn let_go(&self, state: &mut State, who: Who, at: usize) {
        let worker = state.worker(who);
        let Some(run) = worker.runs[at].take() else { return };
        let holding = &mut worker.holding[usize::from(run.task)];
        if *holding == run.epoch || !self.holds(Rule::ClaimsAreKnownByEpoch) {
            *holding = 0;
        }
    }

    /// Whether the end of a play that was never queued may come once more.
    pub fn may_be_settled_again(&self, state: &State, task: Id) -> bool {
        let runs =
            state.workers.iter().any(|worker| worker.runs.iter().flatten().any(|run| run.task == task));
        runs || matches!(&state.under_way, Some(Step::Settle { task: other, .. }) if *other == task)
    }

    /// A play calls another circle, on its worker's thread and beside the queue.
    pub fn begin_nested(&self, state: &mut State, id: Id) {
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
            reached: false,
            interrupted: false,
            overtaken: 0,
        }
    }
}

/// A worker begins to run what it claimed.
fn begin(state: &mut State, who: Who, tasks: &[(Id, u8)]) {
    let version = state.redis.version;
    let worker = state.worker(who);
    for (task, epoch) in tasks {
        worker.holding[usize::from(*task)] = *epoch;
        if let Some(free) = worker.runs.iter_mut().find(|run| run.is_none()) {
            *free = Some(Run::of(*task, *epoch, version));
        }
    }
}

/// Whether a renewal would interrupt a run.
fn is_news(state: &State, who: Who, run: &Run) -> bool {
    let is_known =
        run.epoch != 0 && state.workers[usize::from(who)].holding[usize::from(run.task)] == run.epoch;
    let held = state.redis.held(run.task).filter(|held| held.worker == who && held.epoch == run.epoch);
    is_known && !run.interrupted && held.is_none_or(|held| held.cancelled)
}

/// What Redis holds for a worker that does not know of it.
fn strays(state: &State, who: Who) -> Vec<(Id, u8)> {
    let holding: &[u8; TASKS] = &state.workers[usize::from(who)].holding;
    let held = state.redis.held.iter().filter(|held| held.worker == who);
    held.filter(|held| holding[usize::from(held.task)] != held.epoch)
        .map(|held| (held.task, held.epoch))
        .collect()
}

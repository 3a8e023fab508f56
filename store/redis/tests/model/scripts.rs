//! The steps, each as the script of the same name in `store/src/lua` does it, as far as it concerns tasks.

use super::{
    redis::{Held, History, Lease, Live, Published, Redis, Remembered},
    scenario::{Id, Node, Outcome, Rule, Scenario, Set, WORKERS},
    step::{Cancelled, Looked, Reply, Settled, Step, Submitted, Which},
};

/// A step that is running.
struct Script<'a> {
    scenario: &'a Scenario,
    redis: &'a mut Redis,
    history: &'a mut History,
    published: Published,
}

impl Redis {
    /// Runs a step atomically.
    pub(crate) fn run(
        &mut self,
        scenario: &Scenario,
        history: &mut History,
        step: &Step,
    ) -> (Reply, Published) {
        let mut script = Script { scenario, redis: self, history, published: Published::default() };
        let reply = match step {
            Step::Submit { server, acknowledged, task } => {
                Reply::Submitted(script.submit(*server, *acknowledged, *task))
            }
            Step::Claim { worker, number, most } => script.claim(*worker, *number, *most),
            Step::Mark { task, worker, epoch } => Reply::Marked(script.mark(*task, *worker, *epoch)),
            Step::Settle { worker, task, epoch, outcome, read, side_effect } => {
                Reply::Settled(script.settle(*worker, (*task, *epoch), *outcome, *read, *side_effect))
            }
            Step::Renew { worker, back } => script.renew(*worker, back),
            Step::Reap => script.reap(),
            Step::Cancel { task, outcome, which } => Reply::Cancelled(script.cancel(*task, *outcome, *which)),
            Step::Answers { server, tasks } => script.answers(*server, *tasks),
            Step::Look { task, server } => Reply::Looked(script.look(*task, *server)),
        };
        let published = script.published;
        (reply, published)
    }
}

impl Script<'_> {
    fn submit(&mut self, server: Node, acknowledged: Set, task: Option<Id>) -> Option<Submitted> {
        for id in acknowledged.iter() {
            self.redis.answers[usize::from(server)][usize::from(id)] = None;
        }
        let id = task?;
        let (at, call) = (usize::from(id), self.scenario.call(id));
        let is_known = self.redis.live[at].is_some()
            || self.redis.answers[usize::from(server)][at].is_some()
            || (call.is_remembered() && self.redis.remembered[at].is_some());
        if is_known && self.scenario.holds(Rule::TaskNamesAreUnique) {
            return Some(Submitted::Accepted);
        }
        if call.key
            && self.scenario.holds(Rule::KeysAreUnique)
            && let Some(other) = self.redis.key
        {
            if let Some(Remembered::Ended(outcome)) = self.redis.remembered[usize::from(other)] {
                return Some(Submitted::Ended(other, outcome));
            }
            if self.expire_if_overdue(other) {
                return Some(Submitted::Ended(other, Outcome::TimedOut));
            }
            if let Some(live) = &mut self.redis.live[usize::from(other)] {
                live.servers.insert(server);
                return Some(Submitted::Known(other));
            }
        }
        if call.key {
            self.redis.key = Some(id);
        }
        if call.is_remembered() {
            self.redis.remembered[at] = Some(Remembered::Queued);
        }
        self.redis.live[at] = Some(Live { servers: Set::of(server), retried: 0, death: 0, overdue: false });
        self.redis.queue.push(id);
        self.history.accepted[at] += 1;
        Some(Submitted::Accepted)
    }

    fn claim(&mut self, worker: Node, number: u8, most: u8) -> Reply {
        let at = usize::from(worker);
        let mut tasks = Vec::new();
        let last = self.redis.claims[at].clone();
        if let Some((_, names)) =
            last.filter(|(last, _)| *last == number && self.scenario.holds(Rule::ClaimsAreNumbered))
        {
            for id in names {
                if let Some(held) =
                    self.redis.held(id).filter(|held| held.worker == worker && held.number == number)
                {
                    tasks.push((id, held.epoch));
                }
            }
        } else {
            for _ in 0..most {
                if self.redis.queue.is_empty() {
                    break;
                }
                let id = self.redis.queue.remove(0);
                tasks.extend(self.hold(id, worker, number));
            }
            let names: Vec<_> = tasks.iter().map(|(id, _)| *id).collect();
            self.redis.claims[at] = (!names.is_empty()).then_some((number, names));
        }
        if !tasks.is_empty() {
            self.redis.leases[at] = Some(Lease::Runs);
        }
        Reply::Claimed(self.redis.queue.len() as u8, tasks)
    }

    fn hold(&mut self, id: Id, worker: Node, number: u8) -> Option<(Id, u8)> {
        let live = self.redis.live[usize::from(id)]?;
        if live.overdue {
            self.finish(id, Outcome::TimedOut, self.scenario.call(id).is_submitted());
            return None;
        }
        self.history.ran_cancelled |= self.history.cancel_requested.has(id);
        self.history.ran_deadly |= self.history.deaths_of(id) > 1;
        self.redis.epoch += 1;
        let epoch = self.redis.epoch;
        self.redis.held.push(Held { task: id, worker, number, epoch, marked: false, cancelled: false });
        self.remember(id, Remembered::Running);
        Some((id, epoch))
    }

    fn mark(&mut self, task: Id, worker: Node, epoch: u8) -> bool {
        let checks_epoch = self.scenario.holds(Rule::MarkChecksEpoch);
        let Some(held) = self.redis.held.iter_mut().find(|held| held.task == task) else {
            return !checks_epoch;
        };
        if checks_epoch && (held.worker != worker || held.epoch != epoch) {
            return false;
        }
        held.marked = true;
        self.history.marked.insert(task);
        true
    }

    fn settle(
        &mut self,
        worker: Node,
        (task, epoch): (Id, u8),
        outcome: Outcome,
        read: Option<u8>,
        side_effect: bool,
    ) -> Settled {
        let at = usize::from(task);
        if epoch == 0 {
            if self.redis.done.has(task) && self.scenario.holds(Rule::NestedEndsOnce) {
                return Settled::Recorded;
            }
        } else if !self.may_settle(worker, task, epoch) {
            self.forgive(task, epoch);
            return Settled::Gone;
        }
        if read.is_some() && self.redis.is_locked_by_another(task) {
            return Settled::Locked;
        }
        if read.is_some_and(|read| read != self.redis.version) {
            if self.scenario.holds(Rule::SettleChecksReads) {
                self.redis.retry_lock = Some(task);
                return Settled::Conflict;
            }
            self.history.overwritten = true;
        }
        if read.is_some() {
            self.redis.retry_lock = None;
            self.redis.version += 1;
            self.history.effects[at] += 1;
        }
        let leaves = read.is_some() || side_effect || self.scenario.call(task).is_submitted();
        self.finish(task, outcome, leaves);
        if epoch == 0 {
            self.redis.done.insert(task);
        }
        Settled::Recorded
    }

    fn may_settle(&self, worker: Node, task: Id, epoch: u8) -> bool {
        if !self.scenario.holds(Rule::SettleChecksClaim) {
            return true;
        }
        if !self.scenario.holds(Rule::SettleChecksEpoch) {
            return self.redis.held(task).is_some();
        }
        self.redis.is_held_as(task, worker, epoch)
    }

    fn renew(&mut self, worker: Node, back: &[(Id, u8)]) -> Reply {
        for (task, epoch) in back {
            let checks_epoch = self.scenario.holds(Rule::ReleaseChecksEpoch);
            let is_held = self.redis.held(*task).is_some();
            if if checks_epoch { self.redis.is_held_as(*task, worker, *epoch) } else { is_held } {
                let holder = self.redis.held(*task).map(|held| (held.worker, held.epoch));
                self.release(*task, false);
                if self.history.outcomes[usize::from(*task)] == Some(Outcome::Lost) {
                    self.history.lost[usize::from(*task)] = holder;
                }
            } else {
                self.forgive(*task, *epoch);
            }
        }
        let held = self.redis.held.iter().filter(|held| held.worker == worker);
        let holds: Vec<_> = held.map(|held| (held.task, held.epoch, held.cancelled)).collect();
        self.redis.leases[usize::from(worker)] = (!holds.is_empty()).then_some(Lease::Runs);
        Reply::Renewed(holds)
    }

    fn reap(&mut self) -> Reply {
        let (mut back, mut lost) = (0, 0);
        let gone = |redis: &Redis, worker: Node| redis.leases[usize::from(worker)] == Some(Lease::HasEnded);
        for worker in 0..WORKERS {
            if gone(self.redis, worker as Node) {
                for held in self.redis.held.clone() {
                    if held.worker == worker as Node {
                        if self.release(held.task, true) { back += 1 } else { lost += 1 }
                    }
                }
            }
        }
        for worker in 0..WORKERS {
            if gone(self.redis, worker as Node) {
                self.redis.leases[worker] = None;
                self.redis.claims[worker] = None;
            }
        }
        Reply::Reaped { back, lost }
    }

    /// Removes a death from the count, since the worker of the claim turns out to live.
    fn forgive(&mut self, task: Id, epoch: u8) {
        let at = usize::from(task);
        let Some(live) = &mut self.redis.live[at] else { return };
        for death in self.history.deaths[at].iter_mut().filter(|death| **death == epoch) {
            *death = 0;
        }
        if live.death == epoch && self.scenario.holds(Rule::LiveWorkersAreForgiven) {
            live.death = 0;
        }
    }

    /// Releases a claim, whose worker may have died. Returns whether its task is queued again.
    fn release(&mut self, task: Id, has_died: bool) -> bool {
        let Some(held) = self.redis.held(task).copied() else { return false };
        let call = self.scenario.call(task);
        let is_over = held.cancelled && self.scenario.holds(Rule::CancelledEnds);
        if is_over {
            self.finish(task, Outcome::Cancelled, call.is_submitted() || held.marked);
            return false;
        }
        let retried = self.redis.live[usize::from(task)].map_or(0, |live| live.retried);
        if held.marked && retried >= call.retries() && self.scenario.holds(Rule::MarkedIsLost) {
            self.finish(task, Outcome::Lost, true);
            return false;
        }
        if has_died {
            if let Some(free) = self.history.deaths[usize::from(task)].iter_mut().find(|death| **death == 0) {
                *free = held.epoch;
            }
            let second = self.redis.live[usize::from(task)].is_some_and(|live| live.death != 0);
            if second && self.scenario.holds(Rule::DeadlyIsLost) {
                self.finish(task, Outcome::Lost, call.is_submitted() || held.marked);
                return false;
            }
            if let Some(live) = &mut self.redis.live[usize::from(task)] {
                live.death = held.epoch;
            }
        }
        if held.marked
            && self.scenario.holds(Rule::RetriesAreCounted)
            && let Some(live) = &mut self.redis.live[usize::from(task)]
        {
            live.retried = retried + 1;
        }
        self.redis.held.retain(|held| held.task != task);
        self.remember(task, Remembered::Queued);
        self.redis.queue.insert(0, task);
        true
    }

    fn cancel(&mut self, task: Id, outcome: Outcome, which: Which) -> Cancelled {
        if self.redis.live[usize::from(task)].is_none() {
            return Cancelled::Nothing;
        }
        let mut was_marked = false;
        if let Some(held) = self.redis.held.iter_mut().find(|held| held.task == task) {
            was_marked = held.marked;
            if which == Which::Queued {
                return Cancelled::Running;
            }
        }
        if which != Which::Now
            && let Some(held) = self.redis.held.iter_mut().find(|held| held.task == task)
        {
            let first = !held.cancelled;
            held.cancelled = true;
            return if first { Cancelled::Interrupted } else { Cancelled::Repeated };
        }
        self.redis.queue.retain(|id| *id != task);
        self.finish(task, outcome, self.scenario.call(task).is_submitted() || was_marked);
        Cancelled::Ended
    }

    fn answers(&self, server: Node, tasks: Set) -> Reply {
        let kept = &self.redis.answers[usize::from(server)];
        Reply::Answered(tasks.iter().filter_map(|id| Some((id, kept[usize::from(id)]?))).collect())
    }

    fn look(&mut self, task: Id, server: Node) -> Looked {
        let at = usize::from(task);
        if self.expire_if_overdue(task) {
            return Looked::Ended(Outcome::TimedOut);
        }
        if let Some(live) = &mut self.redis.live[at] {
            live.servers.insert(server);
            return Looked::InProgress;
        }
        match self.redis.remembered[at] {
            Some(Remembered::Ended(outcome)) => Looked::Ended(outcome),
            _ => Looked::Unknown,
        }
    }

    /// Ends a queued task whose deadline has passed. Returns whether it did.
    fn expire_if_overdue(&mut self, task: Id) -> bool {
        let is_overdue = self.redis.live[usize::from(task)].is_some_and(|live| live.overdue);
        if !is_overdue || self.redis.held(task).is_some() {
            return false;
        }
        self.redis.queue.retain(|id| *id != task);
        self.finish(task, Outcome::TimedOut, self.scenario.call(task).is_submitted());
        true
    }

    fn finish(&mut self, task: Id, outcome: Outcome, leaves: bool) {
        let at = usize::from(task);
        let servers = self.redis.live[at].take().map(|live| live.servers).unwrap_or_default();
        self.redis.held.retain(|held| held.task != task);
        self.redis.records[at] += u8::from(leaves);
        self.remember(task, Remembered::Ended(outcome));
        for server in servers.iter() {
            if self.scenario.holds(Rule::AnswersAreKept) {
                self.redis.answers[usize::from(server)][at] = Some(outcome);
            }
            self.published[usize::from(server)].insert(task);
        }
        self.history.ended[at] += 1;
        self.history.outcomes[at] = Some(outcome);
    }

    fn remember(&mut self, task: Id, state: Remembered) {
        if self.scenario.call(task).is_remembered() {
            self.redis.remembered[usize::from(task)] = Some(state);
        }
    }
}

//! Servers, workers and their messages: all actions that are possible next.

use super::{
    redis::{History, Lease, Published, Redis},
    scenario::{Id, Node, Outcome, Rule, SERVERS, Scenario, Set, TASKS, WORKERS},
    step::{Reply, Step, Submitted},
};

/// The fate of a script that is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Fate {
    Done,
    /// It runs, and other actions come before its reply.
    Slow,
    /// It never runs.
    RequestLost,
    /// It runs, and its reply is lost.
    ReplyLost,
    /// Its sender gives up, and it runs later.
    Delayed,
    /// It runs, and runs again later.
    Twice,
}

/// An action.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Action {
    /// A call is made.
    Submit(Id, Fate),
    /// Its server receives the reply.
    SubmitReplied(Id),
    /// A server receives the outcome of a task.
    Hear(Node, Id),
    MessageLost(Node, Id),
    /// A server asks for answers that it may have missed.
    Answers(Node),
    /// A server acknowledges the outcomes that it received.
    Acknowledge(Node),
    /// A server looks up the task of a call that it joined.
    Look(Id, Fate),
    /// The deadline of a waiting caller has passed: its task ends if it is queued; otherwise its worker should end it.
    CancelAtDeadline(Id),
    /// The worker did not end it in time: the server answers without it.
    AnswerWithout(Id, Fate),
    /// A caller disconnects.
    CallerDisconnects(Id),
    /// Its server cancels the play.
    CancelUnwanted(Id),
    /// A task is cancelled by name.
    CancelByHand(Id),
    /// A closing server ends queued plays.
    CancelQueued(Id),
    ServerDies(Node),
    /// A worker claims tasks.
    Claim(Node, Fate),
    ClaimReplied(Node),
    /// The worker gives up after a reply was lost twice.
    ClaimGivenUp(Node),
    /// A play calls another circle.
    Begin(Id),
    Mark(Node, usize, Fate),
    /// A script has its side effect.
    SideEffect(Node, usize),
    Settle(Node, usize, Outcome, Fate),
    /// Redis is unreachable until after the deadline.
    SettleGivenUp(Node, usize),
    /// A claim is dropped unsettled.
    Drop(Node, usize),
    Release(Node, usize, Fate),
    ReleaseGivenUp(Node, usize),
    Renew(Node),
    /// A worker releases claims that Redis holds for it and it does not know of.
    ReleaseStrays(Node),
    Reap,
    /// A worker is dead or frozen for longer than its lease.
    LeaseEnds(Node),
    WorkerDies(Node),
    DeadlinePasses(Id),
    /// Redis forgets that a nested play has ended.
    Forget(Id),
    /// The retry lock expires.
    RetryLockExpires,
    /// A delayed script runs.
    Arrive,
}

/// The effect of an action on Redis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Step(Step, Reply, Published),
    LeaseEnds(Node),
    DeadlinePasses(Id),
    Forget(Id),
    RetryLockExpires,
}

/// The answer to a caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Answer {
    /// The outcome of a task.
    Outcome(Id, Outcome),
    /// A task was accepted.
    Accepted(Id),
    /// Redis cannot be reached: the call may have been accepted or not.
    Unavailable,
    /// The deadline has passed, and the server does not know the outcome.
    DeadlinePassed(Id),
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Phase {
    /// It has not called.
    #[default]
    Idle,
    /// Redis has accepted its call, and its server has not received the reply.
    Submitting(Submitted),
    /// It waits for the end of a task.
    Waiting(Id),
    /// Its deadline has passed, and its server waits for the worker to end the task.
    Expiring(Id),
    Answered(Answer),
    Gone,
}

/// A caller, and what its server keeps for it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Caller {
    pub phase: Phase,
    /// Set if the outcome arrived before the reply to its call.
    pub received: bool,
    /// Set if its play has to be cancelled.
    pub cancel_requested: bool,
    /// Set if its server has to look up the task of a call that it joined.
    pub must_look: bool,
}

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Server {
    pub is_dead: bool,
    /// Published outcomes that it has not received yet.
    pub messages: Set,
    /// Outcomes that it received and has not acknowledged in Redis.
    pub acknowledged: Set,
}

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Claiming {
    #[default]
    Not,
    /// Redis has assigned tasks, and the worker has not received the reply.
    Replied(Vec<(Id, u8)>),
    /// The reply was lost; the worker repeats the claim for this many tasks.
    Unanswered(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Doing {
    Running,
    Settling(Outcome),
    Releasing,
}

/// A task that a worker runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Run {
    pub task: Id,
    /// The epoch of its claim; 0 for a nested play.
    pub epoch: u8,
    /// The version of the documents that it reads.
    pub read: u8,
    pub doing: Doing,
    pub marked: bool,
    pub side_effect: bool,
    pub interrupted: bool,
    pub conflicts: u8,
}

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Worker {
    pub is_dead: bool,
    /// The number of its last claim.
    pub number: u8,
    pub claiming: Claiming,
    pub runs: [Option<Run>; 2],
    /// By task, the epoch of the claim that it knows of; 0 for none.
    pub holding: [u8; TASKS],
}

/// The state of the whole system.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    pub redis: Redis,
    pub history: History,
    pub servers: [Server; SERVERS],
    pub callers: [Caller; TASKS],
    pub workers: [Worker; WORKERS],
    /// A delayed script that has yet to run.
    pub in_flight: Option<Step>,
}

impl State {
    pub(crate) fn caller(&mut self, id: Id) -> &mut Caller {
        &mut self.callers[usize::from(id)]
    }

    pub(crate) fn server(&mut self, node: Node) -> &mut Server {
        &mut self.servers[usize::from(node)]
    }

    pub(crate) fn worker(&mut self, node: Node) -> &mut Worker {
        &mut self.workers[usize::from(node)]
    }

    /// Runs a step in Redis and sends what it publishes.
    pub(crate) fn step(&mut self, scenario: &Scenario, step: Step) -> (Reply, Event) {
        let (reply, published) = self.redis.run(scenario, &mut self.history, &step);
        for (server, tasks) in self.servers.iter_mut().zip(published) {
            if !server.is_dead {
                server.messages = server.messages.with(tasks);
            }
        }
        (reply.clone(), Event::Step(step, reply, published))
    }

    /// Sends a step with this fate. Returns the reply if it arrives.
    pub(crate) fn send(
        &mut self,
        scenario: &Scenario,
        step: Step,
        fate: Fate,
    ) -> (Option<Reply>, Option<Event>) {
        if matches!(fate, Fate::Delayed | Fate::Twice) {
            self.in_flight = Some(step.clone());
        }
        if matches!(fate, Fate::Delayed | Fate::RequestLost) {
            return (None, None);
        }
        let (reply, event) = self.step(scenario, step);
        ((fate != Fate::ReplyLost).then_some(reply), Some(event))
    }
}

impl Action {
    /// Returns whether the action is a fault. The number of faults is bounded, so that every sequence of actions ends.
    pub(crate) fn is_fault(&self, scenario: &Scenario, state: &State) -> bool {
        match *self {
            Self::Submit(_, fate)
            | Self::AnswerWithout(_, fate)
            | Self::Look(_, fate)
            | Self::Claim(_, fate)
            | Self::Mark(_, _, fate)
            | Self::Settle(_, _, _, fate)
            | Self::Release(_, _, fate) => fate != Fate::Done,
            Self::MessageLost(..)
            | Self::CallerDisconnects(_)
            | Self::CancelByHand(_)
            | Self::CancelQueued(_)
            | Self::ServerDies(_)
            | Self::ClaimGivenUp(_)
            | Self::SettleGivenUp(..)
            | Self::Drop(..)
            | Self::ReleaseGivenUp(..)
            | Self::WorkerDies(_)
            | Self::DeadlinePasses(_) => true,
            // The lease of a dead worker always ends.
            Self::LeaseEnds(worker) => !state.workers[usize::from(worker)].is_dead,
            // A published outcome usually arrives before the server asks for it.
            Self::Answers(server) => !state.servers[usize::from(server)].messages.is_empty(),
            // The reply to a claim usually arrives before the next renewal.
            Self::ReleaseStrays(worker) => state.workers[usize::from(worker)].claiming != Claiming::Not,
            Self::Forget(_) => !scenario.holds(Rule::NestedIsRemembered),
            Self::SubmitReplied(_)
            | Self::Hear(..)
            | Self::Acknowledge(_)
            | Self::CancelAtDeadline(_)
            | Self::CancelUnwanted(_)
            | Self::ClaimReplied(_)
            | Self::Begin(_)
            | Self::SideEffect(..)
            | Self::Renew(_)
            | Self::Reap
            | Self::RetryLockExpires
            | Self::Arrive => false,
        }
    }
}

impl Scenario {
    /// Adds the possible actions, each of which changes the state.
    pub(crate) fn actions_of(&self, state: &State, actions: &mut Vec<Action>) {
        for id in self.ids() {
            self.caller_actions(state, id, actions);
        }
        for server in 0..self.servers {
            self.server_actions(state, server, actions);
        }
        for worker in 0..self.workers {
            self.worker_actions(state, worker, actions);
        }
        for (worker, lease) in state.redis.leases.iter().enumerate() {
            let worker_is_dead = state.workers[worker].is_dead;
            if *lease == Some(Lease::Runs) && (worker_is_dead || state.redis.holds_any(worker as Node)) {
                actions.push(Action::LeaseEnds(worker as Node));
            }
        }
        if state.redis.leases.contains(&Some(Lease::HasEnded)) && self.holds(Rule::LeasesExpire) {
            actions.push(Action::Reap);
        }
        for task in state.redis.done.iter() {
            if !self.may_be_settled_again(state, task) || !self.holds(Rule::NestedIsRemembered) {
                actions.push(Action::Forget(task));
            }
        }
        if state.redis.retry_lock.is_some() {
            actions.push(Action::RetryLockExpires);
        }
        if state.in_flight.is_some() {
            actions.push(Action::Arrive);
        }
    }

    /// Applies an action. Returns its effect on Redis.
    pub(crate) fn apply(&self, state: &mut State, action: Action) -> Option<Event> {
        match action {
            Action::LeaseEnds(worker) => {
                state.redis.leases[usize::from(worker)] = Some(Lease::HasEnded);
                Some(Event::LeaseEnds(worker))
            }
            Action::Reap => Some(state.step(self, Step::Reap).1),
            Action::DeadlinePasses(id) => {
                state.history.overdue.insert(id);
                let live = state.redis.live[usize::from(id)].as_mut()?;
                live.overdue = true;
                Some(Event::DeadlinePasses(id))
            }
            Action::Forget(id) => {
                state.redis.done.remove(id);
                Some(Event::Forget(id))
            }
            Action::RetryLockExpires => {
                state.redis.retry_lock = None;
                Some(Event::RetryLockExpires)
            }
            Action::Arrive => {
                let step = state.in_flight.take()?;
                Some(state.step(self, step).1)
            }
            Action::Submit(id, _)
            | Action::SubmitReplied(id)
            | Action::Look(id, _)
            | Action::CancelAtDeadline(id)
            | Action::AnswerWithout(id, _)
            | Action::CallerDisconnects(id)
            | Action::CancelUnwanted(id)
            | Action::CancelByHand(id)
            | Action::CancelQueued(id) => self.apply_to_caller(state, id, action),
            Action::Hear(server, _)
            | Action::MessageLost(server, _)
            | Action::Answers(server)
            | Action::Acknowledge(server)
            | Action::ServerDies(server) => self.apply_to_server(state, server, action),
            Action::Begin(id) => {
                self.begin_nested(state, id);
                None
            }
            Action::Claim(worker, _)
            | Action::ClaimReplied(worker)
            | Action::ClaimGivenUp(worker)
            | Action::Renew(worker)
            | Action::ReleaseStrays(worker)
            | Action::WorkerDies(worker) => self.apply_to_worker(state, worker, action),
            Action::Mark(worker, at, _)
            | Action::SideEffect(worker, at)
            | Action::Settle(worker, at, _, _)
            | Action::SettleGivenUp(worker, at)
            | Action::Drop(worker, at)
            | Action::Release(worker, at, _)
            | Action::ReleaseGivenUp(worker, at) => self.apply_to_run(state, worker, at, action),
        }
    }

    /// Returns whether every possible action is a fault.
    pub(crate) fn is_quiet(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.actions_of(state, &mut actions);
        actions.iter().all(|action| action.is_fault(self, state))
    }
}

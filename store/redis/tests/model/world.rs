//! Servers, workers and what lies between them and Redis: everything that may happen next.

use super::{
    redis::{History, Lease, Published, Redis},
    scenario::{Id, Outcome, Rule, SERVERS, Scenario, Set, TASKS, WORKERS, Who},
    step::{Reply, Step, Submitted},
};

/// What becomes of a script that is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    Done,
    /// It is run, and other things happen before what came of it is heard.
    Slow,
    /// It is never run.
    RequestLost,
    /// It is run, and nobody hears what came of it.
    ReplyLost,
    /// Who sent it gives it up, and it is run some time later.
    Late,
    /// It is run, and some time later once more.
    Twice,
}

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// A call is made.
    Submit(Id, Fate),
    /// Its server hears what became of it.
    SubmitReplied(Id),
    /// A server hears that a task has ended.
    Hear(Who, Id),
    MessageLost(Who, Id),
    /// A server asks for answers that it may have missed.
    Answers(Who),
    /// A server acknowledges what it was told.
    Acknowledge(Who),
    /// Who joined a call under way looks how it is.
    Look(Id, Fate),
    /// The deadline of who waits has passed: its task ends if it still waits; else its worker is to say so.
    CancelAtDeadline(Id),
    /// And nothing was heard of it since: it is answered without its worker.
    AnswerWithout(Id, Fate),
    /// A caller goes away.
    CallerGoes(Id),
    /// Its server sees to it that its play ends.
    CancelUnwanted(Id),
    /// Somebody cancels a task by its name.
    CancelByHand(Id),
    /// A server that closes ends what waits.
    CancelQueued(Id),
    ServerDies(Who),
    /// A worker takes tasks.
    Claim(Who, Fate),
    ClaimReplied(Who),
    /// After a reply was lost twice.
    ClaimGivenUp(Who),
    /// A play calls another circle.
    Begin(Id),
    Mark(Who, usize, Fate),
    /// A script has its effect outside.
    ReachOutside(Who, usize),
    Settle(Who, usize, Outcome, Fate),
    /// Redis is away until after the deadline.
    SettleGivenUp(Who, usize),
    /// A claim is dropped unsettled.
    Drop(Who, usize),
    GiveBack(Who, usize, Fate),
    GiveBackGivenUp(Who, usize),
    Renew(Who),
    /// A worker gives back what Redis holds for it and it does not know of.
    GiveStraysBack(Who),
    Reap,
    /// A worker has gone, or stands still, for longer than its lease.
    LeaseEnds(Who),
    WorkerDies(Who),
    DeadlinePasses(Id),
    /// That a play which was never queued has ended is no longer known.
    Forget(Id),
    /// Nobody has the right of way any more.
    WayEnds,
    /// A script is run that was given up.
    Arrive,
}

/// What an action meant to Redis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Step(Step, Reply, Published),
    LeaseEnds(Who),
    DeadlinePasses(Id),
    Forget(Id),
    WayEnds,
}

/// What a caller was answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Answer {
    /// What became of a task.
    Outcome(Id, Outcome),
    /// A task was accepted.
    Accepted(Id),
    /// Redis cannot be reached: it may have happened or not.
    Unavailable,
    /// The deadline has passed, and its server does not know what becomes of the task.
    DeadlinePassed(Id),
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// It has not called.
    #[default]
    Idle,
    /// Redis has its call, and its server not yet the reply.
    Submitting(Submitted),
    /// For the end of a task.
    Waiting(Id),
    /// Its task was cancelled at its deadline.
    LastWord(Id),
    Answered(Answer),
    Gone,
}

/// Who calls, and what its server keeps for it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct Caller {
    pub phase: Phase,
    /// Its answer was heard before the reply to its call.
    pub told: bool,
    /// Its play is to be cancelled.
    pub unwanted: bool,
    /// It has to be looked whether what it joined has ended.
    pub looks: bool,
}

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Server {
    pub is_dead: bool,
    /// What is published to it.
    pub messages: Set,
    /// What it was told and has not acknowledged.
    pub acknowledged: Set,
}

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub enum Claiming {
    #[default]
    Not,
    /// Redis has handed out tasks, and the worker has not heard yet.
    Replied(Vec<(Id, u8)>),
    /// It never heard, and will ask once more for so many.
    Unanswered(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Doing {
    Running,
    Settling(Outcome),
    GoingBack,
}

/// A task that a worker runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Run {
    pub task: Id,
    /// Of its claim; 0 if it was never queued.
    pub epoch: u8,
    /// The version of the documents that it reads.
    pub read: u8,
    pub doing: Doing,
    pub marked: bool,
    pub reached: bool,
    pub interrupted: bool,
    pub overtaken: u8,
}

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Worker {
    pub is_dead: bool,
    /// Of its last claim.
    pub number: u8,
    pub claiming: Claiming,
    pub runs: [Option<Run>; 2],
    /// By task, the epoch of the claim that it knows of; 0 if none.
    pub holding: [u8; TASKS],
}

/// All there is.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct State {
    pub redis: Redis,
    pub history: History,
    pub servers: [Server; SERVERS],
    pub callers: [Caller; TASKS],
    pub workers: [Worker; WORKERS],
    /// A script that was sent and is still to be run.
    pub under_way: Option<Step>,
}

impl State {
    pub fn caller(&mut self, id: Id) -> &mut Caller {
        &mut self.callers[usize::from(id)]
    }

    pub fn server(&mut self, who: Who) -> &mut Server {
        &mut self.servers[usize::from(who)]
    }

    pub fn worker(&mut self, who: Who) -> &mut Worker {
        &mut self.workers[usize::from(who)]
    }

    /// Does a step in Redis, and sends what is published.
    pub fn step(&mut self, scenario: &Scenario, step: Step) -> (Reply, Event) {
        let (reply, published) = self.redis.run(scenario, &mut self.history, &step);
        for (server, tasks) in self.servers.iter_mut().zip(published) {
            if !server.is_dead {
                server.messages = server.messages.with(tasks);
            }
        }
        (reply.clone(), Event::Step(step, reply, published))
    }

    /// Sends a step to this fate. There is a reply if it is heard.
    pub fn send(&mut self, scenario: &Scenario, step: Step, fate: Fate) -> (Option<Reply>, Option<Event>) {
        if matches!(fate, Fate::Late | Fate::Twice) {
            self.under_way = Some(step.clone());
        }
        if matches!(fate, Fate::Late | Fate::RequestLost) {
            return (None, None);
        }
        let (reply, event) = self.step(scenario, step);
        ((fate != Fate::ReplyLost).then_some(reply), Some(event))
    }
}

impl Action {
    /// Whether something goes wrong, which it may not do for ever: else everything may always go wrong again
    /// before anything ends.
    pub fn is_fault(&self, scenario: &Scenario, state: &State) -> bool {
        match *self {
            Self::Submit(_, fate)
            | Self::AnswerWithout(_, fate)
            | Self::Look(_, fate)
            | Self::Claim(_, fate)
            | Self::Mark(_, _, fate)
            | Self::Settle(_, _, _, fate)
            | Self::GiveBack(_, _, fate) => fate != Fate::Done,
            Self::MessageLost(..)
            | Self::CallerGoes(_)
            | Self::CancelByHand(_)
            | Self::CancelQueued(_)
            | Self::ServerDies(_)
            | Self::ClaimGivenUp(_)
            | Self::SettleGivenUp(..)
            | Self::Drop(..)
            | Self::GiveBackGivenUp(..)
            | Self::WorkerDies(_)
            | Self::DeadlinePasses(_) => true,
            // Who has gone renews nothing.
            Self::LeaseEnds(worker) => !state.workers[usize::from(worker)].is_dead,
            // What is published comes sooner, as a rule.
            Self::Answers(server) => !state.servers[usize::from(server)].messages.is_empty(),
            // Of a claim under way it hears in time, as a rule.
            Self::GiveStraysBack(worker) => state.workers[usize::from(worker)].claiming != Claiming::Not,
            Self::Forget(_) => !scenario.holds(Rule::NestedIsRemembered),
            Self::SubmitReplied(_)
            | Self::Hear(..)
            | Self::Acknowledge(_)
            | Self::CancelAtDeadline(_)
            | Self::CancelUnwanted(_)
            | Self::ClaimReplied(_)
            | Self::Begin(_)
            | Self::ReachOutside(..)
            | Self::Renew(_)
            | Self::Reap
            | Self::WayEnds
            | Self::Arrive => false,
        }
    }
}

impl Scenario {
    /// What may happen, each of which changes something.
    pub fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        for id in self.ids() {
            self.possible_of_caller(state, id, actions);
        }
        for server in 0..self.servers {
            self.possible_of_server(state, server, actions);
        }
        for worker in 0..self.workers {
            self.possible_of_worker(state, worker, actions);
        }
        for (worker, lease) in state.redis.leases.iter().enumerate() {
            let worker_is_dead = state.workers[worker].is_dead;
            if *lease == Some(Lease::Runs) && (worker_is_dead || state.redis.holds_any(worker as Who)) {
                actions.push(Action::LeaseEnds(worker as Who));
            }
        }
        if state.redis.leases.contains(&Some(Lease::HasEnded)) && self.holds(Rule::LeasesEnd) {
            actions.push(Action::Reap);
        }
        for task in state.redis.done.iter() {
            if !self.may_be_settled_again(state, task) || !self.holds(Rule::NestedIsRemembered) {
                actions.push(Action::Forget(task));
            }
        }
        if state.redis.way.is_some() {
            actions.push(Action::WayEnds);
        }
        if state.under_way.is_some() {
            actions.push(Action::Arrive);
        }
    }

    /// Lets something happen; what it meant to Redis.
    pub fn happen(&self, state: &mut State, action: Action) -> Option<Event> {
        match action {
            Action::LeaseEnds(worker) => {
                state.redis.leases[usize::from(worker)] = Some(Lease::HasEnded);
                Some(Event::LeaseEnds(worker))
            }
            Action::Reap => Some(state.step(self, Step::Reap).1),
            Action::DeadlinePasses(id) => {
                state.history.late.insert(id);
                let live = state.redis.live[usize::from(id)].as_mut()?;
                live.late = true;
                Some(Event::DeadlinePasses(id))
            }
            Action::Forget(id) => {
                state.redis.done.remove(id);
                Some(Event::Forget(id))
            }
            Action::WayEnds => {
                state.redis.way = None;
                Some(Event::WayEnds)
            }
            Action::Arrive => {
                let step = state.under_way.take()?;
                Some(state.step(self, step).1)
            }
            Action::Submit(id, _)
            | Action::SubmitReplied(id)
            | Action::Look(id, _)
            | Action::CancelAtDeadline(id)
            | Action::AnswerWithout(id, _)
            | Action::CallerGoes(id)
            | Action::CancelUnwanted(id)
            | Action::CancelByHand(id)
            | Action::CancelQueued(id) => self.happen_to_caller(state, id, action),
            Action::Hear(server, _)
            | Action::MessageLost(server, _)
            | Action::Answers(server)
            | Action::Acknowledge(server)
            | Action::ServerDies(server) => self.happen_to_server(state, server, action),
            Action::Begin(id) => {
                self.begin_nested(state, id);
                None
            }
            Action::Claim(worker, _)
            | Action::ClaimReplied(worker)
            | Action::ClaimGivenUp(worker)
            | Action::Renew(worker)
            | Action::GiveStraysBack(worker)
            | Action::WorkerDies(worker) => self.happen_to_worker(state, worker, action),
            Action::Mark(worker, at, _)
            | Action::ReachOutside(worker, at)
            | Action::Settle(worker, at, _, _)
            | Action::SettleGivenUp(worker, at)
            | Action::Drop(worker, at)
            | Action::GiveBack(worker, at, _)
            | Action::GiveBackGivenUp(worker, at) => self.happen_to_run(state, worker, at, action),
        }
    }

    /// Whether nothing is to come unless something goes wrong.
    pub fn is_quiet(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.possible(state, &mut actions);
        actions.iter().all(|action| action.is_fault(self, state))
    }
}

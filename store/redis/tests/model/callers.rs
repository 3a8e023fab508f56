//! Calls and their servers, as in `store/redis/src/waiters.rs`.

use super::{
    scenario::{Call, Id, Node, Outcome, Rule, Scenario, Set},
    step::{Cancelled, Looked, Reply, Step, Submitted, Which},
    world::{Action, Answer, Event, Fate, Phase, State},
};

impl Scenario {
    pub(crate) fn caller_actions(&self, state: &State, id: Id, actions: &mut Vec<Action>) {
        let (call, caller) = (self.call(id), &state.callers[usize::from(id)]);
        let is_there = !state.servers[usize::from(call.server)].is_dead;
        if !is_there {
            return;
        }
        match caller.phase {
            Phase::Idle if call.is_nested() => {
                if self.has_free_slot(&state.workers[0]) {
                    actions.push(Action::Begin(id));
                }
            }
            Phase::Idle if call.is_query() => {
                if state.history.accepted[0] > 0 {
                    let fates = [Fate::Done, Fate::RequestLost, Fate::ReplyLost];
                    actions.extend(fates.map(|fate| Action::Look(id, fate)));
                }
            }
            Phase::Idle => {
                let fates = [Fate::Done, Fate::Slow, Fate::RequestLost, Fate::ReplyLost];
                actions.extend(fates.map(|fate| Action::Submit(id, fate)));
                if state.in_flight.is_none() {
                    actions.extend([Fate::Delayed, Fate::Twice].map(|fate| Action::Submit(id, fate)));
                }
            }
            Phase::Submitting(_) => actions.push(Action::SubmitReplied(id)),
            Phase::Waiting(_) if call.is_nested() => {}
            Phase::Waiting(task) => {
                let whose = if self.holds(Rule::JoinedCallDoesNotEndTask) { task } else { id };
                if state.history.overdue.has(whose) && !call.is_query() {
                    actions.push(Action::CancelAtDeadline(id));
                }
                if !call.is_remembered() && state.redis.live[usize::from(task)].is_some() {
                    actions.push(Action::CancelQueued(id));
                }
            }
            Phase::Expiring(task) => {
                let ends_it = self.holds(Rule::DeadlineIsFinal);
                if !ends_it || state.redis.live[usize::from(task)].is_some() {
                    actions.push(Action::AnswerWithout(id, Fate::Done));
                }
                if ends_it {
                    actions.extend(
                        [Fate::RequestLost, Fate::ReplyLost].map(|fate| Action::AnswerWithout(id, fate)),
                    );
                }
            }
            Phase::Answered(_) | Phase::Gone => {}
        }
        if !call.is_nested()
            && matches!(caller.phase, Phase::Submitting(_) | Phase::Waiting(_) | Phase::Expiring(_))
        {
            actions.push(Action::CallerDisconnects(id));
        }
        if caller.must_look {
            actions.extend([Fate::Done, Fate::RequestLost].map(|fate| Action::Look(id, fate)));
        }
        if caller.cancel_requested {
            actions.push(Action::CancelUnwanted(id));
        }
        let is_live = state.redis.live[usize::from(id)].is_some();
        let has_joined = matches!(caller.phase, Phase::Waiting(task) if task != id) && !call.is_query();
        if is_live && !state.history.cancel_requested.has(id) {
            actions.push(Action::CancelByHand(id));
        }
        let has_begun = is_live
            || (call.is_nested() && caller.phase != Phase::Idle)
            || (has_joined && !self.holds(Rule::JoinedCallDoesNotEndTask));
        if has_begun && !state.history.overdue.has(id) {
            actions.push(Action::DeadlinePasses(id));
        }
    }

    pub(crate) fn apply_to_caller(&self, state: &mut State, id: Id, action: Action) -> Option<Event> {
        let call = self.call(id);
        match action {
            Action::Submit(_, fate) => self.submit(state, id, fate),
            Action::SubmitReplied(_) => {
                self.receive_reply(state, id);
                None
            }
            Action::Look(_, fate) => self.look(state, id, fate),
            Action::CancelAtDeadline(_) => {
                let Phase::Waiting(task) = state.caller(id).phase else { return None };
                state.caller(id).phase = Phase::Expiring(task);
                Some(
                    state
                        .step(self, Step::Cancel { task, outcome: Outcome::TimedOut, which: Which::Queued })
                        .1,
                )
            }
            Action::AnswerWithout(_, fate) => {
                let Phase::Expiring(task) = state.caller(id).phase else { return None };
                if !self.holds(Rule::DeadlineIsFinal) {
                    state.caller(id).phase = Phase::Answered(Answer::DeadlinePassed(task));
                    state.caller(id).must_look = false;
                    return None;
                }
                let step = Step::Cancel { task, outcome: Outcome::TimedOut, which: Which::Now };
                let (reply, event) = state.send(self, step, fate);
                state.caller(id).must_look = false;
                state.caller(id).phase = Phase::Answered(match reply {
                    Some(_) => Answer::Outcome(task, Outcome::TimedOut),
                    None => Answer::Unavailable,
                });
                event
            }
            Action::CallerDisconnects(_) => {
                let caller = state.caller(id);
                (caller.phase, caller.must_look) = (Phase::Gone, false);
                caller.cancel_requested = !call.is_remembered();
                None
            }
            Action::CancelUnwanted(_) => {
                state.caller(id).cancel_requested = false;
                Some(self.cancel(state, id, Which::Any))
            }
            Action::CancelByHand(_) => Some(self.cancel(state, id, Which::Any)),
            Action::CancelQueued(_) => Some(self.cancel(state, id, Which::Queued)),
            _ => None,
        }
    }

    fn submit(&self, state: &mut State, id: Id, fate: Fate) -> Option<Event> {
        let call = self.call(id);
        let step = Step::Submit { server: call.server, acknowledged: Set::default(), task: Some(id) };
        let (reply, event) = state.send(self, step, fate);
        let caller = state.caller(id);
        if let Some(Reply::Submitted(Some(reply))) = reply {
            caller.phase = Phase::Submitting(reply);
            if fate != Fate::Slow {
                self.receive_reply(state, id);
            }
        } else {
            caller.phase = Phase::Answered(Answer::Unavailable);
            caller.cancel_requested = !call.is_remembered() && fate != Fate::RequestLost;
        }
        event
    }

    fn look(&self, state: &mut State, id: Id, fate: Fate) -> Option<Event> {
        let server = self.call(id).server;
        let task = match state.caller(id).phase {
            Phase::Waiting(task) | Phase::Expiring(task) => task,
            _ => 0,
        };
        let must_look = self.holds(Rule::JoinedIsLookedUp);
        let step = if must_look {
            Step::Look { task, server }
        } else {
            Step::Answers { server, tasks: Set::of(task) }
        };
        let (reply, event) = state.send(self, step, fate);
        let caller = state.caller(id);
        caller.must_look = false;
        match reply {
            Some(Reply::Looked(Looked::Ended(outcome))) => {
                caller.phase = Phase::Answered(Answer::Outcome(task, outcome));
            }
            Some(Reply::Looked(_)) if caller.phase == Phase::Idle => caller.phase = Phase::Waiting(task),
            Some(Reply::Answered(found)) => {
                found.into_iter().for_each(|(task, outcome)| self.received(state, server, task, outcome));
            }
            Some(_) => {}
            None => caller.phase = Phase::Answered(Answer::Unavailable),
        }
        event
    }

    fn receive_reply(&self, state: &mut State, id: Id) {
        let received = std::mem::take(&mut state.caller(id).received);
        let outcome = state.history.outcomes[usize::from(id)].filter(|_| received);
        let caller = state.caller(id);
        if let Phase::Submitting(reply) = caller.phase {
            caller.phase = after_reply(self.call(id), id, reply, outcome);
            caller.must_look = matches!(caller.phase, Phase::Waiting(task) if task != id);
        }
    }

    fn cancel(&self, state: &mut State, task: Id, which: Which) -> Event {
        let (reply, event) = state.step(self, Step::Cancel { task, outcome: Outcome::Cancelled, which });
        if matches!(reply, Reply::Cancelled(Cancelled::Ended | Cancelled::Interrupted | Cancelled::Repeated))
        {
            state.history.cancel_requested.insert(task);
        }
        event
    }

    pub(crate) fn server_actions(&self, state: &State, node: Node, actions: &mut Vec<Action>) {
        let server = &state.servers[usize::from(node)];
        if server.is_dead {
            return;
        }
        for task in server.messages.iter() {
            actions.extend([Action::Hear(node, task), Action::MessageLost(node, task)]);
        }
        let kept = &state.redis.answers[usize::from(node)];
        if self.awaited_at(state, node).iter().any(|task| kept[usize::from(task)].is_some()) {
            actions.push(Action::Answers(node));
        }
        // Steps on one connection arrive in order.
        let is_behind = matches!(state.in_flight, Some(Step::Submit { server, .. }) if server == node);
        if !self.acknowledged_of(state, node).is_empty() && !is_behind {
            actions.push(Action::Acknowledge(node));
        }
        if self.ids().any(|id| self.call(id).server == node && !self.call(id).is_nested()) {
            actions.push(Action::ServerDies(node));
        }
    }

    pub(crate) fn apply_to_server(&self, state: &mut State, node: Node, action: Action) -> Option<Event> {
        match action {
            Action::Hear(_, task) => {
                state.server(node).messages.remove(task);
                let outcome = state.history.outcomes[usize::from(task)]?;
                self.received(state, node, task, outcome);
                None
            }
            Action::MessageLost(_, task) => {
                state.server(node).messages.remove(task);
                None
            }
            Action::Answers(_) => {
                let tasks = self.awaited_at(state, node);
                let (reply, event) = state.step(self, Step::Answers { server: node, tasks });
                if let Reply::Answered(found) = reply {
                    found.into_iter().for_each(|(task, outcome)| self.received(state, node, task, outcome));
                }
                Some(event)
            }
            Action::Acknowledge(_) => {
                let acknowledged = self.acknowledged_of(state, node);
                state.server(node).acknowledged = Set::default();
                Some(state.step(self, Step::Submit { server: node, acknowledged, task: None }).1)
            }
            Action::ServerDies(_) => {
                let server = state.server(node);
                (server.is_dead, server.messages, server.acknowledged) =
                    (true, Set::default(), Set::default());
                for id in self.ids().filter(|id| self.call(*id).server == node) {
                    let caller = state.caller(id);
                    if !matches!(caller.phase, Phase::Answered(_)) && !self.call(id).is_nested() {
                        caller.phase = Phase::Gone;
                    }
                    (caller.cancel_requested, caller.must_look, caller.received) = (false, false, false);
                }
                None
            }
            _ => None,
        }
    }

    /// Returns the tasks whose end a server's callers await.
    fn awaited_at(&self, state: &State, node: Node) -> Set {
        let mut tasks = Set::default();
        for id in self.ids().filter(|id| self.call(*id).server == node) {
            let caller = &state.callers[usize::from(id)];
            match caller.phase {
                Phase::Submitting(_) if !caller.received => tasks.insert(id),
                Phase::Waiting(task) | Phase::Expiring(task) => tasks.insert(task),
                _ => {}
            }
        }
        tasks
    }

    fn acknowledged_of(&self, state: &State, node: Node) -> Set {
        if self.holds(Rule::OnlyReceivedIsAcknowledged) {
            return state.servers[usize::from(node)].acknowledged;
        }
        let mut tasks = Set::default();
        let kept = &state.redis.answers[usize::from(node)];
        self.ids().filter(|id| kept[usize::from(*id)].is_some()).for_each(|id| tasks.insert(id));
        tasks
    }

    /// A server receives the outcome of a task and passes it on to its callers.
    fn received(&self, state: &mut State, node: Node, task: Id, outcome: Outcome) {
        state.server(node).acknowledged.insert(task);
        for id in self.ids().filter(|id| self.call(*id).server == node) {
            let caller = state.caller(id);
            match caller.phase {
                Phase::Submitting(_) if id == task => caller.received = true,
                Phase::Waiting(awaited) | Phase::Expiring(awaited) if awaited == task => {
                    caller.phase = Phase::Answered(Answer::Outcome(task, outcome));
                    caller.must_look = false;
                }
                _ => {}
            }
        }
    }
}

/// Returns the phase of a caller after its server has received the reply to its call; `received` is the outcome that
/// arrived before the reply.
fn after_reply(call: &Call, id: Id, reply: Submitted, received: Option<Outcome>) -> Phase {
    let task = match reply {
        Submitted::Accepted => id,
        Submitted::Known(other) | Submitted::Ended(other, _) => other,
    };
    if call.is_submitted() {
        return Phase::Answered(Answer::Accepted(task));
    }
    match (reply, received) {
        (Submitted::Ended(other, outcome), _) => Phase::Answered(Answer::Outcome(other, outcome)),
        (Submitted::Accepted, Some(outcome)) => Phase::Answered(Answer::Outcome(id, outcome)),
        _ => Phase::Waiting(task),
    }
}

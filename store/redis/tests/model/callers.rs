//! Calls and the servers that they are made at: `store/redis/src/tickets.rs`.

use super::{
    scenario::{Call, Id, Outcome, Rule, Scenario, Set, Who},
    step::{Cancelled, Looked, Reply, Step, Submitted, Which},
    world::{Action, Answer, Event, Fate, Phase, State},
};

impl Scenario {
    pub fn possible_of_caller(&self, state: &State, id: Id, actions: &mut Vec<Action>) {
        let (call, caller) = (self.call(id), &state.callers[usize::from(id)]);
        let is_there = !state.servers[usize::from(call.server)].is_dead;
        if !is_there {
            return;
        }
        match caller.phase {
            Phase::Idle if call.is_nested() => {
                if self.has_room(&state.workers[0]) {
                    actions.push(Action::Begin(id));
                }
            }
            Phase::Idle if call.asks() => {
                if state.history.accepted[0] > 0 {
                    let fates = [Fate::Done, Fate::RequestLost, Fate::ReplyLost];
                    actions.extend(fates.map(|fate| Action::Look(id, fate)));
                }
            }
            Phase::Idle => {
                let fates = [Fate::Done, Fate::Slow, Fate::RequestLost, Fate::ReplyLost];
                actions.extend(fates.map(|fate| Action::Submit(id, fate)));
                if state.under_way.is_none() {
                    actions.extend([Fate::Late, Fate::Twice].map(|fate| Action::Submit(id, fate)));
                }
            }
            Phase::Submitting(_) => actions.push(Action::SubmitReplied(id)),
            Phase::Waiting(_) if call.is_nested() => {}
            Phase::Waiting(task) => {
                let whose = if self.holds(Rule::JoinedKeepsItsDeadline) { task } else { id };
                if state.history.late.has(whose) && !call.asks() {
                    actions.push(Action::CancelAtDeadline(id));
                }
                if !call.is_kept() && state.redis.live[usize::from(task)].is_some() {
                    actions.push(Action::CancelQueued(id));
                }
            }
            Phase::LastWord(task) => {
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
            && matches!(caller.phase, Phase::Submitting(_) | Phase::Waiting(_) | Phase::LastWord(_))
        {
            actions.push(Action::CallerGoes(id));
        }
        if caller.looks {
            actions.extend([Fate::Done, Fate::RequestLost].map(|fate| Action::Look(id, fate)));
        }
        if caller.unwanted {
            actions.push(Action::CancelUnwanted(id));
        }
        let is_live = state.redis.live[usize::from(id)].is_some();
        let has_joined = matches!(caller.phase, Phase::Waiting(task) if task != id) && !call.asks();
        if is_live && !state.history.unwanted.has(id) {
            actions.push(Action::CancelByHand(id));
        }
        let has_begun = is_live
            || (call.is_nested() && caller.phase != Phase::Idle)
            || (has_joined && !self.holds(Rule::JoinedKeepsItsDeadline));
        if has_begun && !state.history.late.has(id) {
            actions.push(Action::DeadlinePasses(id));
        }
    }

    pub fn happen_to_caller(&self, state: &mut State, id: Id, action: Action) -> Option<Event> {
        let call = self.call(id);
        match action {
            Action::Submit(_, fate) => self.submit(state, id, fate),
            Action::SubmitReplied(_) => {
                self.hear_reply(state, id);
                None
            }
            Action::Look(_, fate) => self.look(state, id, fate),
            Action::CancelAtDeadline(_) => {
                let Phase::Waiting(task) = state.caller(id).phase else { return None };
                state.caller(id).phase = Phase::LastWord(task);
                Some(
                    state
                        .step(self, Step::Cancel { task, outcome: Outcome::TimedOut, which: Which::Queued })
                        .1,
                )
            }
            Action::AnswerWithout(_, fate) => {
                let Phase::LastWord(task) = state.caller(id).phase else { return None };
                if !self.holds(Rule::DeadlineIsFinal) {
                    state.caller(id).phase = Phase::Answered(Answer::DeadlinePassed(task));
                    state.caller(id).looks = false;
                    return None;
                }
                let step = Step::Cancel { task, outcome: Outcome::TimedOut, which: Which::Now };
                let (reply, event) = state.send(self, step, fate);
                state.caller(id).looks = false;
                state.caller(id).phase = Phase::Answered(match reply {
                    Some(_) => Answer::Outcome(task, Outcome::TimedOut),
                    None => Answer::Unavailable,
                });
                event
            }
            Action::CallerGoes(_) => {
                let caller = state.caller(id);
                (caller.phase, caller.looks) = (Phase::Gone, false);
                caller.unwanted = !call.is_kept();
                None
            }
            Action::CancelUnwanted(_) => {
                state.caller(id).unwanted = false;
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
                self.hear_reply(state, id);
            }
        } else {
            caller.phase = Phase::Answered(Answer::Unavailable);
            caller.unwanted = !call.is_kept() && fate != Fate::RequestLost;
        }
        event
    }

    fn look(&self, state: &mut State, id: Id, fate: Fate) -> Option<Event> {
        let server = self.call(id).server;
        let task = match state.caller(id).phase {
            Phase::Waiting(task) | Phase::LastWord(task) => task,
            _ => 0,
        };
        let looks = self.holds(Rule::JoinedIsLookedUp);
        let step =
            if looks { Step::Look { task, server } } else { Step::Answers { server, tasks: Set::of(task) } };
        let (reply, event) = state.send(self, step, fate);
        let caller = state.caller(id);
        caller.looks = false;
        match reply {
            Some(Reply::Looked(Looked::Ended(outcome))) => {
                caller.phase = Phase::Answered(Answer::Outcome(task, outcome));
            }
            Some(Reply::Looked(_)) if caller.phase == Phase::Idle => caller.phase = Phase::Waiting(task),
            Some(Reply::Answered(found)) => {
                found.into_iter().for_each(|(task, outcome)| self.told(state, server, task, outcome));
            }
            Some(_) => {}
            None => caller.phase = Phase::Answered(Answer::Unavailable),
        }
        event
    }

    fn hear_reply(&self, state: &mut State, id: Id) {
        let told = std::mem::take(&mut state.caller(id).told);
        let outcome = state.history.outcomes[usize::from(id)].filter(|_| told);
        let caller = state.caller(id);
        if let Phase::Submitting(reply) = caller.phase {
            caller.phase = after_reply(self.call(id), id, reply, outcome);
            caller.looks = matches!(caller.phase, Phase::Waiting(task) if task != id);
        }
    }

    fn cancel(&self, state: &mut State, task: Id, which: Which) -> Event {
        let (reply, event) = state.step(self, Step::Cancel { task, outcome: Outcome::Cancelled, which });
        if matches!(reply, Reply::Cancelled(Cancelled::Ended | Cancelled::Told | Cancelled::Again)) {
            state.history.unwanted.insert(task);
        }
        event
    }

    pub fn possible_of_server(&self, state: &State, who: Who, actions: &mut Vec<Action>) {
        let server = &state.servers[usize::from(who)];
        if server.is_dead {
            return;
        }
        for task in server.messages.iter() {
            actions.extend([Action::Hear(who, task), Action::MessageLost(who, task)]);
        }
        let kept = &state.redis.answers[usize::from(who)];
        if self.awaited_at(state, who).iter().any(|task| kept[usize::from(task)].is_some()) {
            actions.push(Action::Answers(who));
        }
        // On the same connection, it comes behind what was sent before.
        let is_behind = matches!(state.under_way, Some(Step::Submit { server, .. }) if server == who);
        if !self.acknowledged_of(state, who).is_empty() && !is_behind {
            actions.push(Action::Acknowledge(who));
        }
        if self.ids().any(|id| self.call(id).server == who && !self.call(id).is_nested()) {
            actions.push(Action::ServerDies(who));
        }
    }

    pub fn happen_to_server(&self, state: &mut State, who: Who, action: Action) -> Option<Event> {
        match action {
            Action::Hear(_, task) => {
                state.server(who).messages.remove(task);
                let outcome = state.history.outcomes[usize::from(task)]?;
                self.told(state, who, task, outcome);
                None
            }
            Action::MessageLost(_, task) => {
                state.server(who).messages.remove(task);
                None
            }
            Action::Answers(_) => {
                let tasks = self.awaited_at(state, who);
                let (reply, event) = state.step(self, Step::Answers { server: who, tasks });
                if let Reply::Answered(found) = reply {
                    found.into_iter().for_each(|(task, outcome)| self.told(state, who, task, outcome));
                }
                Some(event)
            }
            Action::Acknowledge(_) => {
                let acknowledged = self.acknowledged_of(state, who);
                state.server(who).acknowledged = Set::default();
                Some(state.step(self, Step::Submit { server: who, acknowledged, task: None }).1)
            }
            Action::ServerDies(_) => {
                let server = state.server(who);
                (server.is_dead, server.messages, server.acknowledged) =
                    (true, Set::default(), Set::default());
                for id in self.ids().filter(|id| self.call(*id).server == who) {
                    let caller = state.caller(id);
                    if !matches!(caller.phase, Phase::Answered(_)) && !self.call(id).is_nested() {
                        caller.phase = Phase::Gone;
                    }
                    (caller.unwanted, caller.looks, caller.told) = (false, false, false);
                }
                None
            }
            _ => None,
        }
    }

    /// Tasks whose end somebody awaits at a server.
    fn awaited_at(&self, state: &State, who: Who) -> Set {
        let mut tasks = Set::default();
        for id in self.ids().filter(|id| self.call(*id).server == who) {
            let caller = &state.callers[usize::from(id)];
            match caller.phase {
                Phase::Submitting(_) if !caller.told => tasks.insert(id),
                Phase::Waiting(task) | Phase::LastWord(task) => tasks.insert(task),
                _ => {}
            }
        }
        tasks
    }

    fn acknowledged_of(&self, state: &State, who: Who) -> Set {
        if self.holds(Rule::ToldIsAcknowledged) {
            return state.servers[usize::from(who)].acknowledged;
        }
        let mut tasks = Set::default();
        let kept = &state.redis.answers[usize::from(who)];
        self.ids().filter(|id| kept[usize::from(*id)].is_some()).for_each(|id| tasks.insert(id));
        tasks
    }

    /// A server learns what became of a task: it hands that on.
    fn told(&self, state: &mut State, who: Who, task: Id, outcome: Outcome) {
        state.server(who).acknowledged.insert(task);
        for id in self.ids().filter(|id| self.call(*id).server == who) {
            let caller = state.caller(id);
            match caller.phase {
                Phase::Submitting(_) if id == task => caller.told = true,
                Phase::Waiting(awaited) | Phase::LastWord(awaited) if awaited == task => {
                    caller.phase = Phase::Answered(Answer::Outcome(task, outcome));
                    caller.looks = false;
                }
                _ => {}
            }
        }
    }
}

/// What a caller does next whose server hears what became of its call; `told` is what it was told of its task
/// before.
fn after_reply(call: &Call, id: Id, reply: Submitted, told: Option<Outcome>) -> Phase {
    let task = match reply {
        Submitted::Accepted => id,
        Submitted::Known(other) | Submitted::Ended(other, _) => other,
    };
    if call.is_submitted() {
        return Phase::Answered(Answer::Accepted(task));
    }
    match (reply, told) {
        (Submitted::Ended(other, outcome), _) => Phase::Answered(Answer::Outcome(other, outcome)),
        (Submitted::Accepted, Some(outcome)) => Phase::Answered(Answer::Outcome(id, outcome)),
        _ => Phase::Waiting(task),
    }
}

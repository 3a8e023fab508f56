//! Compares the model with the scripts: takes random walks in both, step by step.

use std::collections::BTreeSet;

use circles_testing::{Redis as RealRedis, SeededRng};

use super::{
    resp::Connection,
    scenario::Scenario,
    shard::{Scripts, Shard},
    step::{Looked, Reply, Submitted},
    world::{Event, State},
};

/// The most actions of a walk; most walks end before.
const STEPS: usize = 80;

/// A real Redis, and the number of walks taken there.
pub(crate) struct Replay {
    commands: Connection,
    messages: Connection,
    walks: usize,
    _redis: RealRedis,
}

impl Replay {
    pub(crate) fn start() -> Self {
        let redis = RealRedis::start();
        let url = redis.url();
        let mut commands = Connection::open(&url);
        // Small hashes keep the order of insertion, as the model does.
        commands.ask(&["CONFIG", "SET", "hash-max-ziplist-value", "65536"]);
        let mut messages = Connection::open(&url);
        messages.ask(&["PSUBSCRIBE", "circles:server:*"]);
        Self { commands, messages, walks: 0, _redis: redis }
    }

    /// Takes a random walk through a scenario, in the model and in Redis. Returns the kinds of replies, or the first
    /// difference.
    pub(crate) fn walk(
        &mut self,
        scenario: &Scenario,
        scripts: &Scripts,
        seed: u64,
    ) -> Result<BTreeSet<String>, String> {
        self.walks += 1;
        let name = format!("circles:{{{}}}", self.walks);
        let (commands, messages) = (&mut self.commands, &mut self.messages);
        let mut shard = Shard { scenario, scripts, commands, messages, name };
        let mut dice = SeededRng::new(seed, 0);
        let (mut state, mut actions) = (State::default(), Vec::new());
        let (mut taken, mut returned) = (String::new(), BTreeSet::new());
        for _ in 0..STEPS {
            actions.clear();
            scenario.actions_of(&state, &mut actions);
            // Most actions are faults, so faults are excluded half of the time.
            if dice.below(2) == 0 && !scenario.is_quiet(&state) {
                actions.retain(|action| !action.is_fault(scenario, &state));
            }
            if actions.is_empty() {
                break;
            }
            let action = dice.one_of(&actions);
            taken += &format!("    {action:?}\n");
            let Some(event) = scenario.apply(&mut state, action) else { continue };
            let real = shard.apply(&event);
            if let (Event::Step(step, reply, published), Some(real)) = (event, real) {
                if real != (reply.clone(), published) {
                    let model = (reply, published);
                    return Err(format!("{taken}{step:?}\n  model: {model:?}\n  Redis: {real:?}"));
                }
                returned.insert(kind(&reply));
            }
            let redis = shard.redis().map_err(|fault| format!("{taken}{fault}"))?;
            if redis != state.redis {
                return Err(format!("{taken}  model: {:#?}\n  Redis: {redis:#?}", state.redis));
            }
        }
        Ok(returned)
    }
}

/// Returns the kind of a reply, without names, outcomes and large numbers.
fn kind(reply: &Reply) -> String {
    match reply {
        Reply::Submitted(Some(Submitted::Known(_))) => "Submitted(Known)".to_owned(),
        Reply::Submitted(Some(Submitted::Ended(..))) => "Submitted(Ended)".to_owned(),
        Reply::Submitted(None) => "Acknowledged".to_owned(),
        Reply::Claimed(_, tasks) => format!("Claimed({})", tasks.len()),
        Reply::Renewed(holds) => format!("Renewed({})", holds.len().min(1)),
        Reply::Reaped { back, lost } => format!("Reaped({}, {})", back.min(&1), lost.min(&1)),
        Reply::Answered(found) => format!("Answered({})", found.len().min(1)),
        Reply::Looked(Looked::Ended(_)) => "Looked(Ended)".to_owned(),
        other => format!("{other:?}"),
    }
}

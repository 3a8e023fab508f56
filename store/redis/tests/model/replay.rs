//! Holds the model against the scripts: what it does by chance is done in a real Redis as well, step by step.

use std::collections::BTreeSet;

use circles_testing::{Redis as RealRedis, SeededRng};

use super::{
    resp::Connection,
    scenario::Scenario,
    shard::{Scripts, Shard},
    step::{Looked, Reply, Submitted},
    world::{Event, State},
};

/// How many things happen in a walk at most; most come to their end before.
const STEPS: usize = 80;

/// A real Redis, and how many walks it has seen.
pub struct Replay {
    commands: Connection,
    messages: Connection,
    walks: usize,
    _redis: RealRedis,
}

impl Replay {
    pub fn start() -> Self {
        let redis = RealRedis::start();
        let url = redis.url();
        let mut commands = Connection::open(&url);
        // Keeps hashes in the order in which they grew, as the model does.
        commands.ask(&["CONFIG", "SET", "hash-max-ziplist-value", "65536"]);
        let mut messages = Connection::open(&url);
        messages.ask(&["PSUBSCRIBE", "circles:server:*"]);
        Self { commands, messages, walks: 0, _redis: redis }
    }

    /// Takes a walk through a scenario, here and there. What was returned, by kind; or where the two part.
    pub fn walk(
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
            scenario.possible(&state, &mut actions);
            // What goes wrong has more ways to do so: half as often is often enough.
            if dice.below(2) == 0 && !scenario.is_quiet(&state) {
                actions.retain(|action| !action.is_fault(scenario, &state));
            }
            if actions.is_empty() {
                break;
            }
            let action = dice.one_of(&actions);
            taken += &format!("    {action:?}\n");
            let Some(event) = scenario.happen(&mut state, action) else { continue };
            let real = shard.happen(&event);
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

/// What kind of reply it is, without names, outcomes and large numbers.
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

//! Looks at everything that may happen.
//!
//! The search is ours: what is found first has the fewest faults, and of those the fewest steps; that everything
//! comes to an end is looked for in circles, not assumed.

use std::{
    collections::{BTreeSet, HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

use super::{
    promises::{PROMISES, Promise},
    scenario::{Rule, Scenario},
    world::{Action, State},
};

/// Of a state; two different ones are as good as never alike.
type Name = u64;

fn name(state: &State) -> Name {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(state)
}

/// What was looked at.
#[derive(Default)]
struct Search {
    /// Each state, and how it came about first.
    met: HashMap<Name, Option<(Name, Action)>>,
}

/// A promise that is not kept, and how that comes about.
struct Broken {
    promise: &'static str,
    state: State,
    actions: Vec<Action>,
}

impl Search {
    /// Looks at every state, those of few faults first. One that came about with fewer is not looked at again with
    /// more: less may happen then.
    fn run(&mut self, scenario: &Scenario, promises: &[Promise]) -> Option<Broken> {
        let mut beginnings = vec![(State::default(), None)];
        for faults_left in (0..=scenario.faults).rev() {
            let mut ahead = VecDeque::new();
            for (state, from) in beginnings.drain(..) {
                self.meet(state, from, &mut ahead);
            }
            // States with one fault more.
            let mut later = HashMap::new();
            let mut actions = Vec::new();
            while let Some((of, state)) = ahead.pop_front() {
                if let Some((promise, _)) = promises.iter().find(|(_, is_kept)| !is_kept(scenario, &state)) {
                    return Some(Broken { promise, state, actions: self.way_to(of) });
                }
                scenario.possible(&state, &mut actions);
                for action in actions.drain(..) {
                    let is_fault = action.is_fault(scenario, &state);
                    if is_fault && faults_left == 0 {
                        continue;
                    }
                    let mut next = state.clone();
                    scenario.happen(&mut next, action);
                    if is_fault {
                        let next_name = name(&next);
                        if !self.met.contains_key(&next_name)
                            && let Entry::Vacant(vacant) = later.entry(next_name)
                        {
                            vacant.insert(());
                            beginnings.push((next, Some((of, action))));
                        }
                    } else {
                        self.meet(next, Some((of, action)), &mut ahead);
                    }
                }
            }
        }
        None
    }

    fn meet(&mut self, state: State, from: Option<(Name, Action)>, ahead: &mut VecDeque<(Name, State)>) {
        let name = name(&state);
        if let Entry::Vacant(vacant) = self.met.entry(name) {
            vacant.insert(from);
            ahead.push_back((name, state));
        }
    }

    fn way_to(&self, mut name: Name) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(Some((before, action))) = self.met.get(&name) {
            actions.push(*action);
            name = *before;
        }
        actions.reverse();
        actions
    }
}

impl Broken {
    fn text(&self) -> String {
        let steps: String = self.actions.iter().map(|action| format!("    {action:?}\n")).collect();
        format!("not so: {}\n{steps}", self.promise)
    }
}

/// Holds a scenario against all promises; how many states it has. Shows how one is broken.
pub fn holds(scenario: Scenario) -> usize {
    let mut search = Search::default();
    if let Some(broken) = search.run(&scenario, &PROMISES) {
        panic!("{}{:#?}", broken.text(), broken.state);
    }
    search.met.len()
}

/// How a promise is broken without a rule; with it, all are kept.
pub fn broken_without(rule: Rule, scenario: Scenario, promise: &str) {
    let promise = PROMISES.iter().find(|(name, _)| *name == promise).expect("a promise of this name");
    holds(scenario);
    let without = Scenario { rules: scenario.rules.but(rule), ..scenario };
    let Some(broken) = Search::default().run(&without, &[*promise]) else {
        panic!("without {rule:?} nothing is broken");
    };
    println!("without {rule:?}, {}", broken.text());
}

/// Looks whether anything can go round in circles; what may happen, by name. As much as goes wrong uses up what may,
/// so without a circle everything comes to an end.
pub fn has_no_circle(scenario: Scenario) -> BTreeSet<String> {
    let mut happened = BTreeSet::new();
    // States that were met with so many faults left, and whether all behind them were.
    let mut met: HashMap<(Name, u8), bool> = HashMap::new();
    let mut path: Vec<(Name, State, u8, Vec<Action>)> = Vec::new();
    let mut next = Some((State::default(), scenario.faults));
    loop {
        if let Some((state, faults)) = next.take() {
            let name = name(&state);
            match met.entry((name, faults)) {
                Entry::Occupied(met) => assert!(met.get(), "{scenario:?}: it comes again: {state:#?}"),
                Entry::Vacant(vacant) => {
                    vacant.insert(false);
                    let mut actions = Vec::new();
                    scenario.possible(&state, &mut actions);
                    path.push((name, state, faults, actions));
                }
            }
        }
        let Some((name, state, faults, actions)) = path.last_mut() else { return happened };
        let Some(action) = actions.pop() else {
            met.insert((*name, *faults), true);
            path.pop();
            continue;
        };
        if let Some(left) = faults.checked_sub(u8::from(action.is_fault(&scenario, state))) {
            happened.insert(kind(action));
            let mut state = state.clone();
            scenario.happen(&mut state, action);
            next = Some((state, left));
        }
    }
}

/// The name of an action, without whom it concerns.
fn kind(action: Action) -> String {
    let text = format!("{action:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

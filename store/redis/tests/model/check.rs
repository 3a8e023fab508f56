//! Searches all reachable states.
//!
//! The search is written here because it finds the counterexample with the fewest faults, and of those the one with the
//! fewest steps, and because it proves termination by the absence of cycles.

use std::{
    collections::{BTreeSet, HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

use super::{
    promises::{PROMISES, Promise},
    scenario::{Rule, Scenario},
    world::{Action, State},
};

/// The hash of a state. Collisions are too unlikely to matter.
type StateHash = u64;

fn name(state: &State) -> StateHash {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(state)
}

/// The states visited so far.
#[derive(Default)]
struct Search {
    /// Each state, with the state and action that led to it first.
    visited: HashMap<StateHash, Option<(StateHash, Action)>>,
}

/// A broken promise, with the actions that lead there.
struct Broken {
    promise: &'static str,
    state: State,
    actions: Vec<Action>,
}

impl Search {
    /// Visits every state, those with few faults first. A state that was reached with fewer faults is not visited again
    /// with more: fewer actions follow then.
    fn run(&mut self, scenario: &Scenario, promises: &[Promise]) -> Option<Broken> {
        let mut frontier = vec![(State::default(), None)];
        for faults_left in (0..=scenario.faults).rev() {
            let mut queue = VecDeque::new();
            for (state, from) in frontier.drain(..) {
                self.visit(state, from, &mut queue);
            }
            // States with one more fault.
            let mut later = HashMap::new();
            let mut actions = Vec::new();
            while let Some((of, state)) = queue.pop_front() {
                if let Some((promise, _)) = promises.iter().find(|(_, holds)| !holds(scenario, &state)) {
                    return Some(Broken { promise, state, actions: self.path_to(of) });
                }
                scenario.actions_of(&state, &mut actions);
                for action in actions.drain(..) {
                    let is_fault = action.is_fault(scenario, &state);
                    if is_fault && faults_left == 0 {
                        continue;
                    }
                    let mut next = state.clone();
                    scenario.apply(&mut next, action);
                    if is_fault {
                        let next_name = name(&next);
                        if !self.visited.contains_key(&next_name)
                            && let Entry::Vacant(vacant) = later.entry(next_name)
                        {
                            vacant.insert(());
                            frontier.push((next, Some((of, action))));
                        }
                    } else {
                        self.visit(next, Some((of, action)), &mut queue);
                    }
                }
            }
        }
        None
    }

    fn visit(
        &mut self,
        state: State,
        from: Option<(StateHash, Action)>,
        queue: &mut VecDeque<(StateHash, State)>,
    ) {
        let name = name(&state);
        if let Entry::Vacant(vacant) = self.visited.entry(name) {
            vacant.insert(from);
            queue.push_back((name, state));
        }
    }

    fn path_to(&self, mut name: StateHash) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(Some((before, action))) = self.visited.get(&name) {
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
        format!("broken: {}\n{steps}", self.promise)
    }
}

/// Checks a scenario against all promises and returns the number of its states. Panics with the counterexample.
pub(crate) fn holds(scenario: Scenario) -> usize {
    let mut search = Search::default();
    if let Some(broken) = search.run(&scenario, &PROMISES) {
        panic!("{}{:#?}", broken.text(), broken.state);
    }
    search.visited.len()
}

/// Checks that a promise breaks without a rule, and that all hold with it. Prints the counterexample.
pub(crate) fn broken_without(rule: Rule, scenario: Scenario, promise: &str) {
    let promise = PROMISES.iter().find(|(name, _)| *name == promise).expect("a promise of this name");
    holds(scenario);
    let without = Scenario { rules: scenario.rules.but(rule), ..scenario };
    let Some(broken) = Search::default().run(&without, &[*promise]) else {
        panic!("without {rule:?} nothing is broken");
    };
    println!("without {rule:?}, {}", broken.text());
}

/// Checks that no sequence of actions returns to a state, and returns the names of the actions taken. Every fault uses
/// up one of a bounded number, so without a cycle every sequence ends.
pub(crate) fn assert_terminates(scenario: Scenario) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    // States by the faults left, and whether all states after them are done.
    let mut visited: HashMap<(StateHash, u8), bool> = HashMap::new();
    let mut path: Vec<(StateHash, State, u8, Vec<Action>)> = Vec::new();
    let mut next = Some((State::default(), scenario.faults));
    loop {
        if let Some((state, faults)) = next.take() {
            let name = name(&state);
            match visited.entry((name, faults)) {
                Entry::Occupied(visited) => {
                    assert!(visited.get(), "{scenario:?}: a cycle through {state:#?}")
                }
                Entry::Vacant(vacant) => {
                    vacant.insert(false);
                    let mut actions = Vec::new();
                    scenario.actions_of(&state, &mut actions);
                    path.push((name, state, faults, actions));
                }
            }
        }
        let Some((name, state, faults, actions)) = path.last_mut() else { return taken };
        let Some(action) = actions.pop() else {
            visited.insert((*name, *faults), true);
            path.pop();
            continue;
        };
        if let Some(left) = faults.checked_sub(u8::from(action.is_fault(&scenario, state))) {
            taken.insert(kind(action));
            let mut state = state.clone();
            scenario.apply(&mut state, action);
            next = Some((state, left));
        }
    }
}

/// Returns the name of an action, without its arguments.
fn kind(action: Action) -> String {
    let text = format!("{action:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

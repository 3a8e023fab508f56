//! A scenario: its calls, servers and workers, the number of faults, and the rules that hold.

use std::fmt;

/// The most calls of a scenario.
pub(crate) const TASKS: usize = 3;
/// The most workers.
pub(crate) const WORKERS: usize = 2;
/// The most servers.
pub(crate) const SERVERS: usize = 2;
/// How often a play is run again after a conflict. The store does so five times; more than one adds no new behaviour
/// here.
pub(crate) const CONFLICT_RETRIES: u8 = 1;

/// The number of a call, and of the task that it creates.
pub(crate) type Id = u8;
/// The number of a worker or a server.
pub(crate) type Node = u8;

/// A set of small numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set(u8);

impl Set {
    pub(crate) const fn of(member: u8) -> Self {
        Self(1 << member)
    }

    pub(crate) const fn has(self, member: u8) -> bool {
        self.0 & (1 << member) != 0
    }

    pub(crate) const fn insert(&mut self, member: u8) {
        self.0 |= 1 << member;
    }

    pub(crate) const fn remove(&mut self, member: u8) {
        self.0 &= !(1 << member);
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..8).filter(move |member| self.has(*member))
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A final state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
    Lost,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Play,
    Submitted {
        retries: u8,
    },
    /// Called by a play and run by the same worker, without the queue.
    Nested,
    /// Creates no task: it waits for the end of the first call's task.
    Query,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub kind: Kind,
    /// Set if it has an idempotency key. Calls with a key have the same key and are the same call.
    pub key: bool,
    /// The server at which it is made.
    pub server: Node,
    /// Set if its script has a side effect.
    pub has_side_effect: bool,
    /// Set if its script may fail.
    pub may_fail: bool,
}

/// A play without side effects that does not fail.
pub(crate) const PLAY: Call =
    Call { kind: Kind::Play, key: false, server: 0, has_side_effect: false, may_fail: false };

impl Call {
    /// Returns whether it is remembered after its end, and continues without its caller.
    pub(crate) const fn is_remembered(&self) -> bool {
        self.key || self.is_submitted() || self.is_query()
    }

    pub(crate) const fn is_query(&self) -> bool {
        matches!(self.kind, Kind::Query)
    }

    pub(crate) const fn is_submitted(&self) -> bool {
        matches!(self.kind, Kind::Submitted { .. })
    }

    pub(crate) const fn is_nested(&self) -> bool {
        matches!(self.kind, Kind::Nested)
    }

    pub(crate) const fn retries(&self) -> u8 {
        if let Kind::Submitted { retries } = self.kind { retries } else { 0 }
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The rules that keep the promises: without any of them a promise breaks.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

rules! {
    /// A task whose name is known is not accepted again.
    TaskNamesAreUnique,
    /// A call whose key is known is not accepted again.
    KeysAreUnique,
    /// A repeated claim with the same number returns the same tasks.
    ClaimsAreNumbered,
    /// A task is marked before its first side effect.
    MarkComesFirst,
    /// Only the claim that holds a task marks it.
    MarkChecksEpoch,
    /// Only a held task is settled.
    SettleChecksClaim,
    /// Only the claim that holds a task settles it.
    SettleChecksEpoch,
    /// A play whose reads have changed is not settled.
    SettleChecksReads,
    /// A nested play is settled once.
    NestedEndsOnce,
    /// The end of a nested play is remembered as long as its settlement may be sent again.
    NestedIsRemembered,
    /// A marked task whose worker has gone is not run again, unless it has a retry left.
    MarkedIsLost,
    /// A task with which two workers died is not run again.
    DeadlyIsLost,
    /// A worker that releases a task that was taken from it has not died.
    LiveWorkersAreForgiven,
    /// Retries are counted.
    RetriesAreCounted,
    /// A worker's tasks are taken from it when its lease expires.
    LeasesExpire,
    /// Only the claim that holds a task releases it.
    ReleaseChecksEpoch,
    /// A cancelled task ends when it is released.
    CancelledEnds,
    /// A task that Redis holds for a worker that does not know of it is released.
    StraysAreReleased,
    /// A play whose settlement is abandoned is released.
    UnsettledIsReleased,
    /// A worker that ends a claim keeps a newer claim of the same task.
    ClaimsAreKeyedByEpoch,
    /// A play with side effects is not run again after a conflict.
    SideEffectRunsOnce,
    /// Answers are kept until they are acknowledged.
    AnswersAreKept,
    /// Only answers that a server received are acknowledged.
    OnlyReceivedIsAcknowledged,
    /// A server that joins a call checks whether it has ended meanwhile, also among the remembered tasks.
    JoinedIsLookedUp,
    /// A caller that joins a call does not end its task at a deadline of its own.
    JoinedCallDoesNotEndTask,
    /// A server that answers a caller at its deadline without the worker ends the task first.
    DeadlineIsFinal,
}

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub calls: &'static [Call],
    pub workers: u8,
    pub servers: u8,
    /// The number of plays that a worker runs at a time.
    pub slots: usize,
    /// The number of faults.
    pub faults: u8,
    pub rules: Rules,
}

/// The set of rules that hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    but: u32,
}

impl Rules {
    pub(crate) const ALL: Self = Self { but: 0 };

    pub(crate) const fn but(self, rule: Rule) -> Self {
        Self { but: self.but | 1 << rule as u32 }
    }
}

impl Scenario {
    pub(crate) fn holds(&self, rule: Rule) -> bool {
        self.rules.but & 1 << rule as u32 == 0
    }

    pub(crate) fn call(&self, id: Id) -> &'static Call {
        &self.calls[usize::from(id)]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        0..self.calls.len() as Id
    }
}

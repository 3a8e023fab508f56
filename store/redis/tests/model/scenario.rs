//! What a model is about: a few calls, who takes part, how much goes wrong, and which rules hold.

use std::fmt;

/// How many calls there may be.
pub const TASKS: usize = 3;
/// How many workers there may be.
pub const WORKERS: usize = 2;
/// How many servers there may be.
pub const SERVERS: usize = 2;
/// How often a play that was overtaken is run again; in the store five times, which shows nothing more.
pub const RUNS_AGAIN: u8 = 1;

/// A call, and the task that it makes.
pub type Id = u8;
/// A worker or a server.
pub type Who = u8;

/// A few small numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Set(u8);

impl Set {
    pub const fn of(member: u8) -> Self {
        Self(1 << member)
    }

    pub const fn has(self, member: u8) -> bool {
        self.0 & (1 << member) != 0
    }

    pub const fn insert(&mut self, member: u8) {
        self.0 |= 1 << member;
    }

    pub const fn remove(&mut self, member: u8) {
        self.0 &= !(1 << member);
    }

    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = u8> {
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
pub enum Outcome {
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
    Lost,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Play,
    Submitted {
        retries: u8,
    },
    /// Called by a play and run where that runs; it was never queued.
    Nested,
    /// No task of its own: it waits for the end of the first one.
    Asks,
}

#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub kind: Kind,
    /// Whether it has an idempotency key. All that have one have the same, and are the same call.
    pub key: bool,
    /// Where it is made.
    pub server: Who,
    /// Whether its script has an effect outside the database.
    pub reaches_outside: bool,
    /// Whether its script may fail.
    pub may_fail: bool,
}

/// A call of a play that reaches nothing outside and does not fail.
pub const PLAY: Call =
    Call { kind: Kind::Play, key: false, server: 0, reaches_outside: false, may_fail: false };

impl Call {
    /// Whether it is remembered once it has ended, and goes on if nobody waits.
    pub const fn is_kept(&self) -> bool {
        self.key || self.is_submitted() || self.asks()
    }

    pub const fn asks(&self) -> bool {
        matches!(self.kind, Kind::Asks)
    }

    pub const fn is_submitted(&self) -> bool {
        matches!(self.kind, Kind::Submitted { .. })
    }

    pub const fn is_nested(&self) -> bool {
        matches!(self.kind, Kind::Nested)
    }

    pub const fn retries(&self) -> u8 {
        if let Kind::Submitted { retries } = self.kind { retries } else { 0 }
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What keeps the promises: without any of these one is broken.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

rules! {
    /// A task whose name is known is not accepted again.
    NamesAreKnown,
    /// A call whose key is known is not accepted again.
    KeysAreKnown,
    /// A claim of the same number brings the same tasks.
    ClaimsAreNumbered,
    /// A task is marked before its first effect outside.
    MarkComesFirst,
    /// Only the claim that holds a task marks it.
    MarkLooksAtTheEpoch,
    /// Only a task that is held is settled.
    SettleLooksForTheClaim,
    /// Only the claim that holds a task settles it.
    SettleLooksAtTheEpoch,
    /// A play whose reads were overtaken is not settled.
    SettleLooksAtTheReads,
    /// A play that was never queued is settled once.
    NestedEndsOnce,
    /// That is remembered as long as the same settlement may come again.
    NestedIsRemembered,
    /// A marked task whose worker has gone is not run again, unless it may be.
    MarkedIsLost,
    /// A task with which two workers died is not run again.
    DeadlyIsLost,
    /// A worker that gives back what was taken from it has not died.
    LivingAreForgiven,
    /// How often that was done is remembered.
    RetriesAreCounted,
    /// Tasks of workers whose lease has ended are taken from them.
    LeasesEnd,
    /// Only the claim that holds a task gives it back.
    GiveBackLooksAtTheEpoch,
    /// A cancelled task that is given back ends.
    CancelledEnds,
    /// What Redis holds for a worker that does not know of it goes back.
    StraysGoBack,
    /// A play whose settling is given up goes back.
    UnsettledGoesBack,
    /// A worker that lets go of a claim keeps a newer one of the same task.
    ClaimsAreKnownByEpoch,
    /// A play that reached outside is not run again when it was overtaken.
    ReachedRunsOnce,
    /// Answers are kept until they are acknowledged.
    AnswersAreKept,
    /// Only what a server was told is acknowledged.
    ToldIsAcknowledged,
    /// Who joins a call under way looks whether it has ended meanwhile, also at what is remembered.
    JoinedIsLookedUp,
    /// Who joins a call under way does not end it at a deadline of its own.
    JoinedKeepsItsDeadline,
    /// Who is answered at its deadline without its worker's word ends the task first.
    DeadlineIsFinal,
}

/// What a model is about.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub calls: &'static [Call],
    pub workers: u8,
    pub servers: u8,
    /// How many plays a worker runs at a time.
    pub slots: usize,
    /// How much may go wrong.
    pub faults: u8,
    pub rules: Rules,
}

/// Which rules hold.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    but: u32,
}

impl Rules {
    pub const ALL: Self = Self { but: 0 };

    pub const fn but(self, rule: Rule) -> Self {
        Self { but: self.but | 1 << rule as u32 }
    }
}

impl Scenario {
    pub fn holds(&self, rule: Rule) -> bool {
        self.rules.but & 1 << rule as u32 == 0
    }

    pub fn call(&self, id: Id) -> &'static Call {
        &self.calls[usize::from(id)]
    }

    pub fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        0..self.calls.len() as Id
    }
}

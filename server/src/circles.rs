use std::{collections::HashMap, time::Duration};

use circles_api::CircleId;
use circles_auth::{Access, PublicKey};

/// A circle to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// Its name, and its owner's.
    pub key: PublicKey,
    /// Who may play and run.
    pub access: Access,
    /// The port of its own listener, where 0 is a free one; without it, the shared listener serves it.
    pub port: Option<u16>,
    /// How long its plays last at most, from acceptance, if not as long as all others.
    pub play_timeout: Option<Duration>,
    /// How long its submitted tasks last at most, from acceptance, if not as long as all others.
    pub submit_timeout: Option<Duration>,
}

/// A circle open to everyone, on the shared listener.
impl From<PublicKey> for Circle {
    fn from(key: PublicKey) -> Self {
        Self { key, access: Access::default(), port: None, play_timeout: None, submit_timeout: None }
    }
}

/// The circles that one listener serves.
#[derive(Clone, Debug)]
pub struct Circles {
    first: PublicKey,
    by_id: HashMap<CircleId, PublicKey>,
}

impl Circles {
    pub fn new(first: PublicKey) -> Self {
        Self { first, by_id: [(first.circle_id(), first)].into() }
    }

    pub fn add(&mut self, key: PublicKey) {
        self.by_id.insert(key.circle_id(), key);
    }

    /// Where an address leads that names none.
    pub const fn first(&self) -> PublicKey {
        self.first
    }

    /// The circle that a path names.
    pub fn named(&self, name: &str) -> Option<PublicKey> {
        self.by_id.get(&name.parse().ok()?).copied()
    }
}

use std::collections::HashMap;

use circles_api::CircleId;
use circles_auth::PublicKey;

/// The circles that one listener serves.
#[derive(Clone, Debug)]
pub(crate) struct Circles {
    first: PublicKey,
    by_id: HashMap<CircleId, PublicKey>,
}

impl Circles {
    pub(crate) fn new(first: PublicKey) -> Self {
        Self { first, by_id: [(first.circle_id(), first)].into() }
    }

    pub(crate) fn add(&mut self, key: PublicKey) {
        self.by_id.insert(key.circle_id(), key);
    }

    /// Returns the circle of an address that names none.
    pub(crate) const fn first(&self) -> PublicKey {
        self.first
    }

    /// Returns the circle that a path names.
    pub(crate) fn named(&self, name: &str) -> Option<PublicKey> {
        self.by_id.get(&name.parse().ok()?).copied()
    }
}

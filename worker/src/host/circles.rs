//! The circles that a host serves: those with settings, and all others.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use circles_config::Limits;
use circles_store::CircleId;
use quick_cache::sync::Cache;

use super::policy::PolicyState;
use crate::{
    circle::{Circle, CircleSettings},
    engine::{Engines, LibraryCache},
};

/// Circles without settings that stay in memory.
const MAX_OTHERS: usize = 1_000;

/// A circle as this host serves it: its resources, the engines for its limits, and its policy.
pub(crate) struct ServedCircle {
    pub resources: Arc<Circle>,
    pub engines: Arc<Engines>,
    pub policy: PolicyState,
}

impl ServedCircle {
    /// A circle whose limits are those of `engines`.
    pub(crate) fn new(settings: CircleSettings, engines: Arc<Engines>) -> Self {
        Self { resources: Arc::new(Circle::new(settings)), engines, policy: PolicyState::default() }
    }

    /// The limits of one play.
    pub(crate) fn limits(&self) -> &Limits {
        &self.engines.limits
    }
}

pub(crate) struct Circles {
    named: HashMap<CircleId, Arc<ServedCircle>>,
    /// Stands for every circle without settings, unless a rule has some. It has no resources that two could share.
    other: Arc<ServedCircle>,
    others: Option<Others>,
}

/// A rule for the settings of circles that have none of their own.
struct Others {
    settings: Box<dyn Fn(&CircleId) -> CircleSettings + Send + Sync>,
    served: Cache<CircleId, Arc<ServedCircle>>,
}

impl Circles {
    pub(crate) fn new(limits: Limits, named: HashMap<CircleId, CircleSettings>) -> Self {
        // Most circles have the same limits.
        let mut engines: HashMap<Limits, Arc<Engines>> = HashMap::new();
        let library = LibraryCache::new();
        let mut circle = |settings: CircleSettings| {
            let limits = settings.limits;
            let engines = engines.entry(limits).or_insert_with(|| Arc::new(Engines::new(limits, &library)));
            Arc::new(ServedCircle::new(settings, engines.clone()))
        };
        Self {
            other: circle(CircleSettings { limits, ..CircleSettings::default() }),
            named: named.into_iter().map(|(id, settings)| (id, circle(settings))).collect(),
            others: None,
        }
    }

    /// This circle in place of every circle.
    #[cfg(test)]
    pub(crate) fn all(circle: ServedCircle) -> Self {
        Self { named: HashMap::new(), other: Arc::new(circle), others: None }
    }

    pub(crate) fn with_others(
        mut self,
        settings: impl Fn(&CircleId) -> CircleSettings + Send + Sync + 'static,
    ) -> Self {
        self.others = Some(Others { settings: Box::new(settings), served: Cache::new(MAX_OTHERS) });
        self
    }

    /// Returns whether a circle has settings of its own.
    pub(crate) fn is_named(&self, id: &CircleId) -> bool {
        self.named.contains_key(id)
    }

    pub(crate) fn get(&self, id: &CircleId) -> Arc<ServedCircle> {
        match (self.named.get(id), &self.others) {
            (Some(circle), _) => circle.clone(),
            (None, None) => self.other.clone(),
            (None, Some(others)) => {
                let served = || Ok::<_, Infallible>(self.serve(others, id));
                others.served.get_or_insert_with(id, served).unwrap_or_else(|never| match never {})
            }
        }
    }

    fn serve(&self, others: &Others, id: &CircleId) -> Arc<ServedCircle> {
        let settings = (others.settings)(id);
        let default = &self.other.engines;
        let engines = if settings.limits == default.limits {
            default.clone()
        } else {
            Arc::new(Engines::new(settings.limits, &default.library))
        };
        Arc::new(ServedCircle::new(settings, engines))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::play;

    fn id(number: u32) -> CircleId {
        let mut bytes = [2; 33];
        bytes[29..].copy_from_slice(&number.to_be_bytes());
        CircleId::from_bytes(bytes).unwrap()
    }

    #[test]
    fn circles_without_settings_take_little_memory() {
        let circles = Circles::new(Limits::default(), HashMap::new())
            .with_others(|id| CircleSettings::under(Path::new("/nowhere"), id));
        let before = play::balance();
        for number in 0..MAX_OTHERS as u32 {
            circles.get(&id(number));
        }
        let full = play::balance().wrapping_sub(before);
        assert!(full < 4 << 20, "{full} bytes");
        for number in 0..20 * MAX_OTHERS as u32 {
            circles.get(&id(number));
        }
        let grown = play::balance().wrapping_sub(before);
        assert!(grown < full + full / 4, "{full} bytes became {grown}");
        assert!(!circles.is_named(&id(0)));
    }

    #[test]
    fn circles_without_settings_share_engines_only() {
        let circles = Circles::new(Limits::default(), HashMap::new())
            .with_others(|id| CircleSettings::under(Path::new("/nowhere"), id));
        let (one, again, other) = (circles.get(&id(1)), circles.get(&id(1)), circles.get(&id(2)));
        assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&one.engines, &other.engines));
    }
}

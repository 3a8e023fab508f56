//! The circles that a host runs plays of: those it was told about, and the rest.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use circles_store::CircleId;
use quick_cache::sync::Cache;

use crate::{
    CircleSettings, Limits,
    circle::{Circle, Compiled},
    engine::Engines,
};

/// Circles without settings that are kept at hand.
const OTHERS: usize = 1_000;

pub struct Circles {
    named: HashMap<CircleId, Arc<Circle>>,
    /// What every circle is that has no settings of its own. It holds nothing that two could share.
    other: Arc<Circle>,
    /// Where there is more to be said of such circles.
    others: Option<Others>,
    /// The compiled scripts of their libraries.
    compiled: Arc<Compiled>,
}

/// Circles without settings, by a rule.
struct Others {
    settings: Box<dyn Fn(&CircleId) -> CircleSettings + Send + Sync>,
    known: Cache<CircleId, Arc<Circle>>,
}

impl Circles {
    pub fn new(limits: Limits, named: HashMap<CircleId, CircleSettings>) -> Self {
        // Most circles have the same limits.
        let mut engines: HashMap<Limits, Arc<Engines>> = HashMap::new();
        let compiled = Compiled::new();
        let mut circle = |settings: CircleSettings| {
            let limits = settings.limits;
            let engines = engines.entry(limits).or_insert_with(|| Arc::new(Engines::new(limits)));
            Arc::new(Circle::new(settings, engines.clone(), &compiled))
        };
        Self {
            other: circle(CircleSettings { limits, ..CircleSettings::default() }),
            named: named.into_iter().map(|(id, settings)| (id, circle(settings))).collect(),
            others: None,
            compiled,
        }
    }

    /// All of them this one.
    #[cfg(test)]
    pub fn all(circle: Circle) -> Self {
        let compiled = Compiled::new();
        Self { named: HashMap::new(), other: Arc::new(circle), others: None, compiled }
    }

    pub fn with_others(
        mut self,
        settings: impl Fn(&CircleId) -> CircleSettings + Send + Sync + 'static,
    ) -> Self {
        self.others = Some(Others { settings: Box::new(settings), known: Cache::new(OTHERS) });
        self
    }

    /// Whether it has settings of its own.
    pub fn is_named(&self, id: &CircleId) -> bool {
        self.named.contains_key(id)
    }

    pub fn get(&self, id: &CircleId) -> Arc<Circle> {
        match (self.named.get(id), &self.others) {
            (Some(circle), _) => circle.clone(),
            (None, None) => self.other.clone(),
            (None, Some(others)) => {
                let made = others.known.get_or_insert_with(id, || Ok::<_, Infallible>(self.made(others, id)));
                made.unwrap_or_else(|never| match never {})
            }
        }
    }

    fn made(&self, others: &Others, id: &CircleId) -> Arc<Circle> {
        let settings = (others.settings)(id);
        let known = &self.other.engines;
        let engines = if settings.limits == known.limits {
            known.clone()
        } else {
            Arc::new(Engines::new(settings.limits))
        };
        Arc::new(Circle::new(settings, engines, &self.compiled))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::memory;

    fn id(number: u32) -> CircleId {
        let mut bytes = [2; 33];
        bytes[29..].copy_from_slice(&number.to_be_bytes());
        CircleId::from_bytes(bytes).unwrap()
    }

    #[test]
    fn circles_nobody_told_about_take_little_and_are_not_kept_without_end() {
        let circles = Circles::new(Limits::default(), HashMap::new())
            .with_others(|id| CircleSettings::under(Path::new("/nowhere"), id));
        let before = memory::balance();
        for number in 0..OTHERS as u32 {
            circles.get(&id(number));
        }
        let full = memory::balance().wrapping_sub(before);
        assert!(full < 4 << 20, "{full} bytes");
        for number in 0..20 * OTHERS as u32 {
            circles.get(&id(number));
        }
        let grown = memory::balance().wrapping_sub(before);
        assert!(grown < full + full / 4, "{full} bytes became {grown}");
        assert!(!circles.is_named(&id(0)));
    }

    #[test]
    fn no_two_of_them_share_anything_but_engines() {
        let circles = Circles::new(Limits::default(), HashMap::new())
            .with_others(|id| CircleSettings::under(Path::new("/nowhere"), id));
        let (one, again, other) = (circles.get(&id(1)), circles.get(&id(1)), circles.get(&id(2)));
        assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&one.engines, &other.engines));
    }
}

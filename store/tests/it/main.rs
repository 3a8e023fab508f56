//! One suite of promises, run on every store.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What is missing in a test fails it.

mod conformance;

use std::{sync::Arc, time::Duration};

use circles_store::{EmbeddedConfig, EmbeddedStore};

conformance::suite!(embedded, |bounds: conformance::Bounds| {
    Arc::new(EmbeddedStore::new(EmbeddedConfig {
        queue_limit: bounds.queue,
        circle_queue_limit: bounds.circle_queue,
        recent_limit: 3,
        recent_bytes: 1 << 20,
        recent_for: Duration::from_secs(3600),
    }))
});

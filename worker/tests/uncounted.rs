//! A program without the counting allocator: this test has no `#[global_allocator]`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a missing value is a failure")]

use std::{num::NonZeroUsize, sync::Arc};

use circles_store_embedded::EmbeddedConfig;
use circles_testing::embedded;
use circles_worker::{Host, Limits, UncountedMemory, Workers};

#[tokio::test]
async fn workers_refuse_to_start_without_counting_allocator() {
    let store = Arc::new(embedded(EmbeddedConfig::default()));
    let host = Arc::new(Host::new(Limits::default()));
    let started = Workers::start(store, host, NonZeroUsize::MIN);
    assert_eq!(started.err(), Some(UncountedMemory));
}

//! The resource audit: every kind of caller attacks with every method. The server's memory, disk, log and Redis stay
//! within the bounds of `docs/security.md`, and a neighbour is still served.
//!
//! The short run here gives each pair of method and caller a moment; `cargo xtask audit --seconds 10` gives it ten
//! seconds and prints a table.

#![allow(clippy::print_stdout, reason = "a long run prints a table")]

mod bounds;
mod load;
mod site;

use std::time::Duration;

use circles_api::METHODS;

use self::{
    bounds::Bounds,
    load::{CALLERS, attack},
    site::Site,
};

/// The length of each load, in seconds; a tenth of a second by default.
fn seconds() -> f64 {
    std::env::var("CIRCLES_TEST_AUDIT_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0.1)
}

/// Attacks with each method as each caller, and fails if a bound is exceeded.
async fn audit(mut site: Site) {
    let time = Duration::from_secs_f64(seconds());
    let mut wrong = Vec::new();
    println!("{}", bounds::HEADER);
    for method in METHODS {
        for caller in CALLERS {
            let before = site.measure().await;
            let neighbour = site.neighbour().await;
            let calls = attack(&site.urls[0], caller, method.name, time).await;
            let latency = neighbour.ended().await;
            let peak = site.peak_memory();
            let after = site.settled(&before).await;
            let row = bounds::Row { method: method.name, caller, calls, latency, peak, before, after };
            println!("{row}");
            wrong.extend(row.exceeds(&Bounds::of(caller, time)));
        }
    }
    let log = site.end().await;
    assert!(!log.contains("panicked"), "{log}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resource_audit_holds_on_the_embedded_store() {
    audit(Site::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resource_audit_holds_on_redis() {
    audit(Site::on_redis().await).await;
}

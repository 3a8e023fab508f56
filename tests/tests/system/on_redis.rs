//! The same promises, where the server and its workers share nothing but a Redis.

#![allow(
    clippy::duplicate_mod,
    reason = "one text, two worlds: each file takes the `World` of whoever includes it"
)]

use circles_tests::{OnRedis, WorldOn};

type World = WorldOn<OnRedis>;

#[path = "access.rs"]
mod access;
#[path = "calls.rs"]
mod calls;
#[path = "client.rs"]
mod client;
#[path = "contract.rs"]
mod contract;
#[path = "failures.rs"]
mod failures;
#[path = "plays.rs"]
mod plays;
#[path = "policy.rs"]
mod policy;
#[path = "serializability.rs"]
mod serializability;
#[path = "subscriptions.rs"]
mod subscriptions;
#[path = "tasks.rs"]
mod tasks;
#[path = "tasks_shared.rs"]
mod tasks_shared;

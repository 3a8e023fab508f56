//! The same promises when server and workers share only a Redis.

#![allow(
    clippy::duplicate_mod,
    reason = "the same tests run on two stores: each file uses the `World` of its parent module"
)]

use circles_tests::{RedisBackend, WorldOn};

type World = WorldOn<RedisBackend>;

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

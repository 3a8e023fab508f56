//! The system from outside: its promises to users, operators and clients in other languages.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic fails the test.

mod access;
mod audit;
mod calls;
mod calls_listed;
mod chaos;
mod circles;
mod cli;
mod cli_repl;
mod cli_tasks;
mod cli_text;
mod client;
mod contract;
mod crashes;
mod disk;
mod embed;
mod failures;
mod floods;
mod frames;
mod guarantees;
mod hostility;
mod http;
mod memory;
mod on_redis;
mod peers;
mod plays;
mod policy;
mod programs;
mod readme;
mod serializability;
mod sessions;
mod subscriptions;
mod tasks;
mod tasks_shared;
mod unread_output;
mod worker_starts;
mod workers;

use circles_tests::World;

/// As in the programs: the memory limit of scripts needs a counting allocator.
#[global_allocator]
static ALLOCATOR: circles_worker::CountingAllocator<std::alloc::System> =
    circles_worker::CountingAllocator::new(std::alloc::System);

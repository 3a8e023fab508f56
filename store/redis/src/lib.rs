//! The store that joins machines: tasks, documents and records in Redis (6.2 or later) or Valkey.
//!
//! Start at [`RedisStore`]. It is a struct of five owners, each with its own state and file, over connections that a
//! supervisor replaces when they break (`client/connection.rs`). The life of a task through them:
//!
//! ```text
//!                 server process                      Redis                       worker process
//!
//!  submit ─► FastPath ═════════ plays in a message ════════════════════► FastPath ─► script thread
//!              │  │ ◄═════════════════ outcomes ═════════════════════════╯ (plays that change nothing)
//!              │  ╰─► Ticket is ready
//!              ▼ declined, not eligible, or no answer
//!            Waiters ── submit.lua ──► queue of the circle
//!              │                         │ claim.lua ◄──────────────── ClaimLoop ─► script thread
//!              │                         ▼                                │ hold
//!              │                       held for an epoch ◄── renew.lua ── HeldTasks ── read.lua ─► documents
//!              │                         │ mark.lua before side effects   │
//!              │                         ▼                                │ settle.lua: writes and outcome in one
//!              │                       outcome, record ◄──────────────────╯
//!            Waiters ◄═ published ═══════╯ kept until acknowledged
//!              ╰─► Ticket is ready
//!
//!  Maintenance, in every process: heartbeats, reaping of dead workers (reap.lua), sealing of records (seal.lua),
//!  fetching of missed outcomes (answers.lua), and the routing of messages (══) to the other owners.
//! ```
//!
//! A circle belongs to one of a fixed number of shards. All keys of a shard have the same hash tag, so that each step
//! is one script on one slot of a cluster, done whole or not at all. `lua/shared.lua` describes the keys.
//!
//! **Invariants.** A claim is known by its epoch, and every script refuses an epoch that no longer holds the task.
//! Redis keeps an outcome until its server acknowledges it, so a lost message costs a second and no outcome. A play on
//! the fast path changes nothing. `docs/tasks-on-redis.md` has the steps, the promises, and
//! the model that checks them.
//!
//! ```no_run
//! # async fn connect() -> Result<(), circles_store::Error> {
//! use circles_store_redis::{RedisConfig, RedisStore};
//!
//! let store = RedisStore::connect("redis://127.0.0.1:6379", RedisConfig::default()).await?;
//! store.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod batcher;
mod claim_loop;
mod client;
mod config;
mod documents;
mod fast_path;
mod held_tasks;
mod maintenance;
mod node;
mod redis_store;
mod redis_thread;
mod redis_url;
mod scripts;
mod sealer;
mod task_meta;
mod waiters;

pub use self::{config::RedisConfig, redis_store::RedisStore, redis_url::RedisUrl};

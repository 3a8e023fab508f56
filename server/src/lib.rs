//! The edge: WebSocket JSON-RPC, sessions, health. A program embeds it, or `programs` composes it with a store and
//! workers.
//!
//! Start at [`Server`]. A call goes `connection.rs` → `respond.rs` → `rpc/handler.rs`, which asks `rpc/guard.rs` →
//! `rpc/methods.rs` → `dispatch.rs`, which alone submits tasks to the store.
//!
//! **Invariants.** A session is reachable only from the calls of the one connection that it was made for. Every
//! call, alone or in a batch, passes the guard, which knows only the generated table of methods. Every message
//! with an id gets an answer. The cause of an internal error never leaves the log. No module here knows how
//! scripts run.

mod auth;
mod circles;
mod connection;
mod connections;
mod dispatch;
mod error;
mod http;
mod limits;
mod message;
mod respond;
mod rpc;
mod server;
mod settings;

pub use auth::{Audience, Origins};
pub use limits::Limits;
pub use server::{BindError, Server};
pub use settings::{Circle, Settings};

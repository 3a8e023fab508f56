//! The edge: WebSocket JSON-RPC, sessions, health. `programs` composes it with a store and workers.
//!
//! Start at [`Server`]. A call goes `connection.rs` → `message.rs` → the layers of `rpc.rs`, the guard of
//! `auth/guard.rs` among them → `rpc/methods.rs` → `dispatch.rs`, which alone talks to the store.
//!
//! **Invariants.** A session is reachable only from the calls of the one connection that it was made for.
//! Every call, alone or in a batch, passes the guard, and the guard knows nothing but the generated table of
//! methods. Whatever a client sends that has an id gets an answer. The cause of an internal error never
//! leaves the log. Nothing here knows how scripts run.

mod auth;
mod circles;
mod connection;
mod connections;
mod dispatch;
mod fault;
mod http;
mod message;
mod rpc;
mod server;

pub use auth::{Audience, Origins};
pub use circles::Circle;
pub use rpc::Limits;
pub use server::{BindError, Server, Settings};

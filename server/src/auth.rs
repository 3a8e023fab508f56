//! The identity of a client: the address it dialled, its origin, and the key it proved.

mod connect;
mod session;

pub use connect::{Audience, Origins, dialled};
pub use session::{Session, Transport};

//! The identity of a client: the address it dialled, its origin, and the key it proved.

mod connect;
mod session;

pub(crate) use connect::dialled;
pub use connect::{Audience, Origins};
pub(crate) use session::{Session, Transport};

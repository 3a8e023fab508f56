//! Who is calling: the address they dialled, the challenge they signed, and what that lets them call.

mod connect;
mod guard;
mod session;

pub use connect::{Audience, Origins, dialled};
pub use guard::Guard;
pub use session::{Session, Transport};

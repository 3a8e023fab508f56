//! The Circles interface as Rust: what `openrpc.json` says, generated from it, and the little that a
//! document cannot say.
//!
//! Start at the trait `Circles` (features `server` and `client`: `CirclesServer`, `CirclesClient`), the
//! types of its params and results in [`types`], the errors in [`Error`] and [`Fault`], and the table of
//! methods in [`METHODS`]. The document itself is [`DOCUMENT`]. What records of plays are hashed as stands in
//! [`provenance`].
//!
//! **Invariants.** A value of a type here is one that the document's schema lets in. What travels in an
//! error object is decided in `error.rs` and nowhere else.

mod bounds;
mod circle_id;
mod error;
pub mod hex;
mod integers;
mod method;
pub mod provenance;
mod scalar;
mod task;

#[deny(warnings)]
#[allow(
    unused_qualifications,
    clippy::too_many_arguments,
    clippy::wrong_self_convention,
    reason = "the document counts and names what is generated, and paths are whole so that no name hides them"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

#[doc(hidden)]
pub use self::scalar::{Name, TextRules, integer, one_of, same, tagged};
pub use self::{
    bounds::ANSWER_BYTES,
    circle_id::{CircleId, InvalidCircleId},
    error::Error,
    generated::*,
    integers::{IntegerOutOfRange, integers_fit},
    method::{Auth, InvalidParams, Method, NoParams, Param, Params, Type, check_params},
    scalar::{Integer, InvalidValue, Nullable},
};

/// The SHA-256 of [`DOCUMENT`], lower-case hex: two programs with the same one speak the same interface.
pub fn document_sha256() -> &'static str {
    static HASH: LazyLock<String> = LazyLock::new(|| hex::encode(&Sha256::digest(DOCUMENT)));
    &HASH
}

/// What the macros of this crate reach from other crates.
#[doc(hidden)]
pub mod reexports {
    pub use regress;
    pub use serde;
}

//! The Circles interface as Rust: code generated from `openrpc.json`, and the little that a document cannot say.
//!
//! Start at the traits `CirclesServer` (feature `server`) and `CirclesClient` (feature `client`), the types of params
//! and results in [`types`], the errors in [`Error`] and [`Fault`], and the table of methods in [`METHODS`]. The
//! document itself is [`DOCUMENT`]. [`provenance`] defines the bytes of which a record's hash is made.
//!
//! **Invariants.** A value of a type here is one that the document's schema lets in. Only `error.rs` decides what
//! travels in an error object.

mod bounds;
mod circle_id;
mod error;
pub mod hex;
mod integers;
pub mod provenance;
mod task;

#[deny(warnings)]
#[allow(
    unused_qualifications,
    reason = "generated paths are absolute, so that no name of the document hides them"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

pub use circles_codegen_support::{
    Auth, InvalidParams, InvalidValue, Method, NoParams, Param, Params, check_params,
};

pub use self::{
    bounds::ANSWER_BYTES,
    circle_id::{CircleId, InvalidCircleId},
    error::Error,
    generated::*,
    integers::{IntegerOutOfRange, integers_fit},
};

/// Returns the SHA-256 of [`DOCUMENT`] in lower-case hex. Programs with equal hashes speak the same interface.
pub fn document_sha256() -> &'static str {
    static HASH: LazyLock<String> = LazyLock::new(|| hex::encode(&Sha256::digest(DOCUMENT)));
    &HASH
}

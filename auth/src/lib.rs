//! Keys, the login challenge and its exact bytes, sign and verify. No input or output, so that it runs in a
//! server, in a client and in a browser alike.
//!
//! Start at [`Challenge`]: the server writes one, the client [checks](Challenge::check) that it is the one it
//! meant and [signs](SecretKey::sign) its text, the server [verifies](PublicKey::verify) the signature.
//! `tests/vectors.json` has the same in bytes for other languages, `docs/protocol.md` in words.
//!
//! **Invariant:** a challenge has exactly one text, and a text is parsed only if it is that text.

mod audience;
mod challenge;
mod key;

pub use audience::{InvalidAudience, audience_of};
pub use challenge::{Challenge, InvalidChallenge, LIFETIME, Mismatch, Nonce};
pub use key::{InvalidKey, InvalidSignature, PublicKey, SecretKey, Signature};

//! Identity: keys and key files, the login challenge with its exact bytes, and access lists.
//!
//! Start at [`Challenge`]: the server writes one, the client [checks](Challenge::check) that it is the one it
//! meant and [signs](SecretKey::sign) its text, the server [verifies](PublicKey::verify) the signature.
//! `tests/vectors.json` has the same in bytes for other languages, `docs/protocol.md` in words. [`Access`] says
//! which callers may play and run in a circle.
//!
//! Nothing here touches the network, and only [`key_file`] touches files. It needs Unix permissions; everything
//! else also builds for WebAssembly, so that a server, a client and a browser share it.
//!
//! **Invariant:** a challenge has exactly one text, and a text is parsed only if it is that text.

mod access;
mod audience;
mod challenge;
mod key;
#[cfg(unix)]
pub mod key_file;

pub use access::{Access, AccessList, Permission};
pub use audience::{InvalidAudience, audience_of};
pub use challenge::{CHALLENGE_LIFETIME, Challenge, InvalidChallenge, Mismatch, Nonce};
pub use key::{InvalidKey, InvalidSignature, PublicKey, SecretKey, Signature};

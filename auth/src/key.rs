use std::{fmt, str::FromStr};

use circles_api::{CircleId, hex};
use secp256k1::{Message, ecdsa};
use sha2::{Digest, Sha256};

/// A secp256k1 secret key. Only [`SecretKey::to_hex`] shows it; `Debug` and errors do not.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(secp256k1::SecretKey);

/// A secp256k1 public key that lies on the curve; it names a peer and the peer's circle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(secp256k1::PublicKey);

/// An ECDSA signature in the 64-byte compact form; written as 128 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Not 64 lower-case hex digits, or not between 1 and the order of the curve.
    #[error("a secret key is 64 lower-case hex digits, a number between 1 and the order of secp256k1")]
    Secret,
    /// Not 66 lower-case hex digits that begin with 02 or 03.
    #[error(transparent)]
    Form(#[from] circles_api::InvalidCircleId),
    /// The form is right, but the key is no point of the curve.
    #[error("this public key is not a point of secp256k1")]
    NotOnCurve,
}

/// The text is no signature, or no signature of the signed text by this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match")]
pub struct InvalidSignature;

impl SecretKey {
    /// Makes a key from the operating system's random bytes.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        loop {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes)?;
            // All but about one in 2^128 draws are keys.
            if let Ok(key) = secp256k1::SecretKey::from_secret_bytes(bytes) {
                return Ok(Self(key));
            }
        }
    }

    /// Returns the key as 64 lower-case hex digits. Store it out of reach of other users.
    pub fn to_hex(&self) -> String {
        struct Hex<'a>(&'a [u8]);
        impl fmt::Display for Hex<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(self.0, f)
            }
        }
        Hex(self.0.as_secret_bytes()).to_string()
    }

    /// Returns the public half of this key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key())
    }

    /// Signs the SHA-256 of the text with the deterministic nonce of RFC 6979, low-S.
    pub fn sign(&self, text: &str) -> Signature {
        Signature(ecdsa::sign(digest(text), &self.0).serialize_compact())
    }
}

impl FromStr for SecretKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let bytes = hex::decode(text).ok_or(InvalidKey::Secret)?;
        secp256k1::SecretKey::from_secret_bytes(bytes).map(Self).map_err(|_| InvalidKey::Secret)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key())
    }
}

impl PublicKey {
    /// Returns the circle of this key.
    pub fn circle_id(&self) -> CircleId {
        // A compressed key begins with 2 or 3, which is all that a CircleId asks for.
        CircleId::from_bytes(self.0.serialize())
            .unwrap_or_else(|_| unreachable!("compressed keys begin with 2 or 3"))
    }

    /// Checks that the holder of this key signed the text.
    ///
    /// # Errors
    ///
    /// Refuses also a signature with a high S, so that no second valid signature can be derived from a first.
    pub fn verify(&self, text: &str, signature: &Signature) -> Result<(), InvalidSignature> {
        let signature = ecdsa::Signature::from_compact(&signature.0).map_err(|_| InvalidSignature)?;
        signature.verify(digest(text), &self.0).map_err(|_| InvalidSignature)
    }
}

impl TryFrom<CircleId> for PublicKey {
    type Error = InvalidKey;

    fn try_from(id: CircleId) -> Result<Self, InvalidKey> {
        secp256k1::PublicKey::from_slice(id.as_bytes()).map(Self).map_err(|_| InvalidKey::NotOnCurve)
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        text.parse::<CircleId>()?.try_into()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0.serialize(), f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signature {
    type Err = InvalidSignature;

    fn from_str(text: &str) -> Result<Self, InvalidSignature> {
        hex::decode(text).map(Self).ok_or(InvalidSignature)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn digest(text: &str) -> Message {
    Message::from_digest(Sha256::digest(text.as_bytes()).into())
}

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{hex, types::PublicKey};

/// The name of a circle, and of a peer: a secp256k1 public key, 33 bytes compressed, in lower-case hex.
///
/// This type checks only the form (the pattern of `PublicKey` in `openrpc.json`); `circles-auth` checks that the bytes
/// lie on the curve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CircleId([u8; 33]);

/// A text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is 66 lower-case hex digits that begin with 02 or 03")]
pub struct InvalidCircleId;

impl CircleId {
    /// Returns the circle of a compressed key. The first byte must be 2 or 3.
    pub const fn from_bytes(bytes: [u8; 33]) -> Result<Self, InvalidCircleId> {
        match bytes[0] {
            2 | 3 => Ok(Self(bytes)),
            _ => Err(InvalidCircleId),
        }
    }

    /// Returns the 33 bytes of the compressed key.
    pub const fn as_bytes(&self) -> &[u8; 33] {
        &self.0
    }
}

impl FromStr for CircleId {
    type Err = InvalidCircleId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = hex::decode(text).ok_or(InvalidCircleId)?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for CircleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for CircleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for CircleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CircleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl From<CircleId> for PublicKey {
    fn from(circle: CircleId) -> Self {
        // Both types have one form, as a test shows.
        Self::assume_valid(circle.to_string())
    }
}

impl TryFrom<PublicKey> for CircleId {
    type Error = InvalidCircleId;

    fn try_from(key: PublicKey) -> Result<Self, Self::Error> {
        key.parse()
    }
}

impl TryFrom<&PublicKey> for CircleId {
    type Error = InvalidCircleId;

    fn try_from(key: &PublicKey) -> Result<Self, Self::Error> {
        key.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATOR: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    #[test]
    fn key_round_trips() {
        assert_eq!(GENERATOR.parse::<CircleId>().unwrap().to_string(), GENERATOR);
    }

    #[test]
    fn other_spellings_are_refused() {
        let upper = GENERATOR.to_uppercase();
        let short = &GENERATOR[..64];
        let uncompressed = GENERATOR.replacen("02", "04", 1);
        let accented = format!("é{}", &GENERATOR[..64]);
        for text in ["", &upper, short, &uncompressed, &format!("{GENERATOR}00"), &accented] {
            assert_eq!(text.parse::<CircleId>(), Err(InvalidCircleId), "{text}");
        }
    }
}

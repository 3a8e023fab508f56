use std::{fmt, str::FromStr, time::Duration};

use circles_api::{CircleId, hex};

use crate::PublicKey;

/// How long a server accepts the signature of a challenge.
pub const CHALLENGE_LIFETIME: Duration = Duration::from_secs(60);

const VERSION: &str = "circles-auth-v1";

/// The text that a client signs to prove its key: for one circle, at one address, once, within
/// [`CHALLENGE_LIFETIME`].
///
/// [`fmt::Display`] writes it and [`FromStr`] reads it: six lines joined by line feeds, with none at the end.
///
/// ```text
/// circles-auth-v1
/// circle:02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5
/// audience:ws://127.0.0.1:9001
/// pubkey:0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798
/// nonce:8f5e0c3d2b1a49788766554433221100ffeeddccbbaa99887766554433221100
/// expires:1763694060
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The circle to enter.
    pub circle: PublicKey,
    /// Scheme and authority of the server, as [`audience_of`](crate::audience_of) writes them.
    pub audience: String,
    /// The key that must sign.
    pub pubkey: PublicKey,
    /// Makes this challenge different from every other.
    pub nonce: Nonce,
    /// The end of its validity, in seconds since 1970-01-01T00:00:00Z.
    pub expires: u64,
}

/// 32 random bytes, written as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; 32]);

/// A text that is no challenge. The message names the expected text alone, since the server sent the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a challenge: expected {0}")]
pub struct InvalidChallenge(&'static str);

/// Why a client must not sign a challenge: it may come from a relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The challenge is for another circle.
    #[error("the challenge is for circle {found}, not for {meant}")]
    Circle {
        /// The circle that the client asked for.
        meant: CircleId,
        /// The circle in the challenge.
        found: CircleId,
    },
    /// The challenge is for another server.
    #[error("the challenge is for {found}, but this client connected to {meant}")]
    Audience {
        /// The address that the client connected to.
        meant: String,
        /// The address in the challenge.
        found: String,
    },
    /// The challenge is for another key.
    #[error("the challenge is for the key {found}, not for this client's")]
    Key {
        /// The key in the challenge.
        found: CircleId,
    },
}

impl Nonce {
    /// Draws a nonce from the operating system's random bytes.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Challenge {
    /// Checks that a client may sign this challenge. `None` accepts any circle: the client asked for an address and
    /// takes the circle there.
    ///
    /// # Errors
    ///
    /// Names the first field that differs.
    pub fn check(&self, circle: Option<PublicKey>, audience: &str, key: PublicKey) -> Result<(), Mismatch> {
        if let Some(meant) = circle.filter(|&meant| meant != self.circle) {
            return Err(Mismatch::Circle { meant: meant.circle_id(), found: self.circle.circle_id() });
        }
        if self.audience != audience {
            return Err(Mismatch::Audience { meant: audience.to_owned(), found: self.audience.clone() });
        }
        if self.pubkey != key {
            return Err(Mismatch::Key { found: self.pubkey.circle_id() });
        }
        Ok(())
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { circle, audience, pubkey, nonce, expires } = self;
        write!(
            f,
            "{VERSION}\ncircle:{circle}\naudience:{audience}\npubkey:{pubkey}\nnonce:{nonce}\nexpires:{expires}"
        )
    }
}

impl FromStr for Challenge {
    type Err = InvalidChallenge;

    fn from_str(text: &str) -> Result<Self, InvalidChallenge> {
        let mut lines = text.split('\n');
        if lines.next() != Some(VERSION) {
            return Err(InvalidChallenge("the line circles-auth-v1"));
        }
        let mut field = |prefix: &'static str| lines.next().and_then(|line| line.strip_prefix(prefix));
        let key = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        let circle = key(field("circle:")).ok_or(InvalidChallenge("a line circle:<public key>"))?;
        let audience =
            field("audience:").ok_or(InvalidChallenge("a line audience:<scheme and authority>"))?;
        let pubkey = key(field("pubkey:")).ok_or(InvalidChallenge("a line pubkey:<public key>"))?;
        let nonce =
            field("nonce:").and_then(hex::decode).ok_or(InvalidChallenge("a line nonce:<64 hex digits>"))?;
        let expires = field("expires:")
            .and_then(|digits| digits.parse().ok())
            .ok_or(InvalidChallenge("a line expires:<seconds since 1970>"))?;
        let challenge = Self { circle, audience: audience.to_owned(), pubkey, nonce: Nonce(nonce), expires };
        // Refuses more lines, and other spellings of the number such as `+1` and `01`.
        if challenge.to_string() != text {
            return Err(InvalidChallenge("six lines in their one spelling"));
        }
        Ok(challenge)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Nonce {
    type Err = InvalidChallenge;

    fn from_str(text: &str) -> Result<Self, InvalidChallenge> {
        hex::decode(text).map(Self).ok_or(InvalidChallenge("64 lower-case hex digits"))
    }
}

//! The bytes of a provenance record, its hash, and the chain that records form.
//!
//! Whoever holds a chain can check it with a [`Verifier`]; whoever also remembers a [`Head`] can tell whether
//! the chain was cut or written anew. `docs/protocol.md` says the same for other languages.

use sha2::{Digest as _, Sha256 as Hasher};

use crate::{
    CircleId, hex,
    types::{Record, RecordHead, RecordNumber, RecordVia, Sha256},
};

/// The format of a record whose call came from outside.
const DIRECT: &str = "circles-record-v1";
/// The format of a record whose call was made by another play. It has three lines more.
const VIA_PLAY: &str = "circles-record-v2";

/// The exact text whose SHA-256 is a record's hash: lines joined by line feeds, none at the end. Ten lines, or
/// thirteen where `via` names a calling play; the first line tells the two apart.
pub fn text(circle: &CircleId, record: &Record) -> String {
    let Record {
        number,
        task_id,
        caller,
        via,
        script_sha256,
        accepted_at,
        ended_at,
        outcome,
        previous,
        hash: _,
    } = record;
    let script = script_sha256.as_deref().unwrap_or_default();
    let version = if via.is_some() { VIA_PLAY } else { DIRECT };
    let via = via.as_ref().map_or_else(String::new, |RecordVia { circle, task_id, origin }| {
        format!("via-circle:{circle}\nvia-task:{task_id}\norigin:{origin}\n")
    });
    format!(
        "{version}\ncircle:{circle}\nnumber:{number}\ntask:{task_id}\ncaller:{caller}\n{via}script:{script}\n\
         accepted:{accepted_at}\nended:{ended_at}\noutcome:{outcome}\nprevious:{previous}"
    )
}

/// What a record's `hash` must be.
pub fn hash(circle: &CircleId, record: &Record) -> Sha256 {
    let digest: [u8; 32] = Hasher::digest(text(circle, record)).into();
    digest.into()
}

impl From<[u8; 32]> for Sha256 {
    fn from(digest: [u8; 32]) -> Self {
        Self::assume_valid(hex::encode(&digest))
    }
}

/// Where a chain ends: its newest record's number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// 0 where there is no record yet.
    pub number: RecordNumber,
    /// All zeros where there is no record yet.
    pub hash: [u8; 32],
}

impl Head {
    /// Before the first record of any circle.
    pub const START: Self = Self { number: RecordNumber::MIN, hash: [0; 32] };

    /// Behind this record.
    pub fn of(record: &Record) -> Self {
        Self { number: record.number, hash: bytes(&record.hash) }
    }

    /// Before this record: what it says of itself, which only a [`Verifier`] checks.
    pub fn before(record: &Record) -> Self {
        let number = record.number.get().checked_sub(1).and_then(|number| number.try_into().ok());
        Self { number: number.unwrap_or(RecordNumber::MIN), hash: bytes(&record.previous) }
    }

    /// Seals a record behind this head: its number, `previous` and `hash` become what they must be.
    pub fn seal(&self, circle: &CircleId, record: Record) -> Record {
        let mut record = Record { number: self.next(), previous: self.hash.into(), ..record };
        record.hash = hash(circle, &record);
        record
    }

    /// The number of the record that comes next.
    fn next(&self) -> RecordNumber {
        RecordNumber::try_from(self.number.get() + 1).unwrap_or(RecordNumber::MAX)
    }
}

impl From<Head> for RecordHead {
    fn from(head: Head) -> Self {
        Self { number: head.number, hash: head.hash.into() }
    }
}

impl From<&RecordHead> for Head {
    fn from(head: &RecordHead) -> Self {
        Self { number: head.number, hash: bytes(&head.hash) }
    }
}

fn bytes(hash: &Sha256) -> [u8; 32] {
    // The type lets nothing else in than 64 digits.
    hex::decode(hash).unwrap_or_default()
}

/// Why a record is not the next one of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A record is missing, stands twice, or stands elsewhere.
    #[error("record {found} stands where record {expected} should")]
    Number {
        /// The number after that of the record before.
        expected: RecordNumber,
        /// The number that is there.
        found: RecordNumber,
    },
    /// The record follows another one than the one before it.
    #[error("record {number}: `previous` is not the hash of the record before it")]
    Previous {
        /// Which record.
        number: RecordNumber,
    },
    /// The record is not as it was sealed, or not of this circle.
    #[error("record {number}: its hash is not that of what it says")]
    Hash {
        /// Which record.
        number: RecordNumber,
    },
}

/// Follows a chain, record by record, in order.
#[derive(Clone, Debug)]
pub struct Verifier {
    circle: CircleId,
    head: Head,
}

impl Verifier {
    /// Begins with a circle's first record.
    pub const fn new(circle: CircleId) -> Self {
        Self::after(circle, Head::START)
    }

    /// Begins behind a head that is trusted already.
    pub const fn after(circle: CircleId, head: Head) -> Self {
        Self { circle, head }
    }

    /// Takes the next record.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in which case it was not taken.
    pub fn push(&mut self, record: &Record) -> Result<(), Broken> {
        let (number, expected) = (record.number, self.head.next());
        if number != expected {
            return Err(Broken::Number { expected, found: number });
        }
        if bytes(&record.previous) != self.head.hash {
            return Err(Broken::Previous { number });
        }
        if record.hash != hash(&self.circle, record) {
            return Err(Broken::Hash { number });
        }
        self.head = Head::of(record);
        Ok(())
    }

    /// Behind the last record that was taken.
    pub const fn head(&self) -> Head {
        self.head
    }
}

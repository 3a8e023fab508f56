//! The bytes of a provenance record, its hash, and the chain that records form.
//!
//! A [`Verifier`] checks a chain. A reader who remembers a [`Head`] can also tell whether the chain was cut or
//! replaced. `docs/protocol.md` defines the same for other languages.

use sha2::{Digest as _, Sha256 as Hasher};

use crate::{
    CircleId, hex,
    types::{Record, RecordHead, RecordNumber, RecordVia, Sha256},
};

/// The format of a record whose call came from outside.
const DIRECT: &str = "circles-record-v1";
/// The format of a record whose call was made by another play. It has three more lines.
const VIA_PLAY: &str = "circles-record-v2";

/// Returns the exact text whose SHA-256 is a record's hash: lines joined by line feeds, with none at the end. It has
/// ten lines, or thirteen if `via` names a calling play; the first line names the format.
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

/// Returns the `hash` that a record must have.
pub fn hash(circle: &CircleId, record: &Record) -> Sha256 {
    let digest: [u8; 32] = Hasher::digest(text(circle, record)).into();
    digest.into()
}

impl From<[u8; 32]> for Sha256 {
    fn from(digest: [u8; 32]) -> Self {
        Self::assume_valid(hex::encode(&digest))
    }
}

/// The end of a chain: the number and hash of its newest record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// 0 if there is no record yet.
    pub number: RecordNumber,
    /// All zeros if there is no record yet.
    pub hash: [u8; 32],
}

impl Head {
    /// The head before the first record of any circle.
    pub const START: Self = Self { number: RecordNumber::MIN, hash: [0; 32] };

    /// Returns the head after this record.
    pub fn of(record: &Record) -> Self {
        Self { number: record.number, hash: bytes(&record.hash) }
    }

    /// Returns the head before this record, as the record states it; only a [`Verifier`] checks that.
    pub fn before(record: &Record) -> Self {
        let number = record.number.get().checked_sub(1).and_then(|number| number.try_into().ok());
        Self { number: number.unwrap_or(RecordNumber::MIN), hash: bytes(&record.previous) }
    }

    /// Seals a record after this head: sets its number, `previous` and `hash`.
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
    // The type lets in only 64 digits, so decoding cannot fail.
    hex::decode(hash).unwrap_or_default()
}

/// Why a record is not the next one of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A record is missing, repeated, or out of order.
    #[error("expected record {expected}, found record {found}")]
    Number {
        /// The number that must come next.
        expected: RecordNumber,
        /// The number of the record.
        found: RecordNumber,
    },
    /// The record follows a record other than the one before it.
    #[error("record {number}: `previous` is not the hash of the record before it")]
    Previous {
        /// The number of the record.
        number: RecordNumber,
    },
    /// The record was changed after it was sealed, or is of another circle.
    #[error("record {number}: its hash does not match its content")]
    Hash {
        /// The number of the record.
        number: RecordNumber,
    },
}

/// Checks a chain, record by record, in order.
#[derive(Clone, Debug)]
pub struct Verifier {
    circle: CircleId,
    head: Head,
}

impl Verifier {
    /// Starts with a circle's first record.
    pub const fn new(circle: CircleId) -> Self {
        Self::after(circle, Head::START)
    }

    /// Starts after a head that is already trusted.
    pub const fn after(circle: CircleId, head: Head) -> Self {
        Self { circle, head }
    }

    /// Checks the next record.
    ///
    /// # Errors
    ///
    /// The problem with the record. The verifier keeps its head then.
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

    /// Returns the head after the last record that passed.
    pub const fn head(&self) -> Head {
        self.head
    }
}

//! Seals a circle's provenance records into their chain.

use std::{sync::Arc, time::SystemTime};

use circles_api::{
    CircleId, InvalidValue,
    provenance::Head,
    types::{Caller, Record, Sha256, UnixMillis},
};
use circles_store::{State, Task, record_via};

use crate::unix_time::millis;

/// The contents of a record that is not sealed yet.
#[derive(Clone)]
pub(crate) struct UnsealedRecord {
    pub(crate) task: Arc<Task>,
    pub(crate) script_sha256: Option<[u8; 32]>,
    pub(crate) ended_at: SystemTime,
    pub(crate) state: State,
}

/// The end of a circle's chain of records, to which further records are added.
#[derive(Clone)]
pub(crate) struct RecordChain {
    circle: CircleId,
    head: Head,
}

impl RecordChain {
    /// Returns the chain that ends with this record; an empty one for `None`.
    pub(crate) fn after(circle: CircleId, last: Option<&Record>) -> Self {
        Self { circle, head: last.map_or(Head::START, Head::of) }
    }

    pub(crate) const fn head(&self) -> Head {
        self.head
    }

    /// Seals a record and adds it to the chain.
    pub(crate) fn seal(&mut self, unsealed: &UnsealedRecord) -> Result<Record, InvalidValue> {
        let record = Record {
            task_id: unsealed.task.id.into(),
            caller: Caller::try_from(unsealed.task.caller.to_string())?,
            via: unsealed.task.via.as_deref().and_then(record_via).transpose()?,
            script_sha256: unsealed.script_sha256.map(Sha256::from),
            accepted_at: unix_millis(unsealed.task.accepted_at),
            ended_at: unix_millis(unsealed.ended_at),
            outcome: unsealed.state.into(),
            // Sealing replaces these three.
            number: self.head.number,
            previous: self.head.hash.into(),
            hash: self.head.hash.into(),
        };
        let record = self.head.seal(&self.circle, record);
        self.head = Head::of(&record);
        Ok(record)
    }
}

/// Returns milliseconds within the bounds of the interface; later times become the last one.
fn unix_millis(time: SystemTime) -> UnixMillis {
    millis(time).try_into().unwrap_or(UnixMillis::MAX)
}

//! Seals a circle's records into their chain.

use std::{sync::Arc, time::SystemTime};

use circles_api::{
    CircleId, InvalidValue,
    provenance::Head,
    types::{Caller, Record, Sha256, UnixMillis},
};

use super::file::millis;
use circles_store::{State, Task, record_via};

/// What a record tells of a play.
#[derive(Clone)]
pub struct Ended {
    pub task: Arc<Task>,
    pub script_sha256: Option<[u8; 32]>,
    pub ended_at: SystemTime,
    pub state: State,
}

/// Where a circle's chain of records ends.
#[derive(Clone)]
pub struct Chain {
    circle: CircleId,
    head: Head,
}

impl Chain {
    /// A chain whose last record this is, if it has any.
    pub fn after(circle: CircleId, last: Option<&Record>) -> Self {
        Self { circle, head: last.map_or(Head::START, Head::of) }
    }

    /// Where it ends.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Adds a record.
    pub fn seal(&mut self, ended: &Ended) -> Result<Record, InvalidValue> {
        let record = Record {
            task_id: ended.task.id.into(),
            caller: Caller::try_from(ended.task.caller.to_string())?,
            via: ended.task.via.as_deref().and_then(record_via).transpose()?,
            script_sha256: ended.script_sha256.map(Sha256::from),
            accepted_at: unix_millis(ended.task.accepted_at),
            ended_at: unix_millis(ended.ended_at),
            outcome: ended.state.into(),
            // These three are the seal's.
            number: self.head.number,
            previous: self.head.hash.into(),
            hash: self.head.hash.into(),
        };
        let record = self.head.seal(&self.circle, record);
        self.head = Head::of(&record);
        Ok(record)
    }
}

/// Times that the document has no room for become the last that it has.
fn unix_millis(time: SystemTime) -> UnixMillis {
    millis(time).try_into().unwrap_or(UnixMillis::MAX)
}

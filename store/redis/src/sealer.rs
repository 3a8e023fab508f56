//! Provenance: seals the records of ended plays into each circle's chain.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

use circles_api::{
    CircleId,
    provenance::Head,
    types::{Caller as ApiCaller, Record, RecordPage, RecordVia, Sha256},
};
use circles_store::{Error, sync::lock};
use fred::types::Value;
use serde::Deserialize;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    node::{Node, shard_key},
    scripts::SEAL,
    task_meta::{parse_state, to_json, unexpected},
};

/// Seals records of circles, by request of the plays that leave them.
pub(crate) struct Sealer {
    node: Arc<Node>,
    /// Circles with records to seal.
    requests: Mutex<BTreeSet<CircleId>>,
    requested: Notify,
}

impl Sealer {
    pub(crate) fn new(node: &Arc<Node>) -> Self {
        Self { node: node.clone(), requests: Mutex::default(), requested: Notify::new() }
    }

    fn requests(&self) -> MutexGuard<'_, BTreeSet<CircleId>> {
        lock(&self.requests)
    }

    /// Has the circle's records sealed soon.
    pub(crate) fn request(&self, circle: CircleId) {
        if self.requests().insert(circle) {
            self.requested.notify_one();
        }
    }

    /// Returns once there are records to seal.
    pub(crate) async fn requested(&self) {
        self.requested.notified().await;
    }

    /// Seals the records of all requested circles. A circle whose records cannot be sealed stays requested.
    pub(crate) async fn seal_requested(&self) {
        let circles = std::mem::take(&mut *self.requests());
        for circle in circles {
            if let Err(error) = self.seal(&circle).await {
                tracing::debug!(%error, %circle, "cannot seal records yet");
                self.requests().insert(circle);
            }
        }
    }

    /// Returns records of a circle after the one with number `after`, and the head of its chain.
    pub(crate) async fn provenance(
        &self,
        circle: &CircleId,
        after: u64,
        limit: usize,
    ) -> Result<RecordPage, Error> {
        self.seal(circle).await?;
        let seals = format!("{}:seals:{circle}", shard_key(self.node.shard_of(circle)));
        let parse = |texts: Vec<String>| {
            let records = texts.iter().map(|text| serde_json::from_str::<Record>(text));
            records.collect::<Result<Vec<_>, _>>().map_err(|_| unexpected("a record"))
        };
        let last = parse(self.node.client.range(&seals, -1, -1).await?)?;
        let head = last.first().map_or(Head::START, Head::of);
        let from = i64::try_from(after).unwrap_or(i64::MAX);
        let to = from.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX)).saturating_sub(1);
        let records =
            if limit == 0 { Vec::new() } else { parse(self.node.client.range(&seals, from, to).await?)? };
        Ok(RecordPage { records, head: head.into() })
    }

    /// Seals all records of a circle.
    pub(crate) async fn seal(&self, circle: &CircleId) -> Result<(), Error> {
        let shard = self.node.shard_of(circle);
        let mut args = vec![Value::from(circle.to_string()), 0.into()];
        loop {
            let (sealed, last, records): (u64, String, Vec<String>) =
                self.node.run(&SEAL, shard, args).await?;
            if records.is_empty() {
                return Ok(());
            }
            let mut head = Head::START;
            if sealed > 0 {
                let last: Record = serde_json::from_str(&last).map_err(|_| unexpected("a seal"))?;
                head = Head::of(&last);
            }
            args = vec![Value::from(circle.to_string()), sealed.to_string().into()];
            for record in records {
                let unsealed: UnsealedRecord =
                    serde_json::from_str(&record).map_err(|_| unexpected("a record"))?;
                let record = head.seal(circle, unsealed.into_record()?);
                head = Head::of(&record);
                args.push(to_json(&record)?.into());
            }
        }
    }
}

/// A record as the scripts write it when a play ends.
#[derive(Deserialize)]
struct UnsealedRecord {
    task: Uuid,
    caller: String,
    #[serde(default)]
    via: Option<RecordVia>,
    #[serde(default)]
    sha256: Option<String>,
    accepted: u64,
    ended: u64,
    state: String,
}

impl UnsealedRecord {
    fn into_record(self) -> Result<Record, Error> {
        let wrong = || unexpected("a record");
        let hash = Sha256::from([0; 32]);
        Ok(Record {
            task_id: self.task.into(),
            caller: ApiCaller::try_from(self.caller).map_err(|_| wrong())?,
            via: self.via,
            script_sha256: self.sha256.map(Sha256::try_from).transpose().map_err(|_| wrong())?,
            accepted_at: self.accepted.try_into().map_err(|_| wrong())?,
            ended_at: self.ended.try_into().map_err(|_| wrong())?,
            outcome: parse_state(&self.state)?.into(),
            // Sealing replaces these three.
            number: Head::START.number,
            previous: hash.clone(),
            hash,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsealed_record_becomes_a_record() {
        let json = r#"{"task":"01890a5d-ac96-774b-bcce-b302099a8057","caller":"","accepted":1000,
                       "ended":2000,"state":"Lost"}"#;
        let record = serde_json::from_str::<UnsealedRecord>(json).unwrap().into_record().unwrap();
        assert_eq!(record.task_id.to_string(), "01890a5d-ac96-774b-bcce-b302099a8057");
        assert!(record.via.is_none() && record.script_sha256.is_none());
        let wrong = json.replace("Lost", "Found");
        assert!(serde_json::from_str::<UnsealedRecord>(&wrong).unwrap().into_record().is_err());
    }
}

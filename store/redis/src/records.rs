//! Provenance: what scripts write down of plays that ended is sealed into a chain.

use circles_api::{
    CircleId,
    provenance::Head,
    types::{Caller as ApiCaller, Record, RecordPage, RecordVia, Sha256},
};
use fred::types::Value;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Shared,
    known::{garbled, state},
    scripts::SEAL,
};
use circles_store::Error;

impl Shared {
    /// Records of a circle behind this one.
    pub(super) async fn provenance(
        &self,
        circle: &CircleId,
        after: u64,
        limit: usize,
    ) -> Result<RecordPage, Error> {
        self.seal(circle).await?;
        let seals = format!("{}:seals:{circle}", Self::shard_key(self.shard_of(circle)));
        let read = |texts: Vec<String>| {
            let records = texts.iter().map(|text| serde_json::from_str::<Record>(text));
            records.collect::<Result<Vec<_>, _>>().map_err(|_| garbled("a record"))
        };
        let last = read(self.link.range(&seals, -1, -1).await?)?;
        let head = last.first().map_or(Head::START, Head::of);
        let from = i64::try_from(after).unwrap_or(i64::MAX);
        let to = from.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX)).saturating_sub(1);
        let records = if limit == 0 { Vec::new() } else { read(self.link.range(&seals, from, to).await?)? };
        Ok(RecordPage { records, head: head.into() })
    }

    /// Seals a circle's records, as far as there are any.
    pub(super) async fn seal(&self, circle: &CircleId) -> Result<(), Error> {
        let shard = self.shard_of(circle);
        let mut args = vec![Value::from(circle.to_string()), 0.into()];
        loop {
            let (sealed, last, records): (u64, String, Vec<String>) = self.run(&SEAL, shard, args).await?;
            if records.is_empty() {
                return Ok(());
            }
            let mut head = Head::START;
            if sealed > 0 {
                head = serde_json::from_str::<Record>(&last)
                    .map_or(Err(garbled("a seal")), |last| Ok(Head::of(&last)))?;
            }
            args = vec![Value::from(circle.to_string()), sealed.to_string().into()];
            for record in records {
                let ended: Ended = serde_json::from_str(&record).map_err(|_| garbled("a record"))?;
                let record = head.seal(circle, ended.record()?);
                head = Head::of(&record);
                args.push(serde_json::to_string(&record).map_err(|_| garbled("JSON"))?.into());
            }
        }
    }
}

/// What a script writes down of a play that ended.
#[derive(Deserialize)]
struct Ended {
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

impl Ended {
    fn record(self) -> Result<Record, Error> {
        let wrong = || garbled("a record");
        let hash = Sha256::from([0; 32]);
        Ok(Record {
            task_id: self.task.into(),
            caller: ApiCaller::try_from(self.caller).map_err(|_| wrong())?,
            via: self.via,
            script_sha256: self.sha256.map(Sha256::try_from).transpose().map_err(|_| wrong())?,
            accepted_at: self.accepted.try_into().map_err(|_| wrong())?,
            ended_at: self.ended.try_into().map_err(|_| wrong())?,
            outcome: state(&self.state)?.into(),
            // These three are the seal's.
            number: Head::START.number,
            previous: hash.clone(),
            hash,
        })
    }
}

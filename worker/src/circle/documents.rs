//! The transaction of a play on its circle's documents.

use std::sync::Arc;

use circles_store::{Claim, Error, Json, Key, KeyRange, Reads, Transaction, Writes};

use crate::play::{Play, Stop};

/// The documents that a play reads and writes, opened at the first look.
#[derive(Default)]
pub(crate) struct Documents(Option<Transaction>);

impl Documents {
    pub(crate) fn get(
        &mut self,
        play: &Play,
        claim: Option<&Claim>,
        key: &str,
    ) -> Result<Option<Json>, Stop> {
        let found = self.with(play, claim, |documents| documents.get(key))?;
        // The script's side drops it, so it counts as the play's own again.
        play.meter.reclaim(found.as_ref().map_or(0, text_bytes));
        Ok(found)
    }

    pub(crate) fn scan(
        &mut self,
        play: &Play,
        claim: Option<&Claim>,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Key, Json)>, Stop> {
        let found = self.with(play, claim, |documents| documents.scan(range, limit))?;
        let texts: usize = found.iter().map(|(key, value)| text_bytes(key) + text_bytes(value)).sum();
        play.meter.reclaim(texts + found.capacity() * size_of::<(Key, Json)>());
        Ok(found)
    }

    /// Returns how many documents were written and deleted so far.
    pub(crate) fn put(
        &mut self,
        play: &Play,
        claim: Option<&Claim>,
        key: &str,
        value: Option<String>,
    ) -> Result<usize, Stop> {
        self.with(play, claim, |documents| {
            documents.put(key, value.map(Into::into));
            Ok(documents.written())
        })
    }

    pub(crate) fn into_parts(self) -> (Reads, Writes) {
        self.0.map(Transaction::into_parts).unwrap_or_default()
    }

    fn with<T>(
        &mut self,
        play: &Play,
        claim: Option<&Claim>,
        body: impl FnOnce(&mut Transaction) -> Result<T, Error>,
    ) -> Result<T, Stop> {
        // The transaction outlives the play.
        play.meter.retain(|| {
            let transaction = match &mut self.0 {
                Some(transaction) => transaction,
                None => {
                    let snapshot = claim.map_or(Err(Error::Closed), Claim::snapshot);
                    let snapshot = snapshot.map_err(|error| stop_for(play, error))?;
                    self.0.insert(Transaction::new(snapshot))
                }
            };
            body(transaction).map_err(|error| stop_for(play, error))
        })
    }
}

/// Stops the play for an error of the store.
pub(crate) fn stop_for(play: &Play, error: Error) -> Stop {
    match error {
        Error::MustRetry => play.meter.stop(Stop::Conflict),
        Error::Unavailable(cause) | Error::StorageFull(cause) => {
            tracing::warn!(%cause, "a play was stopped: the store is not available");
            play.meter.stop(Stop::Unavailable)
        }
        other => play.meter.stop_for_internal_error(other.to_string()),
    }
}

/// Bytes that a shared text takes: two counters and its own bytes, in whole words.
fn text_bytes(text: &Arc<str>) -> usize {
    (text.len() + 2 * size_of::<usize>()).next_multiple_of(size_of::<usize>())
}

//! The circle's documents, and what else a play leaves on purpose.

use std::sync::Arc;

use circles_store::{Claim, Json, Key, KeyRange, Settlement, Transaction};
use rhai::EvalAltResult;

use super::{Play, Stop};
use crate::{memory, natives::Checked};

impl Play {
    /// A document of the circle, as it was when this play first looked. May block on a disk.
    pub fn document(&self, key: &str) -> Checked<Option<Json>> {
        let found = self.documents(|documents| documents.get(key))?;
        // Given to the script's side, it is freed there.
        self.hand_out(found.as_ref().map_or(0, text_bytes));
        Ok(found)
    }

    /// Some documents of the circle, in order.
    pub fn scan(&self, range: &KeyRange, limit: usize) -> Checked<Vec<(Key, Json)>> {
        let found = self.documents(|documents| documents.scan(range, limit))?;
        let texts: usize = found.iter().map(|(key, value)| text_bytes(key) + text_bytes(value)).sum();
        self.hand_out(texts + found.capacity() * size_of::<(Key, Json)>());
        Ok(found)
    }

    /// Writes a document, or deletes it; returns how many were written and deleted so far.
    pub fn write(&self, key: &str, value: Option<String>) -> Checked<usize> {
        self.may_write()?;
        self.documents(|documents| {
            documents.put(key, value.map(Into::into));
            Ok(documents.written())
        })
    }

    fn documents<T>(
        &self,
        body: impl FnOnce(&mut Transaction) -> Result<T, circles_store::Error>,
    ) -> Checked<T> {
        self.touches()?;
        self.keeping(|| {
            let mut documents = self.documents.borrow_mut();
            let transaction = match &mut *documents {
                Some(transaction) => transaction,
                None => {
                    let snapshot = self.link.as_ref().and_then(|link| link.claim(Claim::snapshot));
                    let snapshot = snapshot.unwrap_or(Err(circles_store::Error::Closed));
                    let snapshot = snapshot.map_err(|error| self.fault(error))?;
                    documents.insert(Transaction::new(snapshot))
                }
            };
            body(transaction).map_err(|error| self.fault(error))
        })
    }

    fn hand_out(&self, bytes: usize) {
        self.kept.set(self.kept.get().wrapping_sub_unsigned(bytes));
    }

    /// Runs what leaves something behind on purpose, so that it does not count as lost.
    pub fn keeping<T>(&self, body: impl FnOnce() -> T) -> T {
        let before = memory::balance();
        let result = body();
        self.kept.set(self.kept.get().wrapping_add(memory::balance().wrapping_sub(before)));
        result
    }

    /// Bytes that outlive it on purpose.
    pub const fn kept(&self) -> isize {
        self.kept.get()
    }

    /// Stops the play for a fault that is not the script's.
    pub fn fault(&self, error: circles_store::Error) -> Box<EvalAltResult> {
        match error {
            circles_store::Error::MustRetry => return self.stop(Stop::Overtaken),
            circles_store::Error::Unavailable(cause) | circles_store::Error::StorageFull(cause) => {
                tracing::warn!(%cause, "a play cannot go on");
                return self.stop(Stop::Unavailable);
            }
            _ => {}
        }
        self.broken(error.to_string())
    }

    /// Stops the play for this cause, which is not the script's.
    pub fn broken(&self, cause: String) -> Box<EvalAltResult> {
        self.fault.borrow_mut().get_or_insert(cause);
        self.stop(Stop::Fault)
    }

    /// What failed, for the log.
    pub fn take_fault(&self) -> String {
        self.fault.take().unwrap_or_default()
    }

    /// What is to be settled, with an outcome.
    pub fn settlement(&self, outcome: circles_store::Outcome, script_sha256: Option<[u8; 32]>) -> Settlement {
        let (reads, writes) = self.documents.take().map(Transaction::into_parts).unwrap_or_default();
        let outcome = outcome.with_logs(|| self.take_logs());
        Settlement { outcome, reads, writes, side_effects: self.reached_outside.get(), script_sha256 }
    }
}

/// What a shared text takes: its bytes behind two counters, in whole words.
fn text_bytes(text: &Arc<str>) -> usize {
    (text.len() + 2 * size_of::<usize>()).next_multiple_of(size_of::<usize>())
}

//! The messages of the fast path, in MessagePack.
//!
//! A batch is its sender's id, followed by pairs of a number and a play or a reply.

use circles_api::CircleId;
use circles_store::Outcome;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The largest reply. A play that has more to say is declined, so that it goes through the queue.
const MAX_REPLY_BYTES: usize = 64 << 10;

/// The channel on which the workers of a database announce themselves.
pub(crate) fn announcements_channel(database: &str) -> String {
    format!("circles:trials:{database}")
}

/// The channel on which a worker receives plays.
pub(crate) fn plays_channel(worker: &str) -> String {
    format!("circles:trials:plays:{worker}")
}

/// The channel on which a server receives replies.
pub(crate) fn replies_channel(server: &str) -> String {
    format!("circles:trials:outcomes:{server}")
}

/// A worker's announcement that it runs fast-path plays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Announcement {
    pub(super) worker: String,
    /// As in [`RedisConfig::pool`](crate::RedisConfig::pool).
    pub(super) pool: String,
    /// As in [`RedisConfig::only_circles`](crate::RedisConfig::only_circles).
    pub(super) only_circles: Vec<CircleId>,
    /// Set in its last announcement.
    pub(super) leaving: bool,
}

/// A worker's reply to a play. The names on the wire are those of earlier versions.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum FastPathReply {
    /// The play has ended.
    Ended(Outcome),
    /// The play needs the queue.
    #[serde(rename = "InVain")]
    Declined,
    /// No script thread is free.
    #[serde(rename = "NoRoom")]
    Busy,
}

/// A decoded batch of plays or replies.
pub(super) struct Batch<T> {
    pub(super) sender: String,
    pub(super) items: Vec<(u64, T)>,
}

/// Encodes one item of a batch.
pub(super) fn encode_item<T: Serialize>(number: u64, item: &T) -> Option<Vec<u8>> {
    rmp_serde::to_vec(&(number, item)).ok()
}

/// Encodes a reply, or declines the play if the reply is too large.
pub(super) fn encode_reply(number: u64, reply: &FastPathReply) -> Vec<u8> {
    encode_item(number, reply)
        .filter(|reply| reply.len() <= MAX_REPLY_BYTES)
        .or_else(|| encode_item(number, &FastPathReply::Declined))
        .unwrap_or_default()
}

/// Joins encoded items to a batch.
pub(super) fn encode_batch(sender: &str, items: impl IntoIterator<Item = Vec<u8>>) -> Option<Vec<u8>> {
    let mut message = rmp_serde::to_vec(sender).ok()?;
    message.extend(items.into_iter().flatten());
    Some(message)
}

/// Decodes a batch, up to the first item that cannot be decoded.
pub(super) fn decode_batch<T: DeserializeOwned>(mut message: &[u8]) -> Option<Batch<T>> {
    let Ok(sender) = rmp_serde::from_read(&mut message) else {
        tracing::error!("unexpected message in Redis: cannot decode a fast-path batch");
        return None;
    };
    let mut items = Vec::new();
    while !message.is_empty() {
        match rmp_serde::from_read(&mut message) {
            Ok(item) => items.push(item),
            Err(error) => {
                tracing::error!(%error, "unexpected message in Redis: cannot decode an item of a fast-path batch");
                break;
            }
        }
    }
    Some(Batch { sender, items })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_keep_their_bytes() {
        for (reply, bytes) in [
            (FastPathReply::Declined, &b"\x92\x07\xa6InVain"[..]),
            (FastPathReply::Busy, b"\x92\x07\xa6NoRoom"),
            (FastPathReply::Ended(Outcome::Lost), b"\x92\x07\x81\xa5Ended\xa4Lost"),
        ] {
            assert_eq!(encode_reply(7, &reply), bytes);
            let message = encode_batch("me", [bytes.to_vec(), bytes.to_vec()]).unwrap();
            let batch: Batch<FastPathReply> = decode_batch(&message).unwrap();
            assert_eq!((&*batch.sender, batch.items.len()), ("me", 2));
            assert!(batch.items.iter().all(|(number, item)| *number == 7 && *item == reply));
        }
    }

    #[test]
    fn broken_batch_is_decoded_up_to_its_fault() {
        let whole = encode_item(1, &FastPathReply::Busy).unwrap();
        let message = encode_batch("me", [whole.clone(), b"\x92\x02\xa1?".to_vec(), whole]).unwrap();
        let batch: Batch<FastPathReply> = decode_batch(&message).unwrap();
        assert_eq!(batch.items, [(1, FastPathReply::Busy)]);
        assert!(decode_batch::<FastPathReply>(b"\xc0").is_none());
    }
}

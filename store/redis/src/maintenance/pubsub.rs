//! Routes the messages that are published to this process to the owners that they are for.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use circles_store::TaskId;
use fred::types::{Message, Value};
use tokio::{sync::broadcast::error::RecvError, time::timeout};

use super::{IDLE_CHECK_INTERVAL, Maintenance};
use crate::{
    client::Messages,
    fast_path::{announcements_channel, plays_channel, replies_channel},
    held_tasks::{LogChunk, log_channel},
    node::shard_key,
};

/// Follows a shard's key in the name of the channel that announces its tasks.
const ANNOUNCEMENT_SUFFIX: &str = ":hint";

/// The channel on which a server receives outcomes.
fn answers_channel(server: &str) -> String {
    format!("circles:server:{server}")
}

/// The channel on which a worker receives interrupts, and requests for logs.
fn worker_channel(worker: &str) -> String {
    format!("circles:worker:{worker}")
}

impl Maintenance {
    /// The channels of this process.
    pub(super) fn channels(&self) -> Vec<String> {
        let id = &self.node.id;
        let mut channels = vec![
            answers_channel(id),
            worker_channel(id),
            log_channel(id),
            announcements_channel(&self.node.database),
            plays_channel(id),
            replies_channel(id),
        ];
        let only = self.node.config.only_circles.iter();
        let shards: BTreeSet<u16> = only.map(|circle| self.node.shard_of(circle)).collect();
        channels.extend(shards.into_iter().map(|shard| shard_key(shard) + ANNOUNCEMENT_SUFFIX));
        channels
    }

    /// Routes messages until a closing process has nothing left to wait for.
    pub(super) async fn route_messages(self: Arc<Self>, mut messages: Messages) {
        let router = Router::new(self);
        loop {
            match timeout(IDLE_CHECK_INTERVAL, messages.recv()).await {
                Ok(Ok(message)) => router.route(&message),
                // Messages were lost, outcomes maybe among them.
                Ok(Err(RecvError::Lagged(_))) => router.maintenance.waiters.catch_up(Duration::ZERO).await,
                Ok(Err(RecvError::Closed)) => return,
                Err(_) if router.maintenance.is_idle() => return,
                Err(_) => {}
            }
        }
    }
}

/// Knows the name of each channel.
struct Router {
    maintenance: Arc<Maintenance>,
    answers: String,
    log: String,
    announcements: String,
    plays: String,
    replies: String,
}

impl Router {
    fn new(maintenance: Arc<Maintenance>) -> Self {
        let node = maintenance.node.clone();
        Self {
            maintenance,
            answers: answers_channel(&node.id),
            log: log_channel(&node.id),
            announcements: announcements_channel(&node.database),
            plays: plays_channel(&node.id),
            replies: replies_channel(&node.id),
        }
    }

    fn route(&self, message: &Message) {
        let Maintenance { waiters, claims, held, fast_path, .. } = &*self.maintenance;
        let (channel, value) = (&*message.channel, &message.value);
        let bytes = value.as_bytes().unwrap_or_default();
        if channel == self.answers {
            waiters.on_answers(value);
        } else if channel == self.plays {
            fast_path.on_plays(bytes);
        } else if channel == self.replies {
            fast_path.on_replies(bytes);
        } else if channel == self.announcements {
            fast_path.on_announcement(bytes);
        } else if channel == self.log {
            self.on_log(value);
        } else if let Some(shard) = channel.strip_suffix(ANNOUNCEMENT_SUFFIX) {
            claims.on_announcement(shard, value);
        } else if let Some(text) = value.as_str() {
            held.on_worker_message(&text);
        }
    }

    /// Adds the lines of a watched task, and asks again for lines that did not arrive.
    fn on_log(&self, message: &Value) {
        let bytes = message.as_bytes().unwrap_or_default();
        let Ok((id, chunk)) = rmp_serde::from_slice::<(String, LogChunk)>(bytes) else {
            tracing::error!("unexpected message in Redis: cannot decode log lines");
            return;
        };
        let Ok(id) = id.parse::<TaskId>() else { return };
        if self.maintenance.held.receive_log(id, chunk) {
            self.maintenance.waiters.request_log(id);
        }
    }
}

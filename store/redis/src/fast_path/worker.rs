//! The worker's side of the fast path: runs the plays that servers hand over.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_store::{Claim, InlineRunner, Outcome, Task};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    lease::{FastPathLease, Reply, TIME_LIMIT},
    messages::{
        Announcement, Batch, FastPathReply, announcements_channel, encode_batch, encode_reply,
        replies_channel,
    },
};
use crate::{claim_loop::ClaimLoop, held_tasks::HeldTasks, node::Node};

/// Time between two announcements.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(1);
/// The most replies that wait to be sent.
const REPLY_BUFFER: usize = 10_000;
/// The most replies that are gathered for one round of messages.
const GATHERED_REPLIES: usize = 64;

/// Encoded replies, and the server that they are for.
type Replies = (Arc<str>, Vec<u8>);

pub(super) struct FastPathWorker {
    node: Arc<Node>,
    claims: Arc<ClaimLoop>,
    held: Arc<HeldTasks>,
    runner: Arc<dyn InlineRunner>,
    replies: mpsc::Sender<Replies>,
}

impl FastPathWorker {
    /// Starts to announce this worker, and to send replies.
    pub(super) fn start(
        node: &Arc<Node>,
        claims: Arc<ClaimLoop>,
        held: Arc<HeldTasks>,
        runner: Arc<dyn InlineRunner>,
    ) -> Self {
        let (replies, receiver) = mpsc::channel(REPLY_BUFFER);
        node.spawn(announce(node.clone()));
        node.spawn(send_replies(node.clone(), receiver));
        Self { node: node.clone(), claims, held, runner, replies }
    }

    /// Runs a play on the spot, if it is sure to be short.
    pub(super) fn try_inline(&self, task: &Task) -> Option<Outcome> {
        self.runner.try_inline(task)
    }

    /// Runs the plays of one message: each on the spot, or else on a script thread. A
    /// closing worker runs none of them.
    pub(super) fn run_batch(&self, batch: Batch<Task>) {
        let server = Arc::<str>::from(batch.sender);
        let is_closing = self.node.is_closing();
        let mut replies = Vec::new();
        for (number, task) in batch.items {
            let reply = if is_closing {
                Some(FastPathReply::Busy)
            } else if let Some(outcome) = self.try_inline(&task) {
                Some(FastPathReply::Ended(outcome))
            } else {
                (!self.claims.has_fast_path_room()).then_some(FastPathReply::Busy)
            };
            match reply {
                Some(reply) => replies.extend(encode_reply(number, &reply)),
                None => self.run_on_thread(task, self.reply_to(&server, number)),
            }
        }
        if !replies.is_empty() {
            // The server queues the plays whose replies are lost.
            let _ = self.replies.try_send((server, replies));
        }
    }

    fn reply_to(&self, server: &Arc<str>, number: u64) -> Reply {
        let (replies, server) = (self.replies.clone(), server.clone());
        Box::new(move |outcome| {
            let reply = outcome.map_or(FastPathReply::Declined, FastPathReply::Ended);
            let _ = replies.try_send((server, encode_reply(number, &reply)));
        })
    }

    fn run_on_thread(&self, task: Task, reply: Reply) {
        let task = Arc::new(task);
        let deadline = Instant::now() + TIME_LIMIT;
        let lease = FastPathLease::new(&self.held, &task, reply);
        self.claims.hand_over(Claim::new(task, deadline, CancellationToken::new(), Box::new(lease)));
    }
}

/// Announces this worker again and again, and at last that it leaves.
async fn announce(node: Arc<Node>) {
    let channel = announcements_channel(&node.database);
    let mut ticks = interval(ANNOUNCE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let leaving = tokio::select! {
            _ = ticks.tick() => false,
            () = node.closing.cancelled() => true,
        };
        let announcement = Announcement {
            worker: node.id.clone(),
            pool: node.config.pool.clone(),
            only_circles: node.config.only_circles.clone(),
            leaving,
        };
        let Ok(message) = rmp_serde::to_vec(&announcement) else { return };
        if let Err(error) = node.client.publish(&channel, message).await {
            tracing::debug!(%error, "cannot announce this worker for fast-path plays");
        }
        if leaving {
            return;
        }
    }
}

/// Sends replies, in one message for each server. While messages are under way, the next replies gather.
async fn send_replies(node: Arc<Node>, mut replies: mpsc::Receiver<Replies>) {
    let mut gathered = Vec::new();
    loop {
        let count = tokio::select! {
            count = replies.recv_many(&mut gathered, GATHERED_REPLIES) => count,
            () = node.stopped.cancelled() => return,
        };
        if count == 0 {
            return;
        }
        let mut servers: HashMap<Arc<str>, Vec<Vec<u8>>> = HashMap::new();
        for (server, replies) in gathered.drain(..) {
            servers.entry(server).or_default().push(replies);
        }
        for (server, replies) in servers {
            let Some(message) = encode_batch(&node.id, replies) else { return };
            if let Err(error) = node.client.publish(&replies_channel(&server), message).await {
                tracing::debug!(%error, %server, "cannot send fast-path replies");
            }
        }
    }
}

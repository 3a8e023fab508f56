//! Sends what a held task logs to the servers that watch it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use circles_store::TaskId;
use tokio::{sync::watch, task::AbortHandle, time::timeout};

use super::{HeldTask, LogReader, log_stream::RunId};
use crate::node::Node;

/// How long the end of a play waits, at most, until the servers that watch it have its last lines.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// The servers that watch a task, each with the task that forwards to it.
#[derive(Default)]
pub(super) struct LogForwarding(HashMap<String, Forwarder>);

struct Forwarder {
    /// The run and the count of its lines that were sent.
    sent: watch::Receiver<(RunId, usize)>,
    sending: AbortHandle,
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

/// The channel on which a server receives the lines of tasks that it watches.
pub(crate) fn log_channel(server: &str) -> String {
    format!("circles:lines:{server}")
}

impl HeldTask {
    pub(super) fn forwards_to(&self, server: &str) -> bool {
        self.forwarding.0.get(server).is_some_and(|forwarder| !forwarder.sending.is_finished())
    }

    /// Forwards the log to another process, from the first line on.
    pub(super) fn forward_log(&mut self, node: &Arc<Node>, id: TaskId, server: String) {
        if server == node.id {
            return;
        }
        let (progress, sent) = watch::channel(((0, 0), 0));
        let (channel, mut reader) = (log_channel(&server), LogReader::new(self.log.clone()));
        let sending = node.runtime.spawn({
            let node = node.clone();
            async move {
                loop {
                    let chunk = reader.next_chunk().await;
                    let upto = (chunk.0, chunk.1 + chunk.2.len());
                    let Ok(message) = rmp_serde::to_vec(&(id.to_string(), chunk)) else { return };
                    // A server that misses lines is forwarded to again when the lease is renewed.
                    if node.client.publish(&channel, message).await.is_err() {
                        return;
                    }
                    progress.send_replace(upto);
                }
            }
        });
        self.forwarding.0.insert(server, Forwarder { sent, sending: sending.abort_handle() });
    }

    /// Returns a wait until all watching servers were sent what was logged so far, if there are any.
    pub(super) fn flush_log(&self) -> Option<impl Future<Output = ()> + use<>> {
        if self.forwarding.0.is_empty() {
            return None;
        }
        let upto = self.log.position();
        let sent: Vec<_> = self.forwarding.0.values().map(|forwarder| forwarder.sent.clone()).collect();
        Some(async move {
            let all = async {
                for mut sent in sent {
                    // An error means that the forwarder has ended, and its server gets nothing more.
                    let _ = sent.wait_for(|at| upto.1 == 0 || *at >= upto).await;
                }
            };
            let _ = timeout(LOG_FLUSH_TIMEOUT, all).await;
        })
    }
}

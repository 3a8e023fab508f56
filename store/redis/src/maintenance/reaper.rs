//! Returns tasks of dead workers to the queue, and seals the records that they left.

use std::sync::Arc;

use circles_store::Error;

use super::Maintenance;
use crate::{
    node::Node,
    scripts::{REAP, SEAL},
    task_meta::unexpected,
};

/// The key that the process holds whose turn it is to reap.
const REAPER: &str = "circles:reaper";

impl Maintenance {
    /// Reaps all shards. One process does so at a time.
    pub(super) async fn reap(self: Arc<Self>) {
        let Node { client, id, config, .. } = &*self.node;
        if !matches!(client.reserve(REAPER, id, config.lease / 2).await, Ok(true)) {
            return;
        }
        for shard in 0..self.node.shards {
            if let Err(error) = self.reap_shard(shard).await {
                tracing::debug!(%error, shard, "cannot reap a shard");
                return;
            }
        }
    }

    async fn reap_shard(&self, shard: u16) -> Result<(), Error> {
        let mut has_more = true;
        // The script does little at a time, so that other commands run in between.
        while has_more {
            let (returned, lost, pools, more): (i64, i64, Vec<String>, i64) =
                self.node.run(&REAP, shard, Vec::new()).await?;
            if returned + lost > 0 {
                tracing::warn!(returned, lost, "reaped the tasks of a dead worker");
            }
            // The worker that took the last hint may have died with it.
            for pool in pools {
                self.node.hint(&pool, shard).await?;
            }
            has_more = more != 0;
        }
        let unsealed: Vec<String> = self.node.run(&SEAL, shard, Vec::new()).await?;
        for circle in unsealed {
            self.sealer.seal(&circle.parse().map_err(|_| unexpected("a circle"))?).await?;
        }
        Ok(())
    }
}

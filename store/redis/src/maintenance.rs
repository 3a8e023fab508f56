//! The background duties of a process: heartbeats, reaping, sealing, catching up, and the routing of messages.
//!
//! Maintenance has no tasks of its own. It calls the other owners when their time has come.

mod database;
mod pubsub;
mod reaper;

use std::{sync::Arc, time::Duration};

use circles_api::{CircleId, types::RecordPage};
use circles_store::Error;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

pub(crate) use self::database::{Agreement, DatabaseCheck};
use crate::{
    claim_loop::ClaimLoop,
    fast_path::FastPath,
    held_tasks::HeldTasks,
    node::Node,
    sealer::Sealer,
    waiters::{CATCH_UP_INTERVAL, Waiters},
};

/// Time between two looks whether a closing process has nothing left to do.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long records gather before they are sealed together.
const SEAL_DELAY: Duration = Duration::from_millis(50);

/// Owns the background duties of this process.
pub(crate) struct Maintenance {
    pub(crate) node: Arc<Node>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) claims: Arc<ClaimLoop>,
    pub(crate) held: Arc<HeldTasks>,
    pub(crate) fast_path: Arc<FastPath>,
    pub(crate) database: DatabaseCheck,
}

impl Maintenance {
    /// Subscribes to this process's channels, and starts all duties.
    pub(crate) async fn start(self: Arc<Self>) -> Result<(), Error> {
        let messages = self.node.client.subscribe(self.channels()).await?;
        let lease = self.node.config.lease;
        self.node.spawn(self.clone().route_messages(messages));
        self.node.spawn(self.claims.clone().run());
        self.node.spawn(self.clone().seal_records());
        self.node.spawn(self.clone().show_presence_repeatedly());
        self.node.spawn(self.clone().repeat(CATCH_UP_INTERVAL, |maintenance| async move {
            tokio::join!(
                maintenance.restore_lost_database(),
                maintenance.waiters.catch_up(CATCH_UP_INTERVAL)
            );
        }));
        self.node.spawn(
            self.clone().repeat(lease / 3, |maintenance| async move { maintenance.held.renew().await }),
        );
        self.node
            .spawn(self.clone().repeat(lease / 2, |maintenance| async move { maintenance.reap().await }));
        Ok(())
    }

    /// Repeats a duty until the process stops.
    async fn repeat<F: Future<Output = ()>>(
        self: Arc<Self>,
        period: Duration,
        duty: impl Fn(Arc<Self>) -> F,
    ) {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.node.stopped.cancelled() => return,
            }
            duty(self.clone()).await;
        }
    }

    /// Returns whether a closing process holds no task and waits for none.
    fn is_idle(&self) -> bool {
        self.node.is_closing()
            && !self.fast_path.is_waiting()
            && self.held.count() == 0
            && self.waiters.is_empty()
    }

    /// Shows other processes that this one runs tasks: when its first thread waits, then again and again, and at last
    /// that it does no longer.
    async fn show_presence_repeatedly(self: Arc<Self>) {
        let mut ticks = interval(self.node.config.lease / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let leaves = tokio::select! {
                () = self.claims.started() => false,
                _ = ticks.tick() => false,
                () = self.node.closing.cancelled() => true,
            };
            self.show_presence(if leaves { Duration::ZERO } else { self.node.config.lease }).await;
            if leaves {
                return;
            }
        }
    }

    /// Registers this worker for this long, if it runs tasks.
    async fn show_presence(&self, time: Duration) {
        if self.claims.is_started()
            && let Err(error) = self.node.register_worker(&self.node.id, time).await
        {
            tracing::debug!(%error, "cannot register this worker");
        }
    }

    /// How many workers are present.
    ///
    /// # Errors
    ///
    /// Fails while Redis does not answer or has lost its data.
    pub(crate) async fn workers(&self) -> Result<usize, Error> {
        self.database.ensure_present(&self.node).await?;
        self.node.register_worker("", Duration::ZERO).await
    }

    /// Restores what the processes agreed on, if Redis has lost it, and ends the tasks that were lost with it.
    async fn restore_lost_database(&self) {
        if !self.database.is_lost(&self.node).await {
            return;
        }
        tracing::error!("Redis has lost all data: documents, records, and tasks under way");
        match self.database.restore(&self.node).await {
            Ok(Some(restored)) => {
                // Tasks that run here and are no longer in Redis are interrupted.
                self.held.renew().await;
                self.show_presence(self.node.config.lease).await;
                self.database.set_present(restored);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "cannot restore the agreements in Redis yet"),
        }
    }

    /// Seals the records that plays of this process have left.
    async fn seal_records(self: Arc<Self>) {
        loop {
            let requested = timeout(IDLE_CHECK_INTERVAL, self.sealer.requested()).await;
            if requested.is_err() && self.is_idle() {
                return;
            }
            sleep(SEAL_DELAY).await;
            self.sealer.seal_requested().await;
        }
    }

    /// Returns records of a circle after the one with number `after`.
    pub(crate) async fn provenance(
        &self,
        circle: &CircleId,
        after: u64,
        limit: usize,
    ) -> Result<RecordPage, Error> {
        self.sealer.provenance(circle, after, limit).await
    }
}

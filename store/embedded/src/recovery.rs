//! Recovery of the tasks that an earlier process of this store left.

use std::sync::Arc;

use circles_api::CircleId;
use circles_store::{Error, settle_policy::MAX_CRASHES};

use crate::{
    circle::Circle,
    live_task::LiveTask,
    running_file::RunNumber,
    store_core::StoreCore,
    task_row::{TaskBody, TaskRow},
};

impl StoreCore {
    /// Queues, retries or loses the unfinished tasks of a circle, and returns their number. If `stays_open`, the
    /// circle's file is opened in any case.
    pub(crate) async fn recover(
        self: &Arc<Self>,
        circle: CircleId,
        stays_open: bool,
    ) -> Result<usize, Error> {
        let condition = move |circle: &Circle| stays_open || circle.may_have_unfinished();
        let running_file = self.files.circle(&circle).running_file().clone();
        let unfinished = self.files.query_if(&circle, condition, move |db| {
            Ok((db.file().unfinished()?, running_file.left_running()))
        });
        let (unfinished, left_running) = unfinished.await?.unwrap_or_default();
        let mut count = 0;
        for (row, body) in unfinished {
            let run = left_running.get(&row.id).copied();
            count += usize::from(self.recover_task(circle, row, body, run));
        }
        Ok(count)
    }

    /// Recovers a task that was running in this run when its process died, if it was running. Returns false if this
    /// process itself accepted it.
    fn recover_task(
        self: &Arc<Self>,
        circle: CircleId,
        row: TaskRow,
        body: TaskBody,
        run: Option<RunNumber>,
    ) -> bool {
        let (has_mark, retries) = (row.marked, row.retries);
        let crashed = run.filter(|run| !row.deaths.contains(run));
        let crashes = row.deaths.len() + usize::from(crashed.is_some());
        let live = Arc::new(LiveTask::new(row.into_task(circle, body)).with_retries(retries));
        if !self.tasks().insert(&live) {
            return false;
        }
        if crashes >= MAX_CRASHES {
            let task = live.task().id;
            tracing::warn!(%task, "the process died twice while this task ran: the task is lost");
            self.lose(&live, has_mark);
        } else if let Some(run) = crashed {
            self.rerun_after_crash(live, run, has_mark);
        } else if has_mark {
            self.retry_or_lose(live);
        } else {
            self.enqueue(live);
        }
        true
    }
}

use std::time::Duration;

use circles_api::{
    CirclesClient as _, ProvenanceParams, TasksParams,
    types::{RecordPage, Task, TaskId, TaskPage, TaskState, WaitMs},
};
use web_time::Instant;

use crate::{
    Client, Error,
    call::{BoxFuture, Call, Request, boxed},
};

/// A call that returns a task's state, times and outcome.
pub type TaskLookup<'a> = Call<'a, TaskRequest>;

/// A call that returns a page of tasks, the newest first.
pub type TaskList<'a> = Call<'a, TasksParams>;

/// A call that returns a page of the circle's provenance, the oldest records first.
pub type RecordList<'a> = Call<'a, ProvenanceParams>;

/// A task's id, and how long to wait for its end.
pub struct TaskRequest {
    id: TaskId,
    wait: Duration,
}

impl TaskRequest {
    pub(crate) const fn new(id: TaskId) -> Self {
        Self { id, wait: Duration::ZERO }
    }
}

impl TaskLookup<'_> {
    /// Waits until the task ends, at most this long: if it has not ended by then, the answer has no `ended_at`.
    /// The server does the waiting, a minute a call, and the client continues after a reconnect.
    pub fn wait(self, wait: Duration) -> Self {
        self.with("wait_ms", |request| {
            request.wait = wait;
            Ok(())
        })
    }
}

impl TaskList<'_> {
    /// Lists only tasks in this state.
    pub fn state(self, state: TaskState) -> Self {
        self.with("state", |params| {
            params.state = Some(state);
            Ok(())
        })
    }

    /// Sets the size of a page, from 1 to 500; 50 by default.
    pub fn limit(self, limit: u64) -> Self {
        self.with("limit", |params| {
            params.limit = Some(limit.try_into()?);
            Ok(())
        })
    }

    /// Continues after the page that returned this cursor.
    pub fn cursor(self, cursor: TaskId) -> Self {
        self.with("cursor", |params| {
            params.cursor = Some(cursor);
            Ok(())
        })
    }
}

impl RecordList<'_> {
    /// Starts after the record of this number; by default with the first.
    pub fn after(self, number: u64) -> Self {
        self.with("after", |params| {
            params.after = Some(number.try_into()?);
            Ok(())
        })
    }

    /// Sets the size of a page, from 1 to 500; 50 by default.
    pub fn limit(self, limit: u64) -> Self {
        self.with("limit", |params| {
            params.limit = Some(limit.try_into()?);
            Ok(())
        })
    }
}

impl Request for TaskRequest {
    type Response = Task;

    fn send(self, client: &Client) -> BoxFuture<'_, Result<Task, Error>> {
        let Self { id, wait } = self;
        boxed(async move {
            let started = Instant::now();
            loop {
                let left = wait.saturating_sub(started.elapsed());
                let step = WaitMs::try_from(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
                // A call waits at most `WaitMs::MAX`; further calls wait for the rest.
                let (step, last) = step.map_or((WaitMs::MAX, false), |step| (step, true));
                let limit = Duration::from_millis(step.get().into()) + client.timeout();
                let task = client.call(limit, true, |rpc| {
                    let id = id.clone();
                    async move { rpc.task(id, Some(step)).await }
                });
                let task = task.await?;
                if last || task.ended_at.is_some() {
                    return Ok(task);
                }
            }
        })
    }
}

impl Request for TasksParams {
    type Response = TaskPage;

    fn send(self, client: &Client) -> BoxFuture<'_, Result<TaskPage, Error>> {
        boxed(client.call(client.timeout(), true, move |rpc| {
            let Self { state, limit, cursor } = self.clone();
            async move { rpc.tasks(state, limit, cursor).await }
        }))
    }
}

impl Request for ProvenanceParams {
    type Response = RecordPage;

    fn send(self, client: &Client) -> BoxFuture<'_, Result<RecordPage, Error>> {
        let Self { after, limit } = self;
        boxed(client.call(
            client.timeout(),
            true,
            move |rpc| async move { rpc.provenance(after, limit).await },
        ))
    }
}

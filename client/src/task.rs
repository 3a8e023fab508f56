use std::time::Duration;

use circles_api::{
    CirclesClient as _, ProvenanceParams, TasksParams,
    types::{RecordPage, Task, TaskId, TaskPage, TaskState, WaitMs},
};
use web_time::Instant;

use crate::{
    Client, Error,
    call::{Ask, Boxed, Call, boxed},
};

/// A look at a task: awaited, it brings what is known of it.
pub type TaskLookup<'a> = Call<'a, Lookup>;

/// A page of tasks to be asked for, the newest first.
pub type TaskList<'a> = Call<'a, TasksParams>;

/// A page of the circle's provenance to be asked for, the oldest records first.
pub type RecordList<'a> = Call<'a, ProvenanceParams>;

/// Which task, and how long to wait for its end.
pub struct Lookup {
    id: TaskId,
    wait: Duration,
}

impl Lookup {
    pub const fn new(id: TaskId) -> Self {
        Self { id, wait: Duration::ZERO }
    }
}

impl TaskLookup<'_> {
    /// Waits for the end of the task, but no longer than this: it may not have ended then, which its `ended_at`
    /// tells. The waiting is done at the server, a minute a call, and goes on after a reconnect.
    pub fn wait(self, wait: Duration) -> Self {
        self.with("wait_ms", |lookup| {
            lookup.wait = wait;
            Ok(())
        })
    }
}

impl TaskList<'_> {
    /// Only tasks in this state.
    pub fn state(self, state: TaskState) -> Self {
        self.with("state", |params| {
            params.state = Some(state);
            Ok(())
        })
    }

    /// How many at most, from 1 to 500; 50 by default.
    pub fn limit(self, limit: u64) -> Self {
        self.with("limit", |params| {
            params.limit = Some(limit.try_into()?);
            Ok(())
        })
    }

    /// Goes on where the page with this cursor ended.
    pub fn cursor(self, cursor: TaskId) -> Self {
        self.with("cursor", |params| {
            params.cursor = Some(cursor);
            Ok(())
        })
    }
}

impl RecordList<'_> {
    /// Begins behind the record of this number; with the first by default.
    pub fn after(self, number: u64) -> Self {
        self.with("after", |params| {
            params.after = Some(number.try_into()?);
            Ok(())
        })
    }

    /// How many at most, from 1 to 500; 50 by default.
    pub fn limit(self, limit: u64) -> Self {
        self.with("limit", |params| {
            params.limit = Some(limit.try_into()?);
            Ok(())
        })
    }
}

impl Ask for Lookup {
    type Answer = Task;

    fn send(self, client: &Client) -> Boxed<'_, Result<Task, Error>> {
        let Self { id, wait } = self;
        boxed(async move {
            let begun = Instant::now();
            loop {
                let left = wait.saturating_sub(begun.elapsed());
                let step = WaitMs::try_from(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
                // The longest there is, where more is left.
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

impl Ask for TasksParams {
    type Answer = TaskPage;

    fn send(self, client: &Client) -> Boxed<'_, Result<TaskPage, Error>> {
        boxed(client.call(client.timeout(), true, move |rpc| {
            let Self { state, limit, cursor } = self.clone();
            async move { rpc.tasks(state, limit, cursor).await }
        }))
    }
}

impl Ask for ProvenanceParams {
    type Answer = RecordPage;

    fn send(self, client: &Client) -> Boxed<'_, Result<RecordPage, Error>> {
        let Self { after, limit } = self;
        boxed(client.call(
            client.timeout(),
            true,
            move |rpc| async move { rpc.provenance(after, limit).await },
        ))
    }
}

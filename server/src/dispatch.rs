//! Checks permissions and deadlines of calls and submits their tasks: the only module that submits to the store.

mod answer;
pub(crate) mod watch;

use std::{collections::HashMap, sync::Arc, time::Duration};

use circles_api::{
    CircleId, Error, Fault,
    types::{Library, PlayResult, RecordPage, Task as TaskAnswer, TaskPage},
};
use circles_auth::{Access, Permission};
use circles_store::{Caller, Kind, Source, State, Store, Task, TaskFilter, TaskId, TaskView};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    error::internal,
    settings::{Circle, Settings},
};

/// The caller of a call, and the circle that it calls.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) circle: CircleId,
    pub(crate) caller: Caller,
}

/// The optional params of a call that plays a script.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallOptions {
    /// The script's `ARGS`.
    pub(crate) args: Value,
    /// The time from acceptance; the circle's own limit holds as well.
    pub(crate) timeout: Option<Duration>,
    /// Names the call, so that the caller can repeat it without playing twice.
    pub(crate) idempotency_key: Option<Box<str>>,
}

/// Submits tasks to the store and returns their outcomes.
#[derive(Clone)]
pub(crate) struct Dispatch {
    store: Arc<dyn Store>,
    circles: Arc<HashMap<CircleId, CircleRules>>,
    abort: CancellationToken,
}

/// The access and deadlines of one circle.
struct CircleRules {
    access: Access,
    play_timeout: Duration,
    submit_timeout: Duration,
}

impl Principal {
    fn is_owner(&self) -> bool {
        self.caller == Caller::Peer(self.circle)
    }

    /// Returns whether the task is visible to this caller.
    fn sees(&self, task: &TaskView) -> bool {
        self.is_owner() || self.caller == task.caller
    }
}

impl Dispatch {
    /// Submits tasks to `store`. Callers have access only to the circles in `settings`. `abort` ends the wait of
    /// calls when the server shuts down.
    pub(crate) fn new(store: Arc<dyn Store>, settings: &Settings, abort: CancellationToken) -> Self {
        let rules = |circle: &Circle| CircleRules {
            access: circle.access.clone(),
            play_timeout: lower(circle.play_timeout, settings.task_timeout),
            submit_timeout: lower(circle.submit_timeout, settings.submit_timeout),
        };
        let circles = settings.circles.iter().map(|circle| (circle.key.circle_id(), rules(circle))).collect();
        Self { store, circles: Arc::new(circles), abort }
    }

    /// Checks that a caller has one of these permissions in a circle, and returns the circle's rules. Every way to a
    /// script passes here before a task exists.
    fn authorize(&self, principal: &Principal, permissions: &[Permission]) -> Result<&CircleRules, Error> {
        let Principal { circle, caller } = principal;
        let rules = self.circles.get(circle).ok_or(Fault::Forbidden)?;
        let allowed = permissions.iter().any(|one| rules.access.allows(circle, caller.key(), *one));
        allowed.then_some(rules).ok_or_else(|| Fault::Forbidden.into())
    }

    /// Checks that a caller has any permission in a circle. A caller without one sees no task, not even one of its
    /// own from before; the owner sees those.
    fn authorize_any(&self, principal: &Principal) -> Result<(), Error> {
        self.authorize(principal, &[Permission::Run, Permission::Play]).map(drop)
    }

    /// Plays a script and waits for its outcome.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the play, unless it has an idempotency key.
    pub(crate) async fn play(
        &self,
        principal: Principal,
        source: Source,
        options: CallOptions,
    ) -> Result<PlayResult, Error> {
        let task = self.new_task(principal, source, options, Kind::Play)?;
        let (timeout, aborted) = (task.timeout, answer::aborted(&task));
        let outcome = async {
            let ticket = self.store.submit(task).await.map_err(answer::store_error)?;
            let id = ticket.task();
            answer::play_result(id, timeout, ticket.await)
        };
        tokio::select! {
            biased;
            outcome = outcome => outcome,
            () = self.abort.cancelled() => Err(aborted),
        }
    }

    /// Submits a durable task and returns its id. The access list decides now, the circle's policy when the task
    /// runs.
    pub(crate) async fn submit(
        &self,
        principal: Principal,
        source: Source,
        options: CallOptions,
        retries: u8,
    ) -> Result<TaskId, Error> {
        let task = self.new_task(principal, source, options, Kind::Submitted { retries })?;
        Ok(self.store.submit(task).await.map_err(answer::store_error)?.task())
    }

    /// Returns a task that the caller may see, after waiting up to `wait` for its end.
    pub(crate) async fn task(
        &self,
        principal: &Principal,
        id: TaskId,
        wait: Duration,
    ) -> Result<TaskAnswer, Error> {
        let view = self.view(principal, id).await?;
        if view.state.is_final() || wait.is_zero() {
            return answer::task(view);
        }
        let later = tokio::select! {
            later = self.store.task(&principal.circle, id, wait) => later.map_err(answer::store_error)?,
            () = self.abort.cancelled() => return answer::task(view),
        };
        answer::task(later.ok_or(Fault::TaskNotFound)?)
    }

    /// Returns a page of the tasks that the caller may see.
    pub(crate) async fn tasks(
        &self,
        principal: &Principal,
        state: Option<State>,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, Error> {
        self.authorize_any(principal)?;
        let caller = (!principal.is_owner()).then(|| principal.caller.clone());
        let filter = TaskFilter { caller, state, before, limit };
        let page = self.store.tasks(&principal.circle, filter).await.map_err(answer::store_error)?;
        Ok(TaskPage {
            tasks: page.tasks.into_iter().map(answer::task).collect::<Result<_, _>>()?,
            cursor: page.next.map(Into::into),
        })
    }

    /// Cancels a task that the caller may see; returns false if it had ended.
    pub(crate) async fn cancel(&self, principal: &Principal, id: TaskId) -> Result<bool, Error> {
        self.view(principal, id).await?;
        self.store.cancel(&principal.circle, id).await.map_err(answer::store_error)
    }

    /// Lists the scripts of the circle's library.
    pub(crate) async fn library(&self, principal: Principal) -> Result<Library, Error> {
        let played = self.play(principal, Source::Listing, CallOptions::default()).await?;
        serde_json::from_value(played.value).map_err(internal)
    }

    /// Returns records of the circle's provenance, for its owner.
    pub(crate) async fn provenance(
        &self,
        principal: &Principal,
        after: u64,
        limit: usize,
    ) -> Result<RecordPage, Error> {
        if !principal.is_owner() {
            return Err(Fault::Forbidden.into());
        }
        self.store.provenance(&principal.circle, after, limit).await.map_err(answer::store_error)
    }

    async fn view(&self, principal: &Principal, id: TaskId) -> Result<TaskView, Error> {
        self.authorize_any(principal)?;
        let view = self.store.task(&principal.circle, id, Duration::ZERO).await;
        // Another caller's task is answered as if it did not exist.
        let view = view.map_err(answer::store_error)?.filter(|view| principal.sees(view));
        view.ok_or_else(|| Fault::TaskNotFound.into())
    }

    fn new_task(
        &self,
        principal: Principal,
        source: Source,
        options: CallOptions,
        kind: Kind,
    ) -> Result<Task, Error> {
        let permissions: &[Permission] = match &source {
            Source::Script(_) => &[Permission::Play],
            Source::Library(_) => &[Permission::Run],
            // Callers with neither permission may not list the library.
            Source::Listing => &[Permission::Run, Permission::Play],
        };
        let rules = self.authorize(&principal, permissions)?;
        let Principal { circle, caller } = principal;
        let guest = !rules.access.lists(&circle, caller.key());
        let CallOptions { args, timeout, idempotency_key } = options;
        let timeout = match kind {
            Kind::Play => lower(timeout, rules.play_timeout),
            Kind::Submitted { .. } => lower(timeout, rules.submit_timeout),
        };
        let task = Task::new(circle, caller, source, args, timeout);
        Ok(Task { idempotency_key, kind, guest, ..task })
    }
}

/// Returns the requested time limit, bounded by `limit`.
fn lower(requested: Option<Duration>, limit: Duration) -> Duration {
    requested.map_or(limit, |requested| requested.min(limit))
}

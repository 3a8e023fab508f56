//! The only road from the edge to the store: what every way of asking for a play passes.

mod answer;
mod watch;

use std::{collections::HashMap, sync::Arc, time::Duration};

use circles_api::{
    CircleId, Error, Fault,
    types::{CancelledData, Library, PlayResult, RecordPage, Task as TaskAnswer, TaskData, TaskPage},
};
use circles_auth::{Access, Permission};
use circles_store as store;
use circles_store::{Caller, Kind, Source, Store, Task, TaskFilter, TaskId, TaskView};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use self::watch::{PlayEvents, What};
use crate::{
    Circle, Settings,
    fault::{internal, retry_after},
};

/// When to try again after a refusal that time heals: about as long as a full queue of short plays takes.
const RETRY: Duration = Duration::from_millis(500);

/// Who asks, where.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The circle that is asked.
    pub circle: CircleId,
    /// Who was proved to ask.
    pub caller: Caller,
}

/// What is asked for beside the script.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The script's `ARGS`.
    pub args: Value,
    /// The time from acceptance; the circle's own limit holds as well.
    pub timeout: Option<Duration>,
    /// The name of the call, so that it can be made again.
    pub idempotency_key: Option<Box<str>>,
}

/// Takes plays to the store and outcomes back.
#[derive(Clone)]
pub struct Dispatch {
    store: Arc<dyn Store>,
    circles: Arc<HashMap<CircleId, Rules>>,
    over: CancellationToken,
}

/// What holds for tasks of a circle, whoever asks for them.
struct Rules {
    access: Access,
    play_timeout: Duration,
    submit_timeout: Duration,
}

impl Asker {
    /// Whether the circle's own key asks.
    fn is_owner(&self) -> bool {
        self.caller == Caller::Peer(self.circle)
    }

    /// Whether it may know of a task.
    fn sees(&self, task: &TaskView) -> bool {
        self.is_owner() || self.caller == task.caller
    }
}

impl Dispatch {
    /// Plays go to `store`. `settings` name every circle that is served; nobody has access to any other. Nobody waits
    /// for a play any more once it is `over`.
    pub fn new(store: Arc<dyn Store>, settings: &Settings, over: CancellationToken) -> Self {
        let rules = |circle: &Circle| Rules {
            access: circle.access.clone(),
            play_timeout: lower(circle.play_timeout, settings.task_timeout),
            submit_timeout: lower(circle.submit_timeout, settings.submit_timeout),
        };
        let circles = settings.circles.iter().map(|circle| (circle.key.circle_id(), rules(circle))).collect();
        Self { store, circles: Arc::new(circles), over }
    }

    /// Whether a caller may do anything at all in a circle. Who may not learns of no task, not even of its own that
    /// were accepted while it might: the owner sees those.
    fn may_enter(&self, asker: &Asker) -> Result<(), Error> {
        self.permitted(&asker.circle, &asker.caller, &[Permission::Run, Permission::Play]).map(drop)
    }

    /// What holds in a circle, for a caller who may do one of these there; every way to a script of it asks here first.
    fn permitted(
        &self,
        circle: &CircleId,
        caller: &Caller,
        permissions: &[Permission],
    ) -> Result<&Rules, Error> {
        let rules = self.circles.get(circle).ok_or(Fault::Forbidden)?;
        let may = permissions.iter().any(|one| rules.access.allows(circle, caller.key(), *one));
        may.then_some(rules).ok_or_else(|| Fault::Forbidden.into())
    }

    /// Plays a script and waits for what it leaves. Dropping the future cancels the play, unless it has an
    /// idempotency key.
    pub async fn play(&self, asker: Asker, source: Source, wishes: Wishes) -> Result<PlayResult, Error> {
        self.outcome(self.task(asker, source, wishes, Kind::Play)?).await
    }

    /// Submits a task and waits for its outcome.
    async fn outcome(&self, task: Task) -> Result<PlayResult, Error> {
        let (timeout, drained) = (task.timeout, drained(&task));
        let outcome = async {
            let ticket = self.store.submit(task).await.map_err(refused)?;
            let id = ticket.task();
            answer::played(id, timeout, ticket.await)
        };
        tokio::select! {
            biased;
            outcome = outcome => outcome,
            () = self.over.cancelled() => Err(drained),
        }
    }

    /// Accepts a script to run, durably, and returns the name of the task. Whether a worker is free does not matter:
    /// the access list decides now, the circle's policy when the task runs.
    pub async fn submit(
        &self,
        asker: Asker,
        source: Source,
        wishes: Wishes,
        retries: u8,
    ) -> Result<TaskId, Error> {
        let task = self.task(asker, source, wishes, Kind::Submitted { retries })?;
        Ok(self.store.submit(task).await.map_err(refused)?.task())
    }

    /// A task that the asker may know of; waits so long for its end.
    pub async fn look(&self, asker: &Asker, id: TaskId, wait: Duration) -> Result<TaskAnswer, Error> {
        let view = self.view(asker, id).await?;
        if view.state.is_final() || wait.is_zero() {
            return answer::task(view);
        }
        let later = tokio::select! {
            later = self.store.task(&asker.circle, id, wait) => later.map_err(refused)?,
            () = self.over.cancelled() => return answer::task(view),
        };
        answer::task(later.ok_or(Fault::TaskNotFound)?)
    }

    /// A page of the tasks that the asker may know of.
    pub async fn tasks(
        &self,
        asker: &Asker,
        state: Option<store::State>,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, Error> {
        self.may_enter(asker)?;
        let caller = (!asker.is_owner()).then(|| asker.caller.clone());
        let filter = TaskFilter { caller, state, before, limit };
        let page = self.store.tasks(&asker.circle, filter).await.map_err(refused)?;
        Ok(TaskPage {
            tasks: page.tasks.into_iter().map(answer::task).collect::<Result<_, _>>()?,
            cursor: page.next.map(Into::into),
        })
    }

    /// Ends a task that the asker may know of; true if it had not ended.
    pub async fn cancel(&self, asker: &Asker, id: TaskId) -> Result<bool, Error> {
        self.view(asker, id).await?;
        self.store.cancel(&asker.circle, id).await.map_err(refused)
    }

    /// What the circle's library holds.
    pub async fn library(&self, asker: Asker) -> Result<Library, Error> {
        let played = self.play(asker, Source::Listing, Wishes::default()).await?;
        serde_json::from_value(played.value).map_err(internal)
    }

    /// The circle's records, for its owner.
    pub async fn provenance(&self, asker: &Asker, after: u64, limit: usize) -> Result<RecordPage, Error> {
        if !asker.is_owner() {
            return Err(Fault::Forbidden.into());
        }
        self.store.provenance(&asker.circle, after, limit).await.map_err(refused)
    }

    async fn view(&self, asker: &Asker, id: TaskId) -> Result<TaskView, Error> {
        self.may_enter(asker)?;
        let view = self.store.task(&asker.circle, id, Duration::ZERO).await.map_err(refused)?;
        // Of somebody else's task it is not even told that it is there.
        view.filter(|view| asker.sees(view)).ok_or_else(|| Fault::TaskNotFound.into())
    }

    fn task(&self, asker: Asker, source: Source, wishes: Wishes, kind: Kind) -> Result<Task, Error> {
        let permissions: &[Permission] = match &source {
            Source::Script(_) => &[Permission::Play],
            Source::Library(_) => &[Permission::Run],
            // Callers with neither permission may not list the library.
            Source::Listing => &[Permission::Run, Permission::Play],
        };
        let rules = self.permitted(&asker.circle, &asker.caller, permissions)?;
        let guest = !rules.access.lists(&asker.circle, asker.caller.key());
        let Wishes { args, timeout, idempotency_key } = wishes;
        let timeout = match kind {
            Kind::Play => lower(timeout, rules.play_timeout),
            Kind::Submitted { .. } => lower(timeout, rules.submit_timeout),
        };
        let task = Task::new(asker.circle, asker.caller, source, args, timeout);
        Ok(Task { idempotency_key, kind, guest, ..task })
    }
}

/// A time limit that somebody may have lowered.
fn lower(wanted: Option<Duration>, limit: Duration) -> Duration {
    wanted.map_or(limit, |wanted| wanted.min(limit))
}

/// What a store's refusal is to a caller.
fn refused(error: store::Error) -> Error {
    match error {
        store::Error::Full => Fault::Overloaded(retry_after(RETRY)).into(),
        store::Error::ShareFull(time) => {
            let message = "as many tasks are remembered for this caller as may be";
            Error::declared(Fault::RateLimited(retry_after(time)), message)
        }
        store::Error::GuestsFull(time) => {
            let message = "as many tasks are remembered for callers that no access list names as may be";
            Error::declared(Fault::Overloaded(retry_after(time)), message)
        }
        store::Error::Conflict(first) => {
            Fault::Conflict(TaskData { task_id: first.into(), logs: None }).into()
        }
        store::Error::Closed => unavailable(),
        store::Error::Unavailable(cause) | store::Error::NoRoom(cause) => {
            tracing::debug!(%cause, "a call was refused");
            unavailable()
        }
        other => internal(other),
    }
}

/// What the caller of a play is told that has not ended when this server does (docs/operations.md has the table).
/// With an idempotency key the play goes on, and the same call gets its outcome; without one it is cancelled, as this
/// server was the only one to want it.
fn drained(task: &Task) -> Error {
    if task.is_recorded() { unavailable() } else { Fault::Cancelled(CancelledData { logs: None }).into() }
}

/// Redis is away, or this server closes.
fn unavailable() -> Error {
    Fault::BackendUnavailable(retry_after(RETRY)).into()
}

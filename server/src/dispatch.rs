//! The only road from the edge to the store: what every way of asking for a play passes.

mod answer;
mod watch;

use std::{collections::HashMap, sync::Arc, time::Duration};

use circles_api::{
    CircleId, Error, Fault,
    types::{Library, PlayResult, RecordPage, Task as TaskAnswer, TaskData, TaskPage},
};
use circles_store as store;
use circles_store::{Access, Caller, Kind, Source, Store, Task, TaskFilter, TaskId, TaskView, Verb};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use self::watch::{PlayEvents, What};
use crate::fault::{internal, retry_after};

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
    task_timeout: Duration,
    access: Arc<HashMap<CircleId, Access>>,
    over: CancellationToken,
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
    /// Plays go to `store`; none may take longer than `task_timeout`, which also holds where a caller names
    /// no limit. `access` has every circle that is served; where there is no access, nobody has it. Nobody waits
    /// for a play any more once it is `over`.
    pub fn new(
        store: Arc<dyn Store>,
        task_timeout: Duration,
        access: HashMap<CircleId, Access>,
        over: CancellationToken,
    ) -> Self {
        Self { store, task_timeout, access: Arc::new(access), over }
    }

    /// Whether a caller may do anything at all in a circle. Who may not learns of no task, not even of its own that
    /// were accepted while it might: the owner sees those.
    fn may_enter(&self, asker: &Asker) -> Result<(), Error> {
        self.may(&asker.circle, &asker.caller, Verb::Run)
            .or_else(|_| self.may(&asker.circle, &asker.caller, Verb::Play))
    }

    /// Whether a caller may do this in a circle; every way to a script of it asks here first.
    fn may(&self, circle: &CircleId, caller: &Caller, verb: Verb) -> Result<(), Error> {
        match self.access.get(circle) {
            Some(access) if access.allows(circle, caller, verb) => Ok(()),
            _ => Err(Fault::Forbidden.into()),
        }
    }

    /// Plays a script and waits for what it leaves. Dropping the future cancels the play, unless it has an
    /// idempotency key.
    pub async fn play(&self, asker: Asker, source: Source, wishes: Wishes) -> Result<PlayResult, Error> {
        self.outcome(self.task(asker, source, wishes, Kind::Play)?).await
    }

    /// Has a task run and waits for what comes of it.
    async fn outcome(&self, task: Task) -> Result<PlayResult, Error> {
        let (timeout, goes_on) = (task.timeout, task.idempotency_key.is_some());
        let ticket = self.store.submit(task).await.map_err(refused)?;
        let id = ticket.task();
        tokio::select! {
            biased;
            outcome = ticket => answer::played(id, timeout, outcome),
            // Asked again elsewhere, the same call gets its outcome.
            () = self.over.cancelled() => Err(if goes_on { unavailable() } else { Fault::Cancelled.into() }),
        }
    }

    /// Accepts a script to run, durably, and returns the name of the task.
    pub async fn submit(
        &self,
        asker: Asker,
        source: Source,
        wishes: Wishes,
        retries: u8,
    ) -> Result<TaskId, Error> {
        let task = self.task(asker, source, wishes, Kind::Submitted { retries })?;
        // Only a worker knows the circle's policy and library. It is asked first, so that who may not is told
        // now and not by a task that fails; it decides again when the task runs.
        let question =
            Task { id: TaskId::now_v7(), idempotency_key: None, kind: Kind::Question, ..task.clone() };
        self.outcome(question).await?;
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
        let verb = match &source {
            Source::Script(_) => Some(Verb::Play),
            Source::Library(_) => Some(Verb::Run),
            // Who may do nothing here need not know what there is.
            Source::Listing => None,
        };
        match verb {
            Some(verb) => self.may(&asker.circle, &asker.caller, verb)?,
            None => self.may_enter(&asker)?,
        }
        let names = |access: &Access| access.names(&asker.circle, &asker.caller);
        let guest = !self.access.get(&asker.circle).is_some_and(names);
        let Wishes { args, timeout, idempotency_key } = wishes;
        let timeout = timeout.map_or(self.task_timeout, |wanted| wanted.min(self.task_timeout));
        let task = Task::new(asker.circle, asker.caller, source, args, timeout);
        Ok(Task { idempotency_key, kind, guest, ..task })
    }
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
        store::Error::Conflict(first) => Fault::Conflict(TaskData { task_id: first.into() }).into(),
        store::Error::Closed => unavailable(),
        store::Error::Unavailable(cause) | store::Error::NoRoom(cause) => {
            tracing::debug!(%cause, "a call was refused");
            unavailable()
        }
        other => internal(other),
    }
}

/// Redis is away, or this server closes.
fn unavailable() -> Error {
    Fault::BackendUnavailable(retry_after(RETRY)).into()
}

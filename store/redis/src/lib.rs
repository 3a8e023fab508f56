//! The store that joins machines: tasks, documents and records in Redis (6.2 or later) or Valkey.
//!
//! A circle belongs to one of a fixed number of shards. All of a shard has the same hash tag, so that each step is
//! one script on one slot, done whole or not at all; `lua/shared.lua` says what lies where.
//!
//! A task is accepted by `submit`, handed to a worker by `claim`, for an epoch, and ended by `settle`, which refuses
//! an epoch that is not the task's any more. A worker holds what it claimed as long as it renews its lease; `reap`
//! gives what it held to another. Who waits is told through a channel of its server. What is told is kept until the
//! server acknowledges it, so that a message lost costs a second and no outcome. A play that may change
//! nothing is tried first, past all of this (`trials.rs`).

mod attempt;
mod batch;
mod claims;
mod config;
mod contents;
mod keep;
mod known;
mod lease;
mod lines;
mod link;
mod records;
mod scripts;
mod settle;
mod snapshot;
mod submit;
mod take;
mod thread;
mod tickets;
mod trials;
mod url;
mod vain;

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::{Duration, Instant},
};

use circles_api::{CircleId, types::RecordPage};
use fred::types::{FromValue, Value};
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard, oneshot},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::{
    batch::Batcher,
    claims::Holding,
    contents::{Contents, DATABASE, SHARDS},
    known::{Told, garbled, state_name, view, whole_millis},
    lease::Place,
    lines::Lines,
    link::Link,
    scripts::{LIST, MARK, PRESENT, SETTLE, Script},
    settle::{Settle, Settled},
    snapshot::Read,
    submit::{Reply, Submission},
    thread::RedisThread,
    tickets::Waiting,
    trials::{Trials, Trying},
};
pub use self::{config::RedisConfig, url::RedisUrl};
use circles_store::{
    Caller, Claim, Error, InlineRunner, KeyRange, LogLine, Outcome, Store, Task, TaskFilter, TaskId,
    TaskPage, TaskView, Ticket, Watch,
};

/// Tasks that one listing looks through before it answers with what it has.
const LOOKS: i64 = 1_000;
/// What lies in a Redis and how; `lua/shared.lua` says it.
const FORMAT: &str = "2";

/// The store of processes that share a Redis.
pub struct RedisStore {
    shared: Arc<Shared>,
    _thread: RedisThread,
}

struct Shared {
    config: RedisConfig,
    link: Link,
    runtime: Handle,
    /// This process, as server and as worker.
    me: String,
    /// The database that it shares with others, and with nobody else.
    database: String,
    contents: Contents,
    shards: u16,
    submits: Batcher<Submission, Reply>,
    settles: Batcher<Settle, Settled>,
    reads: Batcher<Read, Value>,
    /// Tries plays that are sure to be short, for this process and others.
    trying: OnceLock<Trying>,
    trials: Trials,
    state: Mutex<Local>,
    /// One permit for each that waits for a task.
    wanted: Notify,
    /// One permit once anybody does.
    takes_now: Notify,
    /// There are records to seal.
    unsealed: Notify,
    closing: CancellationToken,
    /// Nothing is held or awaited any more.
    over: CancellationToken,
    tracker: TaskTracker,
}

/// What this process knows of its own.
#[derive(Default)]
struct Local {
    /// Tasks whose end somebody here waits for.
    waiting: HashMap<TaskId, Waiting>,
    /// Answers that Redis may forget, by shard.
    acknowledged: HashMap<u16, Vec<String>>,
    /// Tasks that this process runs.
    holding: HashMap<TaskId, Holding>,
    /// How many plays of each circle are tried here on threads of scripts.
    attempts: HashMap<CircleId, usize>,
    /// What watched tasks log.
    lines: HashMap<TaskId, Weak<Lines>>,
    /// How many tasks are on their way back to the queue: nothing is taken before they are there.
    going_back: usize,
    /// Who waits for a task to run.
    claimers: VecDeque<oneshot::Sender<Claim>>,
    /// What was claimed for those who will.
    ready: VecDeque<Claim>,
    /// Whether anybody ever waited for a task.
    takes: bool,
    /// How many seconds a play takes.
    pace: f64,
    /// Shards of our circles that have tasks, as they say.
    hinted: BTreeSet<u16>,
    /// By shard, what Redis says we hold and we do not know of.
    unknown: HashMap<u16, HashSet<(String, String)>>,
    /// Circles with records that are not sealed.
    to_seal: BTreeSet<CircleId>,
    /// Plays of a circle that were overtaken go one after another.
    lanes: HashMap<CircleId, Weak<AsyncMutex<()>>>,
}

impl RedisStore {
    /// Connects to the Redis of this URL, and begins to look after its shards, on a thread of its own. Dropped, the
    /// store ends at once: [`shut`](Self::shut) ends it in order.
    pub async fn connect(url: &str, config: RedisConfig) -> Result<Self, Error> {
        let thread = RedisThread::start().await?;
        let url = url.to_owned();
        let shared = thread.handle().spawn(async move { Shared::connect(&url, config).await });
        let shared = shared.await.map_err(|_| Error::Closed)??;
        Ok(Self { shared, _thread: thread })
    }

    /// Tries plays of which nothing is kept ahead of all queues, also those that come to other processes: by `trial`,
    /// or as claims like others. Only the first call does anything.
    pub fn try_with(&self, trial: Arc<dyn InlineRunner>) {
        self.shared.try_with(trial);
    }

    /// How many other processes are known to try plays.
    pub fn triers(&self) -> usize {
        self.shared.trials.triers()
    }

    /// What the database is called that processes share.
    pub fn database(&self) -> &str {
        &self.shared.database
    }

    /// What this process is called in Redis.
    pub fn id(&self) -> &str {
        &self.shared.me
    }

    /// What is dangerous in how Redis is set, a sentence each.
    pub async fn warnings(&self) -> Result<Vec<String>, Error> {
        let infos = self.shared.link.info().await?;
        // Nodes of a cluster are mostly set alike.
        let warnings: BTreeSet<String> = infos.iter().flat_map(|info| link::warnings(info)).collect();
        Ok(warnings.into_iter().collect())
    }

    /// Whether it is closed, or closes.
    pub fn is_closed(&self) -> bool {
        self.shared.closing.is_cancelled()
    }

    /// How many tasks this process runs.
    pub fn held(&self) -> usize {
        self.shared.lock().holding.len()
    }

    /// Lets go of Redis. To be called last, when no claim is left.
    pub async fn shut(&self) {
        self.close().await;
        self.shared.over.cancel();
        self.shared.trials.end();
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
        self.shared.link.close();
    }
}

impl Shared {
    async fn connect(url: &str, config: RedisConfig) -> Result<Arc<Self>, Error> {
        let link = Link::open(url).await?;
        let is_used = link.value(SHARDS).await?.is_some();
        let agreed = link.agree(SHARDS, &config.shards.max(1).to_string()).await?;
        let shards =
            agreed.parse().ok().filter(|shards| *shards > 0).ok_or_else(|| garbled("a count of shards"))?;
        Self::agree_on_format(&link, shards, is_used).await?;
        let me = Uuid::now_v7().to_string();
        // Databases of one Redis share its channels.
        let database = link.agree(DATABASE, &Uuid::now_v7().to_string()).await?;
        let shared = Arc::new_cyclic(|shared: &Weak<Self>| {
            let (submitting, settling, reading) = (shared.clone(), shared.clone(), shared.clone());
            Self {
                link,
                runtime: Handle::current(),
                shards,
                submits: Batcher::new(shards, move |shard, batch| {
                    let shared = submitting.upgrade();
                    async move { shared.ok_or(Error::Closed)?.submit_all(shard, batch).await }
                }),
                settles: Batcher::new(shards, move |shard, batch| {
                    let shared = settling.upgrade();
                    async move { shared.ok_or(Error::Closed)?.settle_all(shard, batch).await }
                }),
                reads: Batcher::new(shards, move |shard, batch| {
                    let shared = reading.upgrade();
                    async move { shared.ok_or(Error::Closed)?.read_all(shard, batch).await }
                }),
                me,
                contents: Contents::of(&database),
                database,
                config,
                // Unless plays turn out to be short, nothing is claimed ahead.
                state: Mutex::new(Local { pace: 1.0, ..Local::default() }),
                trying: OnceLock::new(),
                trials: Trials::default(),
                wanted: Notify::new(),
                takes_now: Notify::new(),
                unsealed: Notify::new(),
                closing: CancellationToken::new(),
                over: CancellationToken::new(),
                tracker: TaskTracker::new(),
            }
        });
        shared.begin().await?;
        Ok(shared)
    }

    /// Takes a Redis over from an earlier version, unless tasks are under way: where those stand has changed.
    async fn agree_on_format(link: &Link, shards: u16, is_used: bool) -> Result<(), Error> {
        if is_used && link.value("circles:format").await?.is_none() {
            for shard in 0..shards {
                if link.is_there(&format!("{}:live", Self::shard_key(shard))).await? {
                    let sentence = "tasks of an earlier version are under way in this Redis: have that version end \
                                    them, then stop it and start this one";
                    return Err(Error::Unavailable(sentence.into()));
                }
            }
        }
        let format = link.agree("circles:format", FORMAT).await?;
        if format != FORMAT {
            let sentence = format!("this Redis has format {format}; this version reads format {FORMAT}");
            return Err(Error::Unavailable(sentence.into()));
        }
        Ok(())
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn lock(&self) -> MutexGuard<'_, Local> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits on a thread of scripts, or on one of the runtime, which then has another take its place.
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::task::block_in_place(|| self.runtime.block_on(future))
    }

    /// Public keys are as good as random.
    fn shard_of(&self, circle: &CircleId) -> u16 {
        let mut number = 0;
        for byte in circle.as_bytes().iter().rev().take(2) {
            number = number << 8 | u16::from(*byte);
        }
        number % self.shards
    }

    fn shard_key(shard: u16) -> String {
        format!("circles:{{{shard}}}")
    }

    fn wake_key(pool: &str) -> String {
        format!("circles:wake:{pool}")
    }

    fn run<R: FromValue>(
        &self,
        script: &'static Script,
        shard: u16,
        args: Vec<Value>,
    ) -> impl Future<Output = Result<R, Error>> + use<'_, R> {
        let key = Self::shard_key(shard);
        async move { self.link.run(script, &key, args).await }
    }

    async fn settle_all(&self, shard: u16, batch: Vec<Settle>) -> Result<Vec<Settled>, Error> {
        match self.settle_together(shard, &batch).await {
            // Where one does not fit, none was settled: those that need no room are not to wait for it.
            Err(Error::StorageFull(_)) if batch.len() > 1 => {}
            other => return other,
        }
        let mut settled = Vec::with_capacity(batch.len());
        for one in batch {
            match self.settle_together(shard, &[one]).await {
                Ok(one) => settled.extend(one),
                Err(Error::StorageFull(_)) => settled.push(Settled::NoRoom),
                Err(error) => return Err(error),
            }
        }
        Ok(settled)
    }

    async fn settle_together(&self, shard: u16, batch: &[Settle]) -> Result<Vec<Settled>, Error> {
        let mut args = vec![Value::from(self.me.clone())];
        args.extend(batch.iter().flat_map(Settle::args));
        let replies: Vec<String> = self.run(&SETTLE, shard, args).await?;
        replies.iter().map(|reply| Settled::read(reply)).collect()
    }

    /// Takes note that a worker is there for so long, if one is named; how many there are.
    async fn present(&self, worker: &str, time: Duration) -> Result<usize, Error> {
        let time = i64::try_from(whole_millis(time)).unwrap_or(i64::MAX);
        self.link.run(&PRESENT, "circles:workers", vec![worker.into(), time.into()]).await
    }

    /// The workers that a circle's tasks are for.
    fn pool_of(&self, circle: &CircleId) -> &str {
        self.config.pools.get(circle).map_or("", String::as_str)
    }

    async fn mark(&self, task: &Task, epoch: &str) -> Result<(), Error> {
        let args = vec![task.id.to_string().into(), self.me.clone().into(), epoch.into()];
        match self.run::<i64>(&MARK, self.shard_of(&task.circle), args).await? {
            1 => Ok(()),
            // Another worker has it now.
            _ => Err(Error::Closed),
        }
    }

    /// Shows a line to those who watch.
    fn logged(&self, task: &Task, line: &LogLine) {
        if let Some(holding) = self.lock().holding.get(&task.id) {
            holding.lines.log(line);
        }
    }

    fn restarted(&self, task: &Task) {
        if let Some(holding) = self.lock().holding.get(&task.id) {
            holding.lines.restart();
        }
    }

    /// Waits until all have seen what a task logged.
    async fn shown(&self, task: &Task) {
        let shown = self.lock().holding.get(&task.id).and_then(Holding::shown);
        if let Some(shown) = shown {
            shown.await;
        }
    }

    /// A task that this process ran has ended, or is another's.
    fn let_go(&self, task: &Task, epoch: &str, left_record: bool) {
        let mut state = self.lock();
        if left_record && state.to_seal.insert(task.circle) {
            self.unsealed.notify_one();
        }
        // It may have come back meanwhile, as another claim.
        if state.holding.get(&task.id).is_none_or(|holding| holding.epoch != epoch) {
            return;
        }
        let Some(holding) = state.holding.remove(&task.id) else { return };
        if let Some(time) = holding.took() {
            state.took(time);
        }
        drop(state);
        self.wanted.notify_one();
    }

    fn lane(&self, circle: &CircleId) -> Arc<AsyncMutex<()>> {
        let mut state = self.lock();
        if let Some(lane) = state.lanes.get(circle).and_then(Weak::upgrade) {
            return lane;
        }
        state.lanes.retain(|_, lane| lane.strong_count() > 0);
        let lane = Arc::default();
        state.lanes.insert(*circle, Arc::downgrade(&lane));
        lane
    }

    async fn right_of_way(&self, circle: &CircleId) -> OwnedMutexGuard<()> {
        self.lane(circle).lock_owned().await
    }

    /// Lets plays of the circle go first that were overtaken.
    async fn give_way(&self, circle: &CircleId) {
        let lane = self.lock().lanes.get(circle).and_then(Weak::upgrade);
        if let Some(lane) = lane {
            // Whoever has it ends by its deadline; a moment is enough to be polite.
            let _ = tokio::time::timeout(Duration::from_millis(50), lane.lock()).await;
        }
    }
}

/// A range as ZRANGEBYLEX takes it.
fn borders(range: &KeyRange) -> (String, String) {
    let border = |bound: &Bound<circles_store::Key>, none: &str| match bound {
        Bound::Included(key) => format!("[{key}"),
        Bound::Excluded(key) => format!("({key}"),
        Bound::Unbounded => none.to_owned(),
    };
    (border(&range.start, "-"), border(&range.end, "+"))
}

#[async_trait::async_trait]
impl Store for RedisStore {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let accepted = Instant::now();
        if let Some(outcome) = self.shared.attempt(&task).await {
            return Ok(Ticket::ready(task.id, outcome));
        }
        self.shared.submit(task, accepted).await
    }

    fn begin_nested(&self, task: Task) -> Result<(Claim, Ticket), Error> {
        if self.shared.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        let (done, outcome) = oneshot::channel();
        let id = task.id;
        let deadline = Instant::now() + task.timeout;
        let ticket =
            Ticket::waiting(id, Box::pin(async move { outcome.await.unwrap_or(Outcome::cancelled()) }));
        let interrupt = CancellationToken::new();
        Ok((self.shared.claimed(task, deadline, interrupt, Place::Play(Some(done))), ticket))
    }

    async fn claim(&self) -> Result<Claim, Error> {
        self.shared.next().await
    }

    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error> {
        Ok(matches!(&*self.shared.cancel(circle, task, &Outcome::cancelled()).await?, "ended" | "told"))
    }

    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error> {
        self.shared.task(circle, task, wait).await
    }

    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
        let caller = match &filter.caller {
            None => "*".to_owned(),
            Some(Caller::Anonymous) => "-".to_owned(),
            Some(Caller::Peer(key)) => key.to_string(),
        };
        let args = vec![
            circle.to_string().into(),
            filter.before.map(|before| before.to_string()).unwrap_or_default().into(),
            limit.into(),
            caller.into(),
            filter.state.map_or_else(|| "*".to_owned(), state_name).into(),
            LOOKS.into(),
        ];
        type Row = (String, String, String, String, String);
        let mut found =
            self.shared.run::<Vec<Value>>(&LIST, self.shared.shard_of(circle), args).await?.into_iter();
        let name = |id: &str| id.parse().map_err(|_| garbled("a task's name"));
        let next = found.next().and_then(|next| next.as_string()).filter(|next| !next.is_empty());
        let mut tasks = Vec::new();
        for row in found {
            let (id, known, state, started, ended): Row = row.convert().map_err(|_| garbled("a task"))?;
            tasks.push(view(name(&id)?, &known, &Told { state, started, ended, outcome: String::new() })?);
        }
        Ok(TaskPage { next: next.map(|next| name(&next)).transpose()?, tasks })
    }

    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error> {
        self.shared.watch(circle, task).await
    }

    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error> {
        self.shared.provenance(circle, after, limit).await
    }

    async fn workers(&self) -> Result<usize, Error> {
        self.shared.is_sound().await?;
        self.shared.present("", Duration::ZERO).await
    }

    async fn close(&self) {
        self.shared.closing.cancel();
        let (claimers, ready, waiting) = {
            let mut state = self.shared.lock();
            let waiting: Vec<_> = state.waiting.keys().copied().collect();
            (std::mem::take(&mut state.claimers), std::mem::take(&mut state.ready), waiting)
        };
        drop(claimers);
        // Dropped, they go back to the queue.
        drop(ready);
        self.shared.end_queued(waiting).await;
    }
}

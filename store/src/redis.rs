//! The store that joins machines: tasks, documents and records in Redis (6.2 or later) or Valkey.
//!
//! A circle belongs to one of a fixed number of shards. All of a shard has the same hash tag, so that each step is
//! one script on one slot, done whole or not at all; `redis/lua/shared.lua` says what lies where.
//!
//! A task is accepted by `submit`, handed to a worker by `claim`, for an epoch, and ended by `settle`, which refuses
//! an epoch that is not the task's any more. A worker holds what it claimed as long as it renews its lease; `reap`
//! gives what it held to another. Who waits is told through a channel of its server. What is told is kept until the
//! server acknowledges it, so that a message lost costs a second and no outcome.

mod batch;
mod claims;
mod keep;
mod known;
mod lease;
mod lines;
mod link;
mod scripts;
mod settle;
mod snapshot;
mod take;
mod thread;
mod tickets;

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use circles_api::{
    CircleId,
    provenance::Head,
    types::{Caller as ApiCaller, Record, RecordPage, Sha256},
};
use fred::types::{FromValue, Value};
use serde::Deserialize;
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard, oneshot},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::{
    batch::Batcher,
    claims::Holding,
    known::{Told, garbled, state, state_name, view, whole_millis},
    lease::Place,
    lines::Lines,
    link::Link,
    scripts::{LIST, MARK, PRESENT, SEAL, SETTLE, Script},
    settle::{Settle, Settled},
    thread::RedisThread,
    tickets::{Reply, Submission, Waiting},
};
use crate::{
    Claim, Error, KeyRange, LogLine, Outcome, Store, Task, TaskFilter, TaskId, TaskPage, TaskView, Ticket,
    Watch,
};

/// Bounds of a [`RedisStore`].
#[derive(Clone, Debug)]
pub struct Config {
    /// How many shards there are, if nobody has said so in this Redis before.
    pub shards: u16,
    /// Circles whose tasks are for the workers of a pool. Those of all others are for workers of none.
    pub pools: HashMap<CircleId, String>,
    /// The pool whose tasks this process takes; none if empty.
    pub pool: String,
    /// If any are named, this process takes only their tasks.
    pub only: Vec<CircleId>,
    /// How many tasks may wait in a shard. One more is [`Error::Full`].
    pub queue_limit: usize,
    /// How many of them one circle may have.
    pub circle_queue_limit: usize,
    /// How much work may be claimed ahead of those who run it, so that they need not wait for the next claim.
    pub ahead: Duration,
    /// How many tasks this process may have claimed; one circle has at most half of them, two a third each.
    pub running_limit: usize,
    /// How long tasks are remembered after their end that were submitted or carry an idempotency key.
    pub remember_for: Duration,
    /// How long after a worker's last word its tasks are given to others.
    pub lease: Duration,
    /// How many bytes a circle's documents and their keys may take.
    pub circle_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shards: 64,
            pools: HashMap::new(),
            pool: String::new(),
            only: Vec::new(),
            queue_limit: 10_000,
            circle_queue_limit: 2_500,
            ahead: Duration::ZERO,
            running_limit: 64,
            // SPEC §5: the same idempotency key within 24 h.
            remember_for: Duration::from_secs(24 * 60 * 60),
            lease: Duration::from_secs(10),
            circle_bytes: 1 << 30,
        }
    }
}

/// The store of processes that share a Redis.
pub struct RedisStore {
    shared: Arc<Shared>,
    _thread: RedisThread,
}

struct Shared {
    config: Config,
    link: Link,
    runtime: Handle,
    /// This process, as server and as worker.
    me: String,
    shards: u16,
    submits: Batcher<Submission, Reply>,
    settles: Batcher<Settle, Settled>,
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
    pub async fn connect(url: &str, config: Config) -> Result<Self, Error> {
        let thread = RedisThread::start().await?;
        let url = url.to_owned();
        let shared = thread.handle().spawn(async move { Shared::connect(&url, config).await });
        let shared = shared.await.map_err(|_| Error::Closed)??;
        Ok(Self { shared, _thread: thread })
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
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
        self.shared.link.close();
    }
}

impl Shared {
    async fn connect(url: &str, config: Config) -> Result<Arc<Self>, Error> {
        let link = Link::open(url).await?;
        let agreed = link.agree("circles:shards", &config.shards.max(1).to_string()).await?;
        let shards =
            agreed.parse().ok().filter(|shards| *shards > 0).ok_or_else(|| garbled("a count of shards"))?;
        let me = Uuid::now_v7().to_string();
        let shared = Arc::new_cyclic(|shared: &Weak<Self>| {
            let (submitting, settling) = (shared.clone(), shared.clone());
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
                me,
                config,
                // Unless plays turn out to be short, nothing is claimed ahead.
                state: Mutex::new(Local { pace: 1.0, ..Local::default() }),
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
            Err(Error::NoRoom(_)) if batch.len() > 1 => {}
            other => return other,
        }
        let mut settled = Vec::with_capacity(batch.len());
        for one in batch {
            match self.settle_together(shard, &[one]).await {
                Ok(one) => settled.extend(one),
                Err(Error::NoRoom(_)) => settled.push(Settled::NoRoom),
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

    /// Seals a circle's records, as far as there are any.
    async fn seal(&self, circle: &CircleId) -> Result<(), Error> {
        let shard = self.shard_of(circle);
        let mut args = vec![Value::from(circle.to_string()), 0.into()];
        loop {
            let (sealed, last, records): (u64, String, Vec<String>) = self.run(&SEAL, shard, args).await?;
            if records.is_empty() {
                return Ok(());
            }
            let mut head = Head::START;
            if sealed > 0 {
                head = serde_json::from_str::<Record>(&last)
                    .map_or(Err(garbled("a seal")), |last| Ok(Head::of(&last)))?;
            }
            args = vec![Value::from(circle.to_string()), sealed.to_string().into()];
            for record in records {
                let ended: Ended = serde_json::from_str(&record).map_err(|_| garbled("a record"))?;
                let record = head.seal(circle, ended.record()?);
                head = Head::of(&record);
                args.push(serde_json::to_string(&record).map_err(|_| garbled("JSON"))?.into());
            }
        }
    }
}

/// What a script writes down of a play that ended.
#[derive(Deserialize)]
struct Ended {
    task: Uuid,
    caller: String,
    #[serde(default)]
    sha256: Option<String>,
    accepted: u64,
    ended: u64,
    state: String,
}

impl Ended {
    fn record(self) -> Result<Record, Error> {
        let wrong = || garbled("a record");
        let hash = Sha256::from([0; 32]);
        Ok(Record {
            task_id: self.task.into(),
            caller: ApiCaller::try_from(self.caller).map_err(|_| wrong())?,
            script_sha256: self.sha256.map(Sha256::try_from).transpose().map_err(|_| wrong())?,
            accepted_at: self.accepted.try_into().map_err(|_| wrong())?,
            ended_at: self.ended.try_into().map_err(|_| wrong())?,
            outcome: state(&self.state)?.into(),
            // These three are the seal's.
            number: Head::START.number,
            previous: hash.clone(),
            hash,
        })
    }
}

/// A range as ZRANGEBYLEX takes it.
fn borders(range: &KeyRange) -> (String, String) {
    let border = |bound: &Bound<crate::Key>, none: &str| match bound {
        Bound::Included(key) => format!("[{key}"),
        Bound::Excluded(key) => format!("({key}"),
        Bound::Unbounded => none.to_owned(),
    };
    (border(&range.start, "-"), border(&range.end, "+"))
}

#[async_trait::async_trait]
impl Store for RedisStore {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        self.shared.submit(task).await
    }

    fn begin(&self, task: Task) -> Result<(Claim, Ticket), Error> {
        if self.shared.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        let (done, outcome) = oneshot::channel();
        let id = task.id;
        let deadline = Instant::now() + task.timeout;
        let ticket =
            Ticket::waiting(id, Box::pin(async move { outcome.await.unwrap_or(Outcome::Cancelled) }));
        let interrupt = CancellationToken::new();
        Ok((self.shared.claimed(task, deadline, interrupt, Place::Play(Some(done))), ticket))
    }

    async fn claim(&self) -> Result<Claim, Error> {
        self.shared.next().await
    }

    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error> {
        Ok(matches!(&*self.shared.cancel(circle, task, &Outcome::Cancelled).await?, "ended" | "told"))
    }

    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error> {
        self.shared.task(circle, task, wait).await
    }

    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        // One more tells whether there is a next page.
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX - 1) + 1;
        let args = vec![
            circle.to_string().into(),
            filter.before.map(|before| before.to_string()).unwrap_or_default().into(),
            limit.into(),
            filter.caller.map_or_else(|| "*".to_owned(), |caller| caller.to_string()).into(),
            filter.state.map_or_else(|| "*".to_owned(), state_name).into(),
        ];
        type Row = (String, String, String, String, String);
        let rows: Vec<Row> = self.shared.run(&LIST, self.shared.shard_of(circle), args).await?;
        let mut tasks = Vec::new();
        for (id, known, state, started, ended) in rows {
            let id = id.parse().map_err(|_| garbled("a task's name"))?;
            tasks.push(view(id, &known, &Told { state, started, ended, outcome: String::new() })?);
        }
        let more = tasks.len() > filter.limit;
        tasks.truncate(filter.limit);
        Ok(TaskPage { next: tasks.last().filter(|_| more).map(|last| last.id), tasks })
    }

    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error> {
        self.shared.watch(circle, task).await
    }

    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error> {
        self.shared.seal(circle).await?;
        let seals = format!("{}:seals:{circle}", Shared::shard_key(self.shared.shard_of(circle)));
        let read = |texts: Vec<String>| {
            let records = texts.iter().map(|text| serde_json::from_str::<Record>(text));
            records.collect::<Result<Vec<_>, _>>().map_err(|_| garbled("a record"))
        };
        let last = read(self.shared.link.range(&seals, -1, -1).await?)?;
        let head = last.first().map_or(Head::START, Head::of);
        let from = i64::try_from(after).unwrap_or(i64::MAX);
        let to = from.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX)).saturating_sub(1);
        let records =
            if limit == 0 { Vec::new() } else { read(self.shared.link.range(&seals, from, to).await?)? };
        Ok(RecordPage { records, head: head.into() })
    }

    async fn workers(&self) -> Result<usize, Error> {
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

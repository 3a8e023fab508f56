//! The store as a struct of its owners; the crate's documentation draws the life of a task through them.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_api::{CircleId, types::RecordPage};
use circles_store::{
    Claim, Error, InlineRunner, Store, Task, TaskFilter, TaskId, TaskPage, TaskView, Ticket, Watch,
};
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    claim_loop::ClaimLoop,
    client::{self, RedisClient},
    config::RedisConfig,
    fast_path::FastPath,
    held_tasks::HeldTasks,
    maintenance::{Agreement, DatabaseCheck, Maintenance},
    node::Node,
    redis_thread::RedisThread,
    sealer::Sealer,
    waiters::Waiters,
};

/// The store of processes that share a Redis.
///
/// Dropping it ends everything at once; [`shutdown`](Self::shutdown) ends it in order.
pub struct RedisStore {
    node: Arc<Node>,
    /// Calls of this process that wait for outcomes.
    waiters: Arc<Waiters>,
    /// Script threads of this process that wait for tasks.
    claims: Arc<ClaimLoop>,
    /// Plays that run in this process.
    held: Arc<HeldTasks>,
    /// Plays that are run past the queue.
    fast_path: Arc<FastPath>,
    /// Background duties.
    maintenance: Arc<Maintenance>,
    /// Dropped last: it carries the tasks of all owners.
    _thread: RedisThread,
}

impl RedisStore {
    /// Connects to the Redis of this URL and starts all background duties, on a thread of its own.
    ///
    /// # Errors
    ///
    /// Fails if the URL is invalid, if Redis does not answer, or if its data is of another format.
    pub async fn connect(url: &str, config: RedisConfig) -> Result<Self, Error> {
        let thread = RedisThread::start().await?;
        let url = url.to_owned();
        let node = thread.handle().spawn(async move { connect_node(&url, config).await });
        let store = Self::new(node.await.map_err(|_| Error::Closed)??, thread);
        let started = store.node.runtime.spawn(store.maintenance.clone().start());
        started.await.map_err(|_| Error::Closed)??;
        Ok(store)
    }

    /// Makes the owners, in the order in which they depend on each other.
    fn new(node: Arc<Node>, thread: RedisThread) -> Self {
        let capacity_freed = Arc::<Notify>::default();
        let sealer = Arc::new(Sealer::new(&node));
        let waiters = Arc::new(Waiters::new(&node));
        let held = Arc::new(HeldTasks::new(&node, sealer.clone(), capacity_freed.clone()));
        let claims = Arc::new(ClaimLoop::new(&node, held.clone(), capacity_freed));
        let fast_path = Arc::new(FastPath::new(&node, claims.clone(), held.clone()));
        let maintenance = Arc::new(Maintenance {
            node: node.clone(),
            sealer,
            waiters: waiters.clone(),
            claims: claims.clone(),
            held: held.clone(),
            fast_path: fast_path.clone(),
            database: DatabaseCheck::new(&node.database),
        });
        Self { node, waiters, claims, held, fast_path, maintenance, _thread: thread }
    }

    /// Has this process run plays on the fast path: its own, and those that other processes hand to it. `runner` runs
    /// short plays on the spot; others arrive as claims. Only the first call has an effect.
    pub fn enable_fast_path(&self, runner: Arc<dyn InlineRunner>) {
        self.fast_path.enable(runner);
    }

    /// How many other processes run fast-path plays for this one.
    pub fn fast_path_workers(&self) -> usize {
        self.fast_path.workers()
    }

    /// Names the database that processes share.
    pub fn database(&self) -> &str {
        &self.node.database
    }

    /// Names this process in Redis.
    pub fn id(&self) -> &str {
        &self.node.id
    }

    /// Returns a sentence for each setting of Redis that puts data at risk.
    pub async fn warnings(&self) -> Result<Vec<String>, Error> {
        let infos = self.node.client.info().await?;
        // The nodes of a cluster mostly have the same settings.
        let warnings: BTreeSet<String> = infos.iter().flat_map(|info| client::warnings(info)).collect();
        Ok(warnings.into_iter().collect())
    }

    /// Returns whether the store closes or is closed.
    pub fn is_closed(&self) -> bool {
        self.node.is_closing()
    }

    /// How many claimed tasks this process holds.
    pub fn held_tasks(&self) -> usize {
        self.held.count()
    }

    /// Closes the store and disconnects from Redis. To be called once no claim is left.
    pub async fn shutdown(&self) {
        self.close().await;
        self.node.stopped.cancel();
        self.fast_path.close();
        self.node.background.close();
        self.node.background.wait().await;
        self.node.client.close();
    }
}

/// Connects to Redis, and agrees with the other processes on what all must know.
async fn connect_node(url: &str, config: RedisConfig) -> Result<Arc<Node>, Error> {
    let client = RedisClient::open(url).await?;
    let Agreement { shards, database } = Agreement::reach(&client, &config).await?;
    Ok(Arc::new(Node {
        id: Uuid::now_v7().to_string(),
        database,
        config,
        client,
        shards,
        runtime: Handle::current(),
        closing: CancellationToken::new(),
        stopped: CancellationToken::new(),
        background: TaskTracker::new(),
    }))
}

#[async_trait::async_trait]
impl Store for RedisStore {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let arrived = Instant::now();
        if let Some(outcome) = self.fast_path.play(&task).await {
            return Ok(Ticket::ready(task.id, outcome));
        }
        self.waiters.submit(task, arrived).await
    }

    fn begin_nested(&self, task: Task) -> Result<(Claim, Ticket), Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        Ok(self.held.begin(task))
    }

    async fn claim(&self) -> Result<Claim, Error> {
        self.claims.next().await
    }

    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error> {
        self.waiters.cancel(circle, task).await
    }

    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error> {
        self.waiters.task(circle, task, wait).await
    }

    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        self.waiters.list(circle, filter).await
    }

    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error> {
        // The log is opened first, as lines may arrive as soon as the worker is asked for them.
        let log = self.held.watch_log(task);
        self.waiters.watch(circle, task, log).await
    }

    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error> {
        self.maintenance.provenance(circle, after, limit).await
    }

    async fn workers(&self) -> Result<usize, Error> {
        self.maintenance.workers().await
    }

    async fn close(&self) {
        self.node.closing.cancel();
        let waited_for = self.waiters.tasks();
        self.claims.close();
        self.waiters.cancel_queued(waited_for).await;
    }
}

//! The tasks that this process runs: claimed, shown to those who watch, and given back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use circles_api::CircleId;
use fred::types::Value;
use tokio::{sync::watch, task::AbortHandle};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    known::{garbled, whole_millis},
    lease::{AGAIN, Held, Place},
    lines::{Lines, Reader, Run},
    scripts::CLAIM,
};
use circles_store::{Claim, Error, Task, TaskId, settle_policy::ConflictCount};

/// How long a play ends later, at most, so that those who watch it from elsewhere see its last lines first.
const LAST_LINES: Duration = Duration::from_millis(200);

/// A task that this process runs.
pub struct Holding {
    pub shard: u16,
    pub epoch: String,
    pub circle: CircleId,
    pub interrupt: CancellationToken,
    pub lines: Arc<Lines>,
    watchers: HashMap<String, Watcher>,
    /// When its script could begin.
    began: Option<Instant>,
}

impl Holding {
    /// Whether its script could begin, and how long ago.
    pub fn took(&self) -> Option<Duration> {
        self.began.map(|began| began.elapsed())
    }

    pub fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    /// Who sees what it logs, from elsewhere.
    pub fn is_shown_to(&self, server: &str) -> bool {
        self.watchers.get(server).is_some_and(|watcher| !watcher.telling.is_finished())
    }

    /// Has another process see what it logs, from the first line on.
    pub fn show(&mut self, shared: &Arc<Shared>, id: TaskId, server: String) {
        if server == shared.me {
            return;
        }
        let (progress, shown) = watch::channel(((0, 0), 0));
        let (shared, lines, channel) = (shared.clone(), self.lines.clone(), lines_channel(&server));
        let runtime = shared.runtime.clone();
        let telling = runtime.spawn(async move {
            let mut reader = Reader::new(lines);
            loop {
                let part = reader.part().await;
                let upto = (part.0, part.1 + part.2.len());
                let Ok(message) = rmp_serde::to_vec(&(id.to_string(), part)) else { return };
                // Who misses something asks again, as soon as the lease is renewed.
                if shared.link.publish(&channel, message).await.is_err() {
                    return;
                }
                progress.send_replace(upto);
            }
        });
        self.watchers.insert(server, Watcher { shown, telling: telling.abort_handle() });
    }

    /// Waits, a moment at most, until they have seen all that was logged.
    pub fn shown(&self) -> Option<impl Future<Output = ()> + use<>> {
        if self.watchers.is_empty() {
            return None;
        }
        let upto = self.lines.position();
        let watchers: Vec<_> = self.watchers.values().map(|watcher| watcher.shown.clone()).collect();
        Some(async move {
            let all = async {
                for mut shown in watchers {
                    // One that has gone sees nothing more.
                    let _ = shown.wait_for(|at| upto.1 == 0 || *at >= upto).await;
                }
            };
            // They may lack a line; the end is not to wait for that.
            let _ = tokio::time::timeout(LAST_LINES, all).await;
        })
    }
}

/// Another process that sees what a task here logs.
struct Watcher {
    shown: watch::Receiver<(Run, usize)>,
    telling: AbortHandle,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.telling.abort();
    }
}

pub fn lines_channel(server: &str) -> String {
    format!("circles:lines:{server}")
}

impl Shared {
    /// Takes tasks of a shard; how many are left there, and how many were taken.
    pub(super) async fn claim_of(
        self: &Arc<Self>,
        shard: u16,
        number: u64,
        most: usize,
    ) -> Result<(i64, usize), Error> {
        let passed = self.greedy_circles();
        let mut args = vec![
            Value::from(self.me.clone()),
            number.to_string().into(),
            i64::try_from(most).unwrap_or(i64::MAX).into(),
            i64::try_from(whole_millis(self.config.lease)).unwrap_or(i64::MAX).into(),
            self.config.pool.clone().into(),
            i64::try_from(passed.len()).unwrap_or(i64::MAX).into(),
        ];
        let only = self.config.only.iter().filter(|circle| self.shard_of(circle) == shard);
        args.extend(passed.iter().chain(only).map(|circle| Value::from(circle.to_string())));
        let answer: Vec<Value> = match self.run(&CLAIM, shard, args.clone()).await {
            // Claimed or not, the same claim brings the same tasks.
            Err(Error::Unavailable(_)) => self.run(&CLAIM, shard, args).await?,
            other => other?,
        };
        let mut answer = answer.into_iter();
        let left = answer.next().and_then(|left| left.as_i64()).ok_or_else(|| garbled("a claim"))?;
        let mut taken = 0;
        for task in answer {
            let (_, epoch, left, watchers, body): (String, String, u64, Vec<String>, String) =
                task.convert().map_err(|_| garbled("a claim"))?;
            let task: Task = serde_json::from_str(&body).map_err(|_| garbled("a task"))?;
            taken += 1;
            let deadline = Instant::now() + Duration::from_millis(left);
            let interrupt = CancellationToken::new();
            let lines = self.lines(task.id);
            lines.begin(epoch.parse().map_err(|_| garbled("an epoch"))?);
            let mut holding = Holding {
                shard,
                epoch: epoch.clone(),
                circle: task.circle,
                interrupt: interrupt.clone(),
                lines,
                watchers: HashMap::new(),
                began: None,
            };
            for server in watchers {
                holding.show(self, task.id, server);
            }
            // What was lost and comes back before that was seen here still runs, for nobody.
            let before = self.lock().holding.insert(task.id, holding);
            if let Some(before) = before {
                before.interrupt.cancel();
            }
            self.hand_over(self.claimed(task, deadline, interrupt, Place::Queue(epoch)));
        }
        Ok((left, taken))
    }

    /// Gives a claim to one who waits, or keeps it for the next who will.
    pub(super) fn hand_over(&self, mut claim: Claim) {
        loop {
            let next = {
                let mut state = self.lock();
                match state.claimers.pop_front() {
                    Some(claimer) => {
                        state.begins(claim.task().id);
                        claimer
                    }
                    None if self.closing.is_cancelled() => break,
                    None => {
                        state.ready.push_back(claim);
                        return;
                    }
                }
            };
            match next.send(claim) {
                Ok(()) => return,
                Err(again) => claim = again,
            }
        }
        // Outside the lock: dropped, it goes back.
        drop(claim);
    }

    /// What a task logs here, as far as anybody asks.
    fn lines(&self, id: TaskId) -> Arc<Lines> {
        let state = self.lock();
        if let Some(lines) = state.holding.get(&id).map(|holding| holding.lines.clone()) {
            return lines;
        }
        if let Some(lines) = state.lines.get(&id).and_then(Weak::upgrade) {
            return lines;
        }
        Arc::default()
    }

    /// Reads what a task logs here, from its first line on.
    pub(super) fn lines_of(&self, id: TaskId) -> Reader {
        let lines = self.lines(id);
        let mut state = self.lock();
        state.lines.retain(|_, lines| lines.strong_count() > 0);
        state.lines.insert(id, Arc::downgrade(&lines));
        Reader::new(lines)
    }

    pub(super) fn claimed(
        self: &Arc<Self>,
        task: Task,
        deadline: Instant,
        interrupt: CancellationToken,
        place: Place,
    ) -> Claim {
        let task = Arc::new(task);
        let held = Held {
            shared: self.clone(),
            task: task.clone(),
            deadline,
            interrupt: interrupt.clone(),
            place,
            view: Mutex::new(None),
            marked: Mutex::new(false),
            conflicts: ConflictCount::default(),
            right_of_way: None,
        };
        Claim::new(task, deadline, interrupt, Box::new(held))
    }

    /// Gives a task back that was not settled.
    pub(super) fn give_back(self: &Arc<Self>, task: &Arc<Task>, epoch: String) {
        let (shared, task) = (self.clone(), task.clone());
        self.lock().going_back += 1;
        // Held until Redis knows, so that the process waits for it when it ends.
        self.tracker.spawn_on(
            async move {
                let shard = shared.shard_of(&task.circle);
                let until = Instant::now() + shared.config.lease;
                let pair = [task.id.to_string(), epoch.clone()];
                while let Err(error) = shared.renew_shard(shard, &pair).await {
                    if Instant::now() > until {
                        tracing::warn!(%error, task = %task.id, "a task waits for its lease to end");
                        break;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                shared.lock().going_back -= 1;
                shared.let_go(&task, &epoch, false);
                shared.hint(&shared.config.pool, shard).await.ok();
            },
            &self.runtime,
        );
    }
}

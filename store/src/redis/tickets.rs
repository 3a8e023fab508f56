//! Those who wait for the end of a task.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use circles_api::CircleId;
use fred::types::Value;
use futures_util::{
    StreamExt as _,
    future::{join_all, ready},
    stream,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep_until, timeout, timeout_at},
};

use super::{
    Shared,
    known::{Known, Told, garbled, state_name, view},
    lines::Reader,
    scripts::{ANSWERS, CANCEL, LOOK, SUBMIT},
};
use crate::{Error, Failure, Outcome, Task, TaskId, TaskView, Ticket, Watch, WatchEvent};

/// How long past its deadline a worker may still settle a play before it is ended without it.
const LAST_WORD: Duration = Duration::from_millis(100);
/// After how long it is asked whether an answer was missed.
pub const MISSED: Duration = Duration::from_secs(1);

/// How many answers are acknowledged at once; Lua takes no more than some thousand values.
const ACKNOWLEDGED: usize = 1_000;

/// A task on its way to Redis.
pub struct Submission {
    id: TaskId,
    circle: String,
    /// Milliseconds.
    timeout: u64,
    flags: &'static str,
    pool: String,
    /// What the scripts have to know of it.
    text: String,
    body: String,
    /// Circle, caller and idempotency key.
    key: String,
    call: String,
}

/// What came of it.
pub enum Reply {
    Accepted,
    Full,
    /// The key is that of another call.
    Conflict(TaskId),
    /// The same call was made before, and is under way.
    Known(TaskId),
    /// The same call was made before, and this came of it.
    Ended(TaskId, String),
}

/// Which tasks are ended.
enum Which {
    /// One that waits; a running one through its worker.
    Any,
    /// One that waits.
    Queued,
    /// A running one as well, at once.
    Now,
}

/// Those here who wait for the end of a task.
pub struct Waiting {
    shard: u16,
    circle: CircleId,
    since: Instant,
    /// Whether it goes on if nobody waits any more.
    recorded: bool,
    senders: Vec<oneshot::Sender<Outcome>>,
}

impl Shared {
    pub(super) async fn submit(self: &Arc<Self>, task: Task) -> Result<Ticket, Error> {
        if self.closing.is_cancelled() {
            return Err(Error::Closed);
        }
        let shard = self.shard_of(&task.circle);
        let known = Known::of(&task, self.pool_of(&task.circle), self.config.remember_for);
        let submission = Submission {
            id: task.id,
            timeout: known.timeout,
            flags: known.flags(),
            text: serde_json::to_string(&known).map_err(|_| garbled("JSON"))?,
            body: serde_json::to_string(&task).map_err(|_| garbled("JSON"))?,
            call: known.key.as_ref().map(|_| hex(&task.call())).unwrap_or_default(),
            key: known.key.unwrap_or_default(),
            circle: known.circle,
            pool: known.pool,
        };
        let mut waiter = self.wait_for(&task, task.id);
        match self.submits.send(shard, submission).await {
            Ok(Reply::Accepted) => Ok(waiter.ticket()),
            Ok(Reply::Full) => {
                waiter.forget();
                Err(Error::Full)
            }
            Ok(Reply::Conflict(id)) => {
                waiter.forget();
                Err(Error::Conflict(id))
            }
            Ok(Reply::Ended(id, outcome)) => {
                waiter.forget();
                let outcome = serde_json::from_str(&outcome).map_err(|_| garbled("an outcome"))?;
                Ok(Ticket::ready(id, outcome))
            }
            Ok(Reply::Known(id)) => {
                waiter.forget();
                Ok(self.wait_for(&task, id).joined_ticket())
            }
            // It may have been accepted all the same: dropped, the waiter sees to it that it does not run, unless
            // it may be asked for again.
            Err(error) => Err(error),
        }
    }

    fn wait_for(self: &Arc<Self>, task: &Task, id: TaskId) -> Waiter {
        let receiver = self.expect(id, &task.circle, task.is_recorded());
        let deadline = Instant::now() + task.timeout;
        Waiter {
            shared: self.clone(),
            id,
            circle: task.circle,
            recorded: task.is_recorded(),
            deadline,
            receiver,
        }
    }

    /// Waits for the end of a task that is going to be told of.
    fn expect(&self, id: TaskId, circle: &CircleId, recorded: bool) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        let waiting = state.waiting.entry(id).or_insert_with(|| Waiting {
            shard: self.shard_of(circle),
            circle: *circle,
            since: Instant::now(),
            recorded,
            senders: Vec::new(),
        });
        // Those who have gone make room for those who come.
        waiting.senders.retain(|sender| !sender.is_closed());
        waiting.senders.push(sender);
        receiver
    }

    /// Forgets those who have gone.
    fn unexpect(&self, id: TaskId) {
        let mut state = self.lock();
        if let Some(waiting) = state.waiting.get_mut(&id) {
            waiting.senders.retain(|sender| !sender.is_closed());
            if waiting.senders.is_empty() {
                state.waiting.remove(&id);
            }
        }
    }

    pub(super) async fn submit_all(&self, shard: u16, batch: Vec<Submission>) -> Result<Vec<Reply>, Error> {
        let acknowledged = self.to_acknowledge(shard);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let mut args = vec![
            Value::from(self.me.clone()),
            count(self.config.queue_limit).into(),
            count(self.config.circle_queue_limit).into(),
            count(acknowledged.len()).into(),
        ];
        args.extend(acknowledged.iter().map(|id| Value::from(id.as_str())));
        let mut pools = BTreeSet::new();
        for task in batch {
            let timeout = task.timeout.to_string();
            let [id, circle, flags] = [task.id.to_string(), task.circle, task.flags.to_owned()];
            let parts =
                [id, circle, timeout, flags, task.pool.clone(), task.text, task.body, task.key, task.call];
            args.extend(parts.map(Value::from));
            pools.insert(task.pool);
        }
        let submitted = self.run::<Vec<Vec<String>>>(&SUBMIT, shard, args);
        let replies = if !pools.is_empty() {
            // On the same connection, so behind it.
            let hinted = join_all(pools.iter().map(|pool| self.hint(pool, shard)));
            let (submitted, hinted) = tokio::join!(submitted, hinted);
            // Who does not hear of it is told when shards are looked after.
            drop(hinted);
            submitted
        } else {
            submitted.await
        };
        let replies = match replies {
            Ok(replies) => replies,
            Err(error) => {
                self.lock().acknowledged.entry(shard).or_default().extend(acknowledged);
                return Err(error);
            }
        };
        replies.into_iter().map(|reply| Reply::read(&reply)).collect()
    }

    /// Some of a shard's answers that it may forget.
    fn to_acknowledge(&self, shard: u16) -> Vec<String> {
        let mut state = self.lock();
        let Some(all) = state.acknowledged.get_mut(&shard) else { return Vec::new() };
        let some = all.split_off(all.len().saturating_sub(ACKNOWLEDGED));
        if all.is_empty() {
            state.acknowledged.remove(&shard);
        }
        some
    }

    /// An outcome that was told: hands it on, and lets Redis forget it.
    pub(super) fn told(&self, shard: u16, id: &str, outcome: &str) {
        let waiting = {
            let mut state = self.lock();
            state.acknowledged.entry(shard).or_default().push(id.to_owned());
            id.parse().ok().and_then(|id: TaskId| state.waiting.remove(&id))
        };
        let Some(waiting) = waiting else { return };
        let outcome: Outcome = match serde_json::from_str(outcome) {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, task = id, "an outcome in Redis is not one of ours");
                return;
            }
        };
        for sender in waiting.senders {
            // A caller that no longer waits has dropped its end.
            let _ = sender.send(outcome.clone());
        }
    }

    /// Asks for answers that may have been missed.
    pub(super) async fn look_for_answers(&self, shard: u16, ids: Vec<TaskId>) -> Result<(), Error> {
        for some in ids.chunks(1_000) {
            let mut args = vec![Value::from(self.me.clone())];
            args.extend(some.iter().map(|id| Value::from(id.to_string())));
            let found: Vec<String> = self.run(&ANSWERS, shard, args).await?;
            for pair in found.chunks_exact(2) {
                if let [id, outcome] = pair {
                    self.told(shard, id, outcome);
                }
            }
        }
        Ok(())
    }

    /// The safety net: asks, shard by shard, for what should have been told long ago, and acknowledges what was.
    pub(super) async fn catch_up(&self, older_than: Duration) {
        let mut asked: HashMap<u16, Vec<TaskId>> = HashMap::new();
        let acknowledged: Vec<u16> = {
            let state = self.lock();
            for (id, waiting) in &state.waiting {
                if waiting.since.elapsed() >= older_than {
                    asked.entry(waiting.shard).or_default().push(*id);
                }
            }
            state.acknowledged.keys().copied().collect()
        };
        for (shard, ids) in asked {
            if let Err(error) = self.look_for_answers(shard, ids).await {
                tracing::debug!(%error, "answers cannot be asked for");
                return;
            }
        }
        for shard in acknowledged {
            if let Err(error) = self.submit_all(shard, Vec::new()).await {
                tracing::debug!(%error, "answers cannot be acknowledged");
                return;
            }
        }
    }

    /// Ends a task that has not ended. `outcome` is for one that waits.
    pub(super) async fn cancel(
        &self,
        circle: &CircleId,
        id: TaskId,
        outcome: &Outcome,
    ) -> Result<String, Error> {
        self.end(circle, id, outcome, Which::Any).await
    }

    async fn end(
        &self,
        circle: &CircleId,
        id: TaskId,
        outcome: &Outcome,
        which: Which,
    ) -> Result<String, Error> {
        let text = serde_json::to_string(outcome).map_err(|_| garbled("JSON"))?;
        let which = match which {
            Which::Any => "",
            Which::Queued => "queued",
            Which::Now => "now",
        };
        let args = [id.to_string(), circle.to_string(), state_name(outcome.state()), text, which.to_owned()];
        self.run(&CANCEL, self.shard_of(circle), args.map(Value::from).into()).await
    }

    /// Ends plays that wait for a worker, and that nobody could ask for again.
    pub(super) async fn end_queued(&self, ids: Vec<TaskId>) {
        for id in ids {
            let plain = {
                let state = self.lock();
                state.waiting.get(&id).filter(|waiting| !waiting.recorded).map(|waiting| waiting.circle)
            };
            if let Some(circle) = plain
                && let Err(error) = self.end(&circle, id, &Outcome::Cancelled, Which::Queued).await
            {
                tracing::debug!(%error, task = %id, "a play cannot be taken from the queue");
            }
        }
    }

    pub(super) async fn task(
        self: &Arc<Self>,
        circle: &CircleId,
        id: TaskId,
        wait: Duration,
    ) -> Result<Option<TaskView>, Error> {
        if wait.is_zero() {
            return Ok(self.look(circle, id, "", "").await?.map(|(_, view)| view));
        }
        let until = Instant::now() + wait;
        let receiver = self.expect(id, circle, true);
        let gone = Gone { shared: self.clone(), id };
        let Some((left, view)) = self.look(circle, id, &self.me, "").await? else { return Ok(None) };
        if view.outcome.is_some() {
            return Ok(Some(view));
        }
        let mut receiver = pin!(receiver);
        // A task whose deadline passes in the queue ends when somebody looks; one that runs, when its worker says so.
        let late = Instant::now() + left;
        if let Ok(Ok(outcome)) = timeout_at(until.min(late).into(), &mut receiver).await {
            return Ok(Some(ended_view(view, outcome)));
        }
        let Some((_, view)) = self.look(circle, id, "", "").await? else { return Ok(None) };
        if view.outcome.is_some() || until <= late {
            return Ok(Some(view));
        }
        if let Ok(Ok(outcome)) = timeout_at(until.into(), receiver).await {
            return Ok(Some(ended_view(view, outcome)));
        }
        drop(gone);
        Ok(self.look(circle, id, "", "").await?.map(|(_, view)| view))
    }

    /// What happens to a task under way, from its first line on as far as it runs here; or its end.
    pub(super) async fn watch(
        self: &Arc<Self>,
        circle: &CircleId,
        id: TaskId,
    ) -> Result<Option<Watch>, Error> {
        let mut outcome = self.expect(id, circle, true);
        let gone = Gone { shared: self.clone(), id };
        // Lines may come as soon as somebody is asked for them.
        let mut lines = self.lines_of(id);
        let Some((left, view)) = self.look(circle, id, &self.me, "watch").await? else { return Ok(None) };
        if view.outcome.is_some() {
            return Ok(Some(stream::once(ready(WatchEvent::Ended(Box::new(view)))).boxed()));
        }
        let until = Instant::now() + left + LAST_WORD;
        let (events, watch) = mpsc::channel(1);
        self.runtime.spawn(async move {
            let _gone = gone;
            let ended = loop {
                tokio::select! {
                    biased;
                    event = lines.next() => if events.send(event).await.is_err() { return },
                    ended = &mut outcome => break ended.ok(),
                    () = sleep_until(until.into()) => break None,
                    () = events.closed() => return,
                }
            };
            let outcome = ended.unwrap_or(Outcome::TimedOut);
            // Who watches may go at any time.
            for event in last_lines(&mut lines, &outcome) {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            let _ = events.send(WatchEvent::Ended(Box::new(ended_view(view, outcome)))).await;
        });
        Ok(Some(
            stream::unfold(watch, |mut watch| async { watch.recv().await.map(|event| (event, watch)) })
                .boxed(),
        ))
    }

    /// Asks the worker of a watched task for its lines again, of which some were missed.
    pub(super) fn ask_for_lines(self: &Arc<Self>, id: TaskId) {
        let Some(circle) = self.lock().waiting.get(&id).map(|waiting| waiting.circle) else { return };
        let shared = self.clone();
        self.runtime.spawn(async move {
            if let Err(error) = shared.look(&circle, id, &shared.me, "watch").await {
                tracing::debug!(%error, task = %id, "lines of a watched task are missing");
            }
        });
    }

    /// How a task is, and how long until its deadline. `server` is told of its end,
    /// and shown what it logs if it is to `watch`.
    async fn look(
        &self,
        circle: &CircleId,
        id: TaskId,
        server: &str,
        watch: &str,
    ) -> Result<Option<(Duration, TaskView)>, Error> {
        let args = [&id.to_string(), &circle.to_string(), server, watch].map(Value::from);
        let found: Vec<String> = self.run(&LOOK, self.shard_of(circle), args.into()).await?;
        let Ok([known, state, started, ended, outcome, left]) = <[String; 6]>::try_from(found) else {
            return Ok(None);
        };
        let left = Duration::from_millis(left.parse().unwrap_or_default());
        Ok(Some((left, view(id, &known, &Told { state, started, ended, outcome })?)))
    }
}

/// What a watched task logged and was not seen before its end: what has come, and what its outcome tells.
fn last_lines(lines: &mut Reader, outcome: &Outcome) -> Vec<WatchEvent> {
    let mut events: Vec<_> = std::iter::from_fn(|| lines.step()).collect();
    if let Outcome::Succeeded(success) = outcome {
        events.extend(success.logs.iter().skip(lines.read()).cloned().map(WatchEvent::Logged));
    }
    events
}

fn ended_view(view: TaskView, outcome: Outcome) -> TaskView {
    let now = SystemTime::now();
    TaskView { state: outcome.state(), ended_at: Some(now), outcome: Some(outcome), ..view }
}

impl Reply {
    fn read(reply: &[String]) -> Result<Self, Error> {
        let name = |id: &String| id.parse().map_err(|_| garbled("a task's name"));
        match reply {
            [what] if what == "accepted" => Ok(Self::Accepted),
            [what] if what == "full" => Ok(Self::Full),
            [what, id] if what == "conflict" => Ok(Self::Conflict(name(id)?)),
            [what, id] if what == "known" => Ok(Self::Known(name(id)?)),
            [what, id, outcome] if what == "ended" => Ok(Self::Ended(name(id)?, outcome.clone())),
            _ => Err(garbled("a reply")),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Forgets that somebody waited.
struct Gone {
    shared: Arc<Shared>,
    id: TaskId,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.shared.unexpect(self.id);
    }
}

/// Who made a call and waits for its outcome. Dropped early it cancels the task, unless it may be asked for again.
struct Waiter {
    shared: Arc<Shared>,
    id: TaskId,
    circle: CircleId,
    recorded: bool,
    deadline: Instant,
    receiver: oneshot::Receiver<Outcome>,
}

impl Waiter {
    fn ticket(self) -> Ticket {
        Ticket::waiting(self.id, Box::pin(Answer(Some(Box::pin(self.outcome())))))
    }

    /// For the end of the same call that was made before.
    fn joined_ticket(self) -> Ticket {
        Ticket::waiting(self.id, Box::pin(Answer(Some(Box::pin(self.joined())))))
    }

    async fn joined(mut self) -> Outcome {
        // It may have ended before we waited.
        match self.shared.look(&self.circle, self.id, &self.shared.me, "").await {
            Ok(Some((left, view))) => {
                // The deadline is that of the first call.
                self.deadline = Instant::now() + left;
                match view.outcome {
                    Some(outcome) => outcome,
                    None => self.outcome().await,
                }
            }
            Ok(None) | Err(_) => Outcome::Failed(Failure::Unavailable),
        }
    }

    async fn outcome(mut self) -> Outcome {
        let outcome = self.answer().await;
        // It is over, nothing is left to cancel.
        self.forget();
        outcome
    }

    async fn answer(&mut self) -> Outcome {
        if let Ok(Ok(outcome)) = timeout_at(self.deadline.into(), &mut self.receiver).await {
            return outcome;
        }
        // One that waits ends so. One that runs ends by its worker's clock, which must not be told to cancel it first.
        if let Err(error) = self.shared.end(&self.circle, self.id, &Outcome::TimedOut, Which::Queued).await {
            tracing::debug!(%error, task = %self.id, "a play past its deadline cannot be ended");
        }
        if let Ok(Ok(outcome)) = timeout(LAST_WORD, &mut self.receiver).await {
            return outcome;
        }
        // Its worker does not: whatever it says later is not heeded any more.
        match self.shared.end(&self.circle, self.id, &Outcome::TimedOut, Which::Now).await {
            Ok(what) if what == "ended" => Outcome::TimedOut,
            Ok(_) => {
                let shard = self.shared.shard_of(&self.circle);
                // It had ended before; what was told may have been missed.
                let looked = self.shared.look_for_answers(shard, vec![self.id]).await;
                match timeout(LAST_WORD, &mut self.receiver).await {
                    Ok(Ok(outcome)) => outcome,
                    _ => {
                        tracing::error!(task = %self.id, ?looked, "it is not known what became of a play");
                        Outcome::Failed(Failure::Unavailable)
                    }
                }
            }
            // Nobody knows what becomes of it.
            Err(_) => Outcome::Failed(Failure::Unavailable),
        }
    }

    fn forget(&mut self) {
        self.recorded = true;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.receiver.close();
        self.shared.unexpect(self.id);
        if !self.recorded {
            let (shared, circle, id, deadline) = (self.shared.clone(), self.circle, self.id, self.deadline);
            let task = async move {
                while let Err(error) = shared.cancel(&circle, id, &Outcome::Cancelled).await {
                    if Instant::now() > deadline || shared.closing.is_cancelled() {
                        tracing::debug!(%error, task = %id, "a play that nobody wants goes on");
                        return;
                    }
                    tokio::time::sleep(MISSED).await;
                }
            };
            self.shared.runtime.spawn(task);
        }
    }
}

/// An outcome on its way; once it has come, it does not come again.
struct Answer<F>(Option<Pin<Box<F>>>);

impl<F: Future<Output = Outcome>> Future for Answer<F> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some(outcome) = &mut self.0 else { return Poll::Pending };
        let polled = outcome.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

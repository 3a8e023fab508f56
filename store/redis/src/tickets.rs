//! Those who wait for the end of a task.

use std::{
    collections::HashMap,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use circles_api::CircleId;
use fred::types::Value;
use futures_util::{StreamExt as _, future::ready, stream};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep_until, timeout, timeout_at},
};

use super::{
    Shared,
    known::{End, Told, garbled, state_name, view},
    lines::Reader,
    link::COMMAND,
    scripts::{ANSWERS, CANCEL, LOOK},
};
use circles_store::{Error, Failure, Outcome, Task, TaskId, TaskView, Ticket, Watch, WatchEvent};

/// How long past its deadline a worker may still settle a play before it is ended without it.
const LAST_WORD: Duration = Duration::from_millis(100);
/// How long past its deadline a caller waits to be told what became of its play: one command may go unanswered.
const TELL: Duration = COMMAND.saturating_add(Duration::from_secs(1));
/// After how long it is asked whether an answer was missed.
pub const MISSED: Duration = Duration::from_secs(1);

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
    /// Whether Redis had it: then it is there until it ends, unless Redis lost it.
    is_there: bool,
    senders: Vec<oneshot::Sender<End>>,
}

impl Shared {
    /// Waits for the end of a task on behalf of a call that came then.
    pub(super) fn wait_for(self: &Arc<Self>, task: &Task, id: TaskId, came: Instant) -> Waiter {
        let receiver = self.expect(id, &task.circle, task.is_remembered());
        let deadline = came + task.timeout;
        Waiter {
            shared: self.clone(),
            id,
            circle: task.circle,
            recorded: task.is_remembered(),
            deadline,
            receiver,
        }
    }

    /// Waits for the end of a task that is going to be told of.
    fn expect(&self, id: TaskId, circle: &CircleId, recorded: bool) -> oneshot::Receiver<End> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        let waiting = state.waiting.entry(id).or_insert_with(|| Waiting {
            shard: self.shard_of(circle),
            circle: *circle,
            since: Instant::now(),
            recorded,
            is_there: false,
            senders: Vec::new(),
        });
        // Those who have gone make room for those who come.
        waiting.senders.retain(|sender| !sender.is_closed());
        waiting.senders.push(sender);
        receiver
    }

    /// Takes note that Redis has a task.
    pub(super) fn is_there(&self, id: TaskId) {
        if let Some(waiting) = self.lock().waiting.get_mut(&id) {
            waiting.is_there = true;
        }
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

    /// An outcome that was told: hands it on, and lets Redis forget it.
    pub(super) fn told(&self, shard: u16, id: &str, outcome: &str) {
        let waiting = {
            let mut state = self.lock();
            state.acknowledged.entry(shard).or_default().push(id.to_owned());
            id.parse().ok().and_then(|id: TaskId| state.waiting.remove(&id))
        };
        let Some(waiting) = waiting else { return };
        match End::read(outcome) {
            Ok(end) => waiting.tell(&end),
            Err(error) => tracing::error!(%error, task = id, "an outcome in Redis is not one of ours"),
        }
    }

    /// A task of which Redis knows nothing any more, neither that it is under way nor how it ended: as after a
    /// FLUSHALL, or when a primary was lost with what it had not passed on.
    fn lost(&self, id: &str) {
        let waiting = id.parse().ok().and_then(|id: TaskId| self.lock().waiting.remove(&id));
        if let Some(waiting) = waiting {
            tracing::warn!(task = id, "Redis lost a task");
            waiting.tell(&End::now(Outcome::failed(Failure::Unavailable)));
        }
    }

    /// Asks for answers that may have been missed, of tasks that Redis has, or may have.
    pub(super) async fn look_for_answers(
        &self,
        shard: u16,
        there: Vec<TaskId>,
        others: Vec<TaskId>,
    ) -> Result<(), Error> {
        for (are_there, ids) in [(true, there), (false, others)] {
            for some in ids.chunks(1_000) {
                let mut args = vec![Value::from(self.me.clone())];
                args.extend(some.iter().map(|id| Value::from(id.to_string())));
                let found: Vec<String> = self.run(&ANSWERS, shard, args).await?;
                for pair in found.chunks_exact(2) {
                    match pair {
                        [id, nothing] if nothing.is_empty() && are_there => self.lost(id),
                        [_, nothing] if nothing.is_empty() => {}
                        [id, outcome] => self.told(shard, id, outcome),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// The safety net: asks, shard by shard, for what should have been told long ago, and acknowledges what was.
    pub(super) async fn catch_up(&self, older_than: Duration) {
        let mut asked: HashMap<u16, (Vec<TaskId>, Vec<TaskId>)> = HashMap::new();
        let acknowledged: Vec<u16> = {
            let state = self.lock();
            for (id, waiting) in &state.waiting {
                if waiting.since.elapsed() >= older_than {
                    let (there, others) = asked.entry(waiting.shard).or_default();
                    if waiting.is_there { there } else { others }.push(*id);
                }
            }
            state.acknowledged.keys().copied().collect()
        };
        for (shard, (there, others)) in asked {
            if let Err(error) = self.look_for_answers(shard, there, others).await {
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
                && let Err(error) = self.end(&circle, id, &Outcome::cancelled(), Which::Queued).await
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
        if view.state.is_final() {
            return Ok(Some(view));
        }
        self.is_there(id);
        let mut receiver = pin!(receiver);
        // A task whose deadline passes in the queue ends when somebody looks; one that runs, when its worker says so.
        let late = Instant::now() + left;
        if let Ok(Ok(end)) = timeout_at(until.min(late).into(), &mut receiver).await {
            return self.at_end(circle, view, end).await.map(Some);
        }
        let Some((_, view)) = self.look(circle, id, "", "").await? else { return Ok(None) };
        if view.state.is_final() || until <= late {
            return Ok(Some(view));
        }
        if let Ok(Ok(end)) = timeout_at(until.into(), receiver).await {
            return self.at_end(circle, view, end).await.map(Some);
        }
        drop(gone);
        Ok(self.look(circle, id, "", "").await?.map(|(_, view)| view))
    }

    /// A task at its end. One that Redis lost may have been taken for one that is remembered.
    async fn at_end(&self, circle: &CircleId, view: TaskView, end: End) -> Result<TaskView, Error> {
        if end.outcome == Outcome::failed(Failure::Unavailable)
            && let Some((_, remembered)) = self.look(circle, view.id, "", "").await?
        {
            return Ok(remembered);
        }
        Ok(end.of(view))
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
        if view.state.is_final() {
            return Ok(Some(stream::once(ready(WatchEvent::Ended(Box::new(view)))).boxed()));
        }
        self.is_there(id);
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
            let end = ended.unwrap_or_else(|| End::now(Outcome::timed_out()));
            // Who watches may go at any time.
            for event in last_lines(&mut lines, &end.outcome) {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            let _ = events.send(WatchEvent::Ended(Box::new(end.of(view)))).await;
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
    events.extend(outcome.logs().iter().skip(lines.read()).cloned().map(WatchEvent::Logged));
    events
}

impl Waiting {
    fn tell(self, end: &End) {
        for sender in self.senders {
            // A caller that no longer waits has dropped its receiver.
            let _ = sender.send(end.clone());
        }
    }
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
pub struct Waiter {
    shared: Arc<Shared>,
    id: TaskId,
    circle: CircleId,
    recorded: bool,
    deadline: Instant,
    receiver: oneshot::Receiver<End>,
}

impl Waiter {
    pub fn ticket(self) -> Ticket {
        Ticket::waiting(self.id, Box::pin(Answer(Some(Box::pin(self.outcome())))))
    }

    /// For the end of the same call that was made before, of this task and then.
    pub fn joined_ticket(self, task: Task, came: Instant) -> Ticket {
        Ticket::waiting(self.id, Box::pin(Answer(Some(Box::pin(self.joined(task, came))))))
    }

    async fn joined(mut self, task: Task, came: Instant) -> Outcome {
        // It may have ended before we waited.
        match self.shared.look(&self.circle, self.id, &self.shared.me, "").await {
            Ok(Some((left, view))) => {
                // The deadline is that of the first call.
                self.deadline = Instant::now() + left;
                self.shared.is_there(self.id);
                match view.outcome {
                    Some(outcome) => outcome,
                    None if view.state.is_final() => Outcome::failed(Failure::Dropped),
                    None => self.outcome().await,
                }
            }
            // It was refused, and is forgotten: this call stands for itself.
            Ok(None) => match self.shared.clone().submit(task, came).await {
                Ok(ticket) => ticket.await,
                Err(_) => Outcome::failed(Failure::Unavailable),
            },
            Err(_) => Outcome::failed(Failure::Unavailable),
        }
    }

    async fn outcome(mut self) -> Outcome {
        let outcome = self.answer().await;
        // It is over, nothing is left to cancel.
        self.forget();
        outcome
    }

    async fn answer(&mut self) -> Outcome {
        if let Ok(Ok(end)) = timeout_at(self.deadline.into(), &mut self.receiver).await {
            return end.outcome;
        }
        // Nobody knows what becomes of it, and whoever asked has waited long enough.
        timeout(TELL, self.past_deadline()).await.unwrap_or(Outcome::failed(Failure::Unavailable))
    }

    async fn past_deadline(&mut self) -> Outcome {
        // One that waits ends so. One that runs ends by its worker's clock, which must not be told to cancel it first.
        if let Err(error) = self.shared.end(&self.circle, self.id, &Outcome::timed_out(), Which::Queued).await
        {
            tracing::debug!(%error, task = %self.id, "a play past its deadline cannot be ended");
        }
        if let Ok(Ok(end)) = timeout(LAST_WORD, &mut self.receiver).await {
            return end.outcome;
        }
        // Its worker does not: whatever it says later is not heeded any more.
        match self.shared.end(&self.circle, self.id, &Outcome::timed_out(), Which::Now).await {
            Ok(what) if what == "ended" => Outcome::timed_out(),
            Ok(_) => {
                let shard = self.shared.shard_of(&self.circle);
                // It had ended before; what was told may have been missed.
                let looked = self.shared.look_for_answers(shard, vec![self.id], Vec::new()).await;
                match timeout(LAST_WORD, &mut self.receiver).await {
                    Ok(Ok(end)) => end.outcome,
                    _ => {
                        tracing::error!(task = %self.id, ?looked, "it is not known what became of a play");
                        Outcome::failed(Failure::Unavailable)
                    }
                }
            }
            // Nobody knows what becomes of it.
            Err(_) => Outcome::failed(Failure::Unavailable),
        }
    }

    pub fn forget(&mut self) {
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
                while let Err(error) = shared.cancel(&circle, id, &Outcome::cancelled()).await {
                    if Instant::now() > deadline || shared.closing.is_cancelled() {
                        tracing::debug!(%error, task = %id, "a play that nobody wants goes on");
                        return;
                    }
                    tokio::time::sleep(MISSED).await;
                }
            };
            // The process waits for it when it ends: nobody else knows that the play is not wanted.
            self.shared.tracker.spawn_on(task, &self.shared.runtime);
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

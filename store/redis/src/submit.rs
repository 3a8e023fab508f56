//! Tasks on their way to Redis.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_api::hex;
use fred::types::Value;
use futures_util::future::join_all;

use super::{
    Shared,
    batch::Item,
    known::{Known, garbled, whole_millis},
    scripts::SUBMIT,
};
use circles_store::{Error, Failure, Outcome, Task, TaskId, Ticket};

/// How many answers are acknowledged at once; Lua takes no more than some thousand values.
const ACKNOWLEDGED: usize = 1_000;

/// A task on its way to Redis.
pub struct Submission {
    id: TaskId,
    circle: String,
    caller: String,
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
    /// How much may be remembered, as `submit.lua` takes it.
    quota: String,
}

impl Item for Submission {
    fn weight(&self) -> usize {
        self.text.len() + self.body.len()
    }
}

/// What came of it.
pub enum Reply {
    Accepted,
    Full,
    ShareFull(Duration),
    GuestsFull(Duration),
    /// The same call was made before, and what came of it is no longer there.
    Dropped(TaskId),
    /// The key is that of another call.
    Conflict(TaskId),
    /// The same call was made before, and is under way.
    Known(TaskId),
    /// The same call was made before, and this came of it.
    Ended(TaskId, String),
}

impl Shared {
    /// Submits a task whose time has run since it came, also if the store has closed since: a play that came in time
    /// and was tried first is accepted.
    pub(super) async fn submit(self: &Arc<Self>, task: Task, came: Instant) -> Result<Ticket, Error> {
        let shard = self.shard_of(&task.circle);
        let known = Known::of(&task, self.pool_of(&task.circle), &self.config);
        let quota = self.config.quotas.of(&task.circle);
        let quota = match (known.most, known.guests) {
            (None, _) => String::new(),
            (Some(bytes), None) => format!("{} {bytes}", quota.caller_tasks),
            (Some(bytes), Some(all)) => {
                format!("{} {bytes} {} {all}", quota.caller_tasks, quota.guest_tasks)
            }
        };
        let submission = Submission {
            id: task.id,
            timeout: whole_millis(task.timeout.saturating_sub(came.elapsed())),
            flags: known.flags(),
            caller: known.caller_word().to_owned(),
            quota,
            text: serde_json::to_string(&known).map_err(|_| garbled("JSON"))?,
            body: serde_json::to_string(&task).map_err(|_| garbled("JSON"))?,
            call: known.key.as_ref().map(|_| hex::encode(&task.call_hash())).unwrap_or_default(),
            key: known.key.unwrap_or_default(),
            circle: known.circle,
            pool: known.pool,
        };
        let mut waiter = self.wait_for(&task, task.id, came);
        match self.submits.send(shard, submission).await {
            Ok(Reply::Accepted) => {
                self.is_there(task.id);
                Ok(waiter.ticket())
            }
            Ok(Reply::Full) => {
                waiter.forget();
                Err(Error::QueueFull)
            }
            Ok(Reply::ShareFull(time)) => {
                waiter.forget();
                Err(Error::ShareFull(time))
            }
            Ok(Reply::GuestsFull(time)) => {
                waiter.forget();
                Err(Error::GuestsFull(time))
            }
            Ok(Reply::Dropped(id)) => {
                waiter.forget();
                Ok(Ticket::ready(id, Outcome::failed(Failure::Dropped)))
            }
            Ok(Reply::Conflict(id)) => {
                waiter.forget();
                Err(Error::KeyReused(id))
            }
            Ok(Reply::Ended(id, outcome)) => {
                waiter.forget();
                let outcome = serde_json::from_str(&outcome).map_err(|_| garbled("an outcome"))?;
                Ok(Ticket::ready(id, outcome))
            }
            Ok(Reply::Known(id)) => {
                waiter.forget();
                Ok(self.wait_for(&task, id, came).joined_ticket(task, came))
            }
            // It may have been accepted all the same: dropped, the waiter sees to it that it does not run, unless
            // it may be asked for again.
            Err(error) => Err(error),
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
            let [id, flags, pool] = [task.id.to_string(), task.flags.to_owned(), task.pool.clone()];
            let parts = [id, task.circle, task.caller, timeout, flags, pool, task.text, task.body];
            args.extend(parts.into_iter().chain([task.key, task.call, task.quota]).map(Value::from));
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
}

impl Reply {
    fn read(reply: &[String]) -> Result<Self, Error> {
        let name = |id: &String| id.parse().map_err(|_| garbled("a task's name"));
        let time = |millis: &String| {
            millis.parse().map(Duration::from_millis).map_err(|_| garbled("a number of milliseconds"))
        };
        match reply {
            [what] if what == "accepted" => Ok(Self::Accepted),
            [what] if what == "full" => Ok(Self::Full),
            [what, millis] if what == "share" => Ok(Self::ShareFull(time(millis)?)),
            [what, millis] if what == "guests" => Ok(Self::GuestsFull(time(millis)?)),
            [what, id] if what == "dropped" => Ok(Self::Dropped(name(id)?)),
            [what, id] if what == "conflict" => Ok(Self::Conflict(name(id)?)),
            [what, id] if what == "known" => Ok(Self::Known(name(id)?)),
            [what, id, outcome] if what == "ended" => Ok(Self::Ended(name(id)?, outcome.clone())),
            _ => Err(garbled("a reply")),
        }
    }
}

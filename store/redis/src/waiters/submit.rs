//! Submits tasks: admission, idempotency lookup and the durable write are one script.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use circles_api::hex;
use circles_store::{Error, Failure, Outcome, Task, TaskId, Ticket};
use fred::types::Value;
use futures_util::future::join_all;

use super::{Acknowledgements, Waiters};
use crate::{
    batcher::Item,
    node::{Node, lua_count},
    scripts::SUBMIT,
    task_meta::{TaskMeta, to_json, unexpected, whole_millis},
};

/// A task on its way to Redis, as `submit.lua` takes it.
pub(super) struct Submission {
    id: TaskId,
    circle: String,
    caller: String,
    /// In milliseconds.
    timeout: u64,
    flags: &'static str,
    pool: String,
    /// The JSON of the [`TaskMeta`].
    meta: String,
    /// The JSON of the task itself.
    body: String,
    /// The idempotency key, behind the circle and the caller.
    key: String,
    /// The hash of the call that the key stands for.
    call: String,
    /// How many tasks and bytes are remembered for the caller, and for all guests if it is one.
    quota: String,
}

impl Submission {
    fn new(task: &Task, arrived: Instant, node: &Node) -> Result<Self, Error> {
        let meta = TaskMeta::of(task, node.pool_of(&task.circle), &node.config);
        let quota = node.config.quotas.of(&task.circle);
        let quota = match (meta.most, meta.guests) {
            (None, _) => String::new(),
            (Some(bytes), None) => format!("{} {bytes}", quota.caller_tasks),
            (Some(bytes), Some(all)) => {
                format!("{} {bytes} {} {all}", quota.caller_tasks, quota.guest_tasks)
            }
        };
        Ok(Self {
            id: task.id,
            timeout: whole_millis(task.timeout.saturating_sub(arrived.elapsed())),
            flags: meta.flags(),
            caller: meta.caller_word().to_owned(),
            quota,
            meta: to_json(&meta)?,
            body: to_json(task)?,
            call: meta.key.as_ref().map(|_| hex::encode(&task.call_hash())).unwrap_or_default(),
            key: meta.key.unwrap_or_default(),
            circle: meta.circle,
            pool: meta.pool,
        })
    }

    fn into_args(self) -> impl Iterator<Item = Value> {
        let (id, timeout, flags) = (self.id.to_string(), self.timeout.to_string(), self.flags.to_owned());
        let head = [id, self.circle, self.caller, timeout, flags, self.pool];
        let tail = [self.meta, self.body, self.key, self.call, self.quota];
        head.into_iter().chain(tail).map(Value::from)
    }
}

impl Item for Submission {
    fn weight(&self) -> usize {
        self.meta.len() + self.body.len()
    }
}

/// The reply of `submit.lua` to a submission.
#[derive(Debug, PartialEq)]
pub(super) enum SubmitReply {
    Accepted,
    QueueFull,
    ShareFull(Duration),
    GuestsFull(Duration),
    /// The same call was made before, and its outcome had no room.
    Dropped(TaskId),
    /// The idempotency key belongs to another call.
    KeyConflict(TaskId),
    /// The same call was made before and is under way.
    UnderWay(TaskId),
    /// The same call was made before and ended like this.
    Ended(TaskId, String),
}

impl SubmitReply {
    fn parse(reply: &[String]) -> Result<Self, Error> {
        let id = |text: &String| text.parse().map_err(|_| unexpected("a task id"));
        let time =
            |text: &String| text.parse().map(Duration::from_millis).map_err(|_| unexpected("milliseconds"));
        match reply {
            [word] if word == "accepted" => Ok(Self::Accepted),
            [word] if word == "full" => Ok(Self::QueueFull),
            [word, millis] if word == "share" => Ok(Self::ShareFull(time(millis)?)),
            [word, millis] if word == "guests" => Ok(Self::GuestsFull(time(millis)?)),
            [word, task] if word == "dropped" => Ok(Self::Dropped(id(task)?)),
            [word, task] if word == "conflict" => Ok(Self::KeyConflict(id(task)?)),
            [word, task] if word == "known" => Ok(Self::UnderWay(id(task)?)),
            [word, task, outcome] if word == "ended" => Ok(Self::Ended(id(task)?, outcome.clone())),
            _ => Err(unexpected("a reply to a submission")),
        }
    }
}

/// Sends submissions, and acknowledgements with them.
pub(super) struct Submitter {
    node: Arc<Node>,
    acknowledgements: Arc<Acknowledgements>,
}

impl Submitter {
    pub(super) fn new(node: Arc<Node>, acknowledgements: Arc<Acknowledgements>) -> Self {
        Self { node, acknowledgements }
    }

    /// Submits tasks to a shard. An empty batch only acknowledges outcomes.
    pub(super) async fn submit_batch(
        &self,
        shard: u16,
        batch: Vec<Submission>,
    ) -> Result<Vec<SubmitReply>, Error> {
        let acknowledged = self.acknowledgements.take(shard);
        let mut args = vec![
            Value::from(self.node.id.clone()),
            lua_count(self.node.config.queue_limit).into(),
            lua_count(self.node.config.circle_queue_limit).into(),
            lua_count(acknowledged.len()).into(),
        ];
        args.extend(acknowledged.iter().map(|id| Value::from(id.as_str())));
        let pools: BTreeSet<String> = batch.iter().map(|task| task.pool.clone()).collect();
        args.extend(batch.into_iter().flat_map(Submission::into_args));
        let submitted = self.node.run::<Vec<Vec<String>>>(&SUBMIT, shard, args);
        // The hints follow the script on the same connection, so no worker looks before the tasks are there. A hint
        // that is lost is replaced on the next reap pass.
        let hinted = join_all(pools.iter().map(|pool| self.node.hint(pool, shard)));
        let (replies, _) = tokio::join!(submitted, hinted);
        match replies {
            Ok(replies) => replies.iter().map(|reply| SubmitReply::parse(reply)).collect(),
            Err(error) => {
                self.acknowledgements.put_back(shard, acknowledged);
                Err(error)
            }
        }
    }
}

impl Waiters {
    /// Submits a task whose time has run since it arrived. A closed store still accepts it: the fast path may have
    /// refused a play that arrived in time.
    pub(crate) async fn submit(self: &Arc<Self>, task: Task, arrived: Instant) -> Result<Ticket, Error> {
        let submission = Submission::new(&task, arrived, &self.node)?;
        let shard = self.node.shard_of(&task.circle);
        let mut waiter = self.waiter(&task, task.id, arrived);
        // If this fails, Redis may have accepted the task all the same. The dropped waiter then cancels it, unless a
        // later call may ask for it.
        let reply = self.submissions.send(shard, submission).await?;
        let ticket = match reply {
            SubmitReply::Accepted => {
                self.confirm(task.id);
                return Ok(waiter.ticket());
            }
            SubmitReply::QueueFull => Err(Error::QueueFull),
            SubmitReply::ShareFull(time) => Err(Error::ShareFull(time)),
            SubmitReply::GuestsFull(time) => Err(Error::GuestsFull(time)),
            SubmitReply::KeyConflict(id) => Err(Error::KeyReused(id)),
            SubmitReply::Dropped(id) => Ok(Ticket::ready(id, Outcome::failed(Failure::Dropped))),
            SubmitReply::Ended(id, outcome) => serde_json::from_str(&outcome)
                .map(|outcome| Ticket::ready(id, outcome))
                .map_err(|_| unexpected("an outcome")),
            SubmitReply::UnderWay(id) => Ok(self.waiter(&task, id, arrived).joined_ticket(task, arrived)),
        };
        // Redis did not accept the task, so there is nothing to cancel.
        waiter.detach();
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_submit_are_parsed() {
        let id: TaskId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let parse = |words: &str| {
            let words: Vec<_> = words.split(' ').map(|word| word.replace("ID", &id.to_string())).collect();
            SubmitReply::parse(&words)
        };
        let second = Duration::from_secs(1);
        for (words, reply) in [
            ("accepted", SubmitReply::Accepted),
            ("full", SubmitReply::QueueFull),
            ("share 1000", SubmitReply::ShareFull(second)),
            ("guests 1000", SubmitReply::GuestsFull(second)),
            ("dropped ID", SubmitReply::Dropped(id)),
            ("conflict ID", SubmitReply::KeyConflict(id)),
            ("known ID", SubmitReply::UnderWay(id)),
            ("ended ID \"Lost\"", SubmitReply::Ended(id, "\"Lost\"".to_owned())),
        ] {
            assert_eq!(parse(words), Ok(reply), "{words}");
        }
        for words in ["", "accepted ID", "share", "share soon", "known it", "else ID"] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}

//! The connections to Redis, and nothing else that knows the client library's quirks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fred::{
    clients::{Client, SubscriberClient},
    interfaces::{
        ClientLike as _, EventInterface as _, KeysInterface as _, ListInterface as _, LuaInterface as _,
        PubsubInterface as _, SortedSetsInterface as _,
    },
    types::{
        Builder, Expiration, FromValue, Message, SetOptions, Value,
        config::{Config, ReconnectPolicy},
    },
};
use tokio::sync::broadcast;

use super::scripts::Script;
use crate::Error;

/// How long a command may take. Nothing that a shard does at once takes as long.
const COMMAND: Duration = Duration::from_secs(5);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// Commands that wait for a connection, or for their answer.
const BUFFER: usize = 100_000;
/// Messages that wait to be looked at; those beyond are found by the safety net.
const MESSAGES: usize = 65_536;

/// Connections of one process to one Redis, or a cluster of them.
pub struct Link {
    commands: Client,
    /// Waits in its commands, so nobody else uses it.
    waiting: Client,
    messages: SubscriberClient,
}

impl Link {
    /// Connects, or says why it cannot.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let config = Config { fail_fast: true, ..Config::from_url(url).map_err(unavailable)? };
        let mut builder = Builder::from_config(config);
        builder
            .with_performance_config(|performance| {
                performance.default_command_timeout = COMMAND;
                performance.broadcast_channel_capacity = MESSAGES;
            })
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT;
                connection.internal_command_timeout = COMMAND;
                connection.max_command_buffer_len = BUFFER;
                connection.max_command_attempts = 1;
                connection.unresponsive.max_timeout = Some(2 * COMMAND);
                connection.tcp.nodelay = Some(true);
            })
            .set_policy(ReconnectPolicy::new_exponential(0, 50, 2_000, 2));
        let commands = builder.build().map_err(unavailable)?;
        let waiting = builder.build().map_err(unavailable)?;
        let messages = builder.build_subscriber_client().map_err(unavailable)?;
        commands.init().await.map_err(unavailable)?;
        waiting.init().await.map_err(unavailable)?;
        messages.init().await.map_err(unavailable)?;
        drop(messages.manage_subscriptions());
        Ok(Self { commands, waiting, messages })
    }

    /// Runs a script on a shard. It may be sent twice.
    pub async fn run<R: FromValue>(
        &self,
        script: &Script,
        shard: &str,
        args: Vec<Value>,
    ) -> Result<R, Error> {
        let hash = script.hash();
        let answer = match self.commands.evalsha(hash, shard, args.clone()).await {
            // A Redis that was started afresh, or another node of a cluster, does not know it.
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                self.commands.eval(script.text, shard, args).await
            }
            other => other,
        };
        answer.map_err(|error| Error::Unavailable(format!("{}: {error}", script.name).into()))
    }

    /// Sets what is not set yet; returns what is there.
    pub async fn agree(&self, key: &str, value: &str) -> Result<String, Error> {
        let _: Option<String> =
            self.commands.set(key, value, None, Some(SetOptions::NX), false).await.map_err(unavailable)?;
        self.commands.get(key).await.map_err(unavailable)
    }

    /// Takes a turn that others leave for so long; whether it could be had.
    pub async fn reserve(&self, key: &str, who: &str, time: Duration) -> Result<bool, Error> {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let taken: Option<String> = self
            .commands
            .set(key, who, Some(Expiration::PX(millis)), Some(SetOptions::NX), false)
            .await
            .map_err(unavailable)?;
        Ok(taken.is_some())
    }

    /// Leaves a hint for somebody who waits for one, or will; one that is there already stays.
    pub async fn hint(&self, key: &str, hint: &str) -> Result<(), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The oldest first; where clocks differ a little, a little later.
        let hint = (now.as_secs_f64(), hint);
        self.commands.zadd(key, Some(SetOptions::NX), None, false, false, hint).await.map_err(unavailable)
    }

    /// Waits for a hint and takes it.
    pub async fn await_hint(&self, key: &str, patience: Duration) -> Result<Option<String>, Error> {
        let popped: Option<(String, String, f64)> =
            self.waiting.bzpopmin(key, patience.as_secs_f64()).await.map_err(unavailable)?;
        Ok(popped.map(|(_, hint, _)| hint))
    }

    /// Takes hints that are there.
    pub async fn take_hints(&self, key: &str) -> Result<Vec<String>, Error> {
        let popped: Vec<(String, f64)> = self.commands.zpopmin(key, Some(16)).await.map_err(unavailable)?;
        Ok(popped.into_iter().map(|(hint, _)| hint).collect())
    }

    /// What a Redis says of itself; of a cluster, one of its nodes.
    pub async fn info(&self) -> Result<String, Error> {
        self.commands.info(None).await.map_err(unavailable)
    }

    /// Part of a list.
    pub async fn range(&self, key: &str, from: i64, to: i64) -> Result<Vec<String>, Error> {
        self.commands.lrange(key, from, to).await.map_err(unavailable)
    }

    /// What is published in a channel from now on.
    pub async fn subscribe(&self, channels: Vec<String>) -> Result<broadcast::Receiver<Message>, Error> {
        let messages = self.messages.message_rx();
        self.messages.subscribe(channels).await.map_err(unavailable)?;
        Ok(messages)
    }

    /// Ends the connections.
    pub async fn close(&self) {
        // They end with the process anyway.
        let _ = tokio::join!(self.commands.quit(), self.waiting.quit(), self.messages.quit());
    }
}

fn unavailable(error: fred::error::Error) -> Error {
    Error::Unavailable(error.to_string().into())
}

/// What is dangerous in what a Redis says of itself (`INFO`), a sentence each.
pub fn warnings(info: &str) -> Vec<String> {
    let said =
        |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    let mut warnings = Vec::new();
    let is_bounded = said("maxmemory").is_some_and(|most| most != "0");
    if let Some(policy) = said("maxmemory_policy")
        && policy != "noeviction"
    {
        let when = if is_bounded { "when it is full" } else { "once it has a maxmemory" };
        warnings
            .push(format!("Redis throws data away {when}: set maxmemory-policy to noeviction, not {policy}"));
    }
    if said("aof_enabled") == Some("0") {
        warnings.push(
            "Redis keeps no append-only file: what it accepted is lost when it ends. Set appendonly to yes"
                .to_owned(),
        );
    }
    if said("role") == Some("slave") {
        warnings.push("Redis is a replica, which takes no writes: name its primary".to_owned());
    }
    warnings
}

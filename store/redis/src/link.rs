//! The connections to Redis, and nothing else that knows the client library's quirks.

pub mod address;
mod causes;
mod line;
mod messages;
mod settings;

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fred::{
    clients::Client,
    error::{Error as RedisError, ErrorKind},
    interfaces::{
        ClientLike as _, KeysInterface as _, ListInterface as _, LuaInterface as _, PubsubInterface as _,
        SortedSetsInterface as _,
    },
    types::{Builder, Expiration, FromValue, SetOptions, Value},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::sleep;

use self::{
    address::Address,
    line::{Failed, GRACE, Line, Use},
    messages::Listening,
};
pub use self::{line::COMMAND, messages::Messages, settings::warnings};
use super::scripts::Script;
use circles_store::Error;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// Commands that wait for a connection, or for their answer.
const BUFFER: usize = 100_000;
/// Messages that wait to be looked at; those beyond are found by the safety net.
const MESSAGES: usize = 4_096;
/// Between attempts at what a Redis refuses for a moment.
const AGAIN: Duration = Duration::from_millis(20);

/// Connections of one process to one Redis, or a cluster of them.
///
/// Every command is sent once, and has its result within [`COMMAND`], or at once while there is no connection.
pub struct Link {
    address: Address,
    commands: Line,
    /// Waits in its commands, so nobody else uses it.
    waiting: Line,
    messages: OnceLock<Line>,
}

impl Link {
    /// Connects, or says why it cannot.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let address = Address::parse(url).map_err(|sentence| Error::Unavailable(sentence.into()))?;
        let commands = Line::open(address.name.clone(), builder(&address, None), Arc::new(Plain)).await?;
        let waiting = Line::open(address.name.clone(), builder(&address, None), Arc::new(Plain)).await?;
        Ok(Self { address, commands, waiting, messages: OnceLock::new() })
    }

    /// Runs a script on a shard. It is sent again only if it certainly did nothing.
    pub async fn run<R: FromValue>(
        &self,
        script: &Script,
        shard: &str,
        args: Vec<Value>,
    ) -> Result<R, Error> {
        let until = Instant::now() + GRACE;
        loop {
            match self.run_once(script, shard, args.clone()).await {
                Err(failed) if failed.is_passing() && Instant::now() < until => sleep(AGAIN).await,
                Err(failed) => {
                    let error = Error::from(failed);
                    tracing::debug!(script = script.name, %error, "not done");
                    return Err(error);
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }

    async fn run_once<R: FromValue>(
        &self,
        script: &Script,
        shard: &str,
        args: Vec<Value>,
    ) -> Result<R, Failed> {
        let again = args.clone();
        let answer = self
            .commands
            .send(|client| async move { client.evalsha(script.hash(), shard, args).await })
            .await;
        match answer {
            // A Redis that was started afresh, or another node of a cluster, does not know it.
            Err(failed) if failed.is_unknown_script() => {
                self.commands.send(|client| async move { client.eval(script.text, shard, again).await }).await
            }
            other => other,
        }
    }

    /// Sets what is not set yet; returns what is there.
    pub async fn agree(&self, key: &str, value: &str) -> Result<String, Error> {
        let unset = Some(SetOptions::NX);
        let _: Option<String> =
            self.send(|client| async move { client.set(key, value, None, unset, false).await }).await?;
        self.send(|client| async move { client.get(key).await }).await
    }

    /// The text of a key, if it is there.
    pub async fn value(&self, key: &str) -> Result<Option<String>, Error> {
        self.send(|client| async move { client.get(key).await }).await
    }

    /// Whether there is anything under a key.
    pub async fn is_there(&self, key: &str) -> Result<bool, Error> {
        self.send(|client| async move { client.exists(key).await }).await
    }

    /// Takes a turn that others leave for so long; whether it could be had.
    pub async fn reserve(&self, key: &str, who: &str, time: Duration) -> Result<bool, Error> {
        let time = Some(Expiration::PX(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
        let unset = Some(SetOptions::NX);
        let taken: Option<String> =
            self.send(|client| async move { client.set(key, who, time, unset, false).await }).await?;
        Ok(taken.is_some())
    }

    /// Leaves a hint for somebody who waits for one, or will; one that is there already stays.
    pub async fn hint(&self, key: &str, hint: &str) -> Result<(), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The oldest first; where clocks differ a little, a little later.
        let hint = (now.as_secs_f64(), hint);
        let unset = Some(SetOptions::NX);
        self.send(|client| async move { client.zadd(key, unset, None, false, false, hint).await }).await
    }

    /// Waits for a hint and takes it. Less patience than a command may take is in order.
    pub async fn await_hint(&self, key: &str, patience: Duration) -> Result<Option<String>, Error> {
        let began = Instant::now();
        let patience = patience.as_secs_f64();
        let popped: Option<(String, String, f64)> = self
            .waiting
            .send(|client| async move {
                match client.bzpopmin(key, patience).await {
                    // The library's word for an answer that there was none, not for an answer that did not come.
                    Err(error) if *error.kind() == ErrorKind::Timeout && began.elapsed() < COMMAND => {
                        Ok(None)
                    }
                    other => other,
                }
            })
            .await?;
        Ok(popped.map(|(_, hint, _)| hint))
    }

    /// Takes hints that are there.
    pub async fn take_hints(&self, key: &str) -> Result<Vec<String>, Error> {
        let popped: Vec<(String, f64)> =
            self.send(|client| async move { client.zpopmin(key, Some(16)).await }).await?;
        Ok(popped.into_iter().map(|(hint, _)| hint).collect())
    }

    /// What a Redis says of itself; of a cluster, each of its primaries.
    pub async fn info(&self) -> Result<Vec<String>, Error> {
        self.send(|client| async move {
            if !client.is_clustered() {
                return Ok(vec![client.info(None).await?]);
            }
            let mut infos = Vec::new();
            for node in client.active_connections() {
                infos.push(client.with_cluster_node(node).info(None).await?);
            }
            Ok(infos)
        })
        .await
    }

    /// Tells all who listen in a channel.
    pub async fn publish(&self, channel: &str, message: Vec<u8>) -> Result<(), Error> {
        let message = Value::Bytes(message.into());
        self.send(|client| async move { client.publish(channel, message).await }).await
    }

    /// Part of a list.
    pub async fn range(&self, key: &str, from: i64, to: i64) -> Result<Vec<String>, Error> {
        self.send(|client| async move { client.lrange(key, from, to).await }).await
    }

    /// What is published in some channels from now on. To be called once.
    pub async fn subscribe(&self, channels: Vec<String>) -> Result<Messages, Error> {
        let builder = builder(&self.address, Some(MESSAGES));
        let listening = Arc::new(Listening::to(channels, self.commands.clone()));
        let line = Line::open(self.address.name.clone(), builder, listening).await?;
        let messages = Messages::of(&line);
        drop(self.messages.set(line));
        Ok(messages)
    }

    /// Ends the connections, whatever is under way.
    pub fn close(&self) {
        for line in [Some(&self.commands), Some(&self.waiting), self.messages.get()].into_iter().flatten() {
            line.close();
        }
    }

    async fn send<R, F>(&self, command: impl FnOnce(Client) -> F) -> Result<R, Error>
    where
        F: Future<Output = Result<R, RedisError>>,
    {
        Ok(self.commands.send(command).await?)
    }
}

/// For commands, or to listen with room for so many messages.
fn builder(address: &Address, messages: Option<usize>) -> Builder {
    let mut builder = Builder::from_config(address.config.clone());
    builder
        .with_performance_config(|performance| {
            performance.default_command_timeout = COMMAND;
            if let Some(messages) = messages {
                performance.broadcast_channel_capacity = messages;
            }
        })
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT;
            connection.internal_command_timeout = COMMAND;
            connection.max_command_buffer_len = BUFFER;
            // Nothing is sent again behind our back, least of all to where a slot is on its way to.
            connection.max_command_attempts = 1;
            connection.max_redirections = 0;
            connection.tcp.nodelay = Some(true);
        });
    builder
}

/// A connection that is asked.
struct Plain;

impl Use for Plain {
    fn begin<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<(), RedisError>> {
        async { Ok(()) }.boxed()
    }

    fn beat<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>> {
        async {
            if !client.is_clustered() {
                return client.ping(None).await;
            }
            for node in client.active_connections() {
                client.with_cluster_node(node).ping::<()>(None).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

//! The commands that the store sends to Redis. The quirks of the client library stay in this module.

pub(crate) mod address;
mod causes;
mod connection;
mod subscriber;
mod warnings;

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use circles_store::Error;
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
    connection::{CommandError, Connection, HealthCheck, RECONNECT_GRACE},
    subscriber::Subscriber,
};
pub(crate) use self::{connection::COMMAND_TIMEOUT, subscriber::Messages, warnings::warnings};
use crate::scripts::Script;

/// How long one TCP or TLS connection may take to be made.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(3);
/// The most commands that wait for a connection or for their answer.
const COMMAND_BUFFER: usize = 100_000;
/// The most messages that wait to be routed. `Waiters::catch_up` finds the outcomes of those beyond.
const MESSAGE_BUFFER: usize = 4_096;
/// Time between attempts at what Redis refuses for a moment.
const TRANSIENT_RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// The most hints that are taken at a time.
const HINTS: usize = 16;

/// The connections of this process to one Redis, or to a cluster.
///
/// Every command is sent once. Its result comes within [`COMMAND_TIMEOUT`], and at once while there is no connection.
pub(crate) struct RedisClient {
    address: Address,
    commands: Connection,
    /// Used by blocking commands only, which would hold up all others.
    blocking: Connection,
    messages: OnceLock<Connection>,
}

impl RedisClient {
    /// Connects for the first time.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let address = Address::parse(url).map_err(|fault| Error::Unavailable(fault.into()))?;
        let open = || Connection::open(address.name.clone(), builder(&address, None), Arc::new(Ping));
        let (commands, blocking) = (open().await?, open().await?);
        Ok(Self { address, commands, blocking, messages: OnceLock::new() })
    }

    /// Runs a script on the shard with this key. A script is sent again only if it certainly had no effect.
    pub(crate) async fn run<R: FromValue>(
        &self,
        script: &Script,
        shard: &str,
        args: Vec<Value>,
    ) -> Result<R, Error> {
        let until = Instant::now() + RECONNECT_GRACE;
        loop {
            match self.run_once(script, shard, args.clone()).await {
                Err(failure) if failure.is_transient() && Instant::now() < until => {
                    sleep(TRANSIENT_RETRY_INTERVAL).await;
                }
                Err(failure) => {
                    let error = Error::from(failure);
                    tracing::debug!(script = script.name, %error, "script failed");
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
    ) -> Result<R, CommandError> {
        let same_args = args.clone();
        let answer = self
            .commands
            .send(|client| async move { client.evalsha(script.hash(), shard, args).await })
            .await;
        match answer {
            // A restarted Redis, or another node of a cluster, does not have the script yet.
            Err(failure) if failure.is_unknown_script() => {
                self.commands
                    .send(|client| async move { client.eval(script.text, shard, same_args).await })
                    .await
            }
            other => other,
        }
    }

    /// Sets a key unless it is set, and returns its value.
    pub(crate) async fn agree(&self, key: &str, value: &str) -> Result<String, Error> {
        let unset = Some(SetOptions::NX);
        let _: Option<String> =
            self.send(|client| async move { client.set(key, value, None, unset, false).await }).await?;
        self.send(|client| async move { client.get(key).await }).await
    }

    /// Returns the value of a key, if it is set.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<String>, Error> {
        self.send(|client| async move { client.get(key).await }).await
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, Error> {
        self.send(|client| async move { client.exists(key).await }).await
    }

    /// Takes a turn that other processes leave alone for this long. Returns whether it was free.
    pub(crate) async fn reserve(&self, key: &str, holder: &str, time: Duration) -> Result<bool, Error> {
        let time = Some(Expiration::PX(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
        let unset = Some(SetOptions::NX);
        let reserved: Option<String> =
            self.send(|client| async move { client.set(key, holder, time, unset, false).await }).await?;
        Ok(reserved.is_some())
    }

    /// Adds a hint to a sorted set, unless it is there already.
    pub(crate) async fn hint(&self, key: &str, hint: &str) -> Result<(), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The oldest hint is taken first. Clocks that differ a little change the order a little, which is harmless.
        let hint = (now.as_secs_f64(), hint);
        let unset = Some(SetOptions::NX);
        self.send(|client| async move { client.zadd(key, unset, None, false, false, hint).await }).await
    }

    /// Waits for a hint and takes it. `time` must be shorter than [`COMMAND_TIMEOUT`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: Redis may still hand out a hint after this is dropped.
    pub(crate) async fn await_hint(&self, key: &str, time: Duration) -> Result<Option<String>, Error> {
        let sent = Instant::now();
        let time = time.as_secs_f64();
        let popped: Option<(String, String, f64)> = self
            .blocking
            .send(|client| async move {
                match client.bzpopmin(key, time).await {
                    // The library reports an empty answer with the same error kind as a missing answer.
                    Err(error) if *error.kind() == ErrorKind::Timeout && sent.elapsed() < COMMAND_TIMEOUT => {
                        Ok(None)
                    }
                    other => other,
                }
            })
            .await?;
        Ok(popped.map(|(_, hint, _)| hint))
    }

    /// Takes the hints that are there.
    pub(crate) async fn take_hints(&self, key: &str) -> Result<Vec<String>, Error> {
        let popped: Vec<(String, f64)> =
            self.send(|client| async move { client.zpopmin(key, Some(HINTS)).await }).await?;
        Ok(popped.into_iter().map(|(hint, _)| hint).collect())
    }

    /// Returns the answer to `INFO` of each primary.
    pub(crate) async fn info(&self) -> Result<Vec<String>, Error> {
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

    pub(crate) async fn publish(&self, channel: &str, message: Vec<u8>) -> Result<(), Error> {
        let message = Value::Bytes(message.into());
        self.send(|client| async move { client.publish(channel, message).await }).await
    }

    /// Returns part of a list.
    pub(crate) async fn range(&self, key: &str, from: i64, to: i64) -> Result<Vec<String>, Error> {
        self.send(|client| async move { client.lrange(key, from, to).await }).await
    }

    /// Subscribes to channels. To be called once.
    pub(crate) async fn subscribe(&self, channels: Vec<String>) -> Result<Messages, Error> {
        let builder = builder(&self.address, Some(MESSAGE_BUFFER));
        let subscriber = Arc::new(Subscriber::new(channels, self.commands.clone()));
        let connection = Connection::open(self.address.name.clone(), builder, subscriber).await?;
        let messages = Messages::of(&connection);
        drop(self.messages.set(connection));
        Ok(messages)
    }

    /// Ends the connections, whatever is under way.
    pub(crate) fn close(&self) {
        let connections = [Some(&self.commands), Some(&self.blocking), self.messages.get()];
        for connection in connections.into_iter().flatten() {
            connection.close();
        }
    }

    async fn send<R, F>(&self, command: impl FnOnce(Client) -> F) -> Result<R, Error>
    where
        F: Future<Output = Result<R, RedisError>>,
    {
        Ok(self.commands.send(command).await?)
    }
}

/// Builds a library client, with a buffer for messages if it is to subscribe.
fn builder(address: &Address, message_buffer: Option<usize>) -> Builder {
    let mut builder = Builder::from_config(address.config.clone());
    builder
        .with_performance_config(|performance| {
            performance.default_command_timeout = COMMAND_TIMEOUT;
            if let Some(messages) = message_buffer {
                performance.broadcast_channel_capacity = messages;
            }
        })
        .with_connection_config(|connection| {
            connection.connection_timeout = SOCKET_TIMEOUT;
            connection.internal_command_timeout = COMMAND_TIMEOUT;
            connection.max_command_buffer_len = COMMAND_BUFFER;
            // The library must not resend a command, least of all to the node that a slot is moving to.
            connection.max_command_attempts = 1;
            connection.max_redirections = 0;
            connection.tcp.nodelay = Some(true);
        });
    builder
}

/// The health check of connections that carry commands.
struct Ping;

impl HealthCheck for Ping {
    fn prepare<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<(), RedisError>> {
        async { Ok(()) }.boxed()
    }

    fn check<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>> {
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

//! A connection that subscribes to channels, and the messages that arrive on it.

use std::time::{Duration, Instant};

use fred::{
    clients::Client,
    error::{Error as RedisError, ErrorKind},
    interfaces::{EventInterface as _, PubsubInterface as _},
    types::Message,
};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::timeout,
};
use uuid::Uuid;

use super::connection::{COMMAND_TIMEOUT, CommandError, Connection, ConnectionState, HealthCheck};

/// How long one published echo may take before the next one is published.
const ECHO_INTERVAL: Duration = Duration::from_millis(100);

/// Subscribes to channels. The client library does not show whether Redis acknowledged a subscription, and a
/// connection that only listens has no command that could fail. So the health check publishes a message to a private
/// channel and waits for its echo.
pub(crate) struct Subscriber {
    channels: Vec<String>,
    echo_channel: String,
    commands: Connection,
}

impl Subscriber {
    pub(super) fn new(mut channels: Vec<String>, commands: Connection) -> Self {
        let echo_channel = format!("circles:beat:{}", Uuid::now_v7());
        channels.push(echo_channel.clone());
        Self { channels, echo_channel, commands }
    }

    /// Returns once an echo arrived.
    async fn check_echo(&self, client: &Client) -> Result<(), RedisError> {
        let until = Instant::now() + COMMAND_TIMEOUT;
        let mut messages = client.message_rx();
        loop {
            let echo = self
                .commands
                .send(|client| async move { client.publish::<(), _, _>(&*self.echo_channel, "").await });
            match echo.await {
                Ok(()) => {}
                Err(CommandError::Failed { error, .. }) if error.details().starts_with("NOPERM") => {
                    return Err(error);
                }
                // Nothing can be published while the command connection is down, so nothing is known of this one.
                Err(_) => return Ok(()),
            }
            if timeout(ECHO_INTERVAL, self.receive_echo(&mut messages)).await.is_ok() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(RedisError::new(ErrorKind::Timeout, "published messages do not arrive"));
            }
        }
    }

    async fn receive_echo(&self, messages: &mut broadcast::Receiver<Message>) {
        loop {
            match messages.recv().await {
                Ok(message) if *message.channel == *self.echo_channel => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                // The connection has ended, and its supervisor notices.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl HealthCheck for Subscriber {
    fn prepare<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>> {
        async {
            client.subscribe(self.channels.clone()).await?;
            self.check_echo(client).await
        }
        .boxed()
    }

    fn check<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>> {
        self.check_echo(client).boxed()
    }
}

/// The messages of a [`Subscriber`]'s channels.
pub(crate) struct Messages {
    state: watch::Receiver<ConnectionState>,
    /// None while there is no connection.
    current: Option<broadcast::Receiver<Message>>,
}

impl Messages {
    pub(super) fn of(connection: &Connection) -> Self {
        let mut messages = Self { state: connection.state.clone(), current: None };
        messages.follow();
        messages
    }

    /// Returns the next message, or `Lagged` if some may have been missed.
    pub(crate) async fn recv(&mut self) -> Result<Message, RecvError> {
        loop {
            let next = async {
                match &mut self.current {
                    Some(current) => current.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                next = next => match next {
                    // Its connection has ended; the supervisor makes another.
                    Err(RecvError::Closed) => self.current = None,
                    other => return other,
                },
                changed = self.state.changed() => {
                    changed.map_err(|_| RecvError::Closed)?;
                    if self.follow() {
                        return Err(RecvError::Lagged(0));
                    }
                }
            }
        }
    }

    /// Listens on the present connection. Returns whether there is one.
    fn follow(&mut self) -> bool {
        let ConnectionState::Up(active) = &*self.state.borrow_and_update() else { return false };
        self.current = Some(active.client.message_rx());
        true
    }
}

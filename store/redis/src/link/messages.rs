//! What is published to this process.

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

use super::line::{COMMAND, Failed, Line, State, Use};

/// Between attempts to hear oneself.
const AGAIN: Duration = Duration::from_millis(100);

/// A connection that listens. Redis acknowledges no subscription in a way that the client library shows, and one
/// that only listens never fails to answer: so it is tried whether what is published is heard.
pub struct Listening {
    channels: Vec<String>,
    /// Nobody else's.
    beat: String,
    commands: Line,
}

impl Listening {
    pub fn to(mut channels: Vec<String>, commands: Line) -> Self {
        let beat = format!("circles:beat:{}", Uuid::now_v7());
        channels.push(beat.clone());
        Self { channels, beat, commands }
    }

    /// Returns once a word of ours came back.
    async fn hear_self(&self, client: &Client) -> Result<(), RedisError> {
        let until = Instant::now() + COMMAND;
        let mut messages = client.message_rx();
        loop {
            let word =
                self.commands.send(|client| async move { client.publish::<(), _, _>(&*self.beat, "").await });
            match word.await {
                Ok(()) => {}
                Err(Failed::Answered { error, .. }) if error.details().starts_with("NOPERM") => {
                    return Err(error);
                }
                // Without the other connection nobody can tell.
                Err(_) => return Ok(()),
            }
            if timeout(AGAIN, self.heard(&mut messages)).await.is_ok() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(RedisError::new(ErrorKind::Timeout, "what is published is not heard"));
            }
        }
    }

    async fn heard(&self, messages: &mut broadcast::Receiver<Message>) {
        loop {
            match messages.recv().await {
                Ok(message) if *message.channel == *self.beat => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                // The connection has ended, and whoever drives it says so.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl Use for Listening {
    fn begin<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>> {
        async {
            client.subscribe(self.channels.clone()).await?;
            self.hear_self(client).await
        }
        .boxed()
    }

    fn beat<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), RedisError>> {
        self.hear_self(client).boxed()
    }
}

/// What is published in some channels.
pub struct Messages {
    state: watch::Receiver<State>,
    /// None while there is no connection.
    current: Option<broadcast::Receiver<Message>>,
}

impl Messages {
    pub fn of(line: &Line) -> Self {
        let mut messages = Self { state: line.state.clone(), current: None };
        messages.look();
        messages
    }

    /// The next message. `Lagged` tells that some may have been missed.
    pub async fn recv(&mut self) -> Result<Message, RecvError> {
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
                    // Its connection has ended; another is being made.
                    Err(RecvError::Closed) => self.current = None,
                    other => return other,
                },
                changed = self.state.changed() => {
                    changed.map_err(|_| RecvError::Closed)?;
                    if self.look() {
                        return Err(RecvError::Lagged(0));
                    }
                }
            }
        }
    }

    /// Whether there is another connection.
    fn look(&mut self) -> bool {
        let State::Up(live) = &*self.state.borrow_and_update() else { return false };
        self.current = Some(live.client.message_rx());
        true
    }
}

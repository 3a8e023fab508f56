//! One WebSocket, from its upgrade to its close.
//!
//! jsonrpsee's registry, traits and answers are used here, but not its socket loop: that one leaves requests with
//! negative, fractional or huge ids unanswered, accepts any number of calls at once, spawns a task for each message,
//! and writes each answer separately. This loop runs a connection's calls on the connection's own task. They begin
//! in the order of their arrival, so a call sent right after `authenticate` finds the session open. Calls that do
//! not end at once run concurrently. All answers that are ready go out in one write. When the client disconnects,
//! its calls are dropped, which cancels its plays.

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, close_code};
use circles_api::Error;
use futures_util::{
    SinkExt as _, StreamExt as _,
    future::{BoxFuture, OptionFuture},
    poll,
    stream::{FuturesUnordered, SelectAll},
};
use serde_json::value::RawValue;
use tokio::{
    task::yield_now,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    connections::ConnectionSlot,
    limits::Limits,
    message::error_text,
    respond::{Answer, BatchYields, memory_bytes, respond, too_many_calls},
    rpc::{Feed, Handler, SubscriptionChange},
};

/// Notifications that go out in one write before the next call is read.
const NOTIFICATIONS_PER_WRITE: usize = 64;
/// Pings without any message from the client after which the connection is closed.
const MAX_MISSED_PINGS: u32 = 3;
/// Bytes of written answers after which the connection waits for the client to read them.
const FLUSH_BYTES: usize = 64 << 10;
/// How long an evicted connection may take to send its close frame.
const EVICTED_CLOSE_TIMEOUT: Duration = Duration::from_millis(100);
/// Messages after which the connection yields to others. A flush of [`FLUSH_BYTES`] counts as many.
const MESSAGES_PER_TURN: usize = 32;

/// Serves a connection until the client disconnects or violates the protocol, until the connection is evicted, or
/// until `shutdown` is cancelled and no call is left.
pub(crate) async fn serve(
    socket: WebSocket,
    handler: Handler,
    slot: Arc<ConnectionSlot>,
    shutdown: CancellationToken,
) {
    let (calls, feeds) = (FuturesUnordered::new(), SelectAll::new());
    let connection = Connection {
        socket,
        handler,
        slot,
        calls,
        feeds,
        logged_in: false,
        needs_flush: false,
        unsent: 0,
        work: 0,
    };
    connection.run(shutdown).await;
}

struct Connection {
    socket: WebSocket,
    handler: Handler,
    slot: Arc<ConnectionSlot>,
    /// Calls that did not end at once.
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Its subscriptions.
    feeds: SelectAll<Feed>,
    logged_in: bool,
    /// The socket holds answers that it has not sent yet.
    needs_flush: bool,
    /// Bytes of these answers.
    unsent: usize,
    /// Messages since it last yielded to other connections.
    work: usize,
}

/// Why a connection ends: the code and reason of the close frame, if one can still be sent.
type End = Option<(u16, &'static str)>;

impl Connection {
    async fn run(mut self, shutdown: CancellationToken) {
        let end = self.exchange(shutdown).await;
        if let Some((code, reason)) = end {
            let frame = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
            let is_evicted = self.slot.evicted().is_cancelled();
            let limit = if is_evicted { EVICTED_CLOSE_TIMEOUT } else { self.write_timeout() };
            // The connection ends also if the client does not read the close frame.
            let _ = timeout(limit, self.socket.send(frame)).await;
        }
    }

    async fn exchange(&mut self, shutdown: CancellationToken) -> End {
        let mut shutdown = pin!(shutdown.cancelled_owned());
        let evicted = self.slot.evicted().clone();
        let mut evicted = pin!(evicted.cancelled());
        let limits = *self.handler.limits();
        let login_timeout = self.handler.requires_login().then(|| sleep(limits.login_timeout));
        let mut login_timeout = pin!(OptionFuture::from(login_timeout));
        let mut draining = false;
        let mut missed_pings = 0;
        let mut ping = interval(limits.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            if draining && self.calls.is_empty() && self.feeds.is_empty() {
                return Some((close_code::AWAY, "the server shuts down"));
            }
            if self.work >= MESSAGES_PER_TURN {
                self.work = 0;
                yield_now().await;
            }
            self.slot.set_busy(!self.calls.is_empty() || !self.feeds.is_empty());
            let step = tokio::select! {
                biased;
                // Finished calls come first, then new messages, and one write for all only when there are none of
                // these. Notifications come last, some at a time, so that a client can end a flood of them.
                Some(answer) = self.calls.next() => self.answer(answer).await,
                () = &mut evicted => Err(Some((close_code::AGAIN, "too many connections, or too slow a reader"))),
                frame = self.socket.next() => {
                    missed_pings = 0;
                    self.work += 1;
                    match frame {
                        Some(Ok(frame)) => self.receive(frame).await,
                        Some(Err(error)) => Err(self.unreadable(error).await),
                        None => Err(None),
                    }
                }
                () = std::future::ready(()), if self.needs_flush => self.flush().await,
                () = &mut shutdown, if !draining => {
                    draining = true;
                    Ok(())
                }
                Some(()) = &mut login_timeout, if !self.logged_in => {
                    Err(Some((close_code::POLICY, "no login in time")))
                }
                _ = ping.tick() => {
                    missed_pings += 1;
                    if missed_pings > MAX_MISSED_PINGS {
                        Err(None)
                    } else {
                        self.send(Frame::Ping(Default::default())).await
                    }
                }
                notification = self.feeds.next(), if !self.feeds.is_empty() => match notification {
                    Some(notification) => self.notify(notification).await,
                    // The last feed has ended, so a draining connection may end.
                    None => Ok(()),
                },
            };
            if let Err(end) = step {
                return end;
            }
            if !self.logged_in && self.handler.session().has_logged_in() {
                self.logged_in = true;
                self.slot.set_logged_in();
            }
            if self.handler.session().is_locked_out() {
                return Some((close_code::POLICY, "too many failed logins"));
            }
        }
    }

    async fn receive(&mut self, frame: Frame) -> Result<(), End> {
        let text = match frame {
            Frame::Text(text) => text,
            Frame::Binary(bytes) => match Utf8Bytes::try_from(bytes) {
                Ok(text) => text,
                Err(_) => return self.answer(error_text(Error::Parse).into()).await,
            },
            Frame::Ping(_) | Frame::Pong(_) => return Ok(()),
            Frame::Close(_) => {
                // The library has queued the answer to a close frame; the flush sends it.
                self.flush().await?;
                return Err(None);
            }
        };
        self.slot.record_message();
        if let Some(limit) = self.handler.exceeded_by_message(text.len()) {
            let message = format!("a message before the login has at most {limit} bytes");
            return self.answer(error_text(Error::invalid_request(message)).into()).await;
        }
        let Limits { in_flight, batch, .. } = *self.handler.limits();
        if self.calls.len() >= in_flight {
            return self.answer(too_many_calls(&text, batch).into()).await;
        }
        let Some(memory) = self.slot.reserve_memory(memory_bytes(&text)) else {
            return self.answer(too_many_calls(&text, batch).into()).await;
        };
        let yields = BatchYields::default();
        let call = respond(self.handler.clone(), text, yields.clone());
        let mut call: Pin<Box<_>> = Box::pin(async move {
            let _until_answered = memory;
            call.await
        });
        let answer = loop {
            match poll!(&mut call) {
                Poll::Ready(answer) => break answer,
                // Calls of a batch that end at once run before those of the next message.
                Poll::Pending if yields.take() => yield_now().await,
                Poll::Pending => {
                    self.calls.push(call);
                    return Ok(());
                }
            }
        };
        self.answer(answer).await
    }

    async fn answer(&mut self, answer: Answer) -> Result<(), End> {
        let mut started = Vec::new();
        for change in answer.changes {
            match change {
                SubscriptionChange::Started(feed) => started.extend(Arc::into_inner(feed)),
                SubscriptionChange::Ended(id) => {
                    self.feeds.iter_mut().filter(|feed| feed.id() == id).for_each(Feed::end);
                }
            }
        }
        if let Some(text) = answer.text {
            self.send_text(text).await?;
        }
        // The client gets the id of a subscription before the first notification with that id.
        self.feeds.extend(started);
        Ok(())
    }

    /// Writes a notification and the following ones that are ready.
    async fn notify(&mut self, first: Box<RawValue>) -> Result<(), End> {
        self.write(first).await?;
        for _ in 1..NOTIFICATIONS_PER_WRITE {
            let Poll::Ready(Some(next)) = poll!(self.feeds.next()) else { break };
            self.write(next).await?;
        }
        Ok(())
    }

    async fn write(&mut self, notification: Box<RawValue>) -> Result<(), End> {
        let text: Box<str> = notification.into();
        self.send_text(text.into_string()).await
    }

    /// Writes a text, and waits for the client to read once enough bytes are unsent.
    async fn send_text(&mut self, text: String) -> Result<(), End> {
        let bytes = text.len();
        self.slot.add_unsent(bytes);
        self.unsent += bytes;
        self.send(Frame::Text(text.into())).await?;
        if self.unsent >= FLUSH_BYTES {
            self.work = MESSAGES_PER_TURN;
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes a frame into the socket's buffer; waits only while the client leaves too much unread.
    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        self.needs_flush = true;
        write_in_time(self.write_timeout(), self.slot.evicted(), self.socket.feed(frame)).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.needs_flush = false;
        write_in_time(self.write_timeout(), self.slot.evicted(), self.socket.flush()).await?;
        if self.unsent > 0 {
            self.unsent = 0;
            self.slot.clear_unsent();
        }
        Ok(())
    }

    const fn write_timeout(&self) -> Duration {
        self.handler.limits().write_timeout
    }

    /// Answers a message that could not be read, if its size is the reason, and returns why the connection ends.
    async fn unreadable(&mut self, error: axum::Error) -> End {
        tracing::debug!(%error, "a message could not be read");
        let message = format!("a message has at most {} bytes", self.handler.limits().message_bytes);
        if !matches!(cause_of(&error), Some(tungstenite::Error::Capacity(_))) {
            return Some(match cause_of(&error) {
                Some(tungstenite::Error::Utf8(_)) => (close_code::INVALID, "not UTF-8"),
                _ => (close_code::PROTOCOL, "not a WebSocket message"),
            });
        }
        let answer = error_text(Error::invalid_request(message));
        match self.answer(answer.into()).await {
            Ok(()) => Some((close_code::SIZE, "message too long")),
            Err(end) => end,
        }
    }
}

/// Returns the library's error behind one of axum, which does not expose its type.
fn cause_of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a tungstenite::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

async fn write_in_time(
    limit: Duration,
    evicted: &CancellationToken,
    write: impl Future<Output = Result<(), axum::Error>>,
) -> Result<(), End> {
    match evicted.run_until_cancelled(timeout(limit, write)).await {
        Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(_))) => Err(None),
        Some(Err(_)) => {
            tracing::debug!("closing a connection whose client left its answers unread");
            Err(None)
        }
        // A client that does not read gets no close frame either.
        None => Err(None),
    }
}

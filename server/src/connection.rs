//! One WebSocket, from its upgrade to its close.
//!
//! jsonrpsee's registry, traits, layers and answers serve here; its socket loop does not, because it leaves
//! requests with odd ids unanswered, takes any number of calls at once, spawns a task for each message, and
//! writes each answer to the socket by itself. This loop runs a connection's calls on the connection's own
//! task: they begin in the order in which they came, so a call sent right behind `authenticate` finds the
//! session open; those that do not end at once go on side by side; all answers that are ready go out in one
//! write; and when the client goes away every call of its is dropped, which cancels its plays.

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
use circles_api::{Error, Fault};
use futures_util::{
    SinkExt as _, StreamExt as _,
    future::BoxFuture,
    poll,
    stream::{FuturesUnordered, SelectAll},
};
use jsonrpsee::core::middleware::RpcServiceT as _;
use serde_json::value::RawValue;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::Session,
    fault::retry_after,
    message::{Entry, Message, error_text},
    rpc::{Change, Feed, Limits, Stack},
};

/// When a client that asked for too much at once should ask again.
const RETRY: Duration = Duration::from_millis(100);
/// Notifications that go out in one write, before anything else has its turn.
const TOGETHER: usize = 64;
/// Pings that may go unanswered.
const MISSED_PINGS: u32 = 3;

/// Serves a connection until the client goes, misbehaves, or `shutdown` is told and no call is left.
pub async fn serve(
    socket: WebSocket,
    rpc: Stack,
    session: Arc<Session>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let (calls, feeds) = (FuturesUnordered::new(), SelectAll::new());
    Connection { socket, rpc, session, limits, calls, feeds, dirty: false }.run(shutdown).await;
}

struct Connection {
    socket: WebSocket,
    rpc: Stack,
    session: Arc<Session>,
    limits: Limits,
    /// Calls that did not end at once.
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Its subscriptions.
    feeds: SelectAll<Feed>,
    /// Whether answers were written that the socket has not sent yet.
    dirty: bool,
}

/// What is to be written in answer to a text, and what that means for subscriptions.
#[derive(Default)]
pub struct Answer {
    /// Nothing, if nothing is asked for.
    pub text: Option<String>,
    changes: Vec<Change>,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Some(text).into()
    }
}

impl From<Option<String>> for Answer {
    fn from(text: Option<String>) -> Self {
        Self { text, changes: Vec::new() }
    }
}

/// Why a connection ends: what the close frame says, if one can still be sent.
type End = Option<(u16, &'static str)>;

impl Connection {
    async fn run(mut self, shutdown: CancellationToken) {
        let end = self.exchange(shutdown).await;
        if let Some((code, reason)) = end {
            let frame = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
            // A client that does not read its close frame is dropped all the same.
            let _ = timeout(self.limits.write_timeout, self.socket.send(frame)).await;
        }
    }

    async fn exchange(&mut self, shutdown: CancellationToken) -> End {
        let mut shutdown = pin!(shutdown.cancelled_owned());
        let mut draining = false;
        let mut silent = 0;
        let mut ping = interval(self.limits.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            if draining && self.calls.is_empty() && self.feeds.is_empty() {
                return Some((close_code::AWAY, "the server shuts down"));
            }
            let step = tokio::select! {
                biased;
                // First what is finished, then what is new, and only when neither is at hand one write for all.
                // Notifications come last, some at a time: no flood of them keeps a client from ending it.
                Some(answer) = self.calls.next() => self.answer(answer).await,
                frame = self.socket.next() => {
                    silent = 0;
                    match frame {
                        Some(Ok(frame)) => self.receive(frame).await,
                        Some(Err(error)) => Err(self.broken(error).await),
                        None => Err(None),
                    }
                }
                () = std::future::ready(()), if self.dirty => self.flush().await,
                () = &mut shutdown, if !draining => {
                    draining = true;
                    Ok(())
                }
                _ = ping.tick() => {
                    silent += 1;
                    if silent > MISSED_PINGS { Err(None) } else { self.send(Frame::Ping(Default::default())).await }
                }
                notification = self.feeds.next(), if !self.feeds.is_empty() => match notification {
                    Some(notification) => self.notify(notification).await,
                    // The last feed has ended, for which a drained connection may be waiting.
                    None => Ok(()),
                },
            };
            if let Err(end) = step {
                return end;
            }
            if self.session.is_locked_out() {
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
                // The library has the answer to a close frame ready; it leaves with the next flush.
                self.flush().await?;
                return Err(None);
            }
        };
        if self.calls.len() >= self.limits.in_flight {
            return self.answer(too_many(&text, self.limits.batch).into()).await;
        }
        let mut call: Pin<Box<_>> = Box::pin(respond(self.rpc.clone(), text, self.limits));
        match poll!(&mut call) {
            Poll::Ready(answer) => self.answer(answer).await,
            Poll::Pending => {
                self.calls.push(call);
                Ok(())
            }
        }
    }

    async fn answer(&mut self, answer: Answer) -> Result<(), End> {
        let mut begun = Vec::new();
        for change in answer.changes {
            match change {
                Change::Begun(feed) => begun.extend(Arc::into_inner(feed)),
                Change::Ended(id) => {
                    self.feeds.iter_mut().filter(|feed| feed.id() == id).for_each(Feed::end);
                }
            }
        }
        if let Some(text) = answer.text {
            self.send(Frame::Text(text.into())).await?;
        }
        // Whoever subscribes learns the name of the subscription before anything comes under it.
        self.feeds.extend(begun);
        Ok(())
    }

    /// Writes a notification and those that are ready behind it.
    async fn notify(&mut self, first: Box<RawValue>) -> Result<(), End> {
        self.write(first).await?;
        for _ in 1..TOGETHER {
            let Poll::Ready(Some(next)) = poll!(self.feeds.next()) else { break };
            self.write(next).await?;
        }
        Ok(())
    }

    async fn write(&mut self, notification: Box<RawValue>) -> Result<(), End> {
        let text: Box<str> = notification.into();
        self.send(Frame::Text(text.into_string().into())).await
    }

    /// Writes a frame into the socket's buffer; waits only while the client leaves too much unread.
    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        self.dirty = true;
        in_time(self.limits.write_timeout, self.socket.feed(frame)).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.dirty = false;
        in_time(self.limits.write_timeout, self.socket.flush()).await
    }

    /// What a message that could not be read is answered with, if it can be.
    async fn broken(&mut self, error: axum::Error) -> End {
        tracing::debug!(%error, "a message could not be read");
        let message = format!("a message holds at most {} bytes", self.limits.message_bytes);
        if !is_capacity(&error) {
            return Some((close_code::PROTOCOL, "not a WebSocket message"));
        }
        let answer = error_text(Error::invalid_request(message));
        match self.answer(answer.into()).await {
            Ok(()) => Some((close_code::SIZE, "message too long")),
            Err(end) => end,
        }
    }
}

/// Whether a message was refused for its length. axum does not name the type behind its errors, so this is
/// the type of the library that reads frames for it.
fn is_capacity(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(tungstenite::Error::Capacity(_))) {
            return true;
        }
        cause = error.source();
    }
    false
}

async fn in_time(limit: Duration, write: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match timeout(limit, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => {
            tracing::debug!("a client left its answers unread and is dropped");
            Err(None)
        }
    }
}

/// The answer to a text.
pub async fn respond(rpc: Stack, text: Utf8Bytes, limits: Limits) -> Answer {
    let mut answer = Answer::default();
    match Message::parse(&text, limits.batch) {
        Message::Single(entry) => answer.text = respond_to(&rpc, entry, &mut answer.changes).await,
        Message::Batch(entries) => {
            let mut answers = String::from("[");
            for entry in entries {
                let Some(text) = respond_to(&rpc, entry, &mut answer.changes).await else { continue };
                if answers.len() > 1 {
                    answers.push(',');
                }
                if answers.len() + text.len() > limits.answer_bytes {
                    let message =
                        format!("the answers to a batch hold at most {} bytes", limits.answer_bytes);
                    // Subscriptions that began are dropped here: nobody would know their names.
                    return error_text(Error::invalid_request(message)).into();
                }
                answers.push_str(&text);
            }
            answers.push(']');
            answer.text = (answers.len() > 2).then_some(answers);
        }
    }
    answer
}

async fn respond_to(rpc: &Stack, entry: Entry<'_>, changes: &mut Vec<Change>) -> Option<String> {
    match entry {
        Entry::Call(request) => {
            let (answer, _, mut extensions) = rpc.call(request).await.into_parts();
            changes.extend(extensions.remove::<Change>());
            let answer: Box<str> = answer.into();
            Some(answer.into_string())
        }
        Entry::Notification => None,
        Entry::Invalid(refusal) => Some(refusal.into_json()),
    }
}

/// Refuses a text because too many calls are under way; a batch as a whole.
fn too_many(text: &str, max_batch: usize) -> Option<String> {
    let error = Error::from(Fault::RateLimited(retry_after(RETRY)));
    match Message::parse(text, max_batch) {
        Message::Single(Entry::Call(request)) => {
            let answer: Box<str> = jsonrpsee::MethodResponse::error(request.id, error).into_json().into();
            Some(answer.into_string())
        }
        Message::Single(Entry::Notification) => None,
        Message::Single(Entry::Invalid(refusal)) => Some(refusal.into_json()),
        Message::Batch(_) => Some(error_text(error)),
    }
}

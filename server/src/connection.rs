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
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, close_code};
use circles_api::{Error, Fault};
use futures_util::{
    SinkExt as _, StreamExt as _,
    future::{BoxFuture, OptionFuture},
    poll,
    stream::{FuturesUnordered, SelectAll},
};
use jsonrpsee::{
    MethodResponse,
    core::middleware::{Request, RpcServiceT as _},
};
use serde_json::value::RawValue;
use tokio::{
    task::yield_now,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::Session,
    connections::Place,
    fault::retry_after,
    message::{Entry, Message, error_text},
    rpc::{Change, DISCOVER, Feed, Limits, Stack},
};

/// When a client that asked for too much at once should ask again.
const RETRY: Duration = Duration::from_millis(100);
/// Notifications that go out in one write, before anything else has its turn.
const TOGETHER: usize = 64;
/// Pings that may go unanswered.
const MISSED_PINGS: u32 = 3;

/// Bytes of answers that are written before the client is waited for: what one connection may owe beside one answer.
const FLUSH: usize = 64 << 10;
/// How long the close frame of a connection may take whose place another needs.
const LAST_WORD: Duration = Duration::from_millis(100);
/// Messages, or [`FLUSH`] bytes of answers, after which other connections have their turn.
const TURN: usize = 32;

/// What calls pass and what holds for the texts that they come in.
#[derive(Clone)]
pub struct Terms {
    pub rpc: Stack,
    pub session: Arc<Session>,
    pub limits: Limits,
    /// Whether a login is mandatory.
    pub auth: bool,
}

impl Terms {
    /// The bound that so many bytes of a message pass, if they do.
    fn message_passes(&self, bytes: usize) -> Option<usize> {
        self.passes(bytes, self.limits.message_bytes)
    }

    /// The bound that so many bytes of answers to one message pass, if they do.
    fn answer_passes(&self, bytes: usize) -> Option<usize> {
        self.passes(bytes, self.limits.answer_bytes)
    }

    fn passes(&self, bytes: usize, most: usize) -> Option<usize> {
        let before_login = most.min(self.limits.bytes_before_login);
        // Most are short, and then nothing more is asked.
        if bytes <= before_login {
            return None;
        }
        let most = if self.session.is_trusted(self.auth) { most } else { before_login };
        (bytes > most).then_some(most)
    }
}

/// Serves a connection until the client goes, misbehaves, is cut, or `shutdown` is told and no call is left.
pub async fn serve(socket: WebSocket, terms: Terms, place: Arc<Place>, shutdown: CancellationToken) {
    let (calls, feeds) = (FuturesUnordered::new(), SelectAll::new());
    let limits = terms.limits;
    let connection = Connection {
        socket,
        terms,
        limits,
        place,
        calls,
        feeds,
        logged_in: false,
        dirty: false,
        unsent: 0,
        turn: 0,
    };
    connection.run(shutdown).await;
}

struct Connection {
    socket: WebSocket,
    terms: Terms,
    limits: Limits,
    place: Arc<Place>,
    /// Calls that did not end at once.
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Its subscriptions.
    feeds: SelectAll<Feed>,
    /// Whether a key was proved on it.
    logged_in: bool,
    /// Whether answers were written that the socket has not sent yet.
    dirty: bool,
    /// Bytes of these.
    unsent: usize,
    /// What it has done since others had their turn.
    turn: usize,
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
            let limit = if self.place.cut().is_cancelled() { LAST_WORD } else { self.limits.write_timeout };
            let _ = timeout(limit, self.socket.send(frame)).await;
        }
    }

    async fn exchange(&mut self, shutdown: CancellationToken) -> End {
        let mut shutdown = pin!(shutdown.cancelled_owned());
        let cut = self.place.cut().clone();
        let mut cut = pin!(cut.cancelled());
        let mut late = pin!(OptionFuture::from(self.terms.auth.then(|| sleep(self.limits.login_timeout))));
        let mut draining = false;
        let mut silent = 0;
        let mut ping = interval(self.limits.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            if draining && self.calls.is_empty() && self.feeds.is_empty() {
                return Some((close_code::AWAY, "the server shuts down"));
            }
            if self.turn >= TURN {
                self.turn = 0;
                yield_now().await;
            }
            self.place.set_busy(!self.calls.is_empty() || !self.feeds.is_empty());
            let step = tokio::select! {
                biased;
                // First what is finished, then what is new, and only when neither is at hand one write for all.
                // Notifications come last, some at a time: no flood of them keeps a client from ending it.
                Some(answer) = self.calls.next() => self.answer(answer).await,
                () = &mut cut => Err(Some((close_code::AGAIN, "the server needs this connection's place"))),
                frame = self.socket.next() => {
                    silent = 0;
                    self.turn += 1;
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
                Some(()) = &mut late, if !self.logged_in => {
                    Err(Some((close_code::POLICY, "not logged in in time")))
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
            if !self.logged_in && self.terms.session.has_logged_in() {
                self.logged_in = true;
                self.place.logs_in();
            }
            if self.terms.session.is_locked_out() {
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
        self.place.hears();
        if let Some(most) = self.terms.message_passes(text.len()) {
            let message = format!("a message holds at most {most} bytes before the login");
            return self.answer(error_text(Error::invalid_request(message)).into()).await;
        }
        if self.calls.len() >= self.limits.in_flight {
            return self.answer(too_many(&text, self.limits.batch).into()).await;
        }
        let Some(waiting) = self.place.takes_on(memory_bytes(&text)) else {
            return self.answer(too_many(&text, self.limits.batch).into()).await;
        };
        let turns = Turns::default();
        let call = respond(self.terms.clone(), text, turns.clone());
        let mut call: Pin<Box<_>> = Box::pin(async move {
            let _until_it_is_answered = waiting;
            call.await
        });
        let answer = loop {
            match poll!(&mut call) {
                Poll::Ready(answer) => break answer,
                // The calls of a batch that end at once come before those of the next message.
                Poll::Pending if turns.were_given() => yield_now().await,
                Poll::Pending => {
                    self.calls.push(call);
                    return Ok(());
                }
            }
        };
        self.answer(answer).await
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
            self.send_text(text).await?;
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
        self.send_text(text.into_string()).await
    }

    /// Writes a text, and waits for the client once it owes it enough.
    async fn send_text(&mut self, text: String) -> Result<(), End> {
        let bytes = text.len();
        self.place.owes(bytes);
        self.unsent += bytes;
        self.send(Frame::Text(text.into())).await?;
        if self.unsent >= FLUSH {
            self.turn = TURN;
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes a frame into the socket's buffer; waits only while the client leaves too much unread.
    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        self.dirty = true;
        in_time(self.limits.write_timeout, self.place.cut(), self.socket.feed(frame)).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.dirty = false;
        in_time(self.limits.write_timeout, self.place.cut(), self.socket.flush()).await?;
        if self.unsent > 0 {
            self.unsent = 0;
            self.place.owes_nothing();
        }
        Ok(())
    }

    /// What a message that could not be read is answered with, if it can be.
    async fn broken(&mut self, error: axum::Error) -> End {
        tracing::debug!(%error, "a message could not be read");
        let message = format!("a message holds at most {} bytes", self.limits.message_bytes);
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

/// Why a message was refused. axum does not name the type behind its errors, so this is the type of the library that
/// reads frames for it.
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

async fn in_time(
    limit: Duration,
    cut: &CancellationToken,
    write: impl Future<Output = Result<(), axum::Error>>,
) -> Result<(), End> {
    match cut.run_until_cancelled(timeout(limit, write)).await {
        Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(_))) => Err(None),
        Some(Err(_)) => {
            tracing::debug!("a client left its answers unread and is dropped");
            Err(None)
        }
        // Nothing more can be said to a client that does not read.
        None => Err(None),
    }
}

/// The turns that a batch gives to others between its calls.
#[derive(Clone, Default)]
pub struct Turns(Arc<AtomicBool>);

impl Turns {
    /// Lets others go first, once.
    async fn give(&self) {
        let mut given = false;
        poll_fn(|context| {
            if std::mem::replace(&mut given, true) {
                return Poll::Ready(());
            }
            self.0.store(true, Ordering::Relaxed);
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Whether one was given since this was asked.
    fn were_given(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// The answer to a text.
pub async fn respond(terms: Terms, text: Utf8Bytes, turns: Turns) -> Answer {
    let mut answer = Answer::default();
    match Message::parse(&text, terms.limits.batch) {
        Message::Single(entry) => {
            answer.text = respond_to(&terms.rpc, entry, &mut answer.changes).await;
            if let Some(most) = answer.text.as_ref().and_then(|text| terms.answer_passes(text.len())) {
                return too_long("an answer holds", most);
            }
        }
        Message::Batch(entries) => {
            let mut answers = String::from("[");
            let mut has_document = false;
            for entry in entries {
                let is_document = matches!(&entry, Entry::Call(call) if call.method_name() == DISCOVER);
                let text = match entry {
                    Entry::Call(call) if is_document && has_document => Some(once_a_batch(call)),
                    entry => respond_to(&terms.rpc, entry, &mut answer.changes).await,
                };
                has_document |= is_document;
                turns.give().await;
                let Some(text) = text else { continue };
                if answers.len() > 1 {
                    answers.push(',');
                }
                if let Some(most) = terms.answer_passes(answers.len() + text.len()) {
                    // Subscriptions that began are dropped here: nobody would know their names.
                    return too_long("the answers to a batch hold", most);
                }
                answers.push_str(&text);
            }
            answers.push(']');
            answer.text = (answers.len() > 2).then_some(answers);
        }
    }
    answer
}

/// Fifty copies of the document would make of two kilobytes two megabytes.
fn once_a_batch(call: Request<'_>) -> String {
    let error = Error::invalid_request(format!("{DISCOVER} is answered once a batch"));
    text_of(MethodResponse::error(call.id, error))
}

fn text_of(answer: MethodResponse) -> String {
    let text: Box<str> = answer.into_json().into();
    text.into_string()
}

fn too_long(what: &str, most: usize) -> Answer {
    error_text(Error::invalid_request(format!("{what} at most {most} bytes"))).into()
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

/// At most how many bytes of memory the calls in a text hold while they wait, it and their params included.
fn memory_bytes(text: &str) -> usize {
    /// A call without params, with all that stands for it while it waits.
    const ALONE: usize = 4 << 10;
    /// Bytes for one more value in an array, for one in an object, and for an object that has any.
    const ITEM: usize = 64;
    const MEMBER: usize = 128;
    const OBJECT: usize = 640;
    let count = |byte: u8| text.bytes().filter(|found| *found == byte).count();
    // Those that stand in a text count as well, which makes it a little more.
    let items = count(b',') + count(b'[');
    ALONE + 2 * text.len() + ITEM * items + MEMBER * count(b':') + OBJECT * count(b'{')
}

/// Refuses a text because too many calls are under way; a batch as a whole.
fn too_many(text: &str, max_batch: usize) -> Option<String> {
    let error = Error::from(Fault::RateLimited(retry_after(RETRY)));
    match Message::parse(text, max_batch) {
        Message::Single(Entry::Call(request)) => Some(text_of(MethodResponse::error(request.id, error))),
        Message::Single(Entry::Notification) => None,
        Message::Single(Entry::Invalid(refusal)) => Some(refusal.into_json()),
        Message::Batch(_) => Some(error_text(error)),
    }
}

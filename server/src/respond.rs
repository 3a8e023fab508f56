//! From the text of a message to the text of its answer, over a WebSocket or a POST.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use circles_api::{Error, Fault};
use jsonrpsee::{MethodResponse, types::Request};

use crate::{
    error::retry_after,
    message::{Entry, Message, error_text},
    rpc::{DISCOVER, Handler, SubscriptionChange},
};

/// The wait before a client with too many calls under way should retry: a short play ends within it.
const CALL_RETRY_AFTER: Duration = Duration::from_millis(100);

/// The answer to a text.
#[derive(Default)]
pub(crate) struct Answer {
    /// `None` for a notification, or a batch of notifications.
    pub(crate) text: Option<String>,
    pub(crate) changes: Vec<SubscriptionChange>,
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

/// Tells the pauses of a batch between its calls apart from the waiting of a call.
#[derive(Clone, Default)]
pub(crate) struct BatchYields(Arc<AtomicBool>);

impl BatchYields {
    /// Returns to the connection once.
    async fn yield_once(&self) {
        let mut yielded = false;
        poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            self.0.store(true, Ordering::Relaxed);
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Returns whether the batch has yielded since the last call of this.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Answers a text: a call, a batch, or neither.
pub(crate) async fn respond(handler: Handler, text: Utf8Bytes, yields: BatchYields) -> Answer {
    let mut answer = Answer::default();
    match Message::parse(&text, handler.limits().batch) {
        Message::Single(entry) => {
            answer.text = respond_to(&handler, entry, &mut answer.changes).await;
            if let Some(limit) = answer.text.as_ref().and_then(|text| handler.exceeded_by_answer(text.len()))
            {
                return too_long("an answer has", limit);
            }
        }
        Message::Batch(entries) => {
            let mut answers = String::from("[");
            let mut has_document = false;
            for entry in entries {
                let is_document = matches!(&entry, Entry::Call(call) if call.method_name() == DISCOVER);
                let text = match entry {
                    Entry::Call(call) if is_document && has_document => Some(refuse_second_document(call)),
                    entry => respond_to(&handler, entry, &mut answer.changes).await,
                };
                has_document |= is_document;
                yields.yield_once().await;
                let Some(text) = text else { continue };
                if answers.len() > 1 {
                    answers.push(',');
                }
                if let Some(limit) = handler.exceeded_by_answer(answers.len() + text.len()) {
                    // Started subscriptions are dropped here, since the client would not learn their ids.
                    return too_long("the answers to a batch have", limit);
                }
                answers.push_str(&text);
            }
            answers.push(']');
            answer.text = (answers.len() > 2).then_some(answers);
        }
    }
    answer
}

/// Refuses the document after the first in a batch: fifty copies would turn a request of two kilobytes into an answer
/// of two megabytes.
fn refuse_second_document(call: Request<'_>) -> String {
    let error = Error::invalid_request(format!("a batch may contain {DISCOVER} only once"));
    text_of(MethodResponse::error(call.id, error))
}

fn text_of(answer: MethodResponse) -> String {
    let text: Box<str> = answer.into_json().into();
    text.into_string()
}

fn too_long(subject: &str, limit: usize) -> Answer {
    error_text(Error::invalid_request(format!("{subject} at most {limit} bytes"))).into()
}

async fn respond_to(
    handler: &Handler,
    entry: Entry<'_>,
    changes: &mut Vec<SubscriptionChange>,
) -> Option<String> {
    match entry {
        Entry::Call(request) => {
            let (answer, _, mut extensions) = handler.handle(request).await.into_parts();
            changes.extend(extensions.remove::<SubscriptionChange>());
            let answer: Box<str> = answer.into();
            Some(answer.into_string())
        }
        Entry::Notification => None,
        Entry::Invalid(refusal) => Some(refusal.into_json()),
    }
}

/// Returns the bytes of memory that the calls in a text hold at most until they are answered, the text included.
pub(crate) fn memory_bytes(text: &str) -> usize {
    /// A call without params.
    const CALL: usize = 4 << 10;
    /// An element of an array, a member of an object, and an object with any member.
    const ITEM: usize = 64;
    const MEMBER: usize = 128;
    const OBJECT: usize = 640;
    let count = |byte: u8| text.bytes().filter(|found| *found == byte).count();
    // Bytes within strings count as well, which overestimates a little.
    let items = count(b',') + count(b'[');
    CALL + 2 * text.len() + ITEM * items + MEMBER * count(b':') + OBJECT * count(b'{')
}

/// Refuses the call in a text, or a batch as a whole, because too many calls are under way.
pub(crate) fn too_many_calls(text: &str, max_batch: usize) -> Option<String> {
    let error = Error::from(Fault::RateLimited(retry_after(CALL_RETRY_AFTER)));
    match Message::parse(text, max_batch) {
        Message::Single(Entry::Call(request)) => Some(text_of(MethodResponse::error(request.id, error))),
        Message::Single(Entry::Notification) => None,
        Message::Single(Entry::Invalid(refusal)) => Some(refusal.into_json()),
        Message::Batch(_) => Some(error_text(error)),
    }
}

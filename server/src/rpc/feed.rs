use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use circles_api::types::SubscriptionId;
use futures_util::Stream;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// The notifications of one subscription, on their way to its connection. Dropped, it ends the subscription.
#[derive(Debug)]
pub struct Feed {
    id: SubscriptionId,
    notifications: mpsc::Receiver<Box<RawValue>>,
}

/// What an answer means for the feeds of its connection. It travels in the answer's extensions, so that a
/// connection takes up a feed behind the answer that names it, in a batch too.
#[derive(Clone, Debug)]
pub enum Change {
    /// A subscription began; the feed is whoever's takes the change out of the extensions.
    Begun(Arc<Feed>),
    /// The client wants to hear no more of this subscription.
    Ended(SubscriptionId),
}

impl Feed {
    pub(super) const fn new(id: SubscriptionId, notifications: mpsc::Receiver<Box<RawValue>>) -> Self {
        Self { id, notifications }
    }

    /// Takes out what jsonrpsee puts before the notifications: a copy of the answer.
    pub(super) fn skip_answer(&mut self) {
        let _ = self.notifications.try_recv();
    }

    /// Which subscription this is.
    pub const fn id(&self) -> SubscriptionId {
        self.id
    }

    /// Ends the subscription and forgets what was on its way.
    pub fn end(&mut self) {
        self.notifications.close();
        while self.notifications.try_recv().is_ok() {}
    }
}

impl Stream for Feed {
    type Item = Box<RawValue>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.notifications.poll_recv(context)
    }
}

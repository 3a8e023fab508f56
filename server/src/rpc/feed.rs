use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use circles_api::types::SubscriptionId;
use futures_util::Stream;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// The notifications of one subscription on their way to its connection. Dropping it ends the subscription.
#[derive(Debug)]
pub(crate) struct Feed {
    id: SubscriptionId,
    notifications: mpsc::Receiver<Box<RawValue>>,
}

/// How an answer changes the subscriptions of its connection. It travels in the answer's extensions, so that the
/// connection sends notifications only after the answer that names their subscription, also in a batch.
#[derive(Clone, Debug)]
pub(crate) enum SubscriptionChange {
    /// A subscription started. The feed is in an `Arc` because extensions must be `Clone`.
    Started(Arc<Feed>),
    /// The client ended this subscription.
    Ended(SubscriptionId),
}

impl Feed {
    pub(super) const fn new(id: SubscriptionId, notifications: mpsc::Receiver<Box<RawValue>>) -> Self {
        Self { id, notifications }
    }

    /// Removes the copy of the answer that jsonrpsee sends before the notifications.
    pub(super) fn skip_answer(&mut self) {
        let _ = self.notifications.try_recv();
    }

    /// The id of the subscription.
    pub(crate) const fn id(&self) -> SubscriptionId {
        self.id
    }

    /// Ends the subscription and drops its pending notifications.
    pub(crate) fn end(&mut self) {
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

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use circles_api::{
    CirclesClient as _,
    types::{PlayEvent, TaskId, TimeoutMs},
};
use futures_timer::Delay;
use futures_util::{FutureExt as _, Stream};
use jsonrpsee::core::client::{Client as RpcClient, Subscription, SubscriptionCloseReason};

use crate::{
    Client, Error,
    call::{Ask, Boxed, Call, boxed},
    play::{Order, Source, answer_limit, milliseconds},
};

/// A play to be watched: awaited, it brings the stream of what happens to it.
pub type Watch<'a> = Call<'a, ToWatch>;

/// A task to be looked at: awaited, it brings the stream of what happens to it.
pub type TaskWatch<'a> = Call<'a, ToLook>;

/// An order whose play is watched.
pub struct ToWatch(Order);
/// A task that is watched.
pub struct ToLook(pub TaskId);

impl From<Source> for ToWatch {
    fn from(source: Source) -> Self {
        Self(source.into())
    }
}

impl AsMut<Order> for ToWatch {
    fn as_mut(&mut self) -> &mut Order {
        &mut self.0
    }
}

impl Ask for ToWatch {
    type Answer = Watched;

    fn send(self, client: &Client) -> Boxed<'_, Result<Watched, Error>> {
        let Order { source, args, timeout_ms, .. } = self.0;
        // A play has a limit, as one that is not watched.
        let timeout_ms = timeout_ms.unwrap_or_else(|| milliseconds(client.timeout()));
        boxed(async move {
            let watched = client.call(client.timeout(), false, |rpc| {
                let ((script, name), args) = (source.clone().either(), args.clone());
                async move {
                    let subscription = rpc.watch_play(script, name, None, args, Some(timeout_ms)).await?;
                    Ok(Watched::new(subscription, rpc, timeout_ms))
                }
            });
            watched.await
        })
    }
}

impl Ask for ToLook {
    type Answer = Watched;

    fn send(self, client: &Client) -> Boxed<'_, Result<Watched, Error>> {
        boxed(async move {
            // A task may be looked at twice.
            let watched = client.call(client.timeout(), true, |rpc| {
                let task = self.0.clone();
                async move {
                    let subscription = rpc.watch_play(None, None, Some(task), None, None).await?;
                    // No task may take longer, whatever its own limit is.
                    Ok(Watched::new(subscription, rpc, TimeoutMs::MAX))
                }
            });
            watched.await
        })
    }
}

/// What happens to a play: its acceptance, what it logs, its end; then nothing more.
///
/// An error is the last item too. Whoever drops the stream before its end cancels a play that began with it; a
/// task that was only looked at goes on. Some hundreds of events wait for a slow reader; one slower than that is
/// told so by [`Error::Lagged`]. Where no end comes some seconds after the play's deadline, the stream ends with
/// [`Error::Timeout`]; for a task that is looked at, that is a day.
#[derive(Debug)]
#[must_use = "dropped, it ends the play that it watches"]
pub struct Watched {
    /// Dropped, it unsubscribes.
    subscription: Option<Subscription<PlayEvent>>,
    /// Without its client a connection closes.
    rpc: Arc<RpcClient>,
    /// The end should have come by then.
    limit: Duration,
    limit_passed: Delay,
}

impl Watched {
    fn new(subscription: Subscription<PlayEvent>, rpc: Arc<RpcClient>, timeout_ms: TimeoutMs) -> Self {
        let limit = answer_limit(timeout_ms);
        Self { subscription: Some(subscription), rpc, limit, limit_passed: Delay::new(limit) }
    }
}

impl Stream for Watched {
    type Item = Result<PlayEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { subscription: open, rpc, limit, limit_passed } = &mut *self;
        let Some(subscription) = open else { return Poll::Ready(None) };
        let item = match Pin::new(&mut *subscription).poll_next(context) {
            Poll::Pending => match limit_passed.poll_unpin(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => Err(Error::Timeout(*limit)),
            },
            Poll::Ready(Some(Ok(event))) => Ok(event),
            Poll::Ready(Some(Err(error))) => Err(Error::Decode(error.to_string())),
            Poll::Ready(None) => Err(match subscription.close_reason() {
                Some(SubscriptionCloseReason::Lagged) => Error::Lagged,
                // The server closed the stream alone, which it does for faults of its own.
                _ if rpc.is_connected() => Error::Call(circles_api::Error::internal(None)),
                _ => Error::ConnectionLost,
            }),
        };
        if matches!(item, Err(_) | Ok(PlayEvent::Ended { .. })) {
            *open = None;
        }
        Poll::Ready(Some(item))
    }
}

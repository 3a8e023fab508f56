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
    call::{BoxFuture, Call, Request, boxed},
    play::{ScriptRequest, Source, answer_limit, milliseconds},
};

/// A call that plays a script and returns the stream of its events.
pub type Watch<'a> = Call<'a, WatchRequest>;

/// A call that returns the stream of a task's events.
pub type TaskWatch<'a> = Call<'a, WatchTaskRequest>;

/// A request to play a script and watch it.
pub struct WatchRequest(ScriptRequest);
/// A request to watch a task.
pub struct WatchTaskRequest(pub TaskId);

impl From<Source> for WatchRequest {
    fn from(source: Source) -> Self {
        Self(source.into())
    }
}

impl AsMut<ScriptRequest> for WatchRequest {
    fn as_mut(&mut self) -> &mut ScriptRequest {
        &mut self.0
    }
}

impl Request for WatchRequest {
    type Response = PlayEvents;

    fn send(self, client: &Client) -> BoxFuture<'_, Result<PlayEvents, Error>> {
        let ScriptRequest { source, args, timeout_ms, .. } = self.0;
        let timeout_ms = timeout_ms.unwrap_or_else(|| milliseconds(client.timeout()));
        boxed(async move {
            let events = client.call(client.timeout(), false, |rpc| {
                let ((script, name), args) = (source.clone().into_params(), args.clone());
                async move {
                    let subscription = rpc.watch_play(script, name, None, args, Some(timeout_ms)).await?;
                    Ok(PlayEvents::new(subscription, rpc, timeout_ms))
                }
            });
            events.await
        })
    }
}

impl Request for WatchTaskRequest {
    type Response = PlayEvents;

    fn send(self, client: &Client) -> BoxFuture<'_, Result<PlayEvents, Error>> {
        boxed(async move {
            // Repeatable: watching a task changes nothing.
            let events = client.call(client.timeout(), true, |rpc| {
                let task = self.0.clone();
                async move {
                    let subscription = rpc.watch_play(None, None, Some(task), None, None).await?;
                    // The client does not know the task's own deadline.
                    Ok(PlayEvents::new(subscription, rpc, TimeoutMs::MAX))
                }
            });
            events.await
        })
    }
}

/// The events of a play: its acceptance, its log lines, its end. The stream finishes after the end or an error.
///
/// Dropping the stream early cancels the play that it started; a task that it only watches continues. The client
/// buffers some hundreds of events; a slower reader gets [`Error::Lagged`]. If no end arrives within some seconds after
/// the play's deadline (for a watched task: a day), the stream finishes with [`Error::Timeout`].
#[derive(Debug)]
#[must_use = "dropping the stream cancels the play that it started"]
pub struct PlayEvents {
    /// Unsubscribes when dropped.
    subscription: Option<Subscription<PlayEvent>>,
    /// Keeps the connection open.
    rpc: Arc<RpcClient>,
    limit: Duration,
    limit_passed: Delay,
}

impl PlayEvents {
    fn new(subscription: Subscription<PlayEvent>, rpc: Arc<RpcClient>, timeout_ms: TimeoutMs) -> Self {
        let limit = answer_limit(timeout_ms);
        Self { subscription: Some(subscription), rpc, limit, limit_passed: Delay::new(limit) }
    }
}

impl Stream for PlayEvents {
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
                // A server closes a stream but not its connection only after an internal error.
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

//! `watch_play`: a play as a stream of events.

use std::time::Duration;

use circles_api::{Error, WatchPlayParams, types::PlayEvent};
use futures_util::{StreamExt as _, stream::BoxStream};
use jsonrpsee::{
    Extensions, PendingSubscriptionSink, SubscriptionSink,
    core::{SubscriptionError, SubscriptionResult},
    types::ErrorObjectOwned,
};
use serde_json::value::to_raw_value;

use super::methods::{Rpc, session};
use crate::{
    dispatch::{Begin, WatchRequest, WatchSource},
    fault::internal,
};

impl Rpc {
    /// Answers with a subscription once the play is accepted, then sends its events. Whatever ends the
    /// subscription drops them, which cancels a play that was begun here.
    pub(super) async fn watch(
        &self,
        pending: PendingSubscriptionSink,
        extensions: &Extensions,
        params: WatchPlayParams,
    ) -> SubscriptionResult {
        match self.events(extensions, params).await {
            // It fails where nobody is left to hear the answer.
            Ok(events) => match pending.accept().await {
                Ok(sink) => pump(events, sink).await,
                Err(_) => Ok(()),
            },
            Err(refusal) => {
                pending.reject(refusal).await;
                Ok(())
            }
        }
    }

    async fn events(
        &self,
        extensions: &Extensions,
        params: WatchPlayParams,
    ) -> Result<BoxStream<'static, PlayEvent>, Error> {
        let session = session(extensions)?;
        let request = WatchRequest {
            circle: session.circle().circle_id(),
            caller: session.caller(),
            source: self.source(params)?,
        };
        self.dispatch().watch(request).await
    }

    fn source(&self, params: WatchPlayParams) -> Result<WatchSource, Error> {
        let WatchPlayParams { script, name, task_id, args, timeout_ms } = params;
        let begins = args.is_some() || timeout_ms.is_some();
        let args = args.unwrap_or_default();
        super::args::check(&args).map_err(Error::invalid_params)?;
        let timeout = timeout_ms.map(|wanted| Duration::from_millis(wanted.get().into()));
        let begin = Begin { args, timeout: self.dispatch().timeout(timeout) };
        match (script, name, task_id) {
            (Some(script), None, None) => Ok(WatchSource::Script(script, begin)),
            (None, Some(name), None) => Ok(WatchSource::Library(name, begin)),
            (None, None, Some(_)) if begins => Err(Error::invalid_params(
                "args and timeout_ms belong to a play that begins, not to a task_id",
            )),
            (None, None, Some(task)) => Ok(WatchSource::Task(task.into())),
            _ => Err(Error::invalid_params("exactly one of script, name and task_id is expected")),
        }
    }
}

async fn pump(mut events: BoxStream<'static, PlayEvent>, sink: SubscriptionSink) -> SubscriptionResult {
    loop {
        let event = tokio::select! {
            biased;
            () = sink.closed() => return Ok(()),
            event = events.next() => event.ok_or_else(|| failed("a play's events ended without its end"))?,
        };
        let last = matches!(event, PlayEvent::Ended { .. });
        // Waits while the client leaves earlier events unread.
        let sent = tokio::select! {
            biased;
            () = sink.closed() => return Ok(()),
            sent = sink.send(to_raw_value(&event).map_err(failed)?) => sent,
        };
        if last || sent.is_err() {
            return Ok(());
        }
    }
}

/// Tells a subscriber that nothing more comes, though nothing has ended.
fn failed(cause: impl std::fmt::Display) -> SubscriptionError {
    match to_raw_value(&ErrorObjectOwned::from(internal(cause))) {
        Ok(error) => SubscriptionError::from_json(error),
        Err(error) => error.into(),
    }
}

//! `watch_play`: streams the events of a play.

use circles_api::{ANSWER_BYTES, Error, WatchPlayParams, types::PlayEvent};
use circles_store::Source;
use futures_util::StreamExt as _;
use jsonrpsee::{
    Extensions, PendingSubscriptionSink, SubscriptionSink,
    core::{SubscriptionError, SubscriptionResult},
    types::ErrorObjectOwned,
};
use serde_json::value::to_raw_value;

use super::{
    methods::{Rpc, call_options, principal},
    params::answer_too_long,
};
use crate::{
    dispatch::watch::{PlayEvents, WatchTarget},
    error::internal,
};

impl Rpc {
    /// Answers with a subscription once the play is accepted, then sends its events. The end of the subscription drops
    /// the events, which cancels a play that this call started.
    pub(super) async fn watch(
        &self,
        pending: PendingSubscriptionSink,
        extensions: &Extensions,
        params: WatchPlayParams,
    ) -> SubscriptionResult {
        match self.events(extensions, params).await {
            // Accepting fails if the client is gone.
            Ok(events) => match pending.accept().await {
                Ok(sink) => send_events(events, sink).await,
                Err(_) => Ok(()),
            },
            Err(refusal) => {
                pending.reject(refusal).await;
                Ok(())
            }
        }
    }

    async fn events(&self, extensions: &Extensions, params: WatchPlayParams) -> Result<PlayEvents, Error> {
        self.dispatch().watch(principal(extensions)?, target(params)?).await
    }
}

fn target(params: WatchPlayParams) -> Result<WatchTarget, Error> {
    let WatchPlayParams { script, name, task_id, args, timeout_ms } = params;
    let has_options = args.is_some() || timeout_ms.is_some();
    let options = call_options(args, timeout_ms, None)?;
    match (script, name, task_id) {
        (Some(script), None, None) => Ok(WatchTarget::Play(Source::script(String::from(script)), options)),
        (None, Some(name), None) => {
            Ok(WatchTarget::Play(Source::Library(String::from(name).into()), options))
        }
        (None, None, Some(_)) if has_options => Err(Error::invalid_params(
            "args and timeout_ms are not allowed with task_id: that task has started",
        )),
        (None, None, Some(task)) => Ok(WatchTarget::Task(task.into())),
        _ => Err(Error::invalid_params("expected exactly one of script, name and task_id")),
    }
}

async fn send_events(mut events: PlayEvents, sink: SubscriptionSink) -> SubscriptionResult {
    loop {
        let event = tokio::select! {
            biased;
            () = sink.closed() => return Ok(()),
            event = events.next() => event,
        };
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(last_event(error)),
            None => return Err(failed("the events of a play ended without its outcome")),
        };
        let last = matches!(event, PlayEvent::Ended { .. });
        let event = to_raw_value(&event).map_err(failed)?;
        // Outcomes are bounded to fit; one stored by an older version may be longer.
        if event.get().len() > ANSWER_BYTES {
            return Err(last_event(answer_too_long()));
        }
        // The play waits while the client leaves earlier events unread.
        let sent = tokio::select! {
            biased;
            () = sink.closed() => return Ok(()),
            sent = sink.send(event) => sent,
        };
        if last || sent.is_err() {
            return Ok(());
        }
    }
}

fn failed(cause: impl std::fmt::Display) -> SubscriptionError {
    last_event(internal(cause))
}

/// Returns an error as the last event of a subscription.
fn last_event(error: Error) -> SubscriptionError {
    match to_raw_value(&ErrorObjectOwned::from(error)) {
        Ok(error) => SubscriptionError::from_json(error),
        Err(error) => error.into(),
    }
}

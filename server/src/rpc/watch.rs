//! `watch_play`: a play as a stream of events.

use circles_api::{
    ANSWER_BYTES, Error, Fault, WatchPlayParams,
    types::{LimitData, LimitDataLimit, PlayEvent},
};
use circles_store::Source;
use futures_util::StreamExt as _;
use jsonrpsee::{
    Extensions, PendingSubscriptionSink, SubscriptionSink,
    core::{SubscriptionError, SubscriptionResult},
    types::ErrorObjectOwned,
};
use serde_json::value::to_raw_value;

use super::methods::{Rpc, asker, wishes};
use crate::{
    dispatch::{PlayEvents, What},
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

    async fn events(&self, extensions: &Extensions, params: WatchPlayParams) -> Result<PlayEvents, Error> {
        self.dispatch().watch(asker(extensions)?, what(params)?).await
    }
}

fn what(params: WatchPlayParams) -> Result<What, Error> {
    let WatchPlayParams { script, name, task_id, args, timeout_ms } = params;
    let begins = args.is_some() || timeout_ms.is_some();
    let wishes = wishes(args, timeout_ms, None)?;
    match (script, name, task_id) {
        (Some(script), None, None) => Ok(What::Play(Source::script(String::from(script)), wishes)),
        (None, Some(name), None) => Ok(What::Play(Source::Library(String::from(name).into()), wishes)),
        (None, None, Some(_)) if begins => {
            Err(Error::invalid_params("args and timeout_ms belong to a play that begins, not to a task_id"))
        }
        (None, None, Some(task)) => Ok(What::Task(task.into())),
        _ => Err(Error::invalid_params("exactly one of script, name and task_id is expected")),
    }
}

async fn pump(mut events: PlayEvents, sink: SubscriptionSink) -> SubscriptionResult {
    loop {
        let event = tokio::select! {
            biased;
            () = sink.closed() => return Ok(()),
            event = events.next() => event,
        };
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(told(error)),
            None => return Err(failed("a play's events ended without its end")),
        };
        let last = matches!(event, PlayEvent::Ended { .. });
        let event = to_raw_value(&event).map_err(failed)?;
        // What plays leave fits; what an older version kept may not.
        if event.get().len() > ANSWER_BYTES {
            let limit = LimitDataLimit::try_from("answer_bytes").map_err(failed)?;
            return Err(told(Fault::LimitExceeded(LimitData { limit, logs: None }).into()));
        }
        // Waits while the client leaves earlier events unread.
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

/// Tells a subscriber that nothing more comes, though nothing has ended.
fn failed(cause: impl std::fmt::Display) -> SubscriptionError {
    told(internal(cause))
}

fn told(error: Error) -> SubscriptionError {
    match to_raw_value(&ErrorObjectOwned::from(error)) {
        Ok(error) => SubscriptionError::from_json(error),
        Err(error) => error.into(),
    }
}

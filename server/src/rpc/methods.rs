use std::{sync::Arc, time::Duration};

use circles_api::{
    CirclesServer, DOCUMENT, Error, WatchPlayParams,
    types::{
        Authenticated, Cancellation, Challenge, Document, IdempotencyKey, Identity, Library, PageLimit,
        PlayResult, PublicKey, RecordNumber, RecordPage, Retries, Script, ScriptName, Signature, Submitted,
        Task, TaskId, TaskPage, TaskState, TimeoutMs, WaitMs,
    },
};
use circles_store::Source;
use jsonrpsee::{
    Extensions, Methods, PendingSubscriptionSink,
    core::{SubscriptionResult, async_trait},
};
use serde_json::Value;

use super::{args, document};
use crate::{
    auth::Session,
    dispatch::{CallOptions, Dispatch, Principal},
    error::internal,
};

/// Items on a page unless the caller gives a limit.
const DEFAULT_PAGE: usize = 50;

/// Registers the methods of `openrpc.json` by name; their plays go to `dispatch`.
pub(crate) fn methods(dispatch: Dispatch) -> Methods {
    let mut module = Rpc { dispatch }.into_rpc();
    document::register_discover(&mut module);
    module.into()
}

/// The methods of `openrpc.json`.
pub(crate) struct Rpc {
    dispatch: Dispatch,
}

impl Rpc {
    pub(super) const fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }
}

#[async_trait]
impl CirclesServer for Rpc {
    async fn fetch_nonce(&self, extensions: &Extensions, pubkey: PublicKey) -> Result<Challenge, Error> {
        let challenge = session(extensions)?.challenge(on_curve(&pubkey)?)?;
        Ok(Challenge {
            nonce: challenge.nonce.to_string().try_into().map_err(internal)?,
            expires_at: challenge.expires.try_into().map_err(internal)?,
            challenge: challenge.to_string().try_into().map_err(internal)?,
        })
    }

    async fn authenticate(
        &self,
        extensions: &Extensions,
        pubkey: PublicKey,
        signature: Signature,
    ) -> Result<Authenticated, Error> {
        let signature = signature.as_str().parse().map_err(|error| invalid("signature", error))?;
        let expires_at = session(extensions)?.authenticate(on_curve(&pubkey)?, &signature)?;
        Ok(Authenticated { authenticated: true, expires_at: expires_at.try_into().map_err(internal)? })
    }

    async fn whoami(&self, extensions: &Extensions) -> Result<Identity, Error> {
        let session = session(extensions)?;
        let login = session.login();
        let caller = login.map(|(key, _)| key.to_string()).unwrap_or_default();
        Ok(Identity {
            circle: session.circle().circle_id().into(),
            caller: caller.try_into().map_err(internal)?,
            authenticated: login.is_some(),
            expires_at: login.map(|(_, expires_at)| expires_at.try_into()).transpose().map_err(internal)?,
        })
    }

    async fn play(
        &self,
        extensions: &Extensions,
        script: Script,
        args: Option<Value>,
        timeout_ms: Option<TimeoutMs>,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<PlayResult, Error> {
        let options = call_options(args, timeout_ms, idempotency_key)?;
        self.dispatch.play(principal(extensions)?, Source::script(String::from(script)), options).await
    }

    async fn run(
        &self,
        extensions: &Extensions,
        name: ScriptName,
        args: Option<Value>,
        timeout_ms: Option<TimeoutMs>,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<PlayResult, Error> {
        let options = call_options(args, timeout_ms, idempotency_key)?;
        self.dispatch.play(principal(extensions)?, Source::Library(String::from(name).into()), options).await
    }

    async fn submit(
        &self,
        extensions: &Extensions,
        script: Option<Script>,
        name: Option<ScriptName>,
        args: Option<Value>,
        timeout_ms: Option<TimeoutMs>,
        idempotency_key: Option<IdempotencyKey>,
        retries: Option<Retries>,
    ) -> Result<Submitted, Error> {
        let source = match (script, name) {
            (Some(script), None) => Source::script(String::from(script)),
            (None, Some(name)) => Source::Library(String::from(name).into()),
            _ => return Err(Error::invalid_params("script: expected either `script` or `name`")),
        };
        let options = call_options(args, timeout_ms, idempotency_key)?;
        let retries = retries.map_or(0, |retries| retries.get());
        let task_id = self.dispatch.submit(principal(extensions)?, source, options, retries).await?;
        Ok(Submitted { task_id: task_id.into() })
    }

    async fn task(
        &self,
        extensions: &Extensions,
        task_id: TaskId,
        wait_ms: Option<WaitMs>,
    ) -> Result<Task, Error> {
        let wait = Duration::from_millis(wait_ms.map_or(0, |wait| wait.get().into()));
        self.dispatch.task(&principal(extensions)?, task_id.into(), wait).await
    }

    async fn tasks(
        &self,
        extensions: &Extensions,
        state: Option<TaskState>,
        limit: Option<PageLimit>,
        cursor: Option<TaskId>,
    ) -> Result<TaskPage, Error> {
        let before = cursor.map(Into::into);
        self.dispatch.tasks(&principal(extensions)?, state.map(Into::into), before, page(limit)).await
    }

    async fn cancel(&self, extensions: &Extensions, task_id: TaskId) -> Result<Cancellation, Error> {
        let cancelled = self.dispatch.cancel(&principal(extensions)?, task_id.into()).await?;
        Ok(Cancellation { cancelled })
    }

    async fn scripts(&self, extensions: &Extensions) -> Result<Library, Error> {
        self.dispatch.library(principal(extensions)?).await
    }

    async fn provenance(
        &self,
        extensions: &Extensions,
        after: Option<RecordNumber>,
        limit: Option<PageLimit>,
    ) -> Result<RecordPage, Error> {
        let after = after.map_or(0, |after| after.get());
        self.dispatch.provenance(&principal(extensions)?, after, page(limit)).await
    }

    async fn watch_play(
        &self,
        pending: PendingSubscriptionSink,
        extensions: &Extensions,
        script: Option<Script>,
        name: Option<ScriptName>,
        task_id: Option<TaskId>,
        args: Option<Value>,
        timeout_ms: Option<TimeoutMs>,
    ) -> SubscriptionResult {
        let params = WatchPlayParams { script, name, task_id, args, timeout_ms };
        self.watch(pending, extensions, params).await
    }

    async fn rpc_discover(&self, _: &Extensions) -> Result<Document, Error> {
        // Not reached by name, see `document.rs`.
        serde_json::from_str(DOCUMENT).map(Document).map_err(internal)
    }
}

/// The session of the connection that a call came on.
pub(super) fn session(extensions: &Extensions) -> Result<&Arc<Session>, Error> {
    extensions.get::<Arc<Session>>().ok_or_else(|| internal("a call without a session"))
}

/// The caller of a connection, and the circle that it calls.
pub(super) fn principal(extensions: &Extensions) -> Result<Principal, Error> {
    let session = session(extensions)?;
    Ok(Principal { circle: session.circle().circle_id(), caller: session.caller() })
}

pub(super) fn call_options(
    args: Option<Value>,
    timeout_ms: Option<TimeoutMs>,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<CallOptions, Error> {
    let args = args.unwrap_or_default();
    args::check(&args).map_err(Error::invalid_params)?;
    Ok(CallOptions {
        args,
        timeout: timeout_ms.map(|timeout| Duration::from_millis(timeout.get().into())),
        idempotency_key: idempotency_key.map(|key| String::from(key).into()),
    })
}

fn page(limit: Option<PageLimit>) -> usize {
    limit.map_or(DEFAULT_PAGE, |limit| limit.get().into())
}

/// Converts a key whose form was checked before; whether it lies on the curve takes arithmetic.
fn on_curve(key: &PublicKey) -> Result<circles_auth::PublicKey, Error> {
    key.as_str().parse().map_err(|error| invalid("pubkey", error))
}

fn invalid(field: &str, fault: impl std::fmt::Display) -> Error {
    Error::invalid_params(format!("{field}: {fault}"))
}

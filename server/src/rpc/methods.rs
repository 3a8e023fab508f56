use std::{sync::Arc, time::Duration};

use circles_api::{
    CirclesServer, DOCUMENT, Error, WatchPlayParams,
    types::{
        Authenticated, Challenge, Document, IdempotencyKey, Identity, PlayResult, PublicKey, Script,
        ScriptName, Signature, TaskId, TimeoutMs,
    },
};
use circles_store::Task;
use jsonrpsee::{
    Extensions, PendingSubscriptionSink,
    core::{SubscriptionResult, async_trait},
};
use serde_json::Value;

use crate::{auth::Session, dispatch::Dispatch, fault::internal};

/// The methods of `openrpc.json`.
pub struct Rpc {
    dispatch: Dispatch,
    /// The document, parsed once; its text is a constant and known to parse.
    document: Document,
}

impl Rpc {
    /// Methods that send plays to `dispatch`.
    pub fn new(dispatch: Dispatch) -> Self {
        Self { dispatch, document: Document(serde_json::from_str(DOCUMENT).unwrap_or_default()) }
    }

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
        let session = session(extensions)?;
        let args = args.unwrap_or_default();
        super::args::check(&args).map_err(Error::invalid_params)?;
        let timeout =
            self.dispatch.timeout(timeout_ms.map(|wanted| Duration::from_millis(wanted.get().into())));
        let mut task =
            Task::new(session.circle().circle_id(), session.caller(), String::from(script), args, timeout);
        task.idempotency_key = idempotency_key.map(|key| String::from(key).into());
        self.dispatch.play(task).await
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
        Ok(self.document.clone())
    }
}

/// The session of the connection that a call came on.
pub(super) fn session(extensions: &Extensions) -> Result<&Arc<Session>, Error> {
    extensions.get::<Arc<Session>>().ok_or_else(|| internal("a call without a session"))
}

/// The pattern of a key is checked before; that it is one is arithmetic.
fn on_curve(key: &PublicKey) -> Result<circles_auth::PublicKey, Error> {
    key.as_str().parse().map_err(|error| invalid("pubkey", error))
}

fn invalid(field: &str, fault: impl std::fmt::Display) -> Error {
    Error::InvalidParams { message: format!("{field}: {fault}").into() }
}

use std::{future::Future, sync::Arc};

use circles_api::{Auth, Error, Fault, Method};
use futures_util::future::Either;
use jsonrpsee::{
    MethodResponse,
    core::middleware::{Batch, Notification, Request, RpcServiceT},
};

use super::{Session, Transport};
use crate::rpc::{each_call, unanswered};

/// Lets through what `openrpc.json` says this session may call: the one place that decides it, for single
/// calls and batches alike.
#[derive(Clone)]
pub struct Guard<S> {
    inner: S,
    session: Arc<Session>,
    /// Whether methods marked `x-auth: session` need a session on a WebSocket (`--auth`).
    mandatory: bool,
}

impl<S> Guard<S> {
    /// Puts a guard before `inner`.
    pub const fn new(inner: S, session: Arc<Session>, mandatory: bool) -> Self {
        Self { inner, session, mandatory }
    }

    fn check(&self, method: &Method) -> Result<(), Error> {
        let on_http = self.session.transport() == Transport::Http;
        match method.auth {
            Auth::None if on_http && method.connection => {
                Err(Error::InvalidRequest { message: "this method needs a WebSocket connection".into() })
            }
            // A POST cannot hold a session, and without one nobody plays from a web page's form.
            Auth::Session if on_http || (self.mandatory && self.session.login().is_none()) => {
                Err(Fault::Unauthenticated.into())
            }
            Auth::None | Auth::Session => Ok(()),
        }
    }
}

impl<S> RpcServiceT for Guard<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = MethodResponse;
    type BatchResponse = Vec<MethodResponse>;
    type NotificationResponse = ();

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let refused = match circles_api::method(request.method_name()) {
            None => Some(Error::MethodNotFound),
            Some(method) => self.check(method).err(),
        };
        match refused {
            Some(error) => Either::Left(std::future::ready(MethodResponse::error(request.id, error))),
            None => Either::Right(self.inner.call(request)),
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Vec<MethodResponse>> + Send + 'a {
        each_call(self.clone(), batch)
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = ()> + Send + 'a {
        unanswered(notification)
    }
}

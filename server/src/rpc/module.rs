use std::{future::Future, sync::Arc};

use futures_util::future::Either;
use jsonrpsee::{
    MethodCallback, MethodResponse, Methods,
    core::{
        middleware::{Batch, Notification, Request, RpcServiceT},
        server::ConnectionId,
    },
    types::{ErrorCode, ErrorObject},
};

use super::{each_call, unanswered};
use crate::auth::Session;

/// Where layers end: calls the method of the generated trait by its name.
///
/// jsonrpsee's own end of the stack can only be built by its socket loop, which this server does not use (see
/// `connection.rs`); the registry, the callbacks and the answers are jsonrpsee's.
#[derive(Clone)]
pub struct Module {
    methods: Methods,
    session: Arc<Session>,
    max_response: usize,
}

impl Module {
    /// Calls `methods` for `session`; an answer longer than `max_response` bytes becomes an error.
    pub const fn new(methods: Methods, session: Arc<Session>, max_response: usize) -> Self {
        Self { methods, session, max_response }
    }
}

impl RpcServiceT for Module {
    type MethodResponse = MethodResponse;
    type BatchResponse = Vec<MethodResponse>;
    type NotificationResponse = ();

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Request { id, method, params, mut extensions, .. } = request;
        let params = jsonrpsee::types::Params::new(params.as_ref().map(|params| params.get()));
        // jsonrpsee hands extensions to methods; the id of a connection means nothing here.
        extensions.insert(self.session.clone());
        match self.methods.method(&method) {
            Some(MethodCallback::Async(method)) => Either::Right(method(
                id.into_owned(),
                params.into_owned(),
                ConnectionId(0),
                self.max_response,
                extensions,
            )),
            Some(MethodCallback::Sync(method)) => {
                Either::Left(std::future::ready(method(id, params, self.max_response, extensions)))
            }
            // The document has no subscription yet.
            Some(MethodCallback::Subscription(_) | MethodCallback::Unsubscription(_)) | None => {
                let error = ErrorObject::from(ErrorCode::MethodNotFound);
                Either::Left(std::future::ready(MethodResponse::error(id, error)))
            }
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Vec<MethodResponse>> + Send + 'a {
        each_call(self.clone(), batch)
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = ()> + Send + 'a {
        unanswered(notification)
    }
}

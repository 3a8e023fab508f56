use std::future::Future;

use circles_api::Error;
use futures_util::future::Either;
use jsonrpsee::{
    MethodResponse,
    core::middleware::{Batch, Notification, Request, RpcServiceT},
    types::ErrorCode,
};

use super::{each_call, unanswered};

/// Makes every fault in params name its field.
///
/// jsonrpsee passes over names that it does not know and says of the others only that they do not parse. So
/// names are checked before the call, which costs one pass over the text, and the rest after a call that
/// failed for its params.
#[derive(Clone)]
pub struct Params<S> {
    inner: S,
}

impl<S> Params<S> {
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> RpcServiceT for Params<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = MethodResponse;
    type BatchResponse = Vec<MethodResponse>;
    type NotificationResponse = ();

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Some(method) = circles_api::method(request.method_name()) else {
            return Either::Left(self.inner.call(request));
        };
        let params = request.params.clone();
        let text = params.as_ref().map(|params| params.get());
        if method.unknown_param(text).is_some() {
            let answer = MethodResponse::error(request.id, explain(method, text));
            return Either::Right(Either::Left(std::future::ready(answer)));
        }
        let id = request.id.clone();
        let answer = self.inner.call(request);
        Either::Right(Either::Right(async move {
            let answer = answer.await;
            if answer.as_error_code() != Some(ErrorCode::InvalidParams.code()) {
                return answer;
            }
            // A handler may have refused what the document lets pass, and then says why itself.
            match (method.check_params)(params.as_ref().map(|params| params.get())) {
                Ok(()) => answer,
                Err(invalid) => MethodResponse::error(id, Error::from(invalid)),
            }
        }))
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Vec<MethodResponse>> + Send + 'a {
        each_call(self.clone(), batch)
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = ()> + Send + 'a {
        unanswered(notification)
    }
}

fn explain(method: &circles_api::Method, params: Option<&str>) -> Error {
    match ((method.check_params)(params), method.unknown_param(params)) {
        (Err(invalid), _) => invalid.into(),
        (Ok(()), Some(name)) => Error::InvalidParams { message: format!("{name}: no such param").into() },
        (Ok(()), None) => Error::InvalidParams { message: "the params do not fit".into() },
    }
}

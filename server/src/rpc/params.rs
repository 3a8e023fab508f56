use std::{future::Future, time::Duration};

use circles_api::{
    Error, Fault, IntegerOutOfRange, METHODS, integers_fit,
    types::{LimitData, LimitDataLimit},
};
use futures_util::future::Either;
use jsonrpsee::{
    MethodResponse,
    core::middleware::{Batch, Notification, Request, RpcServiceT},
    types::{
        ErrorCode, Id,
        error::{
            BATCHES_NOT_SUPPORTED_CODE, OVERSIZED_REQUEST_CODE, OVERSIZED_RESPONSE_CODE, SERVER_IS_BUSY_CODE,
            TOO_BIG_BATCH_REQUEST_CODE, TOO_BIG_BATCH_RESPONSE_CODE, TOO_MANY_SUBSCRIPTIONS_CODE,
        },
    },
};

use super::{each_call, unanswered};
use crate::fault::{internal, retry_after};

/// When a client that has too much of something should ask again.
const RETRY: Duration = Duration::from_millis(500);

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
        if let Err(found) = integers_fit(text.unwrap_or_default().as_bytes()) {
            let found = IntegerOutOfRange { place: named(method, &found.place), ..found };
            let answer = MethodResponse::error(request.id, Error::invalid_params(found.to_string()));
            return Either::Right(Either::Left(std::future::ready(answer)));
        }
        let id = request.id.clone();
        let answer = self.inner.call(request);
        Either::Right(Either::Right(async move {
            let answer = declared(answer.await, &id);
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

/// The place of a value in the params, beginning with the name of the param also where the call gives positions.
fn named(method: &circles_api::Method, place: &str) -> String {
    let by_position = || {
        let (index, rest) = place.strip_prefix('[')?.split_once(']')?;
        let param = method.params.get(index.parse::<usize>().ok()?)?;
        Some(format!("{}{rest}", param.name))
    };
    by_position().unwrap_or_else(|| place.to_owned())
}

/// The answer; in place of jsonrpsee's own errors, whose codes the document lacks, one that it declares.
fn declared(answer: MethodResponse, id: &Id<'_>) -> MethodResponse {
    match answer.as_error_code().and_then(declared_for) {
        Some(error) => MethodResponse::error(id.clone().into_owned(), error),
        None => answer,
    }
}

/// What a client is told in place of an error with this code; `None` if the document has the code.
fn declared_for(code: i32) -> Option<Error> {
    let standard = [
        ErrorCode::ParseError,
        ErrorCode::InvalidRequest,
        ErrorCode::MethodNotFound,
        ErrorCode::InvalidParams,
        ErrorCode::InternalError,
    ];
    let ours = METHODS.iter().any(|method| method.errors.contains(&code));
    if ours || standard.iter().any(|standard| standard.code() == code) {
        return None;
    }
    Some(match code {
        // What plays leave fits; what an older version kept may not.
        OVERSIZED_RESPONSE_CODE => match LimitDataLimit::try_from("answer_bytes") {
            Ok(limit) => Fault::LimitExceeded(LimitData { limit, logs: None }).into(),
            Err(error) => internal(error),
        },
        TOO_MANY_SUBSCRIPTIONS_CODE | SERVER_IS_BUSY_CODE => Fault::RateLimited(retry_after(RETRY)).into(),
        OVERSIZED_REQUEST_CODE
        | BATCHES_NOT_SUPPORTED_CODE
        | TOO_BIG_BATCH_REQUEST_CODE
        | TOO_BIG_BATCH_RESPONSE_CODE => Error::invalid_request("too large"),
        code => internal(format!("an error of jsonrpsee with the code {code}")),
    })
}

fn explain(method: &circles_api::Method, params: Option<&str>) -> Error {
    match ((method.check_params)(params), method.unknown_param(params)) {
        (Err(invalid), _) => invalid.into(),
        (Ok(()), Some(name)) => Error::InvalidParams { message: format!("{name}: no such param").into() },
        (Ok(()), None) => Error::InvalidParams { message: "the params do not fit".into() },
    }
}

#[cfg(test)]
mod tests {
    use jsonrpsee::types::{
        ErrorObject,
        error::{CALL_EXECUTION_FAILED_CODE, UNKNOWN_ERROR_CODE},
    };
    use serde_json::Value;

    use super::*;

    /// Every code of the document: the declared and the standard ones.
    fn document_codes() -> Vec<i32> {
        let document: Value = serde_json::from_str(circles_api::DOCUMENT).unwrap();
        let errors = document["components"]["errors"].as_object().unwrap().values();
        let declared = errors.map(|error| i32::try_from(error["code"].as_i64().unwrap()).unwrap());
        declared.chain([-32_700, -32_600, -32_601, -32_602, -32_603]).collect()
    }

    #[test]
    fn library_error_codes_become_codes_of_the_document() {
        // Those that jsonrpsee names, and every other code of the ranges that JSON-RPC reserves.
        let named = [
            CALL_EXECUTION_FAILED_CODE,
            UNKNOWN_ERROR_CODE,
            BATCHES_NOT_SUPPORTED_CODE,
            TOO_MANY_SUBSCRIPTIONS_CODE,
            OVERSIZED_REQUEST_CODE,
            OVERSIZED_RESPONSE_CODE,
            SERVER_IS_BUSY_CODE,
            TOO_BIG_BATCH_REQUEST_CODE,
            TOO_BIG_BATCH_RESPONSE_CODE,
        ];
        let codes = document_codes();
        assert!(codes.len() > 15);
        for code in named.into_iter().chain(-32_768..=-32_000).chain([0, 1, -1]) {
            let answer =
                MethodResponse::error(Id::Number(7), ErrorObject::owned(code, "of a library", None::<()>));
            let sent = declared(answer, &Id::Number(7));
            let sent: Value = serde_json::from_str(sent.as_ref()).unwrap();
            let found = i32::try_from(sent["error"]["code"].as_i64().unwrap()).unwrap();
            assert!(codes.contains(&found), "{code} is sent as {found}");
            assert_eq!(sent["id"], 7);
            assert_eq!(found == code, codes.contains(&code), "{code} is sent as {found}");
        }
    }

    #[test]
    fn integers_out_of_range_are_named_by_their_param() {
        let play = circles_api::method("play").unwrap();
        assert_eq!(named(play, "[1].a[2]"), "args.a[2]");
        assert_eq!(named(play, ".args.a"), ".args.a");
        assert_eq!(named(play, "[99]"), "[99]");
    }
}

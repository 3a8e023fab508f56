use circles_api::{
    Error, Fault, IntegerOutOfRange, METHODS, Method, integers_fit,
    types::{LimitData, LimitDataLimit},
};
use jsonrpsee::{
    MethodResponse,
    types::{
        ErrorCode, Id,
        error::{
            BATCHES_NOT_SUPPORTED_CODE, OVERSIZED_REQUEST_CODE, OVERSIZED_RESPONSE_CODE, SERVER_IS_BUSY_CODE,
            TOO_BIG_BATCH_REQUEST_CODE, TOO_BIG_BATCH_RESPONSE_CODE, TOO_MANY_SUBSCRIPTIONS_CODE,
        },
    },
};

use super::subscriptions::SUBSCRIPTION_RETRY_AFTER;
use crate::error::{internal, retry_after};

/// Checks what jsonrpsee does not: unknown names, which it ignores, and integers out of range. This takes one pass
/// over the text before the call; all other faults are explained after a call that failed, by [`map_error`].
pub(crate) fn check(method: &Method, text: Option<&str>) -> Result<(), Error> {
    if let Some(name) = method.unknown_param(text) {
        let explained = (method.check_params)(text).err().map(Error::from);
        return Err(explained.unwrap_or_else(|| Error::invalid_params(format!("{name}: no such param"))));
    }
    integers_fit(text.unwrap_or_default().as_bytes()).map_err(|found| {
        let found = IntegerOutOfRange { place: param_place(method, &found.place), ..found };
        Error::invalid_params(found.to_string())
    })
}

/// Replaces jsonrpsee's own errors: codes that the document lacks by declared ones, and invalid params by an error
/// that names the field.
pub(crate) fn map_error(
    answer: MethodResponse,
    method: &Method,
    id: &Id<'_>,
    text: Option<&str>,
) -> MethodResponse {
    let Some(code) = answer.as_error_code() else { return answer };
    let error = if code == ErrorCode::InvalidParams.code() {
        // A handler that refuses params which the document allows has explained it already.
        (method.check_params)(text).err().map(Error::from)
    } else {
        declared_error(code)
    };
    error.map_or(answer, |error| MethodResponse::error(id.clone().into_owned(), error))
}

/// Returns the place of a value in the params, beginning with the name of the param also if the call gives positions.
fn param_place(method: &Method, place: &str) -> String {
    let by_position = || {
        let (index, rest) = place.strip_prefix('[')?.split_once(']')?;
        let param = method.params.get(index.parse::<usize>().ok()?)?;
        Some(format!("{}{rest}", param.name))
    };
    by_position().unwrap_or_else(|| place.to_owned())
}

/// Returns the error to answer instead of one with this code; `None` if the document has the code.
fn declared_error(code: i32) -> Option<Error> {
    let standard = [
        ErrorCode::ParseError,
        ErrorCode::InvalidRequest,
        ErrorCode::MethodNotFound,
        ErrorCode::InvalidParams,
        ErrorCode::InternalError,
    ];
    let is_declared = METHODS.iter().any(|method| method.errors.contains(&code));
    if is_declared || standard.iter().any(|standard| standard.code() == code) {
        return None;
    }
    Some(match code {
        // Outcomes are bounded to fit; one stored by an older version may be longer.
        OVERSIZED_RESPONSE_CODE => answer_too_long(),
        TOO_MANY_SUBSCRIPTIONS_CODE | SERVER_IS_BUSY_CODE => {
            Fault::RateLimited(retry_after(SUBSCRIPTION_RETRY_AFTER)).into()
        }
        OVERSIZED_REQUEST_CODE
        | BATCHES_NOT_SUPPORTED_CODE
        | TOO_BIG_BATCH_REQUEST_CODE
        | TOO_BIG_BATCH_RESPONSE_CODE => Error::invalid_request("too large"),
        code => internal(format!("an error of jsonrpsee with the code {code}")),
    })
}

/// Returns the error for an answer or event longer than the limit `answer_bytes`.
pub(crate) fn answer_too_long() -> Error {
    match LimitDataLimit::try_from("answer_bytes") {
        Ok(limit) => Fault::LimitExceeded(LimitData { limit, logs: None }).into(),
        Err(error) => internal(error),
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

    /// Returns the codes of the document: the declared and the standard ones.
    fn document_codes() -> Vec<i32> {
        let document: Value = serde_json::from_str(circles_api::DOCUMENT).unwrap();
        let errors = document["components"]["errors"].as_object().unwrap().values();
        let declared = errors.map(|error| i32::try_from(error["code"].as_i64().unwrap()).unwrap());
        declared.chain([-32_700, -32_600, -32_601, -32_602, -32_603]).collect()
    }

    #[test]
    fn jsonrpsee_error_codes_map_to_codes_of_the_document() {
        // The codes that jsonrpsee names, and all others of the ranges that JSON-RPC reserves.
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
        let play = circles_api::method("play").unwrap();
        let codes = document_codes();
        assert!(codes.len() > 15);
        for code in named.into_iter().chain(-32_768..=-32_000).chain([0, 1, -1]) {
            let answer =
                MethodResponse::error(Id::Number(7), ErrorObject::owned(code, "of a library", None::<()>));
            let sent = map_error(answer, play, &Id::Number(7), Some(r#"{"script":"1"}"#));
            let sent: Value = serde_json::from_str(sent.as_ref()).unwrap();
            let found = i32::try_from(sent["error"]["code"].as_i64().unwrap()).unwrap();
            assert!(codes.contains(&found), "{code} is sent as {found}");
            assert_eq!(sent["id"], 7);
            assert_eq!(found == code, codes.contains(&code), "{code} is sent as {found}");
        }
    }

    #[test]
    fn integer_out_of_range_names_its_param() {
        let play = circles_api::method("play").unwrap();
        assert_eq!(param_place(play, "[1].a[2]"), "args.a[2]");
        assert_eq!(param_place(play, ".args.a"), ".args.a");
        assert_eq!(param_place(play, "[99]"), "[99]");
    }
}

//! Errors to error objects and back.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use circles_api::{DOCUMENT, Error, Fault, codes, types::TaskError};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};
use uuid::Uuid;

/// Every declared error with the data that the document gives as its example.
fn faults() -> Vec<(String, Value, Fault)> {
    let document = serde_json::from_str::<Value>(DOCUMENT).unwrap();
    let errors = document["components"]["errors"].as_object().unwrap().clone();
    let read = |error: &Value| {
        let code = i32::try_from(error["code"].as_i64().unwrap()).unwrap();
        Fault::from_parts(code, error.get("data")).unwrap_or_else(|| panic!("{error} is no fault"))
    };
    errors.into_iter().map(|(name, error)| (name, error.clone(), read(&error))).collect()
}

fn there_and_back(error: &Error) -> Error {
    // Through text, as over a wire.
    let text = serde_json::to_string(&ErrorObjectOwned::from(error.clone())).unwrap();
    Error::from_object(&serde_json::from_str(&text).unwrap())
}

#[test]
fn declared_errors_match_the_document() {
    let faults = faults();
    assert_eq!(faults.len(), 14);
    for (name, declared, fault) in faults {
        assert_eq!(fault.name(), name);
        assert_eq!(json!(fault.code()), declared["code"]);
        assert_eq!(json!(fault.summary()), declared["message"]);
        assert_eq!(fault.data().as_ref(), declared.get("data"));
        let object = serde_json::to_value(ErrorObjectOwned::from(Error::from(fault))).unwrap();
        assert_eq!(object["code"], declared["code"]);
        assert_eq!(object["message"], declared["message"]);
        assert_eq!(object.get("data"), declared.get("data"));
    }
}

#[test]
fn task_error_equals_play_error() {
    for (_, declared, fault) in faults() {
        let error = serde_json::from_value::<TaskError>(declared).unwrap();
        assert_eq!(Error::from(error), Error::from(fault));
    }
}

#[test]
fn every_error_variant_round_trips() {
    let declared = faults().into_iter().flat_map(|(_, _, fault)| {
        [Error::from(fault.clone()), Error::declared(fault, "division by zero (line 1)")]
    });
    let others = [
        Error::Parse,
        Error::invalid_request("the id must be a string or a whole number from 0"),
        Error::MethodNotFound,
        Error::invalid_params("script: must be at most 1048576 characters"),
        Error::internal(None),
        Error::internal(Some(Uuid::from_u128(7))),
        Error::Other { code: -32011, message: "too many".to_owned(), data: Some(json!({ "most": 50 })) },
        Error::Other { code: 1, message: String::new(), data: None },
    ];
    for error in declared.chain(others) {
        // A new variant needs a line here and above.
        match &error {
            Error::Declared { .. } | Error::Parse | Error::InvalidRequest { .. } | Error::MethodNotFound => {}
            Error::InvalidParams { .. } | Error::Internal { .. } | Error::Other { .. } => {}
            unknown => panic!("{unknown:?} is not tested"),
        }
        assert_eq!(there_and_back(&error), error);
        assert_eq!(ErrorObjectOwned::from(error.clone()).code(), error.code());
    }
}

#[test]
fn internal_error_shows_id_and_no_cause() {
    let object = ErrorObjectOwned::from(Error::internal(Some(Uuid::from_u128(7))));
    let expected = json!({
        "code": -32603, "message": "internal error", "data": { "id": "00000000-0000-0000-0000-000000000007" },
    });
    assert_eq!(serde_json::to_value(object).unwrap(), expected);
}

#[test]
fn invalid_params_follow_json_rpc() {
    let error = Error::invalid_params("script: is required, but missing");
    let object = serde_json::to_value(ErrorObjectOwned::from(error)).unwrap();
    assert_eq!(
        object,
        json!({ "code": -32602, "message": "invalid params: script: is required, but missing" })
    );
    let theirs =
        serde_json::from_value(json!({ "code": -32602, "message": "Invalid params", "data": "missing x" }));
    assert_eq!(Error::from_object(&theirs.unwrap()), Error::invalid_params("missing x"));
}

#[test]
fn declared_code_with_other_data_is_kept() {
    let data = json!({ "retry_after": "soon" });
    assert_eq!(Fault::from_parts(codes::RATE_LIMITED, Some(&data)), None);
    assert_eq!(Fault::from_parts(codes::RATE_LIMITED, None), None);
    let object = ErrorObjectOwned::owned(codes::RATE_LIMITED, "slow down", Some(data.clone()));
    let expected =
        Error::Other { code: codes::RATE_LIMITED, message: "slow down".to_owned(), data: Some(data) };
    assert_eq!(Error::from(object), expected);
}

#[test]
fn circle_id_and_public_key_convert() {
    let name = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let circle = name.parse::<circles_api::CircleId>().unwrap();
    let key = circles_api::types::PublicKey::from(circle);
    assert_eq!(key.as_str(), name);
    assert_eq!(circles_api::CircleId::try_from(&key), Ok(circle));
}

//! Messages about wrong params, and right params at servers and clients.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use circles_api::{
    CirclesServer, Error, METHODS, PlayParams, method,
    types::{
        Authenticated, Cancellation, Challenge, Document, IdempotencyKey, Identity, Library, PageLimit,
        PlayEvent, PlayResult, PublicKey, RecordNumber, RecordPage, Retries, Script, ScriptName, Signature,
        Submitted, SubscriptionId, Task, TaskId, TaskPage, TaskState, TimeoutMs, WaitMs,
    },
};
use jsonrpsee::{
    Extensions, PendingSubscriptionSink,
    core::{SubscriptionResult, async_trait},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn complaint(name: &str, params: &str) -> Option<String> {
    (method(name).unwrap().check_params)(Some(params)).err().map(|invalid| invalid.to_string())
}

#[test]
fn wrong_param_is_named_with_the_reason() {
    let long = format!(r#"{{"script": "{}"}}"#, "x".repeat(1_048_577));
    for (params, expected) in [
        (long.as_str(), "script: must be at most 1048576 characters"),
        (r#"{}"#, "script: is required, but missing"),
        (r#"[]"#, "script: is required, but missing"),
        (r#"{"script": "1", "timeout": 5}"#, "timeout: is not a param of this method"),
        (r#"{"script": "1", "timeoutMs": 5}"#, "timeoutMs: is not a param of this method"),
        (r#"{"script": "1", "script": "2"}"#, "script: is given twice"),
        (r#"{"script": "1", "timeout_ms": 0}"#, "timeout_ms: must be an integer from 1 to 86400000"),
        (r#"["1", null, 86400001]"#, "timeout_ms: must be an integer from 1 to 86400000"),
        (
            r#"{"script": "1", "timeout_ms": "5"}"#,
            r#"timeout_ms: invalid type: string "5", expected an integer"#,
        ),
        (r#"{"script": 5}"#, "script: invalid type: integer `5`, expected a string"),
        (r#"["1", 2, 3, "k", 5]"#, "params: at most 4 can be given by position, not 5"),
        (r#"{"script": "1", "idempotency_key": ""}"#, "idempotency_key: must be at least 1 character"),
    ] {
        assert_eq!(complaint("play", params).as_deref(), Some(expected), "{params:.80}");
    }
    for params in ["", "7", "\"script\"", "{", "[1,"] {
        let complaint = complaint("play", params).unwrap();
        assert!(complaint.starts_with("params: must be an array or an object"), "{params}: {complaint}");
    }
}

#[test]
fn right_params_pass_in_either_form() {
    for params in [
        r#"{"script": "1"}"#,
        r#"["1"]"#,
        r#"["1", {"any": [null]}, 5, "key"]"#,
        r#"{"idempotency_key": "key", "script": "1", "args": null}"#,
        r#"{"script": "1", "timeout_ms": null}"#,
    ] {
        assert_eq!(complaint("play", params), None, "{params}");
    }
    for params in [None, Some("null"), Some("{}"), Some("[]")] {
        assert_eq!((method("whoami").unwrap().check_params)(params), Ok(()), "{params:?}");
    }
}

#[test]
fn message_length_is_bounded() {
    let name = "n".repeat(100_000);
    let unknown = complaint("play", &format!(r#"{{"{name}": 1}}"#)).unwrap();
    let quoted = complaint("play", &format!(r#"{{"script": "1", "timeout_ms": "{name}"}}"#)).unwrap();
    assert!(unknown.len() < 500 && quoted.len() < 500, "{} {}", unknown.len(), quoted.len());
    assert!(method("play").unwrap().unknown_param(Some(&format!(r#"{{"{name}": 1}}"#))).unwrap().len() < 500);
}

#[test]
fn unknown_params_are_found_without_reading_known_ones() {
    let play = method("play").unwrap();
    for (params, expected) in [
        (None, None),
        (Some("null"), None),
        (Some(r#"{"script": 5, "args": {"x": 1}}"#), None),
        (Some(r#"{"script": "1", "args": {"x": 1}, "other": 2, "third": 3}"#), Some("other")),
        (Some(r#"{"\u0073cript": "1"}"#), None),
        (Some("[1, 2, 3, 4]"), None),
        (Some("[1, 2, 3, 4, 5, 6]"), Some("position 5")),
        (Some("7"), None),
        (Some("{"), None),
    ] {
        assert_eq!(play.unknown_param(params).as_deref(), expected, "{params:?}");
    }
    assert_eq!(method("whoami").unwrap().unknown_param(Some("[1]")).as_deref(), Some("position 1"));
}

proptest! {
    #[test]
    fn checks_survive_any_text(text in r#"[\[\]{}",:0-9a-z\\ ]{0,40}"#) {
        for method in METHODS {
            let _ = (method.check_params)(Some(&text));
            let _ = method.unknown_param(Some(&text));
        }
    }
}

/// Answers a play with its arguments, as text.
struct Echo;

#[async_trait]
impl CirclesServer for Echo {
    async fn fetch_nonce(&self, _: &Extensions, _: PublicKey) -> Result<Challenge, Error> {
        Err(Error::MethodNotFound)
    }

    async fn authenticate(&self, _: &Extensions, _: PublicKey, _: Signature) -> Result<Authenticated, Error> {
        Err(Error::MethodNotFound)
    }

    async fn whoami(&self, _: &Extensions) -> Result<Identity, Error> {
        Err(Error::internal(None))
    }

    async fn play(
        &self,
        _: &Extensions,
        script: Script,
        args: Option<Value>,
        timeout_ms: Option<TimeoutMs>,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<PlayResult, Error> {
        let value = json!([script, args, timeout_ms, idempotency_key]);
        let result = json!({
            "task_id": "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3", "output": "", "value": value, "logs": [],
            "stats": { "queued_us": 0, "elapsed_us": 0, "operations": 0 },
        });
        serde_json::from_value(result).map_err(|error| Error::invalid_params(error.to_string()))
    }

    async fn run(
        &self,
        _: &Extensions,
        _: ScriptName,
        _: Option<Value>,
        _: Option<TimeoutMs>,
        _: Option<IdempotencyKey>,
    ) -> Result<PlayResult, Error> {
        Err(Error::MethodNotFound)
    }

    async fn submit(
        &self,
        _: &Extensions,
        _: Option<Script>,
        _: Option<ScriptName>,
        _: Option<Value>,
        _: Option<TimeoutMs>,
        _: Option<IdempotencyKey>,
        _: Option<Retries>,
    ) -> Result<Submitted, Error> {
        Err(Error::MethodNotFound)
    }

    async fn task(&self, _: &Extensions, _: TaskId, _: Option<WaitMs>) -> Result<Task, Error> {
        Err(Error::MethodNotFound)
    }

    async fn tasks(
        &self,
        _: &Extensions,
        _: Option<TaskState>,
        _: Option<PageLimit>,
        _: Option<TaskId>,
    ) -> Result<TaskPage, Error> {
        Err(Error::MethodNotFound)
    }

    async fn cancel(&self, _: &Extensions, _: TaskId) -> Result<Cancellation, Error> {
        Err(Error::MethodNotFound)
    }

    async fn scripts(&self, _: &Extensions) -> Result<Library, Error> {
        Err(Error::MethodNotFound)
    }

    async fn provenance(
        &self,
        _: &Extensions,
        _: Option<RecordNumber>,
        _: Option<PageLimit>,
    ) -> Result<RecordPage, Error> {
        Err(Error::MethodNotFound)
    }

    async fn watch_play(
        &self,
        pending: PendingSubscriptionSink,
        _: &Extensions,
        _: Option<Script>,
        _: Option<ScriptName>,
        _: Option<TaskId>,
        _: Option<Value>,
        _: Option<TimeoutMs>,
    ) -> SubscriptionResult {
        let _unheard = pending.accept().await?;
        Ok(())
    }

    async fn rpc_discover(&self, _: &Extensions) -> Result<Document, Error> {
        serde_json::from_str(circles_api::DOCUMENT).map_err(|_| Error::internal(None))
    }
}

async fn answer(method: &str, params: &Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let (answer, _) = Echo.into_rpc().raw_json_request(&request, 1).await.unwrap();
    serde_json::from_str(answer.get()).unwrap()
}

#[test]
fn server_trait_serves_exactly_the_methods_of_the_table() {
    let mut served = Echo.into_rpc().method_names().collect::<Vec<_>>();
    let mut listed = METHODS.iter().map(|method| method.name).collect::<Vec<_>>();
    served.sort_unstable();
    listed.sort_unstable();
    assert_eq!(served, listed);
}

#[tokio::test]
async fn params_by_name_and_by_position_mean_the_same() {
    let params = PlayParams {
        script: Script::try_from("1").unwrap(),
        args: Some(json!({ "x": [1] })),
        timeout_ms: Some(TimeoutMs::try_from(5_u64).unwrap()),
        idempotency_key: None,
    };
    let by_name = serde_json::to_value(&params).unwrap();
    assert_eq!(by_name, json!({ "script": "1", "args": { "x": [1] }, "timeout_ms": 5 }));
    let by_position = Value::Array(params.into_positional().unwrap());
    assert_eq!(by_position, json!(["1", { "x": [1] }, 5]));
    let expected = json!(["1", { "x": [1] }, 5, null]);
    assert_eq!(answer("play", &by_name).await["result"]["value"], expected);
    assert_eq!(answer("play", &by_position).await["result"]["value"], expected);
}

#[test]
fn every_kind_of_event_round_trips() {
    let id = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3";
    for event in [
        json!({ "event": "accepted", "task_id": id }),
        json!({ "event": "logged", "line": { "level": "info", "text": "1" } }),
        json!({ "event": "restarted" }),
        json!({ "event": "ended", "task": {
            "task_id": id, "state": "lost", "caller": "", "script_name": null, "submitted_at": 1, "started_at": 2,
            "ended_at": 3, "result": null, "error": { "code": -32603, "message": "lost" },
        } }),
    ] {
        let read = serde_json::from_value::<PlayEvent>(event.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), event);
    }
    assert!(
        serde_json::from_value::<PlayEvent>(json!({ "event": "accepted", "task_id": id, "why": "" }))
            .is_err()
    );
}

#[tokio::test]
async fn subscription_is_answered_with_its_id() {
    let answer = answer("watch_play", &json!({ "script": "1" })).await;
    assert!(serde_json::from_value::<SubscriptionId>(answer["result"].clone()).is_ok(), "{answer}");
}

#[tokio::test]
async fn checks_refuse_what_the_server_refuses() {
    for params in [
        json!({}),
        json!([]),
        json!({ "script": 5 }),
        json!(["1", null, 0]),
        json!({ "script": "1", "timeout_ms": -1 }),
    ] {
        assert_eq!(answer("play", &params).await["error"]["code"], json!(-32602), "{params}");
        assert!(complaint("play", &params.to_string()).is_some(), "{params}");
    }
}

//! The types against the document's schemas.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use circles_api::{
    DOCUMENT, METHODS, Method, method,
    types::{self, ScriptErrorData, TaskId},
};
use serde_json::{Map, Value, json};

#[allow(unreachable_pub, reason = "generated for crates that export it too")]
mod probes {
    include!(concat!(env!("OUT_DIR"), "/api_probes.rs"));
}

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// Reads a value as the type of one of the document's schemas and writes it again.
fn round_trip(name: &str, value: &Value) -> Result<Value, String> {
    let pointer = format!("/components/schemas/{name}");
    let probe = probes::DOCUMENT.probes.iter().find(|probe| probe.pointer == pointer).unwrap();
    (probe.read)(&value.to_string()).map(|text| serde_json::from_str(&text).unwrap())
}

/// `TaskId` reads every spelling of a UUID and writes one. So the validator gets a pattern of UUIDs that have only one
/// spelling: those without letters.
const UUID: &str = r#""pattern": "^[0-9]{8}-[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{12}$""#;

#[test]
fn types_agree_with_independent_validator() {
    let document = document();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let pointer = format!("/components/schemas/{name}");
        assert!(probes::DOCUMENT.probes.iter().any(|probe| probe.pointer == pointer), "{name} has no type");
    }
    let files = probes::DOCUMENT.files.iter().map(|(name, text)| {
        assert_eq!(text.matches(r#""format""#).count(), 1, "only the format of TaskId is known here");
        (*name, &*text.replace(r#""format": "uuid""#, UUID).leak())
    });
    let files = files.collect::<Vec<_>>().leak();
    let document = circles_differential::Document { files, ..probes::DOCUMENT };
    let settings = circles_differential::Settings { values: 120, seed: 1 };
    let outcome = circles_differential::run(&document, &settings).unwrap();
    assert!(outcome.faults.is_empty() && outcome.unjudged.is_empty(), "{outcome}");
    assert!(outcome.listed.is_empty(), "a rule that no type checks: {outcome}");
    assert_eq!(outcome.schemas, document.probes.len());
    assert!(outcome.valid > outcome.schemas, "{outcome}");
}

/// A call's params by name, as the document's first example of the method has them.
fn example_params(described: &Value) -> Map<String, Value> {
    let given = described["examples"][0]["params"].as_array().unwrap().iter();
    given.map(|param| (param["name"].as_str().unwrap().to_owned(), param["value"].clone())).collect()
}

#[test]
fn params_are_those_of_the_document() {
    let refused = |method: &Method, params: &Map<String, Value>| {
        let text = Value::Object(params.clone()).to_string();
        (method.check_params)(Some(&text)).err().map(|invalid| invalid.to_string())
    };
    for described in document()["methods"].as_array().unwrap() {
        let name = described["name"].as_str().unwrap();
        let method = method(name).unwrap();
        let declared = described["params"].as_array().unwrap();
        let declared = declared.iter().map(|param| (&param["name"], param["required"] == json!(true)));
        let declared =
            declared.map(|(name, required)| (name.as_str().unwrap(), required)).collect::<Vec<_>>();
        let listed = method.params.iter().map(|param| (param.name, param.required)).collect::<Vec<_>>();
        assert_eq!(listed, declared, "{name}");
        let params = example_params(described);
        assert_eq!(refused(method, &params), None, "{name}");
        for (param, required) in declared {
            let mut without = params.clone();
            without.remove(param);
            let expected = required.then(|| format!("{param}: is required, but missing"));
            assert_eq!(refused(method, &without), expected, "{name}");
        }
        let mut more = params.clone();
        more.insert("more".to_owned(), json!(1));
        assert_eq!(refused(method, &more).as_deref(), Some("more: is not a param of this method"), "{name}");
    }
}

/// Every bounded schema in the document, with its type and its property, if it has one.
fn bounded() -> Vec<(String, Option<String>, Value)> {
    let document = document();
    let mut bounded = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        bounded.push((name.clone(), None, schema.clone()));
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            bounded.push((name.clone(), Some(property.clone()), schema.clone()));
        }
    }
    bounded
}

/// An example of a type that the document gives: of an error's data or of a result.
fn example(name: &str) -> Value {
    let document = document();
    let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
    let errors = document["components"]["errors"].as_object().unwrap().iter();
    let data = errors.filter(|(name, _)| document["components"]["x-error-data"][name.as_str()] == reference);
    let data = data.map(|(_, error)| error["data"].clone());
    let results = document["methods"].as_array().unwrap().iter();
    let results = results.filter(|method| method["result"]["schema"] == reference);
    let results = results.map(|method| method["examples"][0]["result"]["value"].clone());
    let other = match name {
        "PlayStats" => Some(json!({ "queued_us": 1, "elapsed_us": 2, "operations": 3 })),
        "TaskError" => Some(json!({ "code": -32603, "message": "internal error" })),
        _ => None,
    };
    data.chain(results).chain(other).next().unwrap_or_else(|| panic!("no example of {name}"))
}

#[test]
fn integers_are_bounded_to_the_number() {
    let mut seen = 0;
    for (name, property, schema) in bounded() {
        for (bound, beyond) in [("minimum", -1), ("maximum", 1)] {
            let Some(bound) = schema[bound].as_i64() else { continue };
            let value = |number: i64| match &property {
                None => json!(number),
                Some(property) => {
                    let mut value = example(&name);
                    value[property] = json!(number);
                    value
                }
            };
            assert_eq!(round_trip(&name, &value(bound)).unwrap(), value(bound), "{name} {property:?}");
            let refused = round_trip(&name, &value(bound + beyond)).unwrap_err();
            assert!(refused.contains("must be an integer from"), "{name} {property:?}: {refused}");
            seen += 1;
        }
    }
    assert!(seen >= 14, "only {seen} bounds were found");
}

#[test]
fn lengths_count_characters() {
    let script = |length| json!("é".repeat(length));
    let refused = |name: &str, value: Value| {
        let error = round_trip(name, &value).unwrap_err();
        // serde_json says where in the text.
        error.split(" at line ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(round_trip("Script", &script(1_048_576)).unwrap(), script(1_048_576));
    assert_eq!(refused("Script", script(1_048_577)), "must be at most 1048576 characters");
    assert_eq!(refused("IdempotencyKey", json!("")), "must be at least 1 character");
    assert_eq!(refused("IdempotencyKey", json!("a b")), "must match ^[!-~]{1,128}$");
    assert_eq!(round_trip("IdempotencyKey", &json!("~".repeat(128))).unwrap(), json!("~".repeat(128)));
    let limit = |length| json!({ "limit": "l".repeat(length) });
    assert!(round_trip("LimitData", &limit(64)).is_ok());
    assert!(round_trip("LimitData", &limit(65)).is_err());
}

#[test]
fn whole_float_is_an_integer() {
    let timeout = |value: &Value| round_trip("TimeoutMs", value);
    assert_eq!(timeout(&json!(5.0)).unwrap(), json!(5));
    for wrong in [json!(5.5), json!(1e300), json!(-1e300), json!("5"), json!(null), json!(true)] {
        assert!(timeout(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_example_round_trips() {
    let document = document();
    let round_trip_by = |schema: &Value, value: &Value| {
        let Some(reference) = schema["$ref"].as_str() else {
            assert_eq!(schema["type"] == "boolean", value.is_boolean(), "{value}");
            return;
        };
        let name = reference.rsplit('/').next().unwrap();
        assert_eq!(round_trip(name, value).unwrap(), *value, "{name}");
    };
    let errors = document["components"]["errors"].as_object().unwrap();
    let round_trip_error = |name: &str, error: &Value| {
        let schema = document["components"]["x-error-data"].get(name);
        assert_eq!(error.get("data").is_some(), schema.is_some(), "{error}");
        if let Some(data) = error.get("data") {
            round_trip_by(schema.unwrap(), data);
        }
    };
    for (name, error) in errors {
        round_trip_error(name, error);
    }
    for described in document["methods"].as_array().unwrap() {
        let name = described["name"].as_str().unwrap();
        let method = method(name).unwrap();
        let examples = described["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            match example.get("x-error") {
                None => round_trip_by(&described["result"]["schema"], &example["result"]["value"]),
                Some(error) => {
                    let (name, _) = errors.iter().find(|(_, named)| named["code"] == error["code"]).unwrap();
                    round_trip_error(name, error);
                }
            }
            let given = example["params"].as_array().unwrap().iter();
            let given =
                given.map(|param| (param["name"].as_str().unwrap().to_owned(), param["value"].clone()));
            let given = Value::Object(given.collect()).to_string();
            assert_eq!((method.check_params)(Some(&given)), Ok(()), "{name} {given}");
            for (param, value) in serde_json::from_str::<Map<String, Value>>(&given).unwrap() {
                let params = described["params"].as_array().unwrap();
                round_trip_by(
                    &params.iter().find(|described| described["name"] == param.as_str()).unwrap()["schema"],
                    &value,
                );
            }
        }
    }
}

#[test]
fn table_lists_methods_in_order() {
    let document = document();
    let described = document["methods"].as_array().unwrap();
    let names = described.iter().map(|method| method["name"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(METHODS.iter().map(|method| method.name).collect::<Vec<_>>(), names);
    assert!(names.iter().all(|name| method(name).is_some_and(|method| method.name == *name)));
    assert!(method("no such method").is_none());
}

#[test]
fn document_is_the_file_byte_for_byte() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json");
    assert_eq!(DOCUMENT.as_bytes(), std::fs::read(path).unwrap());
}

#[test]
fn thrown_null_differs_from_nothing_thrown() {
    for value in [
        json!({ "kind": "runtime", "line": null, "column": null }),
        json!({ "kind": "runtime", "line": 1, "column": 5, "thrown": null }),
        json!({ "kind": "runtime", "line": 1, "column": 5, "thrown": { "code": 7 } }),
    ] {
        let data = serde_json::from_value::<ScriptErrorData>(value.clone()).unwrap();
        assert_eq!(data.thrown.as_ref(), value.get("thrown"));
        assert_eq!(serde_json::to_value(&data).unwrap(), value);
    }
}

#[test]
fn nullable_field_is_required_and_unknown_refused() {
    let read = |value| serde_json::from_value::<ScriptErrorData>(value).map_err(|error| error.to_string());
    assert_eq!(read(json!({ "kind": "runtime", "column": null })), Err("missing field `line`".to_owned()));
    let unknown = read(json!({ "kind": "runtime", "line": null, "column": null, "row": 1 })).unwrap_err();
    assert!(unknown.starts_with("unknown field `row`"), "{unknown}");
}

#[test]
fn task_id_is_a_uuid() {
    let id = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3";
    assert_eq!(serde_json::from_value::<TaskId>(json!(id)).unwrap().to_string(), id);
    assert!(serde_json::from_value::<TaskId>(json!("019aa4c2")).is_err());
}

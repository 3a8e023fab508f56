//! What the types say of themselves, against what the document says of them.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use std::collections::BTreeMap;

use circles_api::{
    AuthenticateParams, DOCUMENT, FetchNonceParams, METHODS, PlayParams, TYPES, method,
    types::{ScriptErrorData, TaskId},
};
use schemars::Schema;
use serde_json::{Map, Value, json};

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// A schema without what has no meaning for values, and with references spelt one way.
fn normalised(schema: &Value) -> Value {
    match schema {
        // The schema that lets everything in.
        Value::Bool(true) => json!({}),
        Value::Object(schema)
            if schema.get("$ref").and_then(Value::as_str).is_some_and(|to| to.ends_with("/Json")) =>
        {
            json!({})
        }
        Value::Object(schema) => {
            let mut normal = Map::new();
            for (key, value) in schema {
                let value = match key.as_str() {
                    "$schema" | "$defs" | "title" | "description" => continue,
                    "additionalProperties" if *value == json!(true) => continue,
                    "$ref" => json!(value.as_str().unwrap().rsplit('/').next()),
                    "required" => {
                        let mut names = value.as_array().unwrap().clone();
                        names.sort_by_key(ToString::to_string);
                        json!(names)
                    }
                    "properties" => value
                        .as_object()
                        .unwrap()
                        .iter()
                        .map(|(name, value)| (name.clone(), normalised(value)))
                        .collect(),
                    "items" | "additionalProperties" => normalised(value),
                    // For schemas that shut each other out, as ours do, these two mean the same.
                    "oneOf" | "anyOf" => value.as_array().unwrap().iter().map(normalised).collect(),
                    "const" => json!([value]),
                    _ => value.clone(),
                };
                let key = match key.as_str() {
                    "anyOf" => "oneOf",
                    "const" => "enum",
                    key => key,
                };
                normal.insert(key.to_owned(), value);
            }
            Value::Object(normal)
        }
        other => other.clone(),
    }
}

#[test]
fn every_type_says_what_the_document_says() {
    let document = document();
    let declared = document["components"]["schemas"].as_object().unwrap();
    let types = TYPES.iter().map(|of| (of.name, (of.schema)())).collect::<BTreeMap<_, _>>();
    assert_eq!(types.len(), declared.len(), "a schema without a type, or a type without a schema");
    for (name, schema) in declared {
        let said = types[name.as_str()].as_value();
        assert_eq!(normalised(said), normalised(schema), "{name}");
    }
}

fn assert_params_say_what_the_document_says(name: &str, schema: &Schema) {
    let document = document();
    let methods = document["methods"].as_array().unwrap();
    let params =
        methods.iter().find(|method| method["name"] == name).unwrap()["params"].as_array().unwrap().clone();
    let mut properties = Map::new();
    let mut required = Vec::new();
    for param in params {
        let name = param["name"].as_str().unwrap().to_owned();
        if param["required"] == json!(true) {
            required.push(name.clone());
        }
        properties.insert(name, param["schema"].clone());
    }
    let expected = json!({
        "type": "object", "additionalProperties": false, "properties": properties, "required": required,
    });
    assert_eq!(normalised(schema.as_value()), normalised(&expected), "{name}");
}

#[test]
fn params_say_what_the_document_says() {
    assert_params_say_what_the_document_says("fetch_nonce", &schemars::schema_for!(FetchNonceParams));
    assert_params_say_what_the_document_says("authenticate", &schemars::schema_for!(AuthenticateParams));
    assert_params_say_what_the_document_says("play", &schemars::schema_for!(PlayParams));
}

/// Every bounded schema in the document, with the type and the property (if any) where it stands.
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
fn the_bounds_of_integers_are_kept_to_the_number() {
    let mut seen = 0;
    for (name, property, schema) in bounded() {
        let round_trip = TYPES.iter().find(|of| of.name == name).unwrap().round_trip;
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
            assert_eq!(round_trip(value(bound)).unwrap(), value(bound), "{name} {property:?}");
            let refused = round_trip(value(bound + beyond)).unwrap_err().to_string();
            assert!(refused.contains("must be an integer from"), "{name} {property:?}: {refused}");
            seen += 1;
        }
    }
    assert!(seen >= 14, "only {seen} bounds were found");
}

#[test]
fn the_lengths_of_texts_are_counted_in_characters() {
    let round_trip = |name| TYPES.iter().find(|of| of.name == name).unwrap().round_trip;
    let script = |length| json!("é".repeat(length));
    assert_eq!(round_trip("Script")(script(1_048_576)).unwrap(), script(1_048_576));
    assert_eq!(
        round_trip("Script")(script(1_048_577)).unwrap_err().to_string(),
        "must be at most 1048576 characters"
    );
    assert_eq!(
        round_trip("IdempotencyKey")(json!("")).unwrap_err().to_string(),
        "must be at least 1 character"
    );
    assert_eq!(
        round_trip("IdempotencyKey")(json!("a b")).unwrap_err().to_string(),
        "must match ^[!-~]{1,128}$"
    );
    assert_eq!(round_trip("IdempotencyKey")(json!("~".repeat(128))).unwrap(), json!("~".repeat(128)));
    let limit = |length| json!({ "limit": "l".repeat(length) });
    assert!(round_trip("LimitData")(limit(64)).is_ok());
    assert!(round_trip("LimitData")(limit(65)).is_err());
}

#[test]
fn a_whole_float_is_an_integer_as_json_schema_has_it() {
    let timeout = TYPES.iter().find(|of| of.name == "TimeoutMs").unwrap().round_trip;
    assert_eq!(timeout(json!(5.0)).unwrap(), json!(5));
    for wrong in [json!(5.5), json!(1e300), json!(-1e300), json!("5"), json!(null), json!(true)] {
        assert!(timeout(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn every_example_is_read_as_its_type_and_written_as_it_stood() {
    let document = document();
    let round_trip = |schema: &Value, value: &Value| {
        let Some(reference) = schema["$ref"].as_str() else {
            assert_eq!(schema["type"] == "boolean", value.is_boolean(), "{value}");
            return;
        };
        let name = reference.rsplit('/').next().unwrap();
        let of = TYPES.iter().find(|of| of.name == name).unwrap();
        assert_eq!((of.round_trip)(value.clone()).unwrap(), *value, "{name}");
    };
    let errors = document["components"]["errors"].as_object().unwrap();
    let round_trip_error = |name: &str, error: &Value| {
        let schema = document["components"]["x-error-data"].get(name);
        assert_eq!(error.get("data").is_some(), schema.is_some(), "{error}");
        if let Some(data) = error.get("data") {
            round_trip(schema.unwrap(), data);
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
                None => round_trip(&described["result"]["schema"], &example["result"]["value"]),
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
                round_trip(
                    &params.iter().find(|described| described["name"] == param.as_str()).unwrap()["schema"],
                    &value,
                );
            }
        }
    }
}

#[test]
fn the_table_names_the_methods_of_the_document_in_order() {
    let document = document();
    let described = document["methods"].as_array().unwrap();
    let names = described.iter().map(|method| method["name"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(METHODS.iter().map(|method| method.name).collect::<Vec<_>>(), names);
    assert!(names.iter().all(|name| method(name).is_some_and(|method| method.name == *name)));
    assert!(method("no such method").is_none());
}

#[test]
fn the_document_is_the_file_byte_for_byte() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json");
    assert_eq!(DOCUMENT.as_bytes(), std::fs::read(path).unwrap());
}

#[test]
fn a_thrown_null_differs_from_nothing_thrown() {
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
fn a_field_that_may_be_null_must_be_there_and_no_other_may() {
    let read = |value| serde_json::from_value::<ScriptErrorData>(value).map_err(|error| error.to_string());
    assert_eq!(read(json!({ "kind": "runtime", "column": null })), Err("missing field `line`".to_owned()));
    let unknown = read(json!({ "kind": "runtime", "line": null, "column": null, "row": 1 })).unwrap_err();
    assert!(unknown.starts_with("unknown field `row`"), "{unknown}");
}

#[test]
fn a_task_id_is_a_uuid() {
    let id = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3";
    assert_eq!(serde_json::from_value::<TaskId>(json!(id)).unwrap().to_string(), id);
    assert!(serde_json::from_value::<TaskId>(json!("019aa4c2")).is_err());
}

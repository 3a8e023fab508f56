//! Constructs of documents that others wrote: what they become, what is reported, whom a change breaks.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use std::{fs, path::Path};

use circles_codegen::{Change, Generated, Settings, diff, generate, generate_file};
use serde_json::{Value, json};

/// A document with one method, whose result has a schema.
fn document(schema: &Value, components: &Value) -> Value {
    json!({
        "openrpc": "1.3.2",
        "info": { "title": "Sample", "version": "1.0.0" },
        "methods": [{
            "name": "get",
            "params": [{ "name": "key", "required": true, "schema": { "type": "string" } }],
            "result": { "name": "r", "schema": schema },
        }],
        "components": components,
    })
}

fn made(schema: Value, components: Value) -> Generated {
    generate(&document(&schema, &components).to_string(), &Settings::default()).unwrap()
}

/// The text of a result's type in the trait.
fn result_of(schema: Value) -> String {
    let generated = made(schema, json!({}));
    let rust = generated.rust().split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, after) = rust.rsplit_once(") -> Result<").unwrap();
    after
        .split(", ::jsonrpsee")
        .next()
        .unwrap()
        .replace("::std::string::", "")
        .replace("::std::vec::", "")
        .replace("::circles_codegen_support::", "")
        .replace("super::types::", "types::")
        .trim()
        .to_owned()
}

#[test]
fn schemas_become_types() {
    for (schema, expected) in [
        (json!({ "type": "string" }), "String"),
        (json!({ "type": ["string", "null"] }), "::std::option::Option<String>"),
        (json!({ "type": "string", "nullable": true }), "::std::option::Option<String>"),
        (json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] }), "::std::option::Option<String>"),
        (json!({ "type": "integer" }), "Integer"),
        (json!({ "type": "integer", "minimum": 0 }), "Natural"),
        (json!({ "type": "integer", "minimum": 1 }), "types::GetResult"),
        (json!({ "type": "integer", "format": "uint32" }), "Int<u32>"),
        (json!({ "type": "integer", "minimum": 0, "maximum": 255 }), "Int<u8>"),
        (json!({ "type": "number" }), "Number"),
        (json!({ "type": "integer", "minimum": 0, "maximum": 1e30 }), "types::GetResult"),
        (json!({ "type": "array", "items": [{ "type": "string" }] }), "Vec<Item<String>>"),
        (
            json!({ "type": "array", "items": [{ "type": "string" }, { "type": "boolean" }] }),
            "types::GetResult",
        ),
        (
            json!({
                "prefixItems": [{ "type": "string" }, { "type": "boolean" }], "items": false, "minItems": 2,
            }),
            "(String, bool)",
        ),
        (
            json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 400, "maxItems": 400 }),
            "Vec<bool>",
        ),
        (json!(false), "()"),
        (json!({ "const": null }), "()"),
        (json!({ "enum": [true, false] }), "bool"),
        (json!({ "allOf": [{ "type": "number" }, { "type": "integer" }] }), "Integer"),
        (json!({ "oneOf": [{ "type": "string", "description": "a" }, { "type": "string" }] }), "String"),
    ] {
        assert_eq!(result_of(schema.clone()), expected, "{schema}");
    }
}

#[test]
fn fallback_to_any_value_is_reported_with_its_place() {
    let generated = made(json!({ "type": "object", "properties": { "a": {} } }), json!({}));
    let fallbacks = &generated.report().fallbacks;
    let places = fallbacks.iter().map(|remark| remark.pointer.as_str()).collect::<Vec<_>>();
    assert_eq!(places, ["/methods/0/result/schema/properties/a"]);
    let unchecked = made(json!({ "type": "object", "propertyNames": { "maxLength": 3 } }), json!({}));
    assert_eq!(unchecked.report().unchecked.len(), 1);
}

#[test]
fn equal_titles_of_different_schemas_make_different_types() {
    let point = |property: &str| {
        let properties = json!({ property: { "type": "string" } });
        json!({ "title": "Point", "type": "object", "properties": properties })
    };
    let generated = made(
        json!({ "type": "object", "properties": { "a": point("x"), "b": point("x"), "c": point("y") } }),
        json!({}),
    );
    let structs = generated.rust().matches("pub struct").count();
    assert!(generated.rust().contains("pub struct Point {"));
    // The result, two points, the params, and two of the support.
    assert_eq!(generated.report().types, 3, "{structs}\n{}", generated.rust());
}

#[test]
fn self_inclusion_is_refused_and_recursion_is_boxed() {
    let refused = [
        json!({ "A": { "$ref": "#/components/schemas/A" } }),
        json!({ "A": { "allOf": [{ "$ref": "#/components/schemas/A" }, { "type": "object" }] } }),
        json!({ "A": { "$ref": "#/components/schemas/B" }, "B": { "$ref": "#/components/schemas/A" } }),
    ];
    for schemas in refused {
        let text = document(&json!(true), &json!({ "schemas": schemas })).to_string();
        let error = generate(&text, &Settings::default()).unwrap_err().to_string();
        assert!(error.contains("/components/schemas/A") && error.contains("includes itself"), "{error}");
        generate(&text, &Settings { lenient: true, ..Settings::default() }).unwrap();
    }
    let reference = json!({ "$ref": "#/components/schemas/A" });
    let properties = json!({ "next": reference, "all": { "type": "array", "items": reference } });
    let held = json!({ "A": { "type": "object", "properties": properties } });
    let generated = made(reference, json!({ "schemas": held }));
    assert!(generated.rust().contains("pub next: ::std::option::Option<::std::boxed::Box<A>>"));
    assert!(generated.rust().contains("::std::vec::Vec<A>"));
}

#[test]
fn references_between_files_are_searched_in_root() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value.to_string()).unwrap();
    };
    write("api/main.json", document(&json!({ "$ref": "./shared/types.json#/definitions/Pet" }), &json!({})));
    let owner = json!({ "$ref": "api/main.json#/methods/0/params/0/schema" });
    let properties = json!({ "owner": owner, "friend": { "$ref": "#/definitions/Pet" } });
    let pet = json!({ "type": "object", "properties": properties });
    write("shared/types.json", json!({ "definitions": { "Pet": pet } }));
    let main = directory.path().join("api/main.json");
    let error = generate_file(&main, &Settings::default()).unwrap_err();
    assert!(error.to_string().contains("main.json: /methods/0/result/schema/$ref: "), "{error}");
    let root = Some(directory.path().to_owned());
    let generated = generate_file(&main, &Settings { root, ..Settings::default() }).unwrap();
    assert!(generated.rust().contains("pub struct Pet"), "{}", generated.rust());
    assert_eq!(generated.files().len(), 2);
}

#[test]
fn invalid_examples_are_listed_and_make_no_test() {
    let mut document = document(&json!({ "type": "integer", "maximum": 5 }), &json!({}));
    let example = |value: i64| {
        let result = json!({ "name": "r", "value": value });
        json!({ "name": "e", "params": [{ "name": "key", "value": "k" }], "result": result })
    };
    document["methods"][0]["examples"] = json!([example(5), example(6)]);
    let generated = generate(&document.to_string(), &Settings::default()).unwrap();
    assert_eq!((generated.report().examples, generated.report().invalid_examples.len()), (3, 1));
    assert!(generated.tests().contains("/methods/0/examples/0") && !generated.tests().contains("\"6\""));
}

/// A document whose only example is this one, with `maximum` 5 as its result's rule and one declared error.
fn with_example(example: Value) -> Value {
    let left = json!({ "left": { "type": "integer" } });
    let data = json!({ "BUSY": { "type": "object", "required": ["left"], "properties": left } });
    let errors = json!({ "BUSY": { "code": 7, "message": "busy" } });
    let mut document = document(
        &json!({ "type": "integer", "maximum": 5 }),
        &json!({ "errors": errors, "x-error-data": data }),
    );
    document["methods"][0]["errors"] = json!([{ "$ref": "#/components/errors/BUSY" }]);
    document["methods"][0]["examples"] = json!([example]);
    document
}

#[test]
fn examples_become_server_tests_and_gaps_are_listed() {
    let params = json!([{ "name": "key", "value": "k" }]);
    let contract = |more: Value| {
        let mut example = json!({ "name": "Of the key", "params": params });
        example.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let generated = generate(&with_example(example).to_string(), &Settings::default()).unwrap();
        generated.contract().to_owned()
    };
    let result = contract(json!({ "result": { "name": "r", "value": 5 }, "x-given": "a key" }));
    for part in ["async fn get_of_the_key()", "given: Some(\"a key\")", r#"{\"key\":\"k\"}"#, "[\"7 BUSY\"]"]
    {
        assert!(result.contains(part), "{part} is not in\n{result}");
    }
    let error = json!({ "code": 7, "message": "busy", "data": { "left": 3 } });
    let error = contract(json!({ "x-error": error, "x-varies": ["/data/left"] }));
    for part in ["answer: Err(", "varies: &[\"/data/left\"]", "[\"get\"]"] {
        assert!(error.contains(part), "{part} is not in\n{error}");
    }
    // No server can give an answer that the schemas refuse.
    let invalid = json!({ "code": 7, "message": "busy", "data": { "left": "three" } });
    for invalid in [json!({ "result": { "name": "r", "value": 6 } }), json!({ "x-error": invalid })] {
        assert!(contract(invalid).contains("EXAMPLES: [Example; 0usize]"));
    }
}

#[test]
fn contradictory_example_is_refused_with_its_place() {
    let refused = [
        (json!({ "x-given": 3 }), "/x-given: expected a string"),
        (json!({ "x-error": "busy" }), "/x-error: expected an object"),
        (json!({ "x-error": { "message": "busy" } }), "/x-error: no code, which is an integer"),
        (json!({ "x-error": { "code": 7 } }), "/x-error: no message"),
        (
            json!({ "x-error": { "code": 7, "message": "" }, "result": { "name": "r", "value": 5 } }),
            "/result: expected no result together with x-error",
        ),
        (
            json!({ "result": { "name": "r", "value": 5 }, "x-varies": ["/a"] }),
            "/x-varies/0: expected a JSON pointer to a part of the answer",
        ),
        (
            json!({ "result": { "name": "r", "value": 5 }, "x-varies": "" }),
            "/x-varies: expected an array of JSON pointers",
        ),
    ];
    for (more, expected) in refused {
        let mut example = json!({ "name": "e", "params": [{ "name": "key", "value": "k" }] });
        example.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text = with_example(example).to_string();
        let error = generate(&text, &Settings::default()).unwrap_err().to_string();
        assert_eq!(error, format!("/methods/0/examples/0{expected}"));
    }
}

fn changes(edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let schema =
        json!({ "type": "object", "required": ["a"], "properties": { "a": { "enum": ["x", "y"] } } });
    let old = document(&schema, &json!({}));
    let mut new = old.clone();
    edit(&mut new);
    let write = |name: &str, value: &Value| {
        let path = directory.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path
    };
    let (old, new) = (write("old.json", &old), write("new.json", &new));
    let changes: Vec<Change> = diff(Path::new(&old), Path::new(&new), &Settings::default()).unwrap();
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn diff_names_the_side_that_a_change_breaks() {
    let expect = |edit: fn(&mut Value), expected: &[&str]| assert_eq!(changes(edit), expected);
    expect(|_| {}, &[]);
    expect(|new| new["methods"] = json!([]), &["get: the method is gone (breaks clients)"]);
    expect(
        |new| new["methods"][0]["params"][0]["required"] = json!(false),
        &["get param key: optional now (breaks servers)"],
    );
    expect(
        |new| new["methods"][0]["params"][0]["schema"]["maxLength"] = json!(3),
        &["get param key: has rules now (breaks clients)"],
    );
    expect(
        |new| new["methods"][0]["result"]["schema"]["properties"]["a"]["enum"] = json!(["x", "y", "z"]),
        &["get result.a: \"z\" is new (breaks clients)"],
    );
    expect(
        |new| new["methods"][0]["result"]["schema"]["required"] = json!([]),
        &["get result.a: optional now (breaks clients)"],
    );
    expect(
        |new| new["methods"][0]["summary"] = json!("Get it."),
        &["get: described differently (breaks neither)"],
    );
}

#[test]
fn report_names_unchecked_rules() {
    let text = json!({ "type": "string" });
    let object = |name: &str| json!({ "type": "object", "properties": { name: text } });
    let closed = json!({ "type": "object", "properties": { "a": text }, "additionalProperties": false });
    for (schema, expected) in [
        (
            json!({ "oneOf": [object("a"), object("b")] }),
            "/oneOf: oneOf: that no other alternative fits as well",
        ),
        (
            json!({ "allOf": [closed, object("b")] }),
            "/allOf/0/additionalProperties: additionalProperties, of",
        ),
        (json!({ "type": "array", "items": [text] }), "/items/0: that the first items are as described"),
        (
            json!({ "type": "integer", "maximum": 5, "default": 9 }),
            "/default: its own schema refuses this default",
        ),
        (json!({ "properties": { "a": text } }), "/schema: it names no type"),
    ] {
        let report = made(schema.clone(), json!({})).report().to_string();
        assert!(report.contains(expected), "{schema}: {report}");
    }
    let apart = json!({ "oneOf": [text, { "type": "integer" }, closed] });
    assert!(!made(apart, json!({})).report().to_string().contains("oneOf"));
}

#[test]
fn markdown_escapes_document_text() {
    let mut document =
        document(&json!({ "type": "string", "pattern": "^`a`|b$", "description": "```\nopen" }), &json!({}));
    document["methods"][0]["description"] = json!("Says:\n~~~\nopen");
    document["methods"][0]["summary"] = json!("a | b\nc");
    document["methods"][0]["params"][0]["description"] = json!("<!-- a\n| b");
    document["methods"][0]["errors"] = json!([{ "code": 1, "message": "x|y", "data": { "a": "`|" } }]);
    document["info"]["title"] = json!("Two\nlines");
    let generated = generate(&document.to_string(), &Settings::default()).unwrap();
    let page = generated.markdown();
    assert!(page.starts_with("# Two lines 1.0.0\n"), "{page}");
    let fences = page.lines().filter(|line| line.starts_with("~~~")).count();
    assert_eq!(fences, 2, "{page}");
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    for row in page.lines().filter(|line| line.starts_with("| 1 |") || line.starts_with("| `key`")) {
        assert_eq!(cells(row), if row.starts_with("| 1 |") { 5 } else { 4 }, "{row}");
    }
    assert!(page.contains("x\\|y") && page.contains("`` {\"a\":\"`\\|\"} ``"), "{page}");
}

#[test]
fn empty_range_allows_no_value_when_lenient() {
    let text = document(&json!({ "type": "integer", "minimum": 5, "maximum": 1 }), &json!({})).to_string();
    assert!(generate(&text, &Settings::default()).is_err());
    let generated = generate(&text, &Settings { lenient: true, ..Settings::default() }).unwrap();
    assert!(generated.rust().contains("pub struct GetResult(pub ::circles_codegen_support::Never)"));
}

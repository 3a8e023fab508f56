//! No document makes the generator panic.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use std::{panic, sync::Mutex};

use circles_codegen::{Settings, generate};
use serde_json::{Value, json};

const DOCUMENTS: [&str; 2] =
    [include_str!("../../openrpc.json"), include_str!("golden/accepted_schemas/openrpc.json")];

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The places of every value in a document but the root.
fn places(value: &Value, pointer: &str, places: &mut Vec<String>) {
    let step = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, value)| (step(key), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| (step(&at.to_string()), item)).collect()
        }
        _ => Vec::new(),
    };
    for (pointer, child) in children {
        self::places(child, &pointer, places);
        places.push(pointer);
    }
}

fn delete(document: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(&key.replace("~1", "/").replace("~0", "~"))),
        Value::Array(items) => drop(items.remove(key.parse().unwrap())),
        _ => unreachable!("only objects and arrays hold anything"),
    }
}

fn replacements() -> Vec<Value> {
    let reference = |to: &str| json!({ "$ref": to });
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("x"),
        json!("object"),
        json!("integer"),
        json!([]),
        json!([null]),
        json!(["null"]),
        json!(["integer", "null"]),
        json!({}),
        json!({ "": {} }),
        json!({ "type": "object", "properties": { "a": { "type": ["array", "null"] } } }),
        json!({ "type": ["object", "null"], "additionalProperties": false }),
        json!({ "oneOf": [{ "type": "null" }, { "type": "string" }] }),
        json!({ "anyOf": [{ "type": "integer" }, { "type": "object", "properties": { "x": true } }] }),
        json!({ "allOf": [reference("#/components/schemas/PlayStats"), reference("#/components/schemas/LogLevel")] }),
        json!({ "allOf": [{ "type": "string" }, { "type": "object" }] }),
        json!({ "type": "string", "enum": ["a", "b"] }),
        reference("#"),
        reference("#/components/schemas/Nothing"),
        reference("#/components/schemas/PlayResult"),
        reference("#/components/schemas/Tree"),
        reference("#/methods/0"),
    ]
}

#[test]
fn mutated_documents_cause_no_panic() {
    panic::set_hook(Box::new(|info| PANICS.lock().unwrap().push(info.to_string())));
    let settings = Settings::interface("crate::Error", "../openrpc.json");
    let replacements = replacements();
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    let mut panicked = Vec::new();
    for text in DOCUMENTS {
        let whole = serde_json::from_str::<Value>(text).unwrap();
        let mut pointers = Vec::new();
        places(&whole, "", &mut pointers);
        // Few of the places, since each mutant becomes a whole output; `fuzz.rs` takes any.
        let taken = |index: usize, pointer: &str| {
            index.is_multiple_of(if pointer.contains("/examples/") { 50 } else { 5 })
        };
        for (index, pointer) in pointers.iter().enumerate().filter(|(at, pointer)| taken(*at, pointer)) {
            // Schemas meet more of the replacements: neighbours meet the others.
            let turn = if pointer.contains("/schema") { 23 } else { 53 };
            let chosen = replacements.iter().enumerate().filter(|(at, _)| (at + index).is_multiple_of(turn));
            let mutants = chosen.map(|(_, replacement)| Some(replacement)).chain([None]);
            for replacement in mutants {
                let mut mutant = whole.clone();
                match replacement {
                    Some(replacement) => *mutant.pointer_mut(pointer).unwrap() = replacement.clone(),
                    None => delete(&mut mutant, pointer),
                }
                let result = panic::catch_unwind(|| generate(&mutant.to_string(), &settings));
                for panic in PANICS.lock().unwrap().drain(..) {
                    panicked.push(format!("{pointer} replaced by {replacement:?}: {panic}"));
                }
                match result {
                    Ok(Ok(_)) => accepted += 1,
                    _ => refused += 1,
                }
            }
        }
    }
    drop(panic::take_hook());
    assert!(panicked.is_empty(), "{} panics:\n{}", panicked.len(), panicked.join("\n"));
    assert!(accepted > 50 && refused > 50, "{accepted} accepted, {refused} refused");
}

#[test]
fn truncated_text_is_refused() {
    let text = DOCUMENTS[0];
    for end in (0..text.len()).step_by(97).filter(|end| text.is_char_boundary(*end)) {
        assert!(generate(&text[..end], &Settings::default()).is_err());
    }
}

#[test]
fn deep_nesting_is_refused_without_overflow() {
    let deep = format!("{}{}", r#"{"a":["#.repeat(100_000), "]}".repeat(100_000));
    assert!(generate(&deep, &Settings::default()).is_err());
}

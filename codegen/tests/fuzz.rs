//! Random documents cause no panic, no overflow and no endless loop.
//!
//! A fuzzer of its own, since the coverage-guided ones need a nightly compiler: it starts from real documents, cuts
//! and grafts their parts, bends references and repeats names, and now and then breaks bytes. `FUZZ_SECONDS` says how
//! long (3 by default), `FUZZ_SEED` where to begin; a failure names the seed of its document (of
//! one that ends the process, `fuzz-seed` in cargo's `target/tmp` does), and `FUZZ_SEED=<that> FUZZ_SECONDS=0` makes
//! that one again.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use circles_codegen::{Settings, generate};
use serde_json::{Map, Value, json};

/// No document of this size may take longer, unoptimised and on a machine that does much else; most take milliseconds.
const MAX_TIME: Duration = Duration::from_secs(120);
/// Grafts must not make documents grow without end.
const MAX_DOCUMENT_BYTES: usize = 200_000;

/// Numbers that look random and are the same each time (xorshift64*).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end.max(1)
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

fn documents() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("../openrpc.json"), root.join("examples/petstore/petstore.json")];
    let goldens = fs::read_dir(root.join("tests/golden")).unwrap();
    paths.extend(goldens.map(|entry| entry.unwrap().path().join("openrpc.json")));
    if let Some(more) = env::var_os("FUZZ_CORPUS") {
        paths.extend(fs::read_dir(more).unwrap().map(|entry| entry.unwrap().path()));
    }
    paths.sort();
    let texts = paths.iter().filter_map(|path| fs::read_to_string(path).ok());
    texts
        .filter(|text| text.len() < MAX_DOCUMENT_BYTES)
        .filter_map(|text| serde_json::from_str(&text).ok())
        .collect()
}

fn pointers(value: &Value, pointer: &str, all: &mut Vec<String>) {
    let step = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    all.push(pointer.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| pointers(value, &step(key), all)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| pointers(value, &step(&at.to_string()), all));
        }
        _ => {}
    }
}

/// Schemas that are hard on a generator; `to` is some place of the document.
fn oddity(random: &mut Random, to: &str) -> Value {
    let reference = json!({ "$ref": format!("#{to}") });
    let texts =
        ["", "type", "Self", "…", "a/b~c", "\u{202e}", "r#x", "1", "-1", "Ok", "*/", "```", "{{", "\r"];
    let text = *random.of(&texts);
    let choices = [
        json!(null),
        json!(true),
        json!(false),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(text),
        json!([]),
        json!({}),
        reference.clone(),
        json!({ "$ref": "#" }),
        json!({ "$ref": "../x.json#/a" }),
        json!({ "$ref": "https://example.com/schema" }),
        json!({ "allOf": [reference, { "type": "object", "properties": { text: reference } }] }),
        json!({ "oneOf": [reference, { "type": "null" }] }),
        json!({ "anyOf": [reference, reference, { "type": "string" }, { "const": text }] }),
        json!({ "oneOf": [{ "required": ["a"] }, { "required": ["b"] }], "properties": { "a": reference } }),
        json!({ "type": ["string", "integer", "null", "object"], "minimum": 3, "maxLength": 2 }),
        json!({ "enum": [text, 1, 1.0, null, [], {}] }),
        json!({ "enum": [text, format!("{text} "), text.to_uppercase()] }),
        json!({ "const": { "a": [text] } }),
        json!({ "type": "integer", "minimum": -1e30, "maximum": 1e30 }),
        json!({ "type": "integer", "exclusiveMinimum": 5, "maximum": 5 }),
        json!({ "type": "number", "minimum": -0.5, "exclusiveMaximum": 1e308 }),
        json!({ "type": "string", "pattern": "^(a+)+$", "minLength": 1 }),
        json!({ "type": "array", "items": [reference, { "type": "string" }], "additionalItems": false }),
        json!({ "type": "array", "prefixItems": (0..20).map(|_| reference.clone()).collect::<Vec<_>>() }),
        json!({ "type": "object", "additionalProperties": reference, "properties": { "extra": reference } }),
        json!({ "type": "object", "patternProperties": { "^x": reference }, "additionalProperties": false }),
        json!({ "title": text, "type": "object", "properties": { text: { "title": text, "enum": [text] } } }),
        json!({ "nullable": true, "allOf": [reference] }),
        json!({ "oneOf": [
            { "properties": { "kind": { "const": text } }, "required": ["kind"], "type": "object" },
            { "properties": { "kind": { "const": "b" }, "x": reference }, "required": ["kind"], "type": "object" },
        ] }),
    ];
    random.of(&choices).clone()
}

fn mutate(document: &mut Value, others: &[Value], random: &mut Random) {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let at = random.of(&all).clone();
    let to = random.of(&all).clone();
    let replacement = match random.below(6) {
        0 | 1 => oddity(random, &to),
        2 => document.pointer(&to).cloned().unwrap_or_default(),
        3 => {
            let other = random.of(others);
            let mut theirs = Vec::new();
            pointers(other, "", &mut theirs);
            other.pointer(random.of::<String>(&theirs)).cloned().unwrap_or_default()
        }
        4 => json!({ "$ref": format!("#{to}") }),
        _ => {
            let Some((parent, key)) = at.rsplit_once('/') else { return };
            if let Some(Value::Object(members)) = document.pointer_mut(parent) {
                let key = key.replace("~1", "/").replace("~0", "~");
                let removed = members.remove(&key).unwrap_or_default();
                if random.below(2) == 0 {
                    members.insert(key.to_uppercase(), removed);
                }
            }
            return;
        }
    };
    if let Some(place) = document.pointer_mut(&at) {
        *place = replacement;
    }
}

/// One document for each seed.
fn made(seed: u64, documents: &[Value]) -> String {
    let mut random = Random::new(seed);
    let mut document = random.of(documents).clone();
    for _ in 0..=random.below(12) {
        mutate(&mut document, documents, &mut random);
    }
    if !document.is_object() {
        document = Value::Object(Map::from_iter([("methods".to_owned(), document)]));
    }
    let mut text = document.to_string();
    let end = (0..=MAX_DOCUMENT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap();
    text.truncate(end);
    if random.below(10) == 0 {
        let mut bytes = text.into_bytes();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = u8::try_from(random.below(256)).unwrap();
            }
        }
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}

#[test]
fn random_documents_cause_no_panic_or_endless_run() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(3));
    let documents = documents();
    let modes = [
        Settings { lenient: true, ..Settings::default() },
        Settings::default(),
        Settings::interface("crate::Error", "../openrpc.json"),
    ];
    let (begun, mut seed, mut accepted) = (Instant::now(), number("FUZZ_SEED").unwrap_or(1), 0_u64);
    let first = seed;
    loop {
        let text = made(seed, &documents);
        // The seed survives if a stack overflow ends the process.
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-seed"), seed.to_string()).unwrap();
        for settings in &modes {
            let one = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| generate(&text, settings)));
            let taken = one.elapsed();
            assert!(result.is_ok(), "FUZZ_SEED={seed}: a panic");
            assert!(taken < MAX_TIME, "FUZZ_SEED={seed}: {} bytes took {taken:?}", text.len());
            let Ok(Ok(generated)) = result else { continue };
            // Text that became no Rust is left out.
            let texts =
                [generated.rust(), generated.contract(), generated.typescript(), generated.markdown()];
            assert!(!texts.contains(&""), "FUZZ_SEED={seed}: nothing came out");
            accepted += 1;
        }
        seed += 1;
        if begun.elapsed() >= seconds {
            break;
        }
    }
    // Printed by `--nocapture` alone.
    println!("{} documents, {accepted} outputs", seed - first);
}

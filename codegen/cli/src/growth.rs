//! The time of generation as a document grows: the same document several times over, under other names.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use circles_codegen::{Settings, generate};
use serde_json::{Map, Value};

use crate::{Result, files::read};

/// The numbers of copies of the document.
const COPIES: [usize; 4] = [1, 2, 4, 8];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The OpenRPC document.
    pub(crate) document: PathBuf,
}

/// Prints the time that the generator takes for a document, and for documents that hold it several times.
pub(crate) fn growth(path: &Path) -> Result {
    let text = read(path)?;
    let document =
        serde_json::from_str::<Value>(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("| times | KiB | methods | types | lines of Rust | generated in | per KiB |");
    println!("|---|---|---|---|---|---|---|");
    for times in COPIES {
        let text = repeated(&document, times).to_string();
        let begun = Instant::now();
        let generated = generate(&text, &Settings { lenient: true, ..Settings::default() });
        let took = begun.elapsed();
        let generated = generated.map_err(|error| format!("{} times over:\n{error}", times))?;
        let (kib, report) = (text.len().div_ceil(1024), generated.report());
        let per_kib = took / u32::try_from(kib.max(1)).unwrap_or(u32::MAX);
        let (methods, types, lines) = (report.methods, report.types, generated.rust().lines().count());
        let (took, per_kib) = (took.as_millis(), per_kib.as_micros());
        println!("| {times} | {kib} | {methods} | {types} | {lines} | {took} ms | {per_kib} µs |");
    }
    Ok(())
}

/// A document that holds each method and component this many times, each time under another name.
fn repeated(document: &Value, times: usize) -> Value {
    let mut whole = document.clone();
    let copies = |value: &Value| (0..times).map(|copy| renamed(value, copy)).collect::<Vec<_>>();
    if let Some(methods) = whole.get_mut("methods").and_then(Value::as_array_mut) {
        *methods = copies(&document["methods"])
            .into_iter()
            .enumerate()
            .flat_map(|(copy, methods)| {
                let methods = methods.as_array().cloned().unwrap_or_default();
                methods.into_iter().map(move |method| suffixed(method, "name", copy))
            })
            .collect();
    }
    for kind in
        whole.get_mut("components").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
    {
        let members = copies(kind).into_iter().enumerate().flat_map(|(copy, kind)| {
            let members = kind.as_object().cloned().unwrap_or_default();
            members.into_iter().map(move |(name, value)| (with_suffix(&name, copy), value))
        });
        *kind = Value::Object(members.collect());
    }
    whole
}

/// Copies a value with titles and references of its own.
fn renamed(value: &Value, copy: usize) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| renamed(item, copy)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, member)| {
                let member = match (key.as_str(), member) {
                    ("title", Value::String(title)) => with_suffix(title, copy).into(),
                    ("$ref", Value::String(to)) => referred(to, copy).into(),
                    (_, member) => renamed(member, copy),
                };
                (key.clone(), member)
            });
            Value::Object(members.collect())
        }
        value => value.clone(),
    }
}

/// A reference to a component, or into it, as a reference to its copy.
fn referred(to: &str, copy: usize) -> String {
    let Some(path) = to.strip_prefix("#/components/") else { return to.to_owned() };
    let mut steps = path.split('/').map(str::to_owned).collect::<Vec<_>>();
    if let Some(name) = steps.get_mut(1) {
        *name = with_suffix(name, copy);
    }
    format!("#/components/{}", steps.join("/"))
}

fn suffixed(mut value: Value, key: &str, copy: usize) -> Value {
    if let Some(Value::String(name)) = value.get_mut(key) {
        *name = with_suffix(name, copy);
    }
    value
}

fn with_suffix(name: &str, copy: usize) -> String {
    if copy == 0 { name.to_owned() } else { format!("{name}_{copy}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn copies_refer_to_themselves() {
        let schema = json!({ "$ref": "#/components/schemas/A/properties/b" });
        let document = json!({
            "openrpc": "1.3.2",
            "info": { "title": "T", "version": "1" },
            "methods": [{ "name": "m", "params": [], "result": { "name": "r", "schema": schema } }],
            "components": { "schemas": { "A": { "title": "A", "type": "object", "properties": { "b": true } } } },
        });
        let twice = repeated(&document, 2);
        assert_eq!(twice["methods"][1]["name"], "m_1");
        let to = &twice["methods"][1]["result"]["schema"]["$ref"];
        assert_eq!(to, "#/components/schemas/A_1/properties/b");
        assert_eq!(twice["components"]["schemas"]["A_1"]["title"], "A_1");
        assert_eq!(repeated(&document, 1), document);
    }
}

//! What must hold of a document beyond its shape, so that the Rust made from it compiles and means the same.

mod schema;
mod subscriptions;

pub(crate) use self::schema::is_annotation;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    document::{Document, Method, ParamStructure},
    error::Faults,
    json::step,
    names,
};

/// Codes that JSON-RPC and jsonrpsee keep for themselves.
const RESERVED: [i64; 14] = [
    -32700, -32600, -32601, -32602, -32603, // JSON-RPC 2.0, section 5.1
    -32000, -32001, -32005, -32006, -32007, -32008, -32009, -32010, -32011, // jsonrpsee-types, error.rs
];

/// Notes every fault of a document.
pub(crate) fn check(root: &Value, document: &Document, faults: &mut Faults) {
    if names::type_name(&document.title).is_none() && !document.title.is_empty() {
        faults.add("/info/title", "expected a name that can become a Rust trait's");
    }
    methods(document, faults);
    subscriptions::check(document, faults);
    errors(document, faults);
    let mut types = Names::new("schemas", names::schema_type_name);
    for named in &document.schemas {
        types.add(&named.name, &named.schema.pointer, faults);
    }
    schema::check_all(root, document, faults);
}

fn methods(document: &Document, faults: &mut Faults) {
    if document.methods.is_empty() && document.title.is_empty() {
        return;
    }
    if document.methods.is_empty() {
        faults.add("/methods", "expected at least one method");
    }
    let mut functions = Names::new("methods", names::value_name);
    let mut structs = Names::new("methods", names::type_name);
    for method in &document.methods {
        let place = step(&method.pointer, "name");
        let _ = functions.add(&method.name, &place, faults) && structs.add(&method.name, &place, faults);
        params(method, faults);
        for (pointer, name) in &method.examples {
            if !method.params.iter().any(|param| param.name == *name) {
                faults.add(pointer, format!("an example of `{name}`, which is no param of this method"));
            }
        }
    }
}

fn params(method: &Method, faults: &mut Faults) {
    let mut arguments = Names::new("params", names::value_name);
    let mut optional = None;
    for param in &method.params {
        arguments.add(&param.name, &step(&param.pointer, "name"), faults);
        if !param.required {
            optional = Some(&param.name);
        } else if let Some(optional) = optional
            && method.structure != ParamStructure::ByName
        {
            let problem =
                format!("required, but it follows `{optional}`, which is optional: positions need it first");
            faults.add(&param.pointer, problem);
        }
    }
}

fn errors(document: &Document, faults: &mut Faults) {
    let mut variants = Names::new("errors", names::type_name);
    let mut constants = Names::new("errors", names::constant_name);
    let mut codes = BTreeMap::new();
    for error in &document.errors {
        let _ = variants.add(&error.name, &error.pointer, faults)
            && constants.add(&error.name, &error.pointer, faults);
        let place = step(&error.pointer, "code");
        if RESERVED.contains(&error.code) {
            faults.add(&place, format!("{} is reserved by JSON-RPC or jsonrpsee", error.code));
        } else if i32::try_from(error.code).is_err() {
            faults.add(&place, format!("{} does not fit in 32 bits", error.code));
        }
        if let Some(other) = codes.insert(error.code, &error.name) {
            faults.add(&place, format!("{} is the code of `{other}` already", error.code));
        }
    }
}

/// Names that must differ, both as they stand and as Rust.
pub(crate) struct Names {
    kind: &'static str,
    convert: fn(&str) -> Option<String>,
    seen: BTreeMap<String, String>,
}

impl Names {
    pub(crate) fn new(kind: &'static str, convert: fn(&str) -> Option<String>) -> Self {
        Self { kind, convert, seen: BTreeMap::new() }
    }

    /// Adds a name; false, with the fault noted, if it cannot be.
    pub(crate) fn add(&mut self, name: &str, pointer: &str, faults: &mut Faults) -> bool {
        let Some(rust) = (self.convert)(name) else {
            faults.add(pointer, format!("`{name}` cannot become a name in Rust"));
            return false;
        };
        let kind = self.kind;
        match self.seen.get(&rust) {
            Some(other) if other == name => faults.add(pointer, format!("two {kind} have the name `{name}`")),
            Some(other) => {
                faults.add(pointer, format!("the {kind} `{other}` and `{name}` are both `{rust}` in Rust"));
            }
            None => {
                self.seen.insert(rust, name.to_owned());
                return true;
            }
        }
        false
    }
}

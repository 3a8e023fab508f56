//! Checks what the standards of OpenRPC and JSON Schema demand of a document beyond its shape.

mod schema;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Settings,
    document::{Document, DocumentMethod, ParamStructure},
    error::Faults,
};

pub(crate) use self::schema::{is_annotation, whole};

/// Codes that JSON-RPC and jsonrpsee reserve.
const RESERVED: [i64; 14] = [
    -32700, -32600, -32601, -32602, -32603, // JSON-RPC 2.0, section 5.1
    -32000, -32001, -32005, -32006, -32007, -32008, -32009, -32010, -32011, // jsonrpsee-types, error.rs
];

/// Notes every fault of a document; with one error type for all methods, also codes that cannot tell errors apart.
pub(crate) fn check(document: &Document<'_>, settings: &Settings, faults: &mut Faults) {
    methods(document, settings.exact, faults);
    subscriptions::check(document, faults);
    if settings.error.is_some() {
        codes(document, faults);
    }
    schema::check_all(document, faults);
}

fn methods(document: &Document<'_>, exact: bool, faults: &mut Faults) {
    let mut names = BTreeSet::new();
    for method in &document.methods {
        if !names.insert(&method.name) {
            let place = method.node.member_or_self("name");
            place.fault(faults, format!("two methods have the name `{}`", method.name));
        }
        params(method, faults);
        examples(method, exact, faults);
    }
}

fn params(method: &DocumentMethod<'_>, faults: &mut Faults) {
    let mut names = BTreeSet::new();
    let mut optional = None;
    for param in &method.params {
        if !names.insert(&param.name) {
            let place = param.node.member_or_self("name");
            place.fault(faults, format!("two params have the name `{}`", param.name));
        }
        if !param.required {
            optional = Some(&param.name);
        } else if let Some(optional) = optional
            && method.structure != ParamStructure::ByName
        {
            let problem =
                format!("required, but it follows `{optional}`, which is optional: positions need it first");
            faults.warn(param.node.file_name(), &param.node.pointer, problem);
        }
    }
}

fn examples(method: &DocumentMethod<'_>, exact: bool, faults: &mut Faults) {
    for example in &method.examples {
        for param in &example.params {
            if method.params.iter().any(|known| known.name == param.name) {
                continue;
            }
            let problem = format!("an example of `{}`, which is no param of this method", param.name);
            let file = method.node.files.name(param.place.file);
            if exact {
                faults.add(file, &param.place.pointer, problem);
            } else {
                faults.warn(file, &param.place.pointer, problem);
            }
        }
    }
}

fn codes(document: &Document<'_>, faults: &mut Faults) {
    let mut codes = BTreeMap::new();
    for error in &document.errors {
        let place = error.node.member_or_self("code");
        if RESERVED.contains(&error.code) {
            place.fault(faults, format!("{} is reserved by JSON-RPC or jsonrpsee", error.code));
        }
        if let Some(other) = codes.insert(error.code, &error.name) {
            place.fault(faults, format!("code {} is already used by `{other}`", error.code));
        }
    }
}
